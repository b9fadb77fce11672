/* Lies about what was deleted: see liars.c. */
#include "store/engine.h"
#include "store/sqlite.h"
#include "tests/sim/liars.h"

static const struct engine *real(void)
{
	return sqlite_engine();
}

/* --- that it was --- */

static enum err delete_all(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	uint32_t dropped;
	enum err rc = real()->execution_delete(db, row, deleted_ms);

	return rc == OK ? real()->tombstones_drop(db, INT64_MAX, 1000, &dropped)
			: rc;
}

void liars_leave_no_tombstone(struct engine *e)
{
	e->execution_delete = delete_all;
}

static enum err drop_young(struct engine_db *db, int64_t before_ms,
    uint32_t limit, uint32_t *ret_dropped)
{
	(void)before_ms;
	return real()->tombstones_drop(db, INT64_MAX, limit, ret_dropped);
}

void liars_forget_too_early(struct engine *e)
{
	e->tombstones_drop = drop_young;
}

/* --- what --- */

static enum err brief_ended(struct engine_db *db, const struct id *id,
    const char *owner, struct execution_brief *ret)
{
	enum err rc = real()->execution_brief(db, id, owner, ret);

	if (rc == OK && !execution_ended(ret->status))
		ret->status = EXECUTION_COMPLETED;
	return rc;
}

void liars_prune_what_runs(struct engine *e)
{
	e->execution_brief = brief_ended;
}

static enum err delete_half(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	return row % 2 ? OK : real()->payload_delete(db, row, deleted_ms);
}

void liars_keep_payloads(struct engine *e)
{
	e->payload_delete = delete_half;
}

static enum err delete_whole(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	return real()->execution_delete(db, row, deleted_ms);
}

void liars_delete_records_too(struct engine *e)
{
	e->payload_delete = delete_whole;
}

static enum err drop_nothing(struct engine_db *db, uint32_t limit,
    size_t max_bytes, size_t *ret_bytes, bool *ret_left)
{
	(void)db;
	(void)limit;
	(void)max_bytes;
	*ret_bytes = 0;
	*ret_left = false;
	return OK;
}

void liars_drop_no_trash(struct engine *e)
{
	e->trash_drop = drop_nothing;
}
