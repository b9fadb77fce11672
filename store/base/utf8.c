#include "store/base/utf8.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

/*
 * Look at one code point at ${p} < ${end}. Returns its length when it is
 * well-formed, else minus the length of the maximal ill-formed subpart.
 */
static int step(const unsigned char *p, const unsigned char *end)
{
	unsigned char low = 0x80, high = 0xbf;
	int need;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		need = 1;
	} else if ((p[0] & 0xf0) == 0xe0) {
		need = 2;
		if (p[0] == 0xe0)
			low = 0xa0;
		else if (p[0] == 0xed)
			high = 0x9f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		need = 3;
		if (p[0] == 0xf0)
			low = 0x90;
		else if (p[0] == 0xf4)
			high = 0x8f;
	} else {
		return -1;
	}
	for (int i = 1; i <= need; i++) {
		if (p + i >= end || p[i] < low || p[i] > high)
			return -i;
		low = 0x80;
		high = 0xbf;
	}
	return need + 1;
}

/* Skip ASCII eight bytes at a time: almost all text is ASCII. */
static const unsigned char *skip_ascii(
    const unsigned char *p, const unsigned char *end)
{
	uint64_t w;

	while (end - p >= 8) {
		memcpy(&w, p, 8);
		if (w & 0x8080808080808080u)
			break;
		p += 8;
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

bool utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;

	for (;;) {
		int n;

		p = skip_ascii(p, end);
		if (p >= end)
			return true;
		n = step(p, end);
		if (n < 0)
			return false;
		p += n;
	}
}

void utf8_repair(struct buf *b, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	const unsigned char *good = p;

	while (p < end) {
		int n = step(p, end);

		if (n > 0) {
			p += n;
			continue;
		}
		buf_add(b, good, (size_t)(p - good));
		buf_puts(b, REPLACEMENT);
		p -= n;
		good = p;
	}
	buf_add(b, good, (size_t)(p - good));
}

void utf8_put(struct buf *b, unsigned cp)
{
	char out[4];

	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		buf_putc(b, (char)cp);
	} else if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		buf_add(b, out, 2);
	} else if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		buf_add(b, out, 3);
	} else {
		out[0] = (char)(0xf0 | cp >> 18);
		out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
		out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[3] = (char)(0x80 | (cp & 0x3f));
		buf_add(b, out, 4);
	}
}

size_t utf8_cut(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = len;

	while (n > 0 && len - n < 3 && (p[n - 1] & 0xc0) == 0x80)
		n--;
	if (n == 0)
		return len;
	if (p[n - 1] < 0x80)
		return len;
	return step(p + n - 1, p + len) > 0 ? len : n - 1;
}
