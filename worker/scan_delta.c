#include "worker/scan_delta.h"

#include <stdint.h>
#include <string.h>

#include "store/base/utf8.h"

struct scan {
	const char *p, *end;
	struct buf *scratch;
	struct text text;
	bool choices, delta, content; /* were there */
};

/* What a member without interest may be; anything else is of interest. */
enum { A_STRING = 1, A_NUMBER = 2, A_NULL = 4 };

struct member {
	const char *name;
	size_t len;
	unsigned may_be;
	bool (*read)(struct scan *s); /* of interest */
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- tokens --- */

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
				    *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

/* The byte ${c}, after blanks; not taken when it is another. */
static bool take(struct scan *s, char c)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool take_null(struct scan *s)
{
	if (s->end - s->p < 4 || memcmp(s->p, "null", 4) != 0)
		return false;
	s->p += 4;
	return true;
}

/* A whole number that fits in 64 bits. */
static bool take_number(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from && s->p - from <= 18 &&
	       (*from != '0' || s->p - from == 1);
}

/* A string of printable ASCII without escapes. */
static bool take_plain(struct scan *s, struct text *ret)
{
	const char *from;

	if (!take(s, '"'))
		return false;
	for (from = s->p; s->p < s->end; s->p++) {
		unsigned char c = (unsigned char)*s->p;

		if (c == '"') {
			*ret = (struct text){ from, (size_t)(s->p++ - from) };
			return true;
		}
		if (c < 0x20 || c > 0x7e || c == '\\')
			return false;
	}
	return false;
}

/* The four digits of an escape; -1: they are none. */
static int take_unit(struct scan *s)
{
	int unit = 0;

	if (s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = *s->p++, low = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			unit = unit << 4 | (c - '0');
		else if (low >= 'a' && low <= 'f')
			unit = unit << 4 | (low - 'a' + 10);
		else
			return -1;
	}
	return unit;
}

/* What follows "\u"; NUL and unpaired surrogates are left to the parser. */
static bool take_code_point(struct scan *s)
{
	int cp = take_unit(s), low;

	if (cp <= 0 || (cp >= 0xdc00 && cp <= 0xdfff))
		return false;
	if (cp >= 0xd800 && cp <= 0xdbff) {
		if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
			return false;
		s->p += 2;
		low = take_unit(s);
		if (low < 0xdc00 || low > 0xdfff)
			return false;
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	utf8_put(s->scratch, (unsigned)cp);
	return true;
}

/* What follows a backslash. */
static bool take_escape(struct scan *s)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *name;
	char c;

	if (s->p == s->end)
		return false;
	c = *s->p++;
	if (c == 'u')
		return take_code_point(s);
	name = memchr(names, c, sizeof(names) - 1);
	if (name != NULL)
		buf_putc(s->scratch, means[name - names]);
	return name != NULL;
}

/* Go over bytes that stand for themselves, up to a quote or a backslash. */
static struct text take_run(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p != '"' && *s->p != '\\' &&
	       (unsigned char)*s->p >= 0x20)
		s->p++;
	return (struct text){ from, (size_t)(s->p - from) };
}

/* Any string; its value is in the data, or in the scratch buffer. */
static bool take_string(struct scan *s, struct text *ret)
{
	struct text run;

	if (!take(s, '"'))
		return false;
	run = take_run(s);
	if (s->p < s->end && *s->p == '\\') {
		buf_add(s->scratch, run.s, run.len);
		while (s->p < s->end && *s->p == '\\') {
			s->p++;
			if (!take_escape(s))
				return false;
			run = take_run(s);
			buf_add(s->scratch, run.s, run.len);
		}
		if (buf_state(s->scratch) != OK)
			return false;
		run = (struct text){ s->scratch->data, s->scratch->len };
	}
	if (s->p == s->end || *s->p++ != '"' || !utf8_valid(run.s, run.len))
		return false;
	*ret = run;
	return true;
}

/* --- members --- */

static bool take_harmless(struct scan *s, unsigned may_be)
{
	struct text any;

	skip_blanks(s);
	if (s->p == s->end)
		return false;
	switch (*s->p) {
	case '"': return (may_be & A_STRING) != 0 && take_plain(s, &any);
	case 'n': return (may_be & A_NULL) != 0 && take_null(s);
	default: return (may_be & A_NUMBER) != 0 && take_number(s);
	}
}

static const struct member *find(
    const struct member *known, size_t n, struct text name)
{
	for (size_t i = 0; i < n; i++)
		if (known[i].len == name.len &&
		    memcmp(known[i].name, name.s, name.len) == 0)
			return &known[i];
	return NULL;
}

/* An object of which each member is known. */
static bool take_object(struct scan *s, const struct member *known, size_t n)
{
	const struct member *m;
	struct text name;

	if (!take(s, '{'))
		return false;
	do {
		if (!take_plain(s, &name) || !take(s, ':'))
			return false;
		m = find(known, n, name);
		if (m == NULL ||
		    !(m->read != NULL ? m->read(s)
				      : take_harmless(s, m->may_be)))
			return false;
	} while (take(s, ','));
	return take(s, '}');
}

static bool read_content(struct scan *s)
{
	if (s->content)
		return false;
	s->content = true;
	return take_string(s, &s->text);
}

#define NAME(text) text, sizeof(text) - 1

static bool read_delta(struct scan *s)
{
	static const struct member known[] = {
		{ NAME("content"), 0, read_content },
		{ NAME("role"), A_STRING | A_NULL, NULL },
		{ NAME("refusal"), A_NULL, NULL },
		{ NAME("reasoning"), A_NULL, NULL },
		{ NAME("reasoning_content"), A_NULL, NULL },
		{ NAME("tool_calls"), A_NULL, NULL },
		{ NAME("function_call"), A_NULL, NULL },
	};

	if (s->delta)
		return false;
	s->delta = true;
	return take_object(s, known, COUNT(known));
}

/* The first answer's; of others nothing is told. */
static bool read_index(struct scan *s)
{
	return take(s, '0');
}

static bool read_choices(struct scan *s)
{
	static const struct member known[] = {
		{ NAME("index"), 0, read_index },
		{ NAME("delta"), 0, read_delta },
		{ NAME("logprobs"), A_NULL, NULL },
		{ NAME("finish_reason"), A_NULL, NULL },
		{ NAME("native_finish_reason"), A_NULL, NULL },
		{ NAME("stop_reason"), A_NULL, NULL },
		{ NAME("token_ids"), A_NULL, NULL },
	};

	if (s->choices)
		return false;
	s->choices = true;
	return take(s, '[') && take_object(s, known, COUNT(known)) &&
	       take(s, ']');
}

/* Another kind of object may be an error. */
static bool read_object(struct scan *s)
{
	static const char want[] = "chat.completion.chunk";
	struct text t;

	return take_plain(s, &t) && t.len == sizeof(want) - 1 &&
	       memcmp(t.s, want, t.len) == 0;
}

bool scan_delta(
    const char *data, size_t len, struct buf *scratch, struct text *ret)
{
	static const struct member known[] = {
		{ NAME("id"), A_STRING | A_NULL, NULL },
		{ NAME("object"), 0, read_object },
		{ NAME("created"), A_NUMBER, NULL },
		{ NAME("model"), A_STRING | A_NULL, NULL },
		{ NAME("choices"), 0, read_choices },
		{ NAME("usage"), A_NULL, NULL },
		{ NAME("service_tier"), A_STRING | A_NULL, NULL },
		{ NAME("system_fingerprint"), A_STRING | A_NULL, NULL },
		{ NAME("obfuscation"), A_STRING | A_NULL, NULL },
		{ NAME("provider"), A_STRING | A_NULL, NULL },
	};
	struct scan s = { .p = data, .end = data + len, .scratch = scratch };

	if (len > SCAN_DELTA_MAX_BYTES || !take_object(&s, known, COUNT(known)))
		return false;
	skip_blanks(&s);
	if (s.p != s.end || !s.content)
		return false;
	*ret = s.text;
	return true;
}
