/* Removed in the store itself, under its lock. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/pruner_internal.h"
#include "server/write_export.h"
#include "server/write_rule.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/store_look.h"

/* Between two looks at how far it is. */
#define DROP_MS 20

/* What was chosen, as a server's audit says it. */
static void describe(struct pruner *p)
{
	struct buf b;

	buf_init(&b, sizeof(p->audit.detail) - 1);
	jsonout_object(&b);
	write_rule_members(&b, &p->rule);
	if (p->note[0])
		jsonout_member(&b, "note", p->note);
	jsonout_object_end(&b);
	if (buf_state(&b) == OK)
		memcpy(p->audit.detail, b.data, b.len);
	buf_fini(&b);
}

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
	describe(p);
	return err;
}

/* Up to WRITE_PRUNE_MAX of them. */
static enum err erase_ids(
    struct pruner *p, const struct id *ids, uint32_t n, struct pruner_sum *sum)
{
	struct write *w = &p->w.write;
	enum err err;

	if (n == 0)
		return OK;
	*w = (struct write){ .kind = WRITE_PRUNE, .audit = &p->audit };
	w->u.prune.ids = ids;
	w->u.prune.n = n;
	w->u.prune.payload_only = p->rule.payload_only;
	err = writer_wait(p->store, &p->w);
	sum->executions += (int64_t)w->u.prune.gone.executions;
	sum->chunks += (int64_t)w->u.prune.gone.chunks;
	sum->bytes += (int64_t)w->u.prune.gone.bytes;
	sum->absent += w->u.prune.absent;
	sum->live += w->u.prune.live;
	return err;
}

/* What the last step found. */
static const struct id *found(const struct pruner *p, uint32_t *ret_n)
{
	bool payload = p->rule.payload_only;

	*ret_n = payload ? p->batch.n_payload : p->batch.n_whole;
	return payload ? p->batch.payload : p->batch.whole;
}

static enum err erase(struct pruner *p, struct pruner_sum *sum)
{
	const struct id *ids;
	uint32_t n;
	enum err err;

	ids = found(p, &n);
	err = erase_ids(p, ids, n, sum);
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

static enum err step(struct pruner *p)
{
	enum err err = OK;

	if (!p->look)
		err =
		    retention_new(&p->rule, 1, clock_wall_ms(), NULL, &p->look);
	if (!err)
		err = retention_step(p->look, retention_walk, p->query,
		    RETENTION_BATCH, &p->batch);
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
	enum err err;

	if (p->look && p->batch.done)
		return drop(p, sum, ret_done);
	err = step(p);
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

_Static_assert(RETENTION_BATCH <= PRUNER_IDS, "a step fits a list");

enum err pruner_here_list(struct pruner *p, struct id *ret, size_t *ret_n,
    bool *ret_done, struct why *why)
{
	enum err err = step(p);
	const struct id *ids;
	uint32_t n;

	say(p, err, why);
	if (err)
		return err;
	ids = found(p, &n);
	memcpy(ret, ids, n * sizeof(*ids));
	*ret_n = n;
	*ret_done = p->batch.done;
	return OK;
}

enum err pruner_here_erase(struct pruner *p, const struct id *ids, size_t n,
    struct pruner_sum *sum, struct why *why)
{
	enum err err = OK;

	for (size_t at = 0; !err && at < n; at += WRITE_PRUNE_MAX) {
		size_t left = n - at;

		err = erase_ids(p, ids + at,
		    (uint32_t)(left < WRITE_PRUNE_MAX ? left : WRITE_PRUNE_MAX),
		    sum);
	}
	say(p, err, why);
	return err;
}

enum err pruner_here_export(struct pruner *p, const struct id *ids, size_t n,
    bool (*on_data)(const char *data, size_t len, void *arg), void *arg,
    struct why *why)
{
	struct write_export *x = malloc(sizeof(*x));
	enum err err = ERR_NOMEM;

	if (!x)
		return ERR_NOMEM;
	write_export_init(x);
	x->ids = calloc(n, sizeof(*x->ids));
	if (!x->ids)
		goto out;
	memcpy(x->ids, ids, n * sizeof(*ids));
	x->n_ids = n;
	do {
		buf_reset(&x->out);
		err = write_export_step(x, p->query);
		if (!err && x->out.len > 0 &&
		    !on_data(x->out.data, x->out.len, arg))
			err = ERR_CANCELLED;
	} while (!err && x->phase != WRITE_EXPORT_DONE);
	say(p, err, why);
out:
	write_export_fini(x);
	free(x);
	return err;
}
