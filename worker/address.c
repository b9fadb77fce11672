#include "worker/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static bool v4_allowed(const uint8_t a[4])
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (a[0] == 169 && a[1] == 254)
		return false;
	if (a[0] >= 224 && a[0] <= 239)
		return false;
	return memcmp(a, broadcast, 4) != 0;
}

static bool v6_allowed(const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t cloud[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02,
		0x54 };

	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return v4_allowed(a + 12);
	if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)
		return false;
	return a[0] != 0xff && memcmp(a, cloud, 16) != 0;
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
