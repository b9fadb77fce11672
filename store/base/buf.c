#include "store/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes };
}

void buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = OK;
}

enum err buf_state(const struct buf *b)
{
	return b->failed;
}

char *buf_room(struct buf *b, size_t len)
{
	size_t cap;
	char *data;

	if (b->failed != OK)
		return NULL;
	if (len > b->max || b->len > b->max - len) {
		b->failed = ERR_LIMIT;
		return NULL;
	}
	if (b->cap - b->len >= len && b->data != NULL)
		return b->data + b->len;
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap < b->len + len)
		cap *= 2;
	if (cap > b->max && b->max >= b->len + len)
		cap = b->max < 64 ? 64 : b->max;
	/* One more, for the NUL that vsnprintf() writes behind its text. */
	data = realloc(b->data, cap + 1);
	if (data == NULL) {
		b->failed = ERR_NOMEM;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

void buf_add_growing(struct buf *b, const void *data, size_t len)
{
	char *p;

	if (len == 0)
		return;
	p = buf_room(b, len);
	if (p == NULL)
		return;
	memcpy(p, data, len);
	b->len += len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (p != NULL) {
		vsnprintf(p, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void buf_drain(struct buf *b, size_t len)
{
	if (len >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

char *buf_detach(struct buf *b, size_t *ret_len)
{
	size_t len = b->len;
	char *data;

	if (b->failed != OK)
		return NULL;
	data = realloc(b->data, len + 1);
	if (data == NULL)
		return NULL;
	data[len] = '\0';
	if (ret_len != NULL)
		*ret_len = len;
	buf_init(b, b->max);
	return data;
}
