#include "store/base/spare.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* Each thread's own; longer texts need one of theirs. */
#define ROOM_BYTES ((size_t)8 << 10)
/* Its buffers grow by doubling from 16; what has another size it looks at. */
#define SMALLEST 32
/* All that hold one text, one after the other, and as much for others. */
#define TIMES 8

static _Thread_local struct {
	bool watched, failed;
	size_t used, size;
	char *at; /* room, or a block of its own */
	alignas(max_align_t) char room[ROOM_BYTES];
} spare;

enum err spare_begin(size_t len)
{
	bool small = len <= ROOM_BYTES / TIMES;

	spare.size = small ? ROOM_BYTES : TIMES * len;
	spare.at = small ? spare.room : malloc(spare.size);
	if (spare.at == NULL)
		return ERR_NOMEM;
	spare.watched = true;
	spare.failed = false;
	spare.used = 0;
	return OK;
}

bool spare_whole(void)
{
	return !spare.failed;
}

void spare_end(void)
{
	if (spare.at != spare.room)
		free(spare.at);
	spare.watched = false;
	spare.at = NULL;
}

void *spare_malloc(size_t n)
{
	void *p = malloc(n);

	if (p != NULL || !spare.watched)
		return p;
	spare.failed = true;
	if (n < SMALLEST || (n & (n - 1)) != 0 || n > spare.size - spare.used)
		return NULL;
	p = spare.at + spare.used;
	spare.used += n;
	return p;
}

void spare_free(void *p)
{
	uintptr_t at = (uintptr_t)p, from = (uintptr_t)spare.at;

	if (!spare.watched || at < from || at >= from + spare.size)
		free(p);
}
