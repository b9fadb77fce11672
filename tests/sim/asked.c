#include "tests/sim/asked.h"

#include <stdlib.h>

#include "store/base/log.h"

void asked_free(struct asked *a)
{
	if (a->write.kind == WRITE_CREATE)
		execution_free(a->write.u.create.execution);
	import_fini(&a->import);
	free(a);
}

static void on_done(struct write *write)
{
	struct asked *a = (struct asked *)(void *)write;

	for (uint32_t i = 0; i < a->n_of; i++)
		a->of[i]->pending--;
	a->world->n_pending--;
	if (!a->world->dying)
		a->told(a);
	asked_free(a);
}

struct asked *asked_new(struct world *w, struct known *k, enum write_kind kind,
    void (*told)(struct asked *a))
{
	struct asked *a = calloc(1, sizeof(*a));

	ASSERT(a != NULL);
	import_init(&a->import);
	a->write.kind = kind;
	a->write.on_done = on_done;
	a->write.mail.bytes = 200;
	a->world = w;
	a->told = told;
	if (k != NULL)
		asked_about(a, k);
	return a;
}

void asked_about(struct asked *a, struct known *k)
{
	ASSERT(a->n_of < ASKED_MAX);
	a->of[a->n_of++] = k;
}

enum err asked_post(struct asked *a)
{
	struct world *w = a->world;
	enum err rc = writer_post(w->store, &a->write);

	if (rc == OK) {
		for (uint32_t i = 0; i < a->n_of; i++)
			a->of[i]->pending++;
		w->n_pending++;
		return OK;
	}
	if (rc != ERR_LIMIT && !(rc == ERR_FULL && world_excused(w, rc)) &&
	    !(rc == ERR_IO && store_failed(w->store, NULL) != OK))
		world_break(w, a->n_of == 1 ? a->of[0] : NULL,
		    "cannot be posted: %s", err_name(rc));
	asked_free(a);
	return rc;
}
