#include "server/front_call_list.h"

#include <stdlib.h>
#include <string.h>

#include "server/front_chunk_meta.h"

void front_call_list_fini(struct front_call_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->calls[i].id);
		free(l->calls[i].name);
	}
	free(l->calls);
	*l = (struct front_call_list){ 0 };
}

static char *copy_of(const struct chunk *c, const char *key)
{
	struct jsonscan_slice v = front_chunk_meta(c, key);

	return v.p ? strndup(v.p, v.len) : strdup("\"\"");
}

static const struct front_call *add(
    struct front_call_list *l, const struct chunk *c)
{
	struct front_call *more;

	if (l->n >= FRONT_CALL_LIST_MAX)
		return NULL;
	more = reallocarray(l->calls, l->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	l->calls = more;
	more += l->n++;
	more->id = copy_of(c, "id");
	more->name = copy_of(c, "name");
	return more->id && more->name ? more : NULL;
}

const struct front_call *front_call_list_of(
    struct front_call_list *l, const struct chunk *c)
{
	int64_t index = -1;

	if (front_chunk_meta_is(c, "phase", "start"))
		return add(l, c);
	if (jsonscan_int(front_chunk_meta(c, "index"), &index) != OK ||
	    index < 0 || (size_t)index >= l->n)
		return NULL;
	return &l->calls[index];
}
