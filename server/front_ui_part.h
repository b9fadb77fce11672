/*
 * front_ui_part: an execution as a UI message stream (AI SDK, what useChat
 * reads).
 *
 * Used by: front_ui.          Thread: any; pure.
 * Promises: start, start-step, parts each with a beginning and an end,
 * finish-step, finish, [DONE]. What failed says error, what was cancelled abort,
 * before finish. A reset of what was shown is an error.
 */
#ifndef SERVER_FRONT_UI_PART_H
#define SERVER_FRONT_UI_PART_H

#include <stdint.h>

#include "server/telling.h"

/*
 * A telling of the message ${message} ("": named as the execution), written from
 * the part ${from} on. Gives: for telling_free(); NULL without memory.
 */
struct telling *front_ui_part_new(const char *message, uint64_t from);

#endif
