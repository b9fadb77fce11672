#include "worker/estimate.h"

#include <stdbool.h>
#include <string.h>

#include "worker/scan.h"

void estimate_add(struct estimate *e, const char *s, size_t len)
{
	uint64_t ascii = 0, other = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		ascii += c < 0x80;
		other += c >= 0xc0; /* the first byte of its sequence */
	}
	e->ascii += ascii;
	e->other += other;
}

int64_t estimate_tokens(const struct estimate *e)
{
	/* in twentieths, so that no float rounds: 1/4 is 5, 1.1 is 22 */
	return (int64_t)((e->ascii * 5 + e->other * 22 + 19) / 20);
}

/* Count the inside of a JSON string: an escape is one character. */
static void add_escaped(struct estimate *e, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '\\' || i + 1 == len) {
			estimate_add(e, s + i, 1);
		} else if (s[++i] == 'u') {
			e->other++;
			i += 4;
		} else {
			e->ascii++;
		}
	}
}

static bool is_key(const struct scan_value *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->s, name, key->len) == 0;
}

/*
 * Count what the model reads of a message: its texts and the calls it made;
 * not the roles, types and ids, and not a picture's bytes. Messages nest four
 * deep at most.
 */
static int64_t of_value(
    const struct scan_value *key, const struct scan_value *v, int depth)
{
	struct scan_value name, value;
	struct estimate e = { 0 };
	size_t offset = 0;
	int64_t n = 0;

	if (is_key(key, "role") || is_key(key, "type") || is_key(key, "id") ||
	    is_key(key, "tool_call_id") || is_key(key, "image_url"))
		return 0;
	if (v->s[0] == '"' && v->len >= 2) {
		add_escaped(&e, v->s + 1, v->len - 2);
		return estimate_tokens(&e);
	}
	while (depth > 0 && scan_each(v->s, v->len, &offset, &name, &value))
		n += of_value(&name, &value, depth - 1);
	return n;
}

int64_t estimate_request(const char *request, size_t len)
{
	struct scan_value list, key, v;
	struct estimate tools = { 0 };
	size_t offset = 0;
	int64_t n = 3;

	if (request == NULL)
		return 0;
	if (scan_member(request, len, "messages", &list))
		while (scan_each(list.s, list.len, &offset, &key, &v))
			n += 4 + of_value(&key, &v, 4);
	offset = 0;
	if (scan_member(request, len, "input", &list))
		while (scan_each(list.s, list.len, &offset, &key, &v))
			n += of_value(&key, &v, 1);
	if (scan_member(request, len, "tools", &list))
		add_escaped(&tools, list.s, list.len);
	return n + estimate_tokens(&tools);
}
