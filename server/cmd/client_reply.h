/*
 * client_reply: what a server answered: JSON, or a problem (RFC 9457) in words.
 *
 * Used by: client.     Thread: any; pure.
 */
#ifndef SERVER_CMD_CLIENT_REPLY_H
#define SERVER_CMD_CLIENT_REPLY_H

#include "server/cmd/client.h"

/* As client_call(), from the answer's status and body to ${path} of ${url}. */
MUST_CHECK enum err client_reply_read(const char *url, const char *path,
    long status, const struct buf *body, json_t **ret, struct why *why);

#endif
