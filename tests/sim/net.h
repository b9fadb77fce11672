/*
 * net: upstreams without a network. It stands where worker/fetch.h and
 * worker/fetch_pool.h stand in the program, so all above them is the real
 * thing. Bytes come when they are let, in any pieces.
 *
 * Used by: tests/sim.
 * Promises: what fetch.h promises: each thing is told once and in its order,
 * refused bytes come again.
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/dice.h"
#include "tests/sim/story.h"

struct net_hooks {
	/*
	 * Execution ${number} is asked for in ${request}: what does the
	 * upstream say? Lent while it is asked.
	 */
	const struct story *(*on_asked)(
	    void *arg, uint32_t number, const struct buf *request);
	/* The run of ${number} has taken ${story} up to ${upto}. */
	void (*on_taken)(
	    void *arg, uint32_t number, const struct story *story, size_t upto);
	/* The worker's thread sleeps ${ms}, negative: until it is woken. */
	void (*on_sleep)(void *arg, int ms);
	void *arg;
};

/* The request's text has this before the number, so that net knows whose. */
#define NET_MARK "execution "

void net_begin(const struct net_hooks *hooks, uint64_t seed);

/* Exchanges that are not over. */
size_t net_open(void);

/* Is there an exchange of execution ${number}? */
bool net_asks(uint32_t number);

/*
 * One of them may go on by up to ${steps} steps of up to ${most} bytes, in the
 * worker's next turn.
 */
void net_let(uint32_t steps, uint32_t most);

/* One of them breaks in the worker's next turn. */
void net_break(void);

#endif
