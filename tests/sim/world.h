/*
 * world: one spool without threads, sockets or files: the real store, the real
 * worker, clients that read; on a disk, a network and clocks that dice move.
 *
 * Used by: tests/sim.
 * Promises: the same seed and the same number of events are the same world.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/engine.h"
#include "store/import.h"
#include "store/query.h"
#include "store/store.h"
#include "store/tail.h"
#include "store/writer.h"
#include "tests/sim/disk.h"
#include "tests/sim/known.h"
#include "worker/worker.h"

#define WORLD_KNOWN 64
#define WORLD_READERS 10

struct world;

/* One client that reads one log. */
struct reader {
	struct world *world;
	uint32_t of;	      /* place in known, when seated */
	uint64_t from;	      /* where it goes on */
	struct hearing heard; /* when it began at 0 */
	bool seated, from_start, waiting, woken;
	struct waiter waiter;
};

/* What is wrong on purpose, to see that it is noticed (liars.c). */
struct lie {
	const char *name;
	enum disk_lie disk;
	enum story_lie story;
	bool wakes;    /* some are lost */
	bool prefills; /* what is gone on from is not all that stands */
	/* Change what the store's engine does. */
	void (*engine)(struct engine *e);
};

struct world_options {
	uint64_t seed;
	uint32_t events;
	const struct lie *lie; /* NULL: all is well */
	bool trace;	       /* print each event */
	/* Told before each event; NULL: nobody. */
	void (*on_event)(void *arg, uint32_t event);
	void *arg;
};

/* What a seed decides once. */
struct weather {
	bool scarce; /* there is no memory, now and then */
	bool heavy;  /* long answers */
	bool tries;  /* what fails is tried again, and elsewhere */
	bool faults; /* disks fail and fill */
	bool crashes;
	bool power;	     /* a crash may take the power with it */
	bool from_nothing;   /* the store is made under these conditions */
	uint32_t weight[32]; /* of each kind of event */
};

/* An execution that was exported. */
struct shelf {
	bool full;
	unsigned owner, key, body;
	struct import import;
};
#define WORLD_SHELVES 4

struct world {
	struct world_options o;
	struct dice dice;
	struct weather weather;
	struct store_options store_options;
	struct worker_options worker_options;
	struct store *store;
	struct worker *worker;
	struct query *query;  /* NULL: not opened yet */
	struct engine lying;  /* the real one, or a lie */
	struct engine engine; /* what the writer calls */
	struct known known[WORLD_KNOWN];
	size_t n_known;
	struct reader reader[WORLD_READERS];
	struct shelf shelf[WORLD_SHELVES];
	bool copying, copied; /* a backup is made; is there to be looked at */
	int64_t wall_ms, mono_ms;
	uint32_t event, n_created;
	uint32_t n_pending; /* writes that were not answered */
	uint32_t n_forgets; /* of them: that deletions be forgotten */
	bool plenty;	    /* of memory, at last */
	bool full;	    /* the disk is bounded */
	bool dying;	    /* nobody hears any more what is answered */
	bool stopping; /* the worker ends: whoever sleeps turns the world */
	bool stopped;  /* the last one ended well */
	bool broken;
	struct why why; /* what is broken */
	/* What happened, for the summary. */
	uint64_t chunks, crashes, stops, ended, completed;
	uint64_t fingerprint; /* of all that happened */
};

/* Where the store of this process seems to lie. Once, before all worlds. */
void world_place(const char *directory);
struct store_options world_store_options(void);
/* Where backups go. */
const char *world_copy_path(void);
/* A disk with an empty store. */
void world_disk(uint64_t seed);
/* Threads and SQLite are as before. */
void world_leave(void);

/*
 * Live a world from its first event to its last, and until all that was begun
 * has ended. False: it is broken; ${why} says which invariant. Everything of it
 * is left as it is then.
 */
bool world_live(const struct world_options *o, struct world *w);

/* --- world.c: its life --- */

/* An invariant does not hold. The first one counts. */
void world_break(struct world *w, const struct known *k, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Open the store, recover, compare with what is known. */
void world_boot(struct world *w);

/* The process is killed, or it exits; ${power}: and the power fails. */
void world_crash(struct world *w, bool power);

/* A stop as SIGTERM makes it. */
void world_stop(struct world *w, int64_t drain_ms);

/* Let ${ms} pass. */
void world_pass(struct world *w, int64_t ms);

/* Has the disk given cause for an error? */
bool world_excused(const struct world *w, enum err rc);

/* --- look.c: clients that read --- */

/* Read all of ${k}; it must be what is known, or more. */
void world_compare(struct world *w, struct known *k);

/* As a server reads: memory first, then a connection of its own. */
enum err world_read(struct world *w, const struct known *k, const char *owner,
    const struct page_query *q, struct page *ret);

/* What one reader does next. */
void reader_turn(struct reader *r);
/* Begin with another log. */
void reader_seat(struct reader *r);
void reader_leave(struct reader *r);

/* Look at what was asked for and may have been done or not. */
void world_resolve(struct world *w);

/* Is it there, and has it not ended? */
bool world_is_live(struct world *w, struct known *k);

/* Nobody waits for what is there already. */
void world_check_waiters(struct world *w);

/* The store's own check finds nothing; ${end}: and counts what is known. */
void world_check_store(struct world *w, bool end);

/* --- events.c --- */

void world_forecast(struct world *w);
void world_event(struct world *w);

/* An execution of ${w}'s making by its number. */
struct known *world_find(struct world *w, uint32_t number);
/* A place for one more; those that are gone are forgotten at last. */
struct known *world_new_known(struct world *w);
/* Another that has used the key of ${k}; ${sure}: certainly stored. */
struct known *world_with_key(struct world *w, const struct known *k, bool sure);
/* By its id; NULL: forgotten. */
struct known *world_find_id(struct world *w, const struct id *id);

/* --- deletions.c: events --- */

void world_delete(struct world *w);
void world_prune(struct world *w);
void world_retain(struct world *w);
void world_forget(struct world *w);

/* --- copies.c: events, and what follows --- */

void world_export(struct world *w);
void world_import(struct world *w);
void world_copy(struct world *w);

/* A backup that was made holds what clients know, and nothing else. */
void world_look_at_copy(struct world *w);
void world_drop_copy(struct world *w);

/* --- scarce.c, liars.c --- */

/* Make ${e} an ${of} that fails when the dice say so; both lent. */
void world_be_scarce(
    struct engine *e, const struct engine *of, struct dice *with);

extern const struct lie world_lies[];
extern const size_t world_n_lies;

#endif
