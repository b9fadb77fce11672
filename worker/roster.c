#include "worker/roster.h"

#include <stdlib.h>

#include "store/base/log.h"

#define FIRST_BUCKETS 64

enum err roster_init(struct roster *r)
{
	*r = (struct roster){ .n_buckets = FIRST_BUCKETS };
	r->bucket = calloc(r->n_buckets, sizeof(struct roster_entry *));
	return r->bucket == NULL ? ERR_NOMEM : OK;
}

void roster_fini(struct roster *r)
{
	free(r->bucket);
	*r = (struct roster){ 0 };
}

static struct roster_entry **place(const struct roster *r, const struct id *id)
{
	return &r->bucket[id_hash(id) & (r->n_buckets - 1)];
}

/* Twice the buckets; without memory the chains stay long, no more. */
static void grow(struct roster *r)
{
	struct roster old = *r;
	struct roster_entry **bucket =
	    calloc(old.n_buckets * 2, sizeof(struct roster_entry *));

	if (bucket == NULL)
		return;
	r->bucket = bucket;
	r->n_buckets = old.n_buckets * 2;
	for (size_t i = 0; i < old.n_buckets; i++) {
		struct roster_entry *e = old.bucket[i];

		while (e != NULL) {
			struct roster_entry *next = e->next;
			struct roster_entry **to = place(r, &e->id);

			e->next = *to;
			*to = e;
			e = next;
		}
	}
	free(old.bucket);
}

enum err roster_add(struct roster *r, struct roster_entry *e)
{
	struct roster_entry **to;

	if (roster_find(r, &e->id) != NULL)
		return ERR_CONFLICT;
	if (r->n >= r->n_buckets)
		grow(r);
	to = place(r, &e->id);
	e->next = *to;
	*to = e;
	r->n++;
	return OK;
}

void roster_drop(struct roster *r, struct roster_entry *e)
{
	struct roster_entry **at = place(r, &e->id);

	while (*at != NULL && *at != e)
		at = &(*at)->next;
	ASSERT(*at == e);
	*at = e->next;
	r->n--;
}

struct roster_entry *roster_find(const struct roster *r, const struct id *id)
{
	struct roster_entry *e = *place(r, id);

	while (e != NULL && !id_equal(&e->id, id))
		e = e->next;
	return e;
}
