#include "store/base/jsonout.h"

#include <stdio.h>
#include <string.h>

/*
 * A comma is due unless the text ends where a first value may stand: no value
 * ends in a blank or a line's end, so those are what stands before the JSON.
 */
static void separate(struct buf *b)
{
	char last;

	if (b->len == 0)
		return;
	last = b->data[b->len - 1];
	if (last != '{' && last != '[' && last != ':' && last != '\n' &&
	    last != ' ')
		buf_putc(b, ',');
}

void jsonout_object(struct buf *b)
{
	separate(b);
	buf_putc(b, '{');
}

void jsonout_object_end(struct buf *b)
{
	buf_putc(b, '}');
}

void jsonout_array(struct buf *b)
{
	separate(b);
	buf_putc(b, '[');
}

void jsonout_array_end(struct buf *b)
{
	buf_putc(b, ']');
}

void jsonout_key(struct buf *b, const char *key)
{
	separate(b);
	buf_putc(b, '"');
	buf_puts(b, key);
	buf_add(b, "\":", 2);
}

/*
 * The bytes that do not stand for themselves inside a JSON string; 0xe2 may
 * begin U+2028 or U+2029.
 */
static const bool special[256] = {
	[0 ... 0x1f] = true,
	['"'] = true,
	['\\'] = true,
	[0x7f] = true,
	[0xe2] = true,
};

void jsonout_escape(struct buf *b, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;

	while (p < end) {
		const unsigned char *from = p;
		char text[8];

		while (p < end && !special[*p])
			p++;
		buf_add(b, from, (size_t)(p - from));
		if (p == end)
			return;
		switch (*p) {
		case '"': buf_add(b, "\\\"", 2); break;
		case '\\': buf_add(b, "\\\\", 2); break;
		case '\n': buf_add(b, "\\n", 2); break;
		case '\r': buf_add(b, "\\r", 2); break;
		case '\t': buf_add(b, "\\t", 2); break;
		case 0xe2:
			if (end - p >= 3 && p[1] == 0x80 &&
			    (p[2] == 0xa8 || p[2] == 0xa9)) {
				buf_puts(
				    b, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
				p += 2;
			} else {
				buf_putc(b, (char)*p);
			}
			break;
		default:
			snprintf(text, sizeof(text), "\\u%04x", *p);
			buf_add(b, text, 6);
		}
		p++;
	}
}

void jsonout_string(struct buf *b, const char *s, size_t len)
{
	separate(b);
	buf_putc(b, '"');
	jsonout_escape(b, s, len);
	buf_putc(b, '"');
}

void jsonout_int(struct buf *b, int64_t v)
{
	char text[24];
	char *p = text + sizeof(text);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	separate(b);
	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void jsonout_bool(struct buf *b, bool v)
{
	separate(b);
	buf_puts(b, v ? "true" : "false");
}

void jsonout_null(struct buf *b)
{
	separate(b);
	buf_puts(b, "null");
}

void jsonout_raw(struct buf *b, const char *json, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", json[len - 1]) != NULL)
		len--;
	if (len == 0) {
		jsonout_null(b);
		return;
	}
	separate(b);
	buf_add(b, json, len);
}

void jsonout_member(struct buf *b, const char *key, const char *s)
{
	jsonout_key(b, key);
	if (s == NULL)
		jsonout_null(b);
	else
		jsonout_string(b, s, strlen(s));
}

void jsonout_member_int(struct buf *b, const char *key, int64_t v)
{
	jsonout_key(b, key);
	jsonout_int(b, v);
}
