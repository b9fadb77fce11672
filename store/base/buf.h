/*
 * buf: a growing byte buffer whose ceiling is given at birth.
 *
 * Used by: everyone.          Thread: the owner's.
 * Promises: len never passes max. A buffer that could not grow is `failed`,
 * drops further appends and stays failed until buf_reset(): so a renderer
 * appends without looking and asks buf_state() once, at the end.
 */
#ifndef STORE_BASE_BUF_H
#define STORE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "store/base/err.h"

struct buf {
	char *data;	 /* NULL while nothing was appended */
	size_t len;	 /* bytes used */
	size_t cap;	 /* bytes allocated */
	size_t max;	 /* ceiling in bytes */
	enum err failed; /* OK, ERR_NOMEM or ERR_LIMIT */
};

/* An empty buffer that may grow to ${max_bytes}. Allocates nothing. */
void buf_init(struct buf *b, size_t max_bytes);

/* Free the memory; the buffer is empty as after buf_init(). */
void buf_fini(struct buf *b);

/* Forget the contents and a failure, keep the memory. */
void buf_reset(struct buf *b);

/* OK, or why the contents are not whole. */
MUST_CHECK enum err buf_state(const struct buf *b);

/* Append bytes, a C string, one byte, or formatted text. */
static inline void buf_add(struct buf *b, const void *data, size_t len);
static inline void buf_puts(struct buf *b, const char *s);
static inline void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Make room for ${len} more bytes and return where they go, or NULL (and the
 * buffer is failed). Add what was written to b->len.
 */
char *buf_room(struct buf *b, size_t len);

/* Drop the first ${len} bytes (at most b->len). */
void buf_drain(struct buf *b, size_t len);

/*
 * Gives: the contents as a NUL-terminated string for free(), and its length
 * in *${ret_len} when not NULL; the buffer is empty afterwards. NULL when the
 * buffer is failed or there is no memory.
 */
char *buf_detach(struct buf *b, size_t *ret_len);

/* --- what renderers do for every few bytes is not a call --- */

/* As buf_add(), where the buffer must grow, or fail. */
void buf_add_growing(struct buf *b, const void *data, size_t len);

static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	if (b->failed != OK || len > b->cap - b->len || len > b->max - b->len ||
	    len == 0) {
		buf_add_growing(b, data, len);
		return;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

#endif
