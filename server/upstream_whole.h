/*
 * upstream_whole: an answer that is not a stream.
 *
 * Used by: upstream_answer.          Thread: the exchange's loop.
 */
#ifndef SERVER_UPSTREAM_WHOLE_H
#define SERVER_UPSTREAM_WHOLE_H

struct upstream_answer;

/* Begin: its turn comes when the last token of a stream would have been due. */
void upstream_whole_open(struct upstream_answer *a);

/* Say how the kept answer stands: ${a} is gone. */
void upstream_whole_now(struct upstream_answer *a);

/* Its turn has come: reply, or do what the plan says instead. */
void upstream_whole_turn(struct upstream_answer *a);

#endif
