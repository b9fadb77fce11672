#include "worker/scan.h"

#include <string.h>

/* The offset behind the string that begins at ${at}. */
static size_t skip_string(const char *s, size_t len, size_t at)
{
	for (at++; at < len; at++) {
		if (s[at] == '\\')
			at++;
		else if (s[at] == '"')
			return at + 1;
	}
	return len;
}

/* The offset behind the value that begins at ${at}. */
static size_t skip_value(const char *s, size_t len, size_t at)
{
	size_t depth = 0;

	while (at < len) {
		switch (s[at]) {
		case '"': at = skip_string(s, len, at); break;
		case '{':
		case '[':
			depth++;
			at++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return at;
			depth--;
			at++;
			break;
		case ',':
			if (depth == 0)
				return at;
			at++;
			continue;
		default: at++; continue;
		}
		if (depth == 0)
			return at;
	}
	return len;
}

bool scan_each(const char *json, size_t len, size_t *offset,
    struct scan_value *key, struct scan_value *ret)
{
	size_t at = *offset, end;

	*key = (struct scan_value){ "", 0 };
	if (len < 2 || (json[0] != '{' && json[0] != '['))
		return false;
	if (at == 0)
		at = 1;
	else if (at < len && json[at] == ',')
		at++;
	if (at >= len || json[at] == '}' || json[at] == ']')
		return false;
	if (json[0] == '{') {
		end = skip_string(json, len, at);
		if (json[at] != '"' || end >= len || json[end] != ':')
			return false;
		*key = (struct scan_value){ json + at + 1, end - at - 2 };
		at = end + 1;
	}
	end = skip_value(json, len, at);
	if (end <= at)
		return false;
	*ret = (struct scan_value){ json + at, end - at };
	*offset = end;
	return true;
}

bool scan_member(
    const char *json, size_t len, const char *key, struct scan_value *ret)
{
	struct scan_value name, value;
	size_t offset = 0, key_len = strlen(key);

	while (scan_each(json, len, &offset, &name, &value))
		if (name.len == key_len && memcmp(name.s, key, key_len) == 0) {
			*ret = value;
			return true;
		}
	return false;
}
