/*
 * lookups: which names nobody answers for. A look-up that is given up keeps its
 * thread until the resolver's own time is over, half a minute and more: a name
 * of which several were given up is not asked for again so soon.
 *
 * Used by: fetch, by way of its pool.     Thread: the owner's; pure.
 * Promises: other names, and addresses, are never held up.
 */
#ifndef WORKER_LOOKUPS_H
#define WORKER_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many of one name that were given up in LOOKUPS_MS, and no more. */
#define LOOKUPS_OF_A_NAME 16
#define LOOKUPS_MS 30000
#define LOOKUPS_KEPT 128

/* {0} to begin. */
struct lookups {
	struct {
		uint64_t name;
		int64_t until_ms;
	} lost[LOOKUPS_KEPT];
	size_t next;
};

/* What stands for the host of ${url}; 0: it is an address. */
uint64_t lookups_name(const char *url);

/* May ${name} be looked up at ${now_ms}? */
bool lookups_may(const struct lookups *l, uint64_t name, int64_t now_ms);

/* One of ${name} was given up. */
void lookups_give_up(struct lookups *l, uint64_t name, int64_t now_ms);

#endif
