/*
 * choose: which executions a command is about: --status, --owner, --since,
 * --until, as the server's query parameters.
 *
 * Used by: the commands that list, export and remove executions.
 * Thread: the main one.
 */
#ifndef SERVER_CMD_CHOOSE_H
#define SERVER_CMD_CHOOSE_H

#include <stdint.h>

#include "server/option.h"
#include "store/base/buf.h"
#include "store/base/err.h"

/* The options; a command that uses CMD_CHOOSE has them. */
const struct option_spec *choose_table(void);
/* The same about what has ended, of CMD_CHOOSE_ENDED. */
const struct option_spec *choose_ended_table(void);

/*
 * Append "&status=…&owner=…&since=…&until=…", what was given of them, to ${b}.
 * A time is RFC 3339, a date (UTC), milliseconds since 1970, or how long ago
 * ("2h", "7d"), counted from now. ${since_ms} above 0 stands in for --since.
 * --status may be missing among ${options}. Fails: ERR_INPUT; through the buffer.
 */
MUST_CHECK enum err choose_query(const struct option_set *options,
    int64_t since_ms, struct buf *b, struct why *why);

/*
 * The time of --since or --until, ${name}, in ms since 1970; 0 when it was not
 * given. Fails: ERR_INPUT.
 */
MUST_CHECK enum err choose_time(const struct option_set *options,
    const char *name, int64_t *ret_ms, struct why *why);

/* The same options as they were typed, to tell one choice from another. */
void choose_typed(const struct option_set *options, struct buf *b);

#endif
