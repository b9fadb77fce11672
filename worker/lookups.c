#include "worker/lookups.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define MAX_HOST_BYTES 256

uint64_t lookups_name(const char *url)
{
	const char *p = strstr(url, "://");
	const char *host = p == NULL ? url : p + 3;
	size_t len = strcspn(host, ":/?#");
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
	char text[MAX_HOST_BYTES];
	struct in_addr in;

	if (host[0] == '[' || len >= sizeof(text))
		return 0;
	memcpy(text, host, len);
	text[len] = '\0';
	if (inet_aton(text, &in) != 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint64_t)tolower((unsigned char)text[i])) *
		       0x100000001b3u;
	return hash == 0 ? 1 : hash;
}

bool lookups_may(const struct lookups *l, uint64_t name, int64_t now_ms)
{
	unsigned n = 0;

	if (name == 0)
		return true;
	for (size_t i = 0; i < LOOKUPS_KEPT; i++)
		n += l->lost[i].name == name && l->lost[i].until_ms > now_ms;
	return n < LOOKUPS_OF_A_NAME;
}

void lookups_give_up(struct lookups *l, uint64_t name, int64_t now_ms)
{
	if (name == 0)
		return;
	l->lost[l->next].name = name;
	l->lost[l->next].until_ms = now_ms + LOOKUPS_MS;
	l->next = (l->next + 1) % LOOKUPS_KEPT;
}
