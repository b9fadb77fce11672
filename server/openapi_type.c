/* Types in words → JSON Schema (2020-12). */
#include <stdio.h>
#include <string.h>

#include "server/openapi_internal.h"
#include "store/base/jsonout.h"

/* What a word stands for: a JSON type, and a format. */
static const struct {
	const char *word, *type, *format;
} words[] = {
	{ "string", "string", NULL },
	{ "integer", "integer", NULL },
	{ "number", "number", NULL },
	{ "boolean", "boolean", NULL },
	{ "object", "object", NULL },
	{ "time", "string", "date-time" },
	{ "id", "string", "uuid" },
	{ "uri", "string", "uri-reference" },
};

/* "1..1000" or "1.." */
static void limits(struct buf *b, const char *text, size_t len)
{
	const char *dots = memmem(text, len, "..", 2);
	const char *end = text + len;

	if (!dots)
		return;
	jsonout_key(b, "minimum");
	jsonout_raw(b, text, (size_t)(dots - text));
	if (dots + 2 == end)
		return;
	jsonout_key(b, "maximum");
	jsonout_raw(b, dots + 2, (size_t)(end - dots - 2));
}

static void word(struct buf *b, const char *type, size_t len, bool nullable)
{
	const char *blank = memchr(type, ' ', len);
	size_t n = blank ? (size_t)(blank - type) : len;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].word) != n ||
		    memcmp(words[i].word, type, n) != 0)
			continue;
		jsonout_key(b, "type");
		if (nullable) {
			jsonout_array(b);
			jsonout_string(b, words[i].type, strlen(words[i].type));
			jsonout_string(b, "null", 4);
			jsonout_array_end(b);
		} else {
			jsonout_string(b, words[i].type, strlen(words[i].type));
		}
		if (words[i].format)
			jsonout_member(b, "format", words[i].format);
		if (blank)
			limits(b, blank + 1, len - n - 1);
		return;
	}
	/* any */
}

static void one_of_words(struct buf *b, const char *type, size_t len)
{
	const char *end = type + len, *bar;

	jsonout_member(b, "type", "string");
	jsonout_key(b, "enum");
	jsonout_array(b);
	for (; type < end; type = bar + 1) {
		bar = memchr(type, '|', (size_t)(end - type));
		if (!bar)
			bar = end;
		jsonout_string(b, type, (size_t)(bar - type));
	}
	jsonout_array_end(b);
}

/* Of a type that is no "T or U" and no "T?". */
static void plain(struct buf *b, const char *type, size_t len)
{
	if (len > 2 && memcmp(type, "[]", 2) == 0) {
		jsonout_member(b, "type", "array");
		jsonout_key(b, "items");
		if (type[2] == '(')
			openapi_type(b, type + 3, len - 4);
		else
			openapi_type(b, type + 2, len - 2);
	} else if (type[0] >= 'A' && type[0] <= 'Z') {
		jsonout_key(b, "$ref");
		buf_printf(b, "\"#/components/schemas/%.*s\"", (int)len, type);
	} else if (memchr(type, '|', len)) {
		one_of_words(b, type, len);
	} else {
		word(b, type, len, false);
	}
}

static void either(struct buf *b, const char *type, size_t len, size_t first)
{
	jsonout_key(b, "anyOf");
	jsonout_array(b);
	openapi_type(b, type, first);
	if (first < len)
		openapi_type(b, type + first + 4, len - first - 4);
	else
		jsonout_raw(b, "{\"type\":\"null\"}", 15);
	jsonout_array_end(b);
}

/* What stands between the braces. */
static void inside(struct buf *b, const char *type, size_t len)
{
	bool list = len > 4 && memcmp(type, "[](", 3) == 0;
	const char *other = list ? NULL : memmem(type, len, " or ", 4);
	bool nullable = !other && len > 0 && type[len - 1] == '?';
	size_t n = nullable ? len - 1 : len;

	if (other)
		either(b, type, len, (size_t)(other - type));
	else if (nullable && (type[0] == '[' || memchr(type, '|', n) ||
				 (type[0] >= 'A' && type[0] <= 'Z')))
		either(b, type, n, n);
	else if (nullable)
		word(b, type, n, true);
	else
		plain(b, type, n);
}

void openapi_type(struct buf *b, const char *type, size_t len)
{
	jsonout_object(b);
	inside(b, type, len);
	jsonout_object_end(b);
}

/* Is ${name} one that may be absent? Its length without the mark. */
static bool is_optional(const char *name, size_t *ret_len)
{
	size_t len = strlen(name);
	bool optional = len > 0 && name[len - 1] == '?';

	*ret_len = optional ? len - 1 : len;
	return optional;
}

static void member(struct buf *b, const struct openapi_member *m)
{
	char name[64];
	size_t len;

	(void)is_optional(m->name, &len);
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, m->name);
	jsonout_key(b, name);
	jsonout_object(b);
	inside(b, m->type, strlen(m->type));
	if (m->what)
		jsonout_member(b, "description", m->what);
	jsonout_object_end(b);
}

static void schema(struct buf *b, const struct openapi_schema *s)
{
	bool any = false;
	size_t len;

	jsonout_key(b, s->name);
	jsonout_object(b);
	jsonout_member(b, "type", "object");
	jsonout_member(b, "description", s->what);
	jsonout_key(b, "properties");
	jsonout_object(b);
	for (const struct openapi_member *m = s->members; m->name; m++)
		member(b, m);
	jsonout_object_end(b);
	for (const struct openapi_member *m = s->members; m->name; m++) {
		if (is_optional(m->name, &len))
			continue;
		if (!any) {
			jsonout_key(b, "required");
			jsonout_array(b);
		}
		any = true;
		jsonout_string(b, m->name, len);
	}
	if (any)
		jsonout_array_end(b);
	if (s->closed) {
		jsonout_key(b, "additionalProperties");
		jsonout_bool(b, false);
	}
	jsonout_object_end(b);
}

void openapi_type_schemas(struct buf *b)
{
	const struct openapi_schema *(*const lists[])(size_t *) = {
		openapi_schema_client,
		openapi_schema_call,
		openapi_schema_admin,
		openapi_schema_model,
	};

	jsonout_object(b);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n;
		const struct openapi_schema *list = lists[i](&n);

		for (size_t k = 0; k < n; k++)
			schema(b, &list[k]);
	}
	jsonout_object_end(b);
}
