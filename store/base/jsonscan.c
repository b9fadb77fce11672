#include "store/base/jsonscan.h"

#include <string.h>

#include "store/base/utf8.h"

void jsonscan_init(struct jsonscan *s, const char *text, size_t len)
{
	*s = (struct jsonscan){ .text = text, .at = text, .end = text + len };
}

void jsonscan_into(struct jsonscan *s, struct jsonscan_slice v)
{
	s->at = v.p;
	s->end = v.p + v.len;
	s->fresh = false;
}

size_t jsonscan_offset(const struct jsonscan *s)
{
	return (size_t)(s->at - s->text);
}

static enum err wrong(struct jsonscan *s, const char *what)
{
	s->wrong = s->at == s->end ? "it is cut off" : what;
	return ERR_INPUT;
}

static void skip_blanks(struct jsonscan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' ||
				     *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

/* Pass ${c}, after white space. */
static bool passed(struct jsonscan *s, char c)
{
	skip_blanks(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Behind a backslash. */
static enum err pass_escape(struct jsonscan *s)
{
	if (s->at == s->end || !strchr("\"\\/bfnrtu", *s->at) || !*s->at)
		return wrong(s, "there is no such escape");
	if (*s->at++ != 'u')
		return OK;
	for (int i = 0; i < 4; i++, s->at++)
		if (s->at == s->end || !is_hex(*s->at))
			return wrong(s, "\\u needs four hex digits");
	return OK;
}

static enum err pass_string(struct jsonscan *s)
{
	enum err rc;

	if (!passed(s, '"'))
		return wrong(s, "a string should be here");
	while (s->at < s->end && *s->at != '"') {
		if ((unsigned char)*s->at < 0x20)
			return wrong(s, "a control character in a string");
		if (*s->at++ != '\\')
			continue;
		rc = pass_escape(s);
		if (rc != OK)
			return rc;
	}
	if (s->at == s->end)
		return wrong(s, "");
	s->at++;
	return OK;
}

static enum err pass_digits(struct jsonscan *s)
{
	if (s->at == s->end || !is_digit(*s->at))
		return wrong(s, "a digit should be here");
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	return OK;
}

static enum err pass_number(struct jsonscan *s)
{
	enum err rc = OK;

	if (s->at < s->end && *s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0')
		s->at++;
	else
		rc = pass_digits(s);
	if (rc == OK && s->at < s->end && *s->at == '.') {
		s->at++;
		rc = pass_digits(s);
	}
	if (rc == OK && s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		rc = pass_digits(s);
	}
	return rc;
}

static enum err pass_word(struct jsonscan *s, const char *word)
{
	size_t len = strlen(word), left = (size_t)(s->end - s->at);

	if (left < len && memcmp(s->at, word, left) == 0)
		s->at = s->end;
	else if (left >= len && memcmp(s->at, word, len) == 0) {
		s->at += len;
		return OK;
	}
	return wrong(s, "a value should be here");
}

static enum err pass_scalar(struct jsonscan *s)
{
	switch (*s->at) {
	case '"': return pass_string(s);
	case 't': return pass_word(s, "true");
	case 'f': return pass_word(s, "false");
	case 'n': return pass_word(s, "null");
	default: break;
	}
	if (*s->at != '-' && !is_digit(*s->at))
		return wrong(s, "a value should be here");
	return pass_number(s);
}

static enum err pass_name(struct jsonscan *s, struct jsonscan_slice *ret)
{
	const char *from;
	enum err rc;

	skip_blanks(s);
	from = s->at + 1;
	rc = pass_string(s);
	if (rc != OK)
		return rc;
	*ret = (struct jsonscan_slice){ from, (size_t)(s->at - 1 - from) };
	return passed(s, ':') ? OK : wrong(s, "a colon should be here");
}

/* Behind a value: leave what ends, up to the next value in ${open}. */
static enum err go_on(struct jsonscan *s, const char *open, size_t *depth)
{
	struct jsonscan_slice name;

	while (*depth > 0) {
		char bracket = open[*depth - 1];

		if (passed(s, ','))
			return bracket == '{' ? pass_name(s, &name) : OK;
		if (!passed(s, bracket == '{' ? '}' : ']'))
			return wrong(s, "a comma or an end should be here");
		--*depth;
	}
	return OK;
}

enum err jsonscan_value(struct jsonscan *s, struct jsonscan_slice *ret)
{
	char open[JSONSCAN_MAX_DEPTH];
	struct jsonscan_slice name;
	size_t depth = 0;
	const char *from;
	enum err rc = OK;

	skip_blanks(s);
	from = s->at;
	s->fresh = false;
	do {
		skip_blanks(s);
		if (s->at == s->end)
			return wrong(s, "");
		if (*s->at != '{' && *s->at != '[') {
			rc = pass_scalar(s);
		} else if (depth == JSONSCAN_MAX_DEPTH) {
			return wrong(s, "it is nested too deeply");
		} else {
			char bracket = open[depth++] = *s->at++;

			if (passed(s, bracket == '{' ? '}' : ']')) {
				depth--;
			} else {
				if (bracket == '{')
					rc = pass_name(s, &name);
				if (rc == OK)
					continue;
			}
		}
		if (rc == OK)
			rc = go_on(s, open, &depth);
		if (rc != OK)
			return rc;
	} while (depth > 0);
	*ret = (struct jsonscan_slice){ from, (size_t)(s->at - from) };
	return OK;
}

enum err jsonscan_open(struct jsonscan *s, char bracket)
{
	if (!passed(s, bracket))
		return wrong(s, bracket == '{' ? "an object should be here"
					       : "an array should be here");
	s->fresh = true;
	return OK;
}

/* ERR_NOT_FOUND when ${close} ends it here. */
static enum err next(struct jsonscan *s, char close)
{
	bool fresh = s->fresh;

	s->fresh = false;
	if (passed(s, close))
		return ERR_NOT_FOUND;
	if (!fresh && !passed(s, ','))
		return wrong(s, "a comma or an end should be here");
	return OK;
}

enum err jsonscan_member(struct jsonscan *s, struct jsonscan_slice *ret)
{
	enum err rc = next(s, '}');

	return rc == OK ? pass_name(s, ret) : rc;
}

enum err jsonscan_item(struct jsonscan *s)
{
	return next(s, ']');
}

enum err jsonscan_end(struct jsonscan *s)
{
	skip_blanks(s);
	if (s->at == s->end)
		return OK;
	s->wrong = "there is more behind its end";
	return ERR_INPUT;
}

bool jsonscan_is(struct jsonscan_slice v, const char *word)
{
	return v.p != NULL && v.len == strlen(word) &&
	       memcmp(v.p, word, v.len) == 0;
}

/* Four hex digits, which are there. */
static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];

		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

/* Behind "\u". Gives where to go on, NULL for a surrogate alone. */
static const char *put_code(const char *p, const char *end, struct buf *b)
{
	unsigned cp = hex4(p), low;

	p += 4;
	if (cp >= 0xdc00 && cp <= 0xdfff)
		return NULL;
	if (cp >= 0xd800 && cp <= 0xdbff) {
		if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return NULL;
		low = hex4(p + 2);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		p += 6;
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	utf8_put(b, cp);
	return p;
}

enum err jsonscan_text(struct jsonscan_slice v, struct buf *b)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p, *end, *found;

	if (v.p == NULL || v.len < 2 || v.p[0] != '"')
		return ERR_INPUT;
	p = v.p + 1;
	end = v.p + v.len - 1;
	while (p < end) {
		const char *at = memchr(p, '\\', (size_t)(end - p));

		buf_add(b, p, (size_t)((at == NULL ? end : at) - p));
		if (at == NULL)
			break;
		p = at + 2;
		if (at[1] == 'u') {
			p = put_code(p, end, b);
			if (p == NULL)
				return ERR_INPUT;
			continue;
		}
		found = strchr(from, at[1]);
		buf_putc(b, found == NULL ? at[1] : to[found - from]);
	}
	return buf_state(b);
}

enum err jsonscan_int(struct jsonscan_slice v, int64_t *ret)
{
	bool minus = v.len > 0 && v.p[0] == '-';
	uint64_t n = 0;

	if (v.p == NULL || v.len == (size_t)minus || v.len > 20)
		return ERR_INPUT;
	for (size_t i = minus; i < v.len; i++) {
		uint64_t digit = (uint64_t)(v.p[i] - '0');

		if (!is_digit(v.p[i]) || n > (INT64_MAX - digit) / 10)
			return ERR_INPUT;
		n = n * 10 + digit;
	}
	*ret = minus ? -(int64_t)n : (int64_t)n;
	return OK;
}
