#include "worker/json_in.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/spare.h"
#include "store/base/utf8.h"

/* Below this size no text can cost enough to be worth counting. */
#define COUNT_FROM_BYTES ((size_t)64 << 10)

#define LARGEST "1.7976931348623157e308"

/* The length of a number's text, and whether it has a fraction or exponent. */
struct number {
	size_t len;
	size_t n_digits; /* before the fraction */
	bool real;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Counts what jansson would build. False: too much. */
static bool affordable(const char *text, size_t len)
{
	size_t containers = 0, values = 0;
	bool in_string = false;

	if (len < COUNT_FROM_BYTES)
		return true;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			containers++;
		} else if (c == ',') {
			values++;
		}
	}
	return containers <= JSON_IN_MAX_CONTAINERS &&
	       values <= JSON_IN_MAX_VALUES;
}

static enum err load(const char *text, size_t len, json_t **ret)
{
	json_error_t why;
	bool whole;
	json_t *v;

	if (spare_begin(len) != OK)
		return ERR_NOMEM;
	v = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
	whole = spare_whole();
	if (!whole)
		json_decref(v);
	spare_end();
	if (!whole)
		return ERR_NOMEM;
	if (v != NULL) {
		*ret = v;
		return OK;
	}
	/* Without memory jansson often says nothing. */
	if (why.text[0] == '\0')
		return ERR_NOMEM;
	switch ((int)json_error_code(&why)) {
	case json_error_out_of_memory: return ERR_NOMEM;
	case json_error_stack_overflow: return ERR_LIMIT;
	default: return ERR_INPUT;
	}
}

/* Read a number by RFC 8259's grammar. False: it is none. */
static bool number_read(const char *p, const char *end, struct number *ret)
{
	const char *from = p, *digits;

	*ret = (struct number){ 0 };
	if (p < end && *p == '-')
		p++;
	digits = p;
	while (p < end && digit(*p))
		p++;
	ret->n_digits = (size_t)(p - digits);
	if (ret->n_digits == 0 || (*digits == '0' && ret->n_digits > 1))
		return false;
	if (p < end && *p == '.') {
		ret->real = true;
		for (digits = ++p; p < end && digit(*p);)
			p++;
		if (p == digits)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		ret->real = true;
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		for (digits = p; p < end && digit(*p);)
			p++;
		if (p == digits)
			return false;
	}
	ret->len = (size_t)(p - from);
	return true;
}

/* Append the number at ${p} so that jansson takes it; returns its length. */
static size_t number_mend(
    struct buf *out, const char *p, const char *end, bool *changed)
{
	size_t at = out->len;
	struct number n;

	if (!number_read(p, end, &n)) {
		buf_putc(out, *p);
		return 1;
	}
	buf_add(out, p, n.len);
	/* Numbers of less than 19 digits without an exponent always fit. */
	if (!n.real && n.n_digits < 19)
		return n.len;
	buf_putc(out, '\0');
	if (out->failed != OK)
		return n.len;
	out->len--;
	errno = 0;
	if (!n.real) {
		(void)strtoll(out->data + at, NULL, 10);
		if (errno != ERANGE)
			return n.len;
	}
	*changed = true;
	if (isinf(strtod(out->data + at, NULL))) {
		out->len = at;
		buf_puts(out, *p == '-' ? "-" LARGEST : LARGEST);
	} else if (!n.real) {
		buf_add(out, ".0", 2);
	}
	return n.len;
}

/* The code unit of the escape \uXXXX at ${p}, or -1 when it is none. */
static int unit(const char *p, const char *end)
{
	int cp = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		char c = p[i];

		if (digit(c))
			cp = cp << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			cp = cp << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			cp = cp << 4 | (c - 'A' + 10);
		else
			return -1;
	}
	return cp;
}

/* Append the escape at ${p}; returns its length. */
static size_t escape_mend(struct buf *out, const char *p, const char *end,
    bool *changed, bool *has_nul)
{
	int cp = unit(p, end), low;
	size_t len;

	if (cp < 0) {
		len = end - p >= 2 ? 2 : 1;
		buf_add(out, p, len);
		return len;
	}
	if (cp >= 0xd800 && cp <= 0xdbff) {
		low = unit(p + 6, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			buf_add(out, p, 12);
			return 12;
		}
	}
	if (cp >= 0xd800 && cp <= 0xdfff) {
		*changed = true;
		buf_puts(out, "\\ufffd");
		return 6;
	}
	if (cp == 0)
		*has_nul = true;
	buf_add(out, p, 6);
	return 6;
}

/* True when what follows makes the string before ${p} a member's name. */
static bool before_colon(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p < end && *p == ':';
}

/* Make each \u0000 from ${at} on \ufffd: jansson has no NUL in names. */
static void name_mend(struct buf *out, size_t at)
{
	if (out->failed != OK)
		return;
	for (size_t i = at; i + 1 < out->len; i++) {
		if (out->data[i] != '\\')
			continue;
		if (unit(out->data + i, out->data + out->len) == 0)
			memcpy(out->data + i, "\\ufffd", 6);
		i++;
	}
}

/* Append the string that begins at ${p}; returns its length. */
static size_t string_mend(
    struct buf *out, const char *p, const char *end, bool *changed)
{
	const char *from = p, *run;
	size_t at = out->len;
	bool has_nul = false;

	buf_putc(out, *p++);
	while (p < end && *p != '"') {
		for (run = p; p < end && *p != '"' && *p != '\\';)
			p++;
		buf_add(out, run, (size_t)(p - run));
		if (p < end && *p == '\\')
			p += escape_mend(out, p, end, changed, &has_nul);
	}
	if (p < end)
		buf_putc(out, *p++);
	if (has_nul && before_colon(p, end)) {
		*changed = true;
		name_mend(out, at + 1);
	}
	return (size_t)(p - from);
}

/* Append ${text} with everything mended that jansson need not refuse. */
static bool mend(struct buf *out, const char *text, size_t len)
{
	const char *p = text, *end = text + len, *run;
	bool changed = false;

	while (p < end) {
		if (*p == '"') {
			p += string_mend(out, p, end, &changed);
		} else if (*p == '-' || digit(*p)) {
			p += number_mend(out, p, end, &changed);
		} else {
			run = p;
			while (p < end && *p != '"' && *p != '-' && !digit(*p))
				p++;
			buf_add(out, run, (size_t)(p - run));
		}
	}
	return changed;
}

static enum err load_mended(const char *text, size_t len, json_t **ret)
{
	struct buf whole, out;
	bool changed = false;
	enum err err;

	/* A byte becomes three at worst, an integer grows by two. */
	buf_init(&whole, 4 * len + 64);
	buf_init(&out, 16 * len + 64);
	if (!utf8_valid(text, len)) {
		utf8_repair(&whole, text, len);
		err = buf_state(&whole);
		if (err != OK)
			goto out;
		text = whole.data;
		len = whole.len;
		changed = true;
	}
	if (mend(&out, text, len))
		changed = true;
	err = buf_state(&out);
	if (err == OK)
		err = changed ? load(out.data, out.len, ret) : ERR_INPUT;
out:
	buf_fini(&whole);
	buf_fini(&out);
	return err;
}

enum err json_in_parse(const char *text, size_t len, json_t **ret)
{
	enum err err;

	/* jansson takes a NUL after a number for the end of the text. */
	if (len == 0 || memchr(text, '\0', len) != NULL)
		return ERR_INPUT;
	if (!affordable(text, len))
		return ERR_LIMIT;
	err = load(text, len, ret);
	if (err == ERR_INPUT)
		err = load_mended(text, len, ret);
	return err;
}

struct text json_in_text(const json_t *v)
{
	if (!json_is_string(v))
		return (struct text){ NULL, 0 };
	return (struct text){ json_string_value(v), json_string_length(v) };
}

struct text json_in_member(const json_t *object, const char *key)
{
	struct text t = json_in_text(json_object_get(object, key));

	return t.len > 0 ? t : (struct text){ NULL, 0 };
}

bool json_in_int(const json_t *v, int64_t *ret)
{
	double d;

	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return true;
	}
	if (!json_is_real(v))
		return false;
	d = json_real_value(v);
	if (!(d >= -0x1p63 && d < 0x1p63) || d != (double)(int64_t)d)
		return false;
	*ret = (int64_t)d;
	return true;
}

size_t json_in_balance(struct json_in_balance *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (b->closed)
			return i;
		if (b->in_string) {
			if (b->escaped)
				b->escaped = false;
			else if (c == '\\')
				b->escaped = true;
			else if (c == '"')
				b->in_string = false;
		} else if (c == '"') {
			b->in_string = true;
		} else if (c == '{' || c == '[') {
			b->begun = true;
			b->depth++;
		} else if ((c == '}' || c == ']') && b->depth > 0) {
			b->depth--;
			b->closed = b->depth == 0;
		}
	}
	return len;
}
