/*
 * when: times as clients write them.
 *
 * Used by: call, body.     Thread: any; pure.
 */
#ifndef SERVER_WHEN_H
#define SERVER_WHEN_H

#include <stdint.h>

#include "store/base/err.h"

/*
 * RFC 3339, or milliseconds since 1970. Fails: ERR_INPUT; what *${ret_ms} is
 * then does not matter.
 */
MUST_CHECK enum err when_parse(const char *text, int64_t *ret_ms);

#endif
