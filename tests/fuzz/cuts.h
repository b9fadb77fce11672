/*
 * cuts: bytes in pieces, as a network brings them: whatever a parser makes of
 * them must not depend on where they were cut.
 *
 * Used by: tests/fuzz.
 */
#ifndef TESTS_FUZZ_CUTS_H
#define TESTS_FUZZ_CUTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/err.h"
#include "store/base/log.h"

/* A seed that the input itself says; never 0. */
static inline uint64_t cuts_seed(const uint8_t *data, size_t size)
{
	return 1 | (size == 0 ? 1
			      : (uint64_t)data[size - 1] * 0x9e3779b97f4a7c15u +
				    size);
}

/*
 * Give ${feed} all of ${data}, in one piece when ${seed} is 0, else mostly in
 * pieces of up to ${most} bytes, and very small ones. Each is a block of its
 * own: reading past it is seen. Stops at the first that is not OK, and is that.
 */
static inline enum err cuts_feed(const uint8_t *data, size_t size,
    uint64_t seed, size_t most,
    enum err (*feed)(void *arg, const char *, size_t), void *arg)
{
	enum err rc = OK;

	for (size_t i = 0; i < size && rc == OK;) {
		size_t n = size - i;
		char *copy;

		if (seed != 0) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			n = 1 + seed % (seed & 0x100 ? 3 : most);
		}
		if (n > size - i)
			n = size - i;
		copy = malloc(n);
		ASSERT(copy != NULL);
		memcpy(copy, data + i, n);
		rc = feed(arg, copy, n);
		free(copy);
		i += n;
	}
	return rc;
}

#endif
