/*
 * stream_client: one stream of a server's, for commands: read on, append once.
 *
 * Used by: cmd_streams.     Thread: the main one.
 * Promises: an append that is tried again is done once: it has a number.
 */
#ifndef SERVER_CMD_STREAM_CLIENT_H
#define SERVER_CMD_STREAM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "store/base/id.h"

/* At most this much in one append. */
#define STREAM_CLIENT_BYTES ((size_t)512 << 10)

struct stream_client {
	struct client *client;
	const char *name;
	char type[128];	 /* its Content-Type, once it was read or created */
	char next[64];	 /* the offset behind what was read or appended */
	bool up_to_date; /* … is its end, for now */
	bool closed;	 /* … for ever */
	struct buf body; /* what the last read gave */
	struct id producer;
	uint64_t seq; /* of the next append */
};

/* Fails as client_open(). */
MUST_CHECK enum err stream_client_open(struct stream_client *s,
    const struct option_set *options, const char *name, struct why *why);
void stream_client_close(struct stream_client *s);

/*
 * Read a page from ${offset} on into s->body; ${wait}: until there is news, or
 * the server has waited long enough. Fails as client_call().
 */
MUST_CHECK enum err stream_client_read(
    struct stream_client *s, const char *offset, bool wait, struct why *why);

/* Append; ${len} 0 with ${close}: only close. Fails as client_call(). */
MUST_CHECK enum err stream_client_append(struct stream_client *s,
    const char *data, size_t len, bool close, struct why *why);

/*
 * Create it, of s->type, or as ${headers} (NULL-terminated) say. Fails as
 * client_call(): ERR_CONFLICT, it is there otherwise.
 */
MUST_CHECK enum err stream_client_create(
    struct stream_client *s, const char *const *headers, struct why *why);

#endif
