/*
 * importer: lines of an export go in, and executions that were not there are
 * stored; each line's fate comes out.
 *
 * Used by: the command import (offline), the server's /v1/executions/import.
 * Thread: one that may wait and touch the disk, never a loop; one at a time.
 * Promises:
 *  - each execution is stored whole or not at all, with its id, its indices and
 *    its times; what was told as imported is durable;
 *  - an execution that is there already with the same content is left as it is
 *    (existed), with another content too (refused): doing it again is safe;
 *  - fates are told in the order of the lines;
 *  - a few lines at a time are on their way to the writer; memory is bounded by
 *    them and by the longest line.
 */
#ifndef STORE_IMPORTER_H
#define STORE_IMPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/audit.h"
#include "store/base/err.h"
#include "store/base/id.h"
#include "store/import.h"

struct importer;
struct store;

enum importer_fate {
	IMPORTER_IMPORTED, /* with dry_run: would be */
	IMPORTER_EXISTED,
	IMPORTER_REFUSED,
};
#define IMPORTER_FATES 3

/* "imported", "existed", "refused" */
const char *importer_fate_name(enum importer_fate f);

struct importer_told {
	uint64_t line;
	enum importer_fate fate;
	bool has_id;
	struct id id;
	struct why why; /* when refused */
};

struct importer_options {
	struct store *store; /* NULL: only with dry_run, nothing is there */
	bool dry_run;	     /* store nothing */
	const struct import_owners *owners; /* lent; NULL: owners stay */
	/*
	 * Lent; NULL: none. Each execution is counted in its row in the
	 * transaction that stores it.
	 */
	const struct audit *audit;
	/* Lent; NULL: never. Ends a wait for the writer soon: ERR_STOPPED. */
	const atomic_bool *stop;
	/* Told each line's fate; lent. May not call the importer. */
	void (*on_told)(void *arg, const struct importer_told *t);
	void *arg;
};

/* Fails: ERR_NOMEM, ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err importer_open(
    const struct importer_options *options, struct importer **ret);

/*
 * Take the line ${number}, without its end; it is lent for the call. What is
 * wrong with the line is its fate. Fails, and the importer is only good for
 * closing: what was told before stays; ERR_FULL, ERR_LIMIT (the writer had too
 * much to do for 30 s), ERR_STOPPED, ERR_IO, ERR_CORRUPT, ERR_NOMEM; ${why}.
 */
MUST_CHECK enum err importer_line(struct importer *m, uint64_t number,
    const char *line, size_t len, struct why *why);

/* Tell ${number} refused for ${reason}, in its turn. As importer_line(). */
MUST_CHECK enum err importer_refuse(struct importer *m, uint64_t number,
    const struct why *reason, struct why *why);

/* Wait until all fates are told. Fails: as importer_line(). */
MUST_CHECK enum err importer_finish(struct importer *m, struct why *why);

/* Waits for what is with the writer. NULL is nothing. */
void importer_close(struct importer *m);

#endif
