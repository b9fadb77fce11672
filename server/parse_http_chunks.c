#include "server/parse_http.h"

/*
 *   SIZE ─► EXT ─► SIZE_LF ─► DATA ─► DATA_CR ─► DATA_LF ─► SIZE …
 *                      │ size 0
 *                      ▼
 *                  TRAILER ─► NAME ─► TEXT ─► TEXT_LF ─► TRAILER …
 *                      └─► END_LF ─► END
 */
enum chunk_state {
	AT_SIZE,
	IN_EXT,
	SIZE_LF,
	IN_DATA,
	DATA_CR,
	DATA_LF,
	AT_TRAILER,
	IN_NAME,
	IN_TEXT,
	TEXT_LF,
	END_LF,
	AT_END,
};

static const struct parse_http_refusal bad_chunk = { 400, "bad_request",
	"the chunked body is malformed" };
static const struct parse_http_refusal long_body = { 413, "body_too_large",
	"the body is too large" };
static const struct parse_http_refusal long_extra = { 400, "bad_request",
	"too many chunk extensions or trailers" };

/* Digits of a size: as many as 64 bits have. */
#define MAX_DIGITS 16

void parse_http_chunks_init(struct parse_http_chunks *c, uint64_t max_bytes)
{
	*c = (struct parse_http_chunks){ .max = max_bytes };
}

static int digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

static enum chunk_state at_size(struct parse_http_chunks *c, char ch)
{
	int d = digit(ch);

	if (d >= 0 && c->n_digits < MAX_DIGITS) {
		c->n_digits++;
		c->left = c->left << 4 | (uint64_t)d;
		return AT_SIZE;
	}
	if (d < 0 && c->n_digits > 0 && (ch == ';' || ch == '\r')) {
		if (c->left > c->max || c->total > c->max - c->left)
			c->refusal = &long_body;
		return ch == ';' ? IN_EXT : SIZE_LF;
	}
	c->refusal = &bad_chunk;
	return AT_SIZE;
}

/* The bytes that are kept by nobody have a ceiling too. */
static void spend(struct parse_http_chunks *c)
{
	if (++c->spent > PARSE_HTTP_MAX_EXTRA)
		c->refusal = &long_extra;
}

static enum chunk_state need(
    struct parse_http_chunks *c, bool good, enum chunk_state next)
{
	if (!good)
		c->refusal = &bad_chunk;
	return next;
}

/* One byte that is not the body's. */
static enum chunk_state step(struct parse_http_chunks *c, char ch)
{
	enum chunk_state state = (enum chunk_state)c->state;

	switch (state) {
	case AT_SIZE: return at_size(c, ch);
	case IN_EXT:
		spend(c);
		if (ch == '\r')
			return SIZE_LF;
		return need(c, parse_http_value(&ch, 1), IN_EXT);
	case SIZE_LF:
		c->n_digits = 0;
		return need(c, ch == '\n', c->left > 0 ? IN_DATA : AT_TRAILER);
	case DATA_CR: return need(c, ch == '\r', DATA_LF);
	case DATA_LF: return need(c, ch == '\n', AT_SIZE);
	case AT_TRAILER:
		if (ch == '\r')
			return END_LF;
		spend(c);
		return need(c, parse_http_token(&ch, 1), IN_NAME);
	case IN_NAME:
		spend(c);
		if (ch == ':')
			return IN_TEXT;
		return need(c, parse_http_token(&ch, 1), IN_NAME);
	case IN_TEXT:
		spend(c);
		if (ch == '\r')
			return TEXT_LF;
		return need(c, parse_http_value(&ch, 1), IN_TEXT);
	case TEXT_LF: return need(c, ch == '\n', AT_TRAILER);
	case END_LF: return need(c, ch == '\n', AT_END);
	case IN_DATA:
	case AT_END: break;
	}
	return state;
}

enum parse_http_result parse_http_chunks(struct parse_http_chunks *c,
    const char *data, size_t len, size_t *ret_used, const char **ret_body,
    size_t *ret_len)
{
	size_t used = 0;

	*ret_len = 0;
	while (used < len && c->refusal == NULL && c->state != AT_END) {
		if (c->state == IN_DATA) {
			size_t n = len - used;

			if (n > c->left)
				n = (size_t)c->left;
			*ret_body = data + used;
			*ret_len = n;
			used += n;
			c->total += n;
			c->left -= n;
			if (c->left == 0)
				c->state = DATA_CR;
			break;
		}
		c->state = (uint8_t)step(c, data[used++]);
	}
	*ret_used = used;
	if (c->refusal != NULL)
		return PARSE_HTTP_REFUSED;
	return c->state == AT_END ? PARSE_HTTP_DONE : PARSE_HTTP_MORE;
}
