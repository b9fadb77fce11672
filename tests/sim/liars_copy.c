/* Lies about what is copied: see liars.c. */
#include "store/engine.h"
#include "store/sqlite.h"
#include "tests/sim/liars.h"

static const struct engine *real(void)
{
	return sqlite_engine();
}

/* --- backups --- */

static unsigned n_steps;

/* All of it at once, and told much later. */
static enum err step_early(struct engine_copy *c, int pages, bool *ret_done)
{
	static bool done;
	enum err rc = OK;

	(void)pages;
	if (n_steps == 0)
		rc = real()->copy_step(c, 1 << 30, &done);
	*ret_done = ++n_steps > 60;
	if (*ret_done || rc != OK)
		n_steps = 0;
	return rc;
}

void liars_copy_the_past(struct engine *e)
{
	n_steps = 0;
	e->copy_step = step_early;
}

/* --- imports --- */

static enum err put_first(
    struct engine_db *db, int64_t row, const struct engine_segment *s)
{
	return s->first > 0 ? OK : real()->import_segment(db, row, s);
}

void liars_import_half(struct engine *e)
{
	e->import_segment = put_first;
}

/* Nothing is stored, and nobody learns why. */
static enum err finish_over(struct engine_db *db, struct execution *e)
{
	enum err rc = real()->import_finish(db, e);

	return rc == ERR_CONFLICT ? OK : rc;
}

static enum err put_anywhere(
    struct engine_db *db, int64_t row, const struct engine_segment *s)
{
	return row == 0 ? OK : real()->import_segment(db, row, s);
}

void liars_import_over(struct engine *e)
{
	e->import_finish = finish_over;
	e->import_segment = put_anywhere;
}

static enum err finish_later(struct engine_db *db, struct execution *e)
{
	enum err rc;

	e->finished_ms++;
	rc = real()->import_finish(db, e);
	e->finished_ms--;
	return rc;
}

void liars_import_another_time(struct engine *e)
{
	e->import_finish = finish_later;
}
