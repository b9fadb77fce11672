/*
 * circuit: is it worth asking an upstream now? After some failures in a row it
 * is left alone for a while; then one attempt may look whether it is well.
 *
 *  CLOSED --failures in a row--> OPEN --cooldown--> HALF OPEN
 *     ^                            ^                    |
 *     +---------- good ------------+------ bad ---------+
 *
 * Used by: run, by way of upstreams.     Thread: any; a lock inside.
 * Promises: each time that a probe fails the cooldown doubles, up to eight
 * times; a probe that is never heard of again holds others up for one
 * cooldown, no longer.
 */
#ifndef WORKER_CIRCUIT_H
#define WORKER_CIRCUIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct circuit_limits {
	uint32_t failures; /* in a row, that open it; 0: it never opens */
	int64_t cooldown_ms;
};

struct circuit {
	/*
	 * Whenever the lock is free: times_open > 0 means not closed, and until
	 * then nobody passes; failures are those since the last good; probing:
	 * somebody passed since it was opened last.
	 */
	pthread_mutex_t lock;
	struct circuit_limits limits;
	uint32_t failures, times_open;
	bool probing;
	int64_t until_ms;
};

void circuit_init(struct circuit *c, const struct circuit_limits *limits);
void circuit_fini(struct circuit *c);

/*
 * May an attempt begin at ${now_ms}? In the half-open state the first who asks
 * is the probe: who gets true must begin.
 */
bool circuit_pass(struct circuit *c, int64_t now_ms);
/* As circuit_pass(), without becoming the probe. */
bool circuit_closed(struct circuit *c, int64_t now_ms);

/* What is known of it now. */
struct circuit_look {
	uint32_t failures; /* since it answered last */
	bool rests;	   /* nobody is to ask for */
	int64_t rests_ms;  /* so long */
	bool
	    probing; /* one looks whether it is well, or may: else it is well */
};
void circuit_look(struct circuit *c, int64_t now_ms, struct circuit_look *ret);

/* It answered. True: it had been given up before. */
bool circuit_good(struct circuit *c);
/* It failed, in a way that may pass. True: it is left alone from now on. */
bool circuit_bad(struct circuit *c, int64_t now_ms);

#endif
