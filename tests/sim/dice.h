/*
 * dice: what a seed decides. The same seed, the same throws, on any machine.
 *
 * Used by: all of tests/sim.
 */
#ifndef TESTS_SIM_DICE_H
#define TESTS_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t dice_bits(struct dice *d)
{
	uint64_t x = d->state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* 0 … sides - 1; 0 for no sides. */
static inline uint32_t dice_throw(struct dice *d, uint32_t sides)
{
	return (uint32_t)((dice_bits(d) >> 32) * sides >> 32);
}

/* True ${n} times in ${of}. */
static inline bool dice_is(struct dice *d, uint32_t n, uint32_t of)
{
	return dice_throw(d, of) < n;
}

/* Small more often than large: 1 … most, about as often of each magnitude. */
static inline uint32_t dice_size(struct dice *d, uint32_t most)
{
	uint32_t top = 1;

	while (top < most && dice_is(d, 2, 3))
		top *= 2;
	return 1 + dice_throw(d, top < most ? top : most);
}

#endif
