#include "store/base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *b, const void *data, size_t len)
{
	const uint8_t *at = data;
	char *to = buf_room(b, (len + 2) / 3 * 4);

	if (!to)
		return;
	b->len += (len + 2) / 3 * 4;
	for (; len > 0; at += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t v = (uint32_t)at[0] << 16;

		v |= n > 1 ? (uint32_t)at[1] << 8 : 0;
		v |= n > 2 ? at[2] : 0;
		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*to++ = n > 2 ? digits[v & 63] : '=';
		len -= n;
	}
}

/* -1: no digit. */
static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err base64_read(struct buf *b, const char *text, size_t len)
{
	if (len % 4 != 0)
		return ERR_INPUT;
	for (; len > 0; text += 4, len -= 4) {
		size_t pad = len == 4 ? (text[3] == '=') : 0;
		uint32_t v = 0;

		pad += pad && text[2] == '=';
		for (size_t i = 0; i < 4; i++) {
			int d = i >= 4 - pad ? 0 : value(text[i]);

			if (d < 0)
				return ERR_INPUT;
			v = v << 6 | (uint32_t)d;
		}
		/* What the padding cuts off says nothing. */
		if (v & ((1u << 8 * pad) - 1))
			return ERR_INPUT;
		buf_putc(b, (char)(v >> 16));
		if (pad < 2)
			buf_putc(b, (char)(v >> 8));
		if (pad < 1)
			buf_putc(b, (char)v);
	}
	return OK;
}
