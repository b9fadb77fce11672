/*
 * body_shape: a request to a model in any dialect, as OpenAI would have it: the
 * members that the simulation reads, no others.
 *
 * Used by: body_upstream.          Thread: any; pure.
 */
#ifndef SERVER_BODY_SHAPE_H
#define SERVER_BODY_SHAPE_H

#include <jansson.h>

#include "store/base/err.h"

/*
 * Replace *${root}, an object that was sent to ${path} in ${dialect}. Fails:
 * ERR_INPUT, and ${why} is the message for the client; ERR_NOMEM; *${root} is for
 * json_decref() in any case.
 */
MUST_CHECK enum err body_shape(
    const char *dialect, const char *path, json_t **root, struct why *why);

#endif
