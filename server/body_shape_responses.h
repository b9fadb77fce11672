/*
 * body_shape_responses: a request of OpenAI's Responses API, as its elder API
 * would have it.
 *
 * Used by: body_shape.          Thread: any; pure.
 */
#ifndef SERVER_BODY_SHAPE_RESPONSES_H
#define SERVER_BODY_SHAPE_RESPONSES_H

#include <jansson.h>

#include "store/base/err.h"

/*
 * Put into ${out} what the simulation reads of ${in}. Fails: ERR_INPUT, and
 * ${why} is the message for the client; ERR_NOMEM.
 */
MUST_CHECK enum err body_shape_responses(
    const char *path, const json_t *in, json_t *out, struct why *why);

#endif
