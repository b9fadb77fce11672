#include "server/front_chunk_meta.h"

#include <string.h>

#include "store/base/jsonout.h"

struct jsonscan_slice front_chunk_meta(const struct chunk *c, const char *key)
{
	struct jsonscan_slice none = { NULL, 0 }, name, v;
	struct jsonscan s;

	jsonscan_init(&s, c->meta, c->meta_len);
	if (c->meta_len == 0 || jsonscan_open(&s, '{') != OK)
		return none;
	while (jsonscan_member(&s, &name) == OK) {
		if (jsonscan_value(&s, &v) != OK)
			break;
		if (jsonscan_is(name, key))
			return v;
	}
	return none;
}

bool front_chunk_meta_is(
    const struct chunk *c, const char *key, const char *word)
{
	struct jsonscan_slice v = front_chunk_meta(c, key);

	return v.len == strlen(word) + 2 && v.p[0] == '"' &&
	       memcmp(v.p + 1, word, v.len - 2) == 0;
}

void front_chunk_meta_copy(struct buf *b, const struct chunk *c,
    const char *key, const char *otherwise)
{
	struct jsonscan_slice v = front_chunk_meta(c, key);

	if (v.p)
		jsonout_raw(b, v.p, v.len);
	else
		jsonout_raw(b, otherwise, strlen(otherwise));
}
