#include "server/http_internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/id.h"
#include "store/base/log.h"

/* Open addressing, linear probing; a seat with n == 0 is free. */
struct seat {
	uint8_t address[16];
	unsigned n;
};

struct http_peers {
	/*
	 * Whenever the lock is free: no free seat lies between a seat and the
	 * place that its address hashes to; at most half of them are taken.
	 */
	pthread_mutex_t lock;
	struct seat *seats;
	size_t mask;
	unsigned max_per_ip;
	uint64_t salt[2];
};

enum err http_peers_new(
    unsigned max_connections, unsigned max_per_ip, struct http_peers **ret)
{
	struct http_peers *p = calloc(1, sizeof(*p));
	size_t n = 16;

	if (p == NULL)
		return ERR_NOMEM;
	while (n < 2 * (size_t)max_connections)
		n *= 2;
	p->seats = calloc(n, sizeof(*p->seats));
	if (p->seats == NULL || pthread_mutex_init(&p->lock, NULL) != 0) {
		free(p->seats);
		free(p);
		return ERR_NOMEM;
	}
	p->mask = n - 1;
	p->max_per_ip = max_per_ip;
	id_random(p->salt, sizeof(p->salt));
	*ret = p;
	return OK;
}

void http_peers_free(struct http_peers *p)
{
	if (p == NULL)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->seats);
	free(p);
}

static void address_of(const struct sockaddr *sa, uint8_t dst[16])
{
	memset(dst, 0, 16);
	if (sa->sa_family == AF_INET6)
		memcpy(dst,
		    (const char *)sa + offsetof(struct sockaddr_in6, sin6_addr),
		    16);
	else if (sa->sa_family == AF_INET)
		memcpy(dst + 12,
		    (const char *)sa + offsetof(struct sockaddr_in, sin_addr),
		    4);
}

static size_t home_of(const struct http_peers *p, const uint8_t address[16])
{
	uint64_t half[2];

	memcpy(half, address, 16);
	half[0] = (half[0] ^ p->salt[0]) * 0x9e3779b97f4a7c15u;
	half[1] = (half[1] ^ p->salt[1] ^ half[0] >> 32) * 0xc2b2ae3d27d4eb4fu;
	return (size_t)(half[0] ^ half[1] >> 29) & p->mask;
}

/* Its seat, or the free one where it would sit. */
static size_t find(const struct http_peers *p, const uint8_t address[16])
{
	size_t i = home_of(p, address);

	while (
	    p->seats[i].n > 0 && memcmp(p->seats[i].address, address, 16) != 0)
		i = (i + 1) & p->mask;
	return i;
}

bool http_peers_enter(struct http_peers *p, const struct sockaddr *sa)
{
	uint8_t address[16];
	struct seat *seat;
	bool in;

	address_of(sa, address);
	pthread_mutex_lock(&p->lock);
	seat = &p->seats[find(p, address)];
	in = seat->n < p->max_per_ip;
	if (in && seat->n++ == 0)
		memcpy(seat->address, address, 16);
	pthread_mutex_unlock(&p->lock);
	return in;
}

/* Close the gap at ${hole}: whoever was pushed past it moves back. */
static void close_gap(struct http_peers *p, size_t hole)
{
	size_t i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & p->mask;
		if (p->seats[i].n == 0)
			return;
		home = home_of(p, p->seats[i].address);
		if (((i - home) & p->mask) < ((i - hole) & p->mask))
			continue;
		p->seats[hole] = p->seats[i];
		p->seats[i].n = 0;
		hole = i;
	}
}

void http_peers_leave(struct http_peers *p, const struct sockaddr *sa)
{
	uint8_t address[16];
	size_t i;

	address_of(sa, address);
	pthread_mutex_lock(&p->lock);
	i = find(p, address);
	ASSERT(p->seats[i].n > 0);
	if (--p->seats[i].n == 0)
		close_gap(p, i);
	pthread_mutex_unlock(&p->lock);
}
