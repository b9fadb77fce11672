/*
 * chats: which execution answers in a chat now, by the name that the chat's own
 * application gave it: how a page that was loaded again finds its stream.
 *
 * Used by: the fronts whose clients know a chat, not an execution; service.
 * Thread: any.
 * Promises: an owner finds its own chats alone; the newest of a chat counts;
 * room is bounded: the oldest gives way.
 */
#ifndef SERVER_CHATS_H
#define SERVER_CHATS_H

#include "store/base/err.h"
#include "store/base/id.h"

struct chats;

/* Fails: ERR_NOMEM. */
MUST_CHECK enum err chats_new(struct chats **ret);
/* NULL is nothing. */
void chats_free(struct chats *c);

/* ${id} answers in ${owner}'s ${chat} from now on. */
void chats_put(
    struct chats *c, const char *owner, const char *chat, const struct id *id);

/* Fails: ERR_NOT_FOUND. */
MUST_CHECK enum err chats_find(
    struct chats *c, const char *owner, const char *chat, struct id *ret);

#endif
