/*
 * pruner_internal: its two halves: a server's, and a store's that nobody has.
 *
 * Used by: server/cmd/pruner*.c.     Thread: the main one.
 */
#ifndef SERVER_CMD_PRUNER_INTERNAL_H
#define SERVER_CMD_PRUNER_INTERNAL_H

#include "server/body.h"
#include "server/cmd/client.h"
#include "server/cmd/pruner.h"
#include "store/store.h"
#include "store/writer_wait.h"

#define PRUNER_NEXT_BYTES 256

struct pruner {
	struct retention_rule rule;
	struct client *client; /* NULL: here */
	char note[BODY_NOTE_BYTES];
	/* Where the server goes on; "": the start. */
	char next[PRUNER_NEXT_BYTES];

	struct store *store;
	struct query *query;
	struct retention *look; /* of pruner_turn() */
	struct retention_batch batch;
	struct audit audit;
	struct writer_waiting w;
};

/* What went was created then. */
void pruner_span(struct pruner_sum *sum, int64_t oldest_ms, int64_t newest_ms);

/* --- there; all of them as pruner.h has them --- */

MUST_CHECK enum err pruner_there_count(
    struct pruner *p, struct pruner_sum *ret, struct why *why);
MUST_CHECK enum err pruner_there_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why);
MUST_CHECK enum err pruner_there_list(struct pruner *p, struct id *ret,
    size_t *ret_n, bool *ret_done, struct why *why);
MUST_CHECK enum err pruner_there_erase(struct pruner *p, const struct id *ids,
    size_t n, struct pruner_sum *sum, struct why *why);
MUST_CHECK enum err pruner_there_export(struct pruner *p, const struct id *ids,
    size_t n, bool (*on_data)(const char *data, size_t len, void *arg),
    void *arg, struct why *why);

/* --- here --- */

/* Fails: as store_open(); ERR_NOT_FOUND, there is no store. */
MUST_CHECK enum err pruner_here_open(
    struct pruner *p, const char *db, struct why *why);
MUST_CHECK enum err pruner_here_count(
    struct pruner *p, struct pruner_sum *ret, struct why *why);
MUST_CHECK enum err pruner_here_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why);
MUST_CHECK enum err pruner_here_list(struct pruner *p, struct id *ret,
    size_t *ret_n, bool *ret_done, struct why *why);
MUST_CHECK enum err pruner_here_erase(struct pruner *p, const struct id *ids,
    size_t n, struct pruner_sum *sum, struct why *why);
MUST_CHECK enum err pruner_here_export(struct pruner *p, const struct id *ids,
    size_t n, bool (*on_data)(const char *data, size_t len, void *arg),
    void *arg, struct why *why);

#endif
