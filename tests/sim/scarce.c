/*
 * An engine that has no memory, now and then: between the writer and whatever
 * engine there is. It is what an engine may say at any time; what was begun
 * must then be undone, and be done later.
 */
#include "tests/sim/world.h"

static const struct engine *under;
static struct dice *dice;

static enum err append(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	if (dice_is(dice, 1, 400))
		return ERR_NOMEM;
	return under->chunk_append(db, e, c, ret_seq);
}

static enum err insert(struct engine_db *db, struct execution *e)
{
	if (dice_is(dice, 1, 60))
		return ERR_NOMEM;
	return under->execution_insert(db, e);
}

static enum err start(struct engine_db *db, const struct execution *e,
    const char *target, uint32_t attempt, int64_t started_ms)
{
	if (dice_is(dice, 1, 60))
		return ERR_NOMEM;
	return under->execution_start(db, e, target, attempt, started_ms);
}

static enum err note(struct engine_db *db, const struct execution *e,
    const char *text, size_t len)
{
	if (dice_is(dice, 1, 60))
		return ERR_NOMEM;
	return under->execution_note(db, e, text, len);
}

static enum err end(struct engine_db *db, const struct execution *e,
    const struct engine_end *last)
{
	if (dice_is(dice, 1, 60))
		return ERR_NOMEM;
	return under->execution_end(db, e, last);
}

static enum err put(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s)
{
	if (dice_is(dice, 1, 30))
		return ERR_NOMEM;
	return under->segment_put(db, e, s);
}

static enum err begin(struct engine_db *db)
{
	/* A stranger looks at the file. */
	if (dice_is(dice, 1, 200))
		return ERR_BUSY;
	return under->begin(db);
}

void world_be_scarce(
    struct engine *e, const struct engine *of, struct dice *with)
{
	under = of;
	dice = with;
	*e = *of;
	e->begin = begin;
	e->chunk_append = append;
	e->execution_insert = insert;
	e->execution_start = start;
	e->execution_note = note;
	e->execution_end = end;
	e->segment_put = put;
}
