/*
 * What a broken spool would do, done beside it: in the engine that the writer
 * calls, on the disk, on the network, in the wakes of readers. A simulation
 * that does not notice each of these proves nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"
#include "tests/sim/liars.h"
#include "tests/sim/world.h"

/* One process has one store at a time. */
static bool late; /* a commit was told, and not made */
static unsigned n_calls;
/* One in so many chunks is maltreated. */
#define OFTEN 20

static const struct engine *real(void)
{
	return sqlite_engine();
}

/* --- readers are told before the commit --- */

static enum err commit_late(struct engine_db *db)
{
	(void)db;
	late = true;
	return OK;
}

static enum err catch_up(struct engine_db *db)
{
	if (!late)
		return OK;
	late = false;
	return real()->commit(db);
}

static enum err begin_late(struct engine_db *db)
{
	enum err rc = catch_up(db);

	return rc == OK ? real()->begin(db) : rc;
}

static enum err tidy_late(struct engine_db *db)
{
	enum err rc = catch_up(db);

	return rc == OK ? real()->tidy(db) : rc;
}

static void announces_before_the_commit(struct engine *e)
{
	late = false;
	e->begin = begin_late;
	e->commit = commit_late;
	e->tidy = tidy_late;
}

/* --- a commit that failed is told as one that was made --- */

static enum err commit_blind(struct engine_db *db)
{
	enum err rc = real()->commit(db);

	return rc == ERR_FULL || rc == ERR_IO ? OK : rc;
}

static void takes_a_failed_commit_for_one(struct engine *e)
{
	e->commit = commit_blind;
}

/* --- what failed is not undone --- */

static void rollback_never(struct engine_db *db)
{
	if (real()->commit(db) != OK)
		real()->rollback(db);
}

static void undoes_nothing(struct engine *e)
{
	e->rollback = rollback_never;
}

/* --- chunks --- */

static enum err append_some(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	static int64_t seq;
	enum err rc = OK;

	/* The first one tells where numbers are. */
	if (n_calls++ % OFTEN == OFTEN - 1)
		*ret_seq = seq;
	else
		rc = real()->chunk_append(db, e, c, ret_seq);
	if (rc == OK)
		seq = *ret_seq;
	return rc;
}

static void drops_a_chunk(struct engine *e)
{
	n_calls = 0;
	e->chunk_append = append_some;
}

static enum err append_twice(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	enum err rc = real()->chunk_append(db, e, c, ret_seq);

	if (rc == OK && ++n_calls % OFTEN == 0)
		rc = real()->chunk_append(db, e, c, ret_seq);
	return rc;
}

static void stores_a_chunk_twice(struct engine *e)
{
	n_calls = 0;
	e->chunk_append = append_twice;
}

static enum err append_other(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	struct chunk other = *c;

	if (++n_calls % OFTEN == 0)
		other.ts_ms++;
	return real()->chunk_append(db, e, &other, ret_seq);
}

static void stores_another_chunk(struct engine *e)
{
	n_calls = 0;
	e->chunk_append = append_other;
}

static enum err append_unreset(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	struct chunk other = *c;

	if (c->kind == CHUNK_RESET)
		other.kind = CHUNK_TEXT;
	return real()->chunk_append(db, e, &other, ret_seq);
}

static void joins_two_answers(struct engine *e)
{
	e->chunk_append = append_unreset;
}

/* --- ends --- */

static enum err end_unstored(struct engine_db *db, const struct execution *e,
    const struct engine_end *end)
{
	(void)db;
	(void)e;
	(void)end;
	return OK;
}

static void forgets_ends(struct engine *e)
{
	e->execution_end = end_unstored;
}

static enum err end_well(struct engine_db *db, const struct execution *e,
    const struct engine_end *end)
{
	struct engine_end other = *end;

	other.status = EXECUTION_COMPLETED;
	other.error_code = NULL;
	return real()->execution_end(db, e, &other);
}

static void completes_everything(struct engine *e)
{
	e->execution_end = end_well;
}

/* --- packing --- */

static enum err put_less(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s)
{
	struct engine_segment less = *s;

	if (s->n < 2 || s->codec != 0)
		return real()->segment_put(db, e, s);
	less.payload_len--;
	less.raw_len--;
	return real()->segment_put(db, e, &less);
}

static void packs_less_than_there_is(struct engine *e)
{
	e->segment_put = put_less;
}

static enum err put_nothing(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s)
{
	(void)db;
	(void)e;
	(void)s;
	return OK;
}

static void packs_nothing(struct engine *e)
{
	e->segment_put = put_nothing;
}

static enum err drop_more(
    struct engine_db *db, int64_t before, uint32_t limit, uint32_t *ret_dropped)
{
	return real()->chunks_drop(db, before + 200, limit, ret_dropped);
}

static void drops_live_rows(struct engine *e)
{
	e->chunks_drop = drop_more;
}

/* --- the rest --- */

static enum err delete_nothing(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	(void)db;
	(void)row;
	(void)deleted_ms;
	return OK;
}

static void deletes_nothing(struct engine *e)
{
	e->execution_delete = delete_nothing;
}

static enum err insert_keyless(struct engine_db *db, struct execution *e)
{
	char *key = e->idempotency_key;
	enum err rc;

	e->idempotency_key = NULL;
	rc = real()->execution_insert(db, e);
	e->idempotency_key = key;
	return rc;
}

static void forgets_idempotency_keys(struct engine *e)
{
	e->execution_insert = insert_keyless;
}

const struct lie world_lies[] = {
	{ "it announces before the commit",
	    .engine = announces_before_the_commit },
	{ "it takes a failed commit for one",
	    .engine = takes_a_failed_commit_for_one },
	{ "it undoes nothing", .engine = undoes_nothing },
	{ "it drops a chunk", .engine = drops_a_chunk },
	{ "it stores a chunk twice", .engine = stores_a_chunk_twice },
	{ "it stores another chunk than it shows",
	    .engine = stores_another_chunk },
	{ "it joins two answers", .engine = joins_two_answers },
	{ "it forgets ends", .engine = forgets_ends },
	{ "it completes everything", .engine = completes_everything },
	{ "it packs less than there is", .engine = packs_less_than_there_is },
	{ "it packs nothing", .engine = packs_nothing },
	{ "it drops live rows", .engine = drops_live_rows },
	{ "it deletes nothing", .engine = deletes_nothing },
	{ "it leaves no tombstone", .engine = liars_leave_no_tombstone },
	{ "it forgets deletions too early", .engine = liars_forget_too_early },
	{ "it prunes what runs", .engine = liars_prune_what_runs },
	{ "it keeps payloads", .engine = liars_keep_payloads },
	{ "it deletes records with payloads",
	    .engine = liars_delete_records_too },
	{ "it drops no trash", .engine = liars_drop_no_trash },
	{ "it copies the past", .engine = liars_copy_the_past },
	{ "it imports half", .engine = liars_import_half },
	{ "it imports over what is there", .engine = liars_import_over },
	{ "it imports another time", .engine = liars_import_another_time },
	{ "it forgets idempotency keys", .engine = forgets_idempotency_keys },
	{ "the disk syncs nothing", .disk = DISK_SYNCS_NOTHING },
	{ "the disk forgets writes", .disk = DISK_FORGETS_WRITES },
	{ "the disk rots", .disk = DISK_ROTS },
	{ "the network loses text", .story = STORY_LOSES_TEXT },
	{ "the network repeats text", .story = STORY_REPEATS_TEXT },
	{ "the network forges ends", .story = STORY_FORGES_ENDS },
	{ "what is gone on from is not all that stands", .prefills = true },
	{ "wakes are lost", .wakes = true },
};
const size_t world_n_lies = sizeof(world_lies) / sizeof(world_lies[0]);
