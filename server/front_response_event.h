/*
 * front_response_event: an execution as the events of a response (OpenAI's
 * stream). An event's sequence_number is its place, from 0.
 *
 * Used by: front_responses.          Thread: any; pure.
 * Promises: created and in_progress come first, at once; the last event is
 * completed, incomplete (also when it was cancelled) or failed. After a reset,
 * which this protocol cannot say, and beyond FRONT_RESPONSE_BYTES, it is error.
 */
#ifndef SERVER_FRONT_RESPONSE_EVENT_H
#define SERVER_FRONT_RESPONSE_EVENT_H

#include <stdint.h>

#include "server/telling.h"

/*
 * A telling that is written from the event ${from} on; ${model} as asked,
 * ${echo} of body_responses_echo(), taken in any case. Gives: for telling_free();
 * NULL without memory.
 */
struct telling *front_response_event_new(
    const char *model, char *echo, uint64_t from);

#endif
