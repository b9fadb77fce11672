#include "store/check_live.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024
/* Executions with live rows: far above what a server lets run at once. */
#define MAX_ROOM ((size_t)1 << 24)

static int status_of(const struct chunk *c)
{
	for (int s = 0; s < EXECUTION_STATUSES; s++) {
		const char *name =
		    execution_status_name((enum execution_status)s);
		char text[64] = "\"status\":\"";

		strncat(text, name, sizeof(text) - strlen(text) - 2);
		strncat(text, "\"", 2);
		if (c->meta_len > 0 &&
		    memmem(c->meta, c->meta_len, text, strlen(text)) != NULL)
			return s;
	}
	return -1;
}

void check_end_note(struct check_end *e, const struct chunk *c)
{
	if (e->there && e->index != c->index)
		e->twice = true;
	e->there = true;
	e->index = c->index;
	e->status = status_of(c);
}

static struct check_run *place(struct check_run *run, size_t room, int64_t row)
{
	size_t at = ((uint64_t)row * 0x9e3779b97f4a7c15u) >> 20;

	for (at &= room - 1; run[at].row != 0 && run[at].row != row;
	     at = (at + 1) & (room - 1))
		;
	return &run[at];
}

static enum err grow(struct check_live *l)
{
	size_t room = l->room == 0 ? FIRST_ROOM : l->room * 2;
	struct check_run *run;

	if (room > MAX_ROOM)
		return ERR_LIMIT;
	run = calloc(room, sizeof(*run));
	if (run == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < l->room; i++)
		if (l->run[i].row != 0)
			*place(run, room, l->run[i].row) = l->run[i];
	free(l->run);
	l->run = run;
	l->room = room;
	return OK;
}

enum err check_live_add(
    struct check_live *l, int64_t row, const struct chunk *c)
{
	struct check_run *r;
	enum err rc;

	/* No execution has this number; it would be a free place. */
	if (row == 0)
		return OK;
	if (l->n >= l->room / 2) {
		rc = grow(l);
		if (rc != OK)
			return rc;
	}
	r = place(l->run, l->room, row);
	if (r->row == 0) {
		*r = (struct check_run){
			.row = row, .from = c->index, .to = c->index
		};
		l->n++;
	}
	r->n++;
	if (c->index < r->to) {
		r->repeats = true;
		return OK;
	}
	if (c->index > r->to)
		r->from = c->index;
	r->to = c->index + 1;
	if (c->kind == CHUNK_END)
		check_end_note(&r->end, c);
	return OK;
}

struct check_run *check_live_find(const struct check_live *l, int64_t row)
{
	struct check_run *r;

	if (l->room == 0 || row == 0)
		return NULL;
	r = place(l->run, l->room, row);
	return r->row == 0 ? NULL : r;
}

void check_live_fini(struct check_live *l)
{
	free(l->run);
	*l = (struct check_live){ 0 };
}
