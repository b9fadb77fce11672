/* Removed in the store itself, under its lock. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/pruner_internal.h"
#include "store/base/clock.h"
#include "store/store_look.h"

/* Between two looks at how far it is. */
#define DROP_MS 20

enum err pruner_here_open(struct pruner *p, const char *db, struct why *why)
{
	struct store_options so = { .url = db };
	struct store_look *look = malloc(sizeof(*look));
	enum err err;

	if (!look)
		return ERR_NOMEM;
	/* Opening would make one. */
	err = store_look(db, look, why);
	if (!err && !look->there) {
		err_why(why, "there is no store %s", db);
		err = ERR_NOT_FOUND;
	}
	free(look);
	if (!err)
		err = store_open(&so, &p->store, why);
	if (err)
		return err;
	err = query_open(p->store, &p->query);
	p->audit.operation = id_new();
	snprintf(p->audit.actor, sizeof(p->audit.actor), "offline");
	snprintf(p->audit.action, sizeof(p->audit.action), "%s",
	    p->rule.payload_only ? "prune.payload" : "prune");
	return err;
}

static enum err erase(struct pruner *p, struct pruner_sum *sum)
{
	struct write *w = &p->w.write;
	bool payload = p->rule.payload_only;
	enum err err;

	*w = (struct write){ .kind = WRITE_PRUNE, .audit = &p->audit };
	w->u.prune.ids = payload ? p->batch.payload : p->batch.whole;
	w->u.prune.n = payload ? p->batch.n_payload : p->batch.n_whole;
	w->u.prune.payload_only = payload;
	if (w->u.prune.n == 0)
		return OK;
	err = writer_wait(p->store, &p->w);
	sum->executions += (int64_t)w->u.prune.gone.executions;
	sum->chunks += (int64_t)w->u.prune.gone.chunks;
	sum->bytes += (int64_t)w->u.prune.gone.bytes;
	sum->absent += w->u.prune.absent;
	sum->live += w->u.prune.live;
	pruner_span(sum, p->batch.oldest_ms, p->batch.newest_ms);
	return err;
}

static enum err count(struct pruner *p, struct pruner_sum *sum)
{
	struct retention *look = NULL;
	enum err err;

	err = retention_new(&p->rule, 1, clock_wall_ms(), NULL, &look);
	p->batch.done = false;
	while (!err && !p->batch.done) {
		err = retention_step(
		    look, retention_walk, p->query, RETENTION_BATCH, &p->batch);
		if (err)
			break;
		sum->executions += p->batch.n_whole + p->batch.n_payload;
		sum->chunks += (int64_t)p->batch.chunks;
		sum->bytes += (int64_t)p->batch.bytes;
		pruner_span(sum, p->batch.oldest_ms, p->batch.newest_ms);
	}
	retention_free(look);
	return err;
}

/* When all are gone: what they held. A server does that by itself. */
static enum err drop(struct pruner *p, struct pruner_sum *sum, bool *ret_done)
{
	struct store_stats s;
	struct why why;
	enum err err = store_failed(p->store, &why);

	store_stats(p->store, &s);
	if (!err && s.cleaning)
		(void)poll(NULL, 0, DROP_MS);
	*ret_done = !s.cleaning;
	sum->file_bytes = s.cleaning ? (int64_t)s.db_bytes : 0;
	if (err)
		p->w.write.why = why;
	return err;
}

static enum err turn(struct pruner *p, struct pruner_sum *sum, bool *ret_done)
{
	enum err err = OK;

	if (p->look && p->batch.done)
		return drop(p, sum, ret_done);
	if (!p->look)
		err =
		    retention_new(&p->rule, 1, clock_wall_ms(), NULL, &p->look);
	if (!err)
		err = retention_step(p->look, retention_walk, p->query,
		    RETENTION_BATCH, &p->batch);
	if (!err)
		err = erase(p, sum);
	*ret_done = false;
	return err;
}

static void say(const struct pruner *p, enum err err, struct why *why)
{
	if (err && !why->text[0])
		err_why(why, "the store: %s",
		    p->w.write.why.text[0] ? p->w.write.why.text
					   : err_name(err));
}

enum err pruner_here_count(
    struct pruner *p, struct pruner_sum *ret, struct why *why)
{
	enum err err = count(p, ret);

	say(p, err, why);
	return err;
}

enum err pruner_here_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why)
{
	enum err err = turn(p, sum, ret_done);

	say(p, err, why);
	return err;
}
