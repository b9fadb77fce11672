/*
 * parse_http: the bytes of an HTTP/1.1 request, read strictly (RFC 9112).
 *
 * Used by: http_conn, its fuzz target.          Thread: any; pure.
 * Promises:
 *  - the result does not depend on how the bytes were cut;
 *  - what two readers could understand in two ways is refused, not mended;
 *  - nothing is allocated, nothing is copied: results are offsets into the
 *    caller's bytes;
 *  - time is linear in the bytes, however slowly they come.
 */
#ifndef SERVER_PARSE_HTTP_H
#define SERVER_PARSE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http.h"

enum parse_http_result {
	PARSE_HTTP_MORE,    /* whole so far, not at its end */
	PARSE_HTTP_DONE,    /* at its end */
	PARSE_HTTP_REFUSED, /* ->refusal says why; parse no further */
};

/* Why a request is refused; static. */
struct parse_http_refusal {
	int status;
	const char *code, *detail;
};

/* ${len} bytes that begin ${at} bytes into the request. */
struct parse_http_slice {
	uint32_t at, len;
};

struct parse_http {
	uint32_t max_line, max_head; /* ceilings in bytes */
	uint32_t line;		     /* where the present line begins */
	uint32_t seen;		     /* no line's end before here */
	uint32_t fields;	     /* where the fields begin; 0: not yet */
	uint16_t n_fields, n_empty, n_hosts;

	/* Known once the result is PARSE_HTTP_DONE. */
	uint8_t method; /* enum http_method */
	uint8_t minor;	/* HTTP/1.minor, 0 or 1 */
	bool has_length, chunked;
	bool close, keep_alive, upgrade; /* what Connection says */
	bool wants_continue;		 /* Expect: 100-continue */
	bool odd_expect, absolute;
	uint64_t length;		     /* Content-Length, else 0 */
	struct parse_http_slice path, query; /* query without the '?' */
	struct parse_http_slice host;	     /* of Host or the absolute form */
	struct parse_http_slice authority;   /* of the absolute form */
	uint32_t head_bytes;		     /* where the body begins */

	const struct parse_http_refusal *refusal;
};

/* At most this many fields in a request. */
#define PARSE_HTTP_MAX_FIELDS 128

/*
 * Begin a request whose request line may have ${max_line} bytes and whose
 * fields, together, ${max_head}.
 */
void parse_http_init(struct parse_http *p, size_t max_line, size_t max_head);

/*
 * Look at the first ${len} bytes of the request; the next call brings the same
 * ones, perhaps elsewhere, and more behind.
 */
enum parse_http_result parse_http_head(
    struct parse_http *p, const char *data, size_t len);

/*
 * The field at *${cursor} (0 for the first) of a request that is DONE; moves
 * the cursor on. False after the last.
 */
bool parse_http_field(const struct parse_http *p, const char *data,
    uint32_t *cursor, struct parse_http_slice *ret_name,
    struct parse_http_slice *ret_value);

/* True for a host with or without port (RFC 9110 section 7.2), not empty. */
bool parse_http_host(const char *s, size_t len);

/* True for one or more token characters (RFC 9110 section 5.6.2). */
bool parse_http_token(const char *s, size_t len);

/* True for a field's value: no control character but TAB. */
bool parse_http_value(const char *s, size_t len);

/* A chunked body (RFC 9112 section 7.1). */
struct parse_http_chunks {
	uint64_t left;	/* of the present chunk */
	uint64_t total; /* of all chunks so far */
	uint64_t max;	/* ceiling of total */
	uint32_t spent; /* bytes of extensions and trailers */
	uint8_t state;	/* private */
	uint8_t n_digits;
	const struct parse_http_refusal *refusal;
};

/* At most this many bytes of extensions and trailers in a body. */
#define PARSE_HTTP_MAX_EXTRA (16 << 10)

/* Begin a body of at most ${max_bytes}. */
void parse_http_chunks_init(struct parse_http_chunks *c, uint64_t max_bytes);

/*
 * Take *${ret_used} bytes of ${data}; *${ret_body}, *${ret_len} are those among
 * them that belong to the body, ${ret_len} 0 for none. MORE: call again with
 * what follows, at once when not all was used.
 */
enum parse_http_result parse_http_chunks(struct parse_http_chunks *c,
    const char *data, size_t len, size_t *ret_used, const char **ret_body,
    size_t *ret_len);

#endif
