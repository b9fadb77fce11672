/*
 * front_call_list: the function calls of an answer by their index: only the row
 * that begins one says its id and name, later ones its index.
 *
 * Used by: the fronts that name a call in each event.     Thread: any; pure.
 */
#ifndef SERVER_FRONT_CALL_LIST_H
#define SERVER_FRONT_CALL_LIST_H

#include <stddef.h>

#include "store/base/buf.h"
#include "store/chunk.h"

#define FRONT_CALL_LIST_MAX 512

/* JSON texts. */
struct front_call {
	char *id, *name;
};

/* All zero: empty. */
struct front_call_list {
	struct front_call *calls;
	size_t n;
};

void front_call_list_fini(struct front_call_list *l);

/*
 * The call that ${c}, a row of kind tool_call, is of; one that begins it adds
 * it. NULL: without memory, too many, or never begun.
 */
const struct front_call *front_call_list_of(
    struct front_call_list *l, const struct chunk *c);

#endif
