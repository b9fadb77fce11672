#include "store/base/spare.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* A text of 2 KiB can go on growing; for a longer one jansson may abort. */
#define SPARE_BYTES ((size_t)8 << 10)
/* Its buffers grow by doubling from 16; what has another size it looks at. */
#define SMALLEST 32

static _Thread_local struct {
	bool watched, failed;
	size_t used;
	alignas(max_align_t) char room[SPARE_BYTES];
} spare;

void spare_begin(void)
{
	spare.watched = true;
	spare.failed = false;
	spare.used = 0;
}

bool spare_end(void)
{
	spare.watched = false;
	return !spare.failed;
}

void *spare_malloc(size_t n)
{
	void *p = malloc(n);

	if (p != NULL || !spare.watched)
		return p;
	spare.failed = true;
	if (n < SMALLEST || (n & (n - 1)) != 0 || n > SPARE_BYTES - spare.used)
		return NULL;
	p = spare.room + spare.used;
	spare.used += n;
	return p;
}

void spare_free(void *p)
{
	uintptr_t at = (uintptr_t)p, room = (uintptr_t)spare.room;

	if (at < room || at >= room + SPARE_BYTES)
		free(p);
}
