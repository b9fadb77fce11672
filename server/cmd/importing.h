/*
 * importing: an import under way: what was read, what became of it, and the
 * server that it goes to when one has the store.
 *
 * Used by: cmd_import.     Thread: the main one.
 */
#ifndef SERVER_CMD_IMPORTING_H
#define SERVER_CMD_IMPORTING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cmd/client.h"
#include "store/base/buf.h"
#include "store/importer.h"
#include "store/store.h"

/* Lines whose fate is not known yet are fewer. */
#define IMPORTING_PLACES 1024
/* Where a line came from. */
struct importing_place {
	const char *file;
	uint64_t line, byte;
};

struct importing {
	bool dry_run;
	const char *owners; /* NULL: they stay */
	struct import_owners map;
	const char *file;  /* being read */
	uint64_t n, bytes; /* lines so far */
	struct importing_place places[IMPORTING_PLACES];
	uint64_t counts[IMPORTER_FATES];
	int64_t bar_ms;
	bool bar;

	/* Here. */
	struct store *store;
	struct importer *importer;
	struct audit audit;
	/* There. */
	struct client *client;
	struct buf batch;
	uint64_t n_batch;
};

/* --- what is told --- */

/* The fate of line ${n}. */
void importing_tell(struct importing *x, uint64_t n, enum importer_fate fate,
    const char *id, const char *why);
/* The same, for an importer; ${arg} is a struct importing. */
void importing_told(void *arg, const struct importer_told *t);
/* How many of each there were. */
void importing_tell_end(struct importing *x);

/* --- by the server --- */

/* Take a line, which x->n counts already. Fails: as importing_send(). */
MUST_CHECK enum err importing_put(
    struct importing *x, const char *line, size_t len, struct why *why);
/* Send what was taken, and tell what became of it. Fails: as client_call(). */
MUST_CHECK enum err importing_send(struct importing *x, struct why *why);

#endif
