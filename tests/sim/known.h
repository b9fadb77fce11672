/*
 * known: what clients know of one execution: all that was ever shown of it.
 * It is what a crash must not take back.
 *
 * Used by: tests/sim.
 */
#ifndef TESTS_SIM_KNOWN_H
#define TESTS_SIM_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/execution.h"
#include "store/page.h"
#include "tests/sim/story.h"

enum known_state {
	KNOWN_ASKED,  /* its creation was not answered: there or not */
	KNOWN_STORED, /* it is there */
	KNOWN_GONE,   /* it was deleted: so say reads until that is forgotten */
	KNOWN_NEVER,  /* it was refused */
};

/* One try at an upstream: what it was asked, and what it says. */
struct known_try {
	struct story story;
	struct buf prefill; /* what it was to go on from */
	size_t taken;	    /* bytes of its answer that the run has */
};

struct known {
	enum known_state state;
	uint32_t number;
	struct id id;
	unsigned owner, key, body; /* key 0: none */
	bool delete_asked, payload_asked, import_asked, forget_asked;
	bool there;	    /* when the backup was done */
	bool unsure;	    /* what was asked was done, or not */
	bool bare;	    /* its request and its chunks were deleted */
	bool forgotten;	    /* that it was deleted */
	bool foreign;	    /* imported: it had no upstream here */
	int64_t deleted_ms; /* 0: not known */
	uint32_t n_asked;   /* deletions and the like, until now */
	unsigned pending;   /* writes that were not answered */
	/* What was seen. */
	enum execution_status status;
	uint64_t total;
	uint64_t *hash; /* by index; 0: not seen */
	size_t room;
	uint64_t metadata; /* a hash; 0: not seen */
	/* By attempt, from 1; some may be missing. */
	struct known_try **tries;
	uint32_t n_tries;
	uint32_t attempt; /* the newest that was begun */
	uint64_t seed;	  /* of its upstreams' stories */
};

/* How far somebody has read who began at 0. */
struct hearing {
	uint32_t attempt; /* whose words came last; 0: nobody's */
	size_t at;	  /* bytes of them */
	bool more;	  /* what stands is not only text */
};

void known_fini(struct known *k);

/* Attempt ${attempt} begins: an empty place for what is said. */
struct known_try *known_begin(struct known *k, uint32_t attempt);

/* NULL: there was none. */
const struct known_try *known_try(const struct known *k, uint32_t attempt);

/*
 * Somebody saw ${p}, asked from ${from}. False, and ${why}: it is not what it
 * may be, given all that was seen before.
 */
bool known_saw(
    struct known *k, uint64_t from, const struct page *p, struct why *why);

/* It was deleted, and came back with an import. */
void known_back(struct known *k);

/* Is ${c} what was seen at its place, if that was seen? */
bool known_same(const struct known *k, const struct chunk *c);

/*
 * Somebody who has read all from the start up to ${h} saw ${p} next. False, and
 * ${why}: it is not the upstreams' text, or words of two of them were joined.
 */
bool known_heard(const struct known *k, const struct page *p, struct hearing *h,
    struct why *why);

#endif
