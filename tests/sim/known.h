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
	KNOWN_GONE,   /* it was deleted */
	KNOWN_NEVER,  /* it was refused */
};

struct known {
	enum known_state state;
	uint32_t number;
	struct id id;
	unsigned owner, key, body; /* key 0: none */
	bool delete_asked;
	unsigned pending; /* writes that were not answered */
	/* What was seen. */
	enum execution_status status;
	uint64_t total;
	uint64_t *hash; /* by index; 0: not seen */
	size_t room;
	uint64_t metadata; /* a hash; 0: not seen */
	/* What its upstream says, and how much of it the run has taken. */
	struct story story;
	size_t taken;
};

void known_fini(struct known *k);

/*
 * Somebody saw ${p}, asked from ${from}. False, and ${why}: it is not what it
 * may be, given all that was seen before.
 */
bool known_saw(
    struct known *k, uint64_t from, const struct page *p, struct why *why);

/*
 * Somebody who has read all from the start saw ${p} next, and ${*at} bytes of
 * text before it. False, and ${why}: it is not the upstream's text.
 */
bool known_heard(
    struct known *k, const struct page *p, size_t *at, struct why *why);

#endif
