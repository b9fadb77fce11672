/*
 * actor: who did it, for the audit.
 *
 * Used by: the handlers that change what is stored.     Thread: any; pure.
 */
#ifndef SERVER_ACTOR_H
#define SERVER_ACTOR_H

#include "server/auth.h"
#include "store/audit.h"

/*
 * A new operation in ${ret}: ${who} does ${action} to ${subject} (NULL: nothing
 * in particular). The actor is the key's id and label, or "local" without keys.
 */
void actor_audit(const struct principal *who, const char *action,
    const char *subject, struct audit *ret);

#endif
