/*
 * liars: what a broken engine does, by kind; liars.c has the list of all lies.
 *
 * Used by: liars*.c.
 */
#ifndef TESTS_SIM_LIARS_H
#define TESTS_SIM_LIARS_H

struct engine;

/* --- liars_deletion.c --- */

void liars_leave_no_tombstone(struct engine *e);
void liars_forget_too_early(struct engine *e);
void liars_prune_what_runs(struct engine *e);
void liars_keep_payloads(struct engine *e);
void liars_delete_records_too(struct engine *e);
void liars_drop_no_trash(struct engine *e);

/* --- liars_copy.c --- */

void liars_copy_the_past(struct engine *e);
void liars_import_half(struct engine *e);
void liars_import_over(struct engine *e);
void liars_import_another_time(struct engine *e);

#endif
