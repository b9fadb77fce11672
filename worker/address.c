#include "worker/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* Single addresses behind which clouds keep what nobody else may read. */
static const uint8_t v4_refused[][4] = {
	{ 255, 255, 255, 255 }, { 100, 100, 100, 200 }, /* Alibaba */
	{ 168, 63, 129, 16 },				/* Azure */
	{ 192, 0, 0, 192 },				/* Oracle */
};

static bool v4_allowed(const uint8_t a[4])
{
	if (a[0] == 169 && a[1] == 254)
		return false;
	if (a[0] >= 224 && a[0] <= 239)
		return false;
	for (size_t i = 0; i < sizeof(v4_refused) / sizeof(v4_refused[0]); i++)
		if (memcmp(a, v4_refused[i], 4) == 0)
			return false;
	return true;
}

/*
 * The IPv4 address that is meant by ${a}, or NULL: mapped (RFC 4291), NAT64
 * (RFC 6052; 8215, where it may lie anywhere behind the prefix and is only
 * believed in its last place), compatible (deprecated) and 6to4 (RFC 3056).
 */
static const uint8_t *v4_within(const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	static const uint8_t nat64[6] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t nat64_local[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00,
		0x01 };
	static const uint8_t zeroes[12];

	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 6) == 0 ||
	    memcmp(a, nat64_local, 6) == 0)
		return a + 12;
	if (memcmp(a, zeroes, 12) == 0)
		return a + 12;
	return a[0] == 0x20 && a[1] == 0x02 ? a + 2 : NULL;
}

static bool v6_allowed(const uint8_t a[16])
{
	static const uint8_t cloud[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02,
		0x54 };
	static const uint8_t google[16] = { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02,
		0x54 };
	const uint8_t *v4 = v4_within(a);

	if (v4 != NULL && !v4_allowed(v4))
		return false;
	if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)
		return false;
	return a[0] != 0xff && memcmp(a, cloud, 16) != 0 &&
	       memcmp(a, google, 16) != 0;
}

bool address_allowed(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		return v4_allowed((const uint8_t *)&in.sin_addr);
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		return v6_allowed(in6.sin6_addr.s6_addr);
	}
	return false;
}

bool address_text_allowed(const char *text)
{
	uint8_t a[16];

	if (text == NULL)
		return false;
	if (inet_pton(AF_INET, text, a) == 1)
		return v4_allowed(a);
	if (inet_pton(AF_INET6, text, a) == 1)
		return v6_allowed(a);
	return false;
}
