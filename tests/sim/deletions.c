/*
 * Deletions: one by one, by the list, by rules, whole or in part, and their
 * forgetting. What is gone must say so until that is forgotten.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/retention.h"
#include "store/store_internal.h"
#include "tests/sim/asked.h"

#define DAY_MS 86400000

static const char *const owners[] = { "ann", "bob" };

static struct known *any(struct world *w)
{
	return w->n_known == 0
		   ? NULL
		   : &w->known[dice_throw(&w->dice, (uint32_t)w->n_known)];
}

static bool is_absent(enum err rc)
{
	return rc == ERR_NOT_FOUND || rc == ERR_GONE;
}

/* --- one --- */

static void told_delete(struct asked *a)
{
	struct world *w = a->world;
	struct known *k = a->of[0];
	enum err rc = a->write.result;

	if (a->stranger) {
		if (rc == OK || rc == ERR_GONE || rc == ERR_CONFLICT)
			world_break(
			    w, k, "a stranger deletes it: %s", err_name(rc));
		return;
	}
	if (rc == OK)
		k->state = KNOWN_GONE;
	else if (is_absent(rc) && (k->pending > 0 || k->unsure))
		k->unsure = true; /* a prune that is under way has it */
	else if (is_absent(rc) && k->state == KNOWN_STORED && !k->import_asked)
		world_break(w, k, "it is not there to be deleted");
	else if (rc == ERR_NOT_FOUND && !k->forget_asked)
		world_break(w, k, "it was deleted, and nobody knows");
	else if (rc == ERR_CONFLICT && execution_ended(k->status))
		world_break(w, k, "it has ended, but cannot be deleted");
	else if (rc != ERR_CONFLICT && !is_absent(rc) && !world_excused(w, rc))
		world_break(w, k, "not deleted: %s", err_name(rc));
	/* What an I/O error leaves is seen at the next start. */
	if (rc != OK && rc != ERR_IO && k->pending == 0 && !k->unsure)
		k->delete_asked = false;
}

void world_delete(struct world *w)
{
	struct known *k = any(w);
	struct asked *a;

	if (k == NULL || k->state != KNOWN_STORED ||
	    (!execution_ended(k->status) && dice_is(&w->dice, 3, 4)))
		return;
	a = asked_new(w, k, WRITE_DELETE, told_delete);
	k->n_asked++;
	a->write.u.remove.id = k->id;
	a->stranger = dice_is(&w->dice, 1, 10);
	snprintf(a->write.u.remove.owner, sizeof(a->write.u.remove.owner), "%s",
	    owners[a->stranger ? 1 - k->owner : k->owner]);
	if (asked_post(a) == OK && !a->stranger)
		k->delete_asked = true;
}

/* --- many --- */

/* What a whole prune does to ${k}, told that it went well. */
static void told_of(struct asked *a, struct known *k, bool sure)
{
	bool payload_only = a->write.u.prune.payload_only;

	if (sure && payload_only)
		k->bare = true;
	else if (sure)
		k->state = KNOWN_GONE;
	/* Nobody knows: somebody looks (world_resolve()). */
	k->unsure = true;
}

static void told_prune(struct asked *a)
{
	struct world *w = a->world;
	const struct write *x = &a->write;
	uint64_t sure = 0, gone = x->u.prune.gone.executions;

	for (uint32_t i = 0; i < a->n_of; i++) {
		/* What came later may have been done before. */
		sure += a->sure[i] && a->nth[i] == a->of[i]->n_asked;
		told_of(a, a->of[i], x->result == OK && a->sure[i]);
	}
	if (x->result != OK) {
		if (!world_excused(w, x->result))
			world_break(w, NULL, "not pruned: %s: %s",
			    err_name(x->result), x->why.text);
		return;
	}
	if (gone < sure || (a->exact && gone > sure))
		world_break(w, NULL,
		    "%llu executions were pruned, %llu were to be",
		    (unsigned long long)gone, (unsigned long long)sure);
	if (gone + x->u.prune.absent + x->u.prune.live != x->u.prune.n)
		world_break(w, NULL, "a prune counts wrong");
}

/* Memory knows all that has not ended. */
static bool has_ended(const struct world *w, const struct known *k)
{
	struct tail_head head;

	return tail_head(w->store, &k->id, NULL, &head) != OK ||
	       execution_ended(head.status);
}

/* One more id of the list ${a}; ${owner}: whose may go, or "". */
static void add(struct asked *a, struct known *k, const char *owner)
{
	uint32_t i = a->n_of;
	bool payload_only = a->write.u.prune.payload_only;

	for (uint32_t j = 0; j < i; j++)
		if (a->of[j] == k)
			return;
	asked_about(a, k);
	a->ids[i] = k->id;
	a->nth[i] = ++k->n_asked;
	a->write.u.prune.n = a->n_of;
	if (owner[0] != '\0' && strcmp(owner, owners[k->owner]) != 0)
		return;
	a->sure[i] =
	    k->state == KNOWN_STORED && k->pending == 0 && !k->delete_asked &&
	    !k->payload_asked && !(payload_only && k->bare) &&
	    (a->exact ? has_ended(a->world, k) : execution_ended(k->status));
	if (!a->sure[i] &&
	    (k->pending > 0 || k->delete_asked || k->payload_asked))
		a->exact = false;
}

/* ${sure} what it is about is wanted gone, from now on. */
static void want(struct asked *a)
{
	bool payload_only = a->write.u.prune.payload_only;
	const char *owner = a->write.u.prune.owner;

	for (uint32_t i = 0; i < a->n_of; i++) {
		struct known *k = a->of[i];

		if (owner[0] != '\0' && strcmp(owner, owners[k->owner]) != 0)
			continue;
		if (a->exact && !a->sure[i])
			continue;
		k->delete_asked |= !payload_only;
		k->payload_asked |= payload_only;
	}
}

static struct asked *new_prune(struct world *w)
{
	struct asked *a = asked_new(w, NULL, WRITE_PRUNE, told_prune);

	a->write.u.prune.ids = a->ids;
	a->write.u.prune.payload_only = dice_is(&w->dice, 1, 2);
	/* Nothing waits: what is so now is so when it is done at once. */
	a->exact = dice_is(&w->dice, 1, 2) && w->n_pending == 0 &&
		   writer_backlog(w->store) == 0;
	return a;
}

static void post_prune(struct world *w, struct asked *a)
{
	bool exact = a->exact;

	want(a);
	if (asked_post(a) != OK)
		return;
	for (int i = 0; exact && i < 20 && w->n_pending > 0; i++)
		writer_turn(&w->store->writer, 0);
	if (exact && w->n_pending > 0) {
		a->exact = false;
		want(a);
	}
}

void world_prune(struct world *w)
{
	uint32_t n = 1 + dice_throw(&w->dice, ASKED_MAX - 1);
	struct asked *a;
	const char *owner = "";

	if (w->n_known == 0)
		return;
	a = new_prune(w);
	if (dice_is(&w->dice, 1, 2))
		owner = owners[dice_throw(&w->dice, 2)];
	snprintf(a->write.u.prune.owner, sizeof(a->write.u.prune.owner), "%s",
	    owner);
	if (dice_is(&w->dice, 3, 4))
		n = dice_size(&w->dice, 5);
	for (; n > 0; n--)
		add(a, any(w), owner);
	post_prune(w, a);
}

/* --- by rules --- */

#define PAGE 100

/* What has ended, the newest first; false when it cannot be read. */
static bool list(struct world *w, const char *owner,
    struct execution_brief ret[PAGE], uint32_t *ret_n)
{
	struct query_filter f = { .owner = owner[0] == '\0' ? NULL : owner,
		.status = -1,
		.limit = PAGE };
	enum err rc = query_walk(w->query, &f, ret, ret_n);

	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "cannot be listed: %s", err_name(rc));
	return rc == OK;
}

/* May the rule take ${id} away? */
static void judge(struct world *w, const struct retention_rule *rule,
    const struct execution_brief *all, uint32_t n, const struct id *id)
{
	struct known *k = world_find_id(w, id);
	uint32_t at = 0;

	while (at < n && !id_equal(&all[at].id, id))
		at++;
	if (k == NULL || at == n)
		world_break(w, k, "a rule names what has not ended");
	else if (rule->count != RETENTION_NO_LIMIT && at < rule->count)
		world_break(w, k, "a rule names what it is to keep");
	else if (rule->age_ms != RETENTION_NO_LIMIT &&
		 all[at].finished_ms > w->wall_ms - rule->age_ms)
		world_break(w, k, "a rule names what is young");
}

static struct retention_rule draw_rule(struct world *w, bool payload_only)
{
	struct retention_rule rule = { .age_ms = RETENTION_NO_LIMIT,
		.bytes = RETENTION_NO_LIMIT,
		.count = RETENTION_NO_LIMIT,
		.payload_only = payload_only };

	if (dice_is(&w->dice, 1, 2))
		snprintf(rule.owner, sizeof(rule.owner), "%s",
		    owners[dice_throw(&w->dice, 2)]);
	if (dice_is(&w->dice, 2, 3))
		rule.count = 5 + dice_throw(&w->dice, 30);
	else
		rule.age_ms = dice_size(&w->dice, 2 * DAY_MS);
	return rule;
}

void world_retain(struct world *w)
{
	static struct execution_brief all[PAGE];
	struct retention_batch *batch = calloc(1, sizeof(*batch));
	struct asked *a = new_prune(w);
	struct retention_rule rule =
	    draw_rule(w, a->write.u.prune.payload_only);
	struct retention *r = NULL;
	uint32_t n = 0;
	enum err rc = OK;

	ASSERT(batch != NULL);
	if (w->query == NULL)
		rc = query_open(w->store, &w->query);
	if (rc == OK && !list(w, rule.owner, all, &n))
		rc = ERR_IO;
	if (rc == OK)
		rc = retention_new(&rule, 1, w->wall_ms, NULL, &r);
	while (rc == OK && !batch->done && a->n_of < ASKED_MAX) {
		const struct id *id = batch->whole;

		rc = retention_step(
		    r, retention_walk, w->query, ASKED_MAX - a->n_of, batch);
		if (rc != OK)
			break;
		if (rule.payload_only)
			id = batch->payload;
		for (uint32_t i = batch->n_whole + batch->n_payload; i > 0;
		     i--, id++) {
			judge(w, &rule, all, n, id);
			if (world_find_id(w, id) != NULL)
				add(a, world_find_id(w, id), "");
		}
	}
	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "rules: %s", err_name(rc));
	retention_free(r);
	free(batch);
	post_prune(w, a);
}

/* --- forgetting --- */

static void told_forget(struct asked *a)
{
	struct world *w = a->world;
	enum err rc = a->write.result;

	w->n_forgets--;
	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "not forgotten: %s", err_name(rc));
}

void world_forget(struct world *w)
{
	struct asked *a =
	    asked_new(w, NULL, WRITE_TOMBSTONES_DROP, told_forget);
	int64_t before_ms =
	    w->wall_ms - DAY_MS + dice_throw(&w->dice, 3 * DAY_MS);

	a->write.u.tombstones_drop.before_ms = before_ms;
	a->write.u.tombstones_drop.limit = dice_size(&w->dice, 10);
	if (asked_post(a) != OK)
		return;
	w->n_forgets++;
	for (size_t i = 0; i < w->n_known; i++) {
		struct known *k = &w->known[i];

		if ((k->state == KNOWN_GONE || k->delete_asked) &&
		    (k->deleted_ms == 0 || k->deleted_ms < before_ms))
			k->forget_asked = true;
	}
}
