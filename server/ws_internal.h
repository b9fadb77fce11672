/*
 * ws_internal: what the files of ws share.
 *
 * Used by: ws*.c alone.          Thread: the socket's loop.
 */
#ifndef SERVER_WS_INTERNAL_H
#define SERVER_WS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/body_ws.h"
#include "server/call.h"
#include "server/ws.h"
#include "server/ws_frame.h"
#include "store/execution.h"
#include "store/page.h"

/* Starts, cancels and logs followed at once on one socket. */
#define WS_MAX_PARTS 100
/* No more is read of any log while so much waits in the socket. */
#define WS_AHEAD ((size_t)16 << 10)
/* Any message but a chunk's. */
#define WS_MESSAGE_MAX ((size_t)1 << 20)

enum ws_kind {
	WS_START,  /* on its way to the writer */
	WS_CANCEL, /* on its way to its worker */
	WS_FOLLOW, /* its state is a reader */
};

/* What a part is for: the call's memo. */
struct ws_part {
	enum ws_kind kind;
	struct call *part;
	char tag[BODY_WS_TAG];
	bool query; /* in the older shape; its tag is the session's */
	struct id id;
	uint64_t from; /* start, follow: the first index wanted */
	bool follow, cancel_if_gone;
	/* Of what is followed: */
	bool told;    /* it is there, and its follower knows */
	bool queued;  /* waits for its turn */
	bool waiting; /* for news */
	uint64_t characters;
	TAILQ_ENTRY(ws_part) turn;
	char idempotency_key[]; /* of a start */
};

struct ws {
	struct call *call;
	struct ws_frame *frame;
	struct http_timer *timer;
	unsigned busy;	  /* calls of ours on the stack */
	unsigned n_parts; /* of the call */
	uint64_t reading; /* the part whose page is on its way; 0: none */
	int64_t heard_ms; /* mono; bytes came */
	int64_t began_ms; /* mono; the message that is not whole */
	size_t counted;	  /* of service->socket_bytes */
	bool draining;
	TAILQ_HEAD(, ws_part) turns; /* logs that may have news */
};

/* --- ws.c --- */

/*
 * Around all that may send or close: the last leave lets logs have their turn,
 * sends, and ends the socket when it is closed; ${ws} may be gone then.
 */
void ws_enter(struct ws *ws);
void ws_leave(struct ws *ws);

static inline struct ws *ws_of(const struct call *part)
{
	return part->whole->state;
}

/* Bytes that wait to be taken by the client. */
size_t ws_pending(const struct ws *ws);
/* Send ${b}, a JSON text, and empty it; a failed one closes with 1011. */
void ws_send(struct ws *ws, struct buf *b);

/* --- ws_part.c --- */

/*
 * A part for what ${w} says (its tag, its execution …). NULL: it has been told
 * that there are too many, or no memory.
 */
struct ws_part *ws_part_new(
    struct ws *ws, const struct body_ws *w, enum ws_kind kind);
void ws_part_end(struct ws_part *p);
/* Who follows ${id}, or NULL. */
struct ws_part *ws_part_follower(struct ws *ws, const struct id *id);
/* Say that what ${tag} asked for failed; ${id} may be NULL. */
void ws_part_problem(struct ws *ws, const char *tag, const struct id *id,
    const struct problem *p);
/* {"type":"…","id":…,"execution_id":…: begun, the caller goes on. */
void ws_part_head(
    struct buf *b, const char *type, const char *tag, const struct id *id);
/* Cancel what nobody else wants: the client has gone. */
void ws_part_cancel_all(struct ws *ws);

/* --- ws_message.c --- */

void ws_message(struct ws *ws, const char *text, size_t len);

/* --- ws_follow.c --- */

/* Follow p->id from p->from on, as soon as it is its turn. */
void ws_follow_start(struct ws_part *p);
/* It may have news. */
void ws_follow_woken(struct ws_part *p);
/* Let logs have their turn while there is room. */
void ws_follow_turns(struct ws *ws);

/* --- ws_query.c: the older shape --- */

void ws_query_started(struct ws *ws, const struct body_ws *w);
void ws_query_chunk(struct ws_part *p, const struct chunk *c);
void ws_query_end(struct ws_part *p, const struct page *last);
/* What failed is told as text that says Error. */
void ws_query_problem(
    struct ws *ws, const char *tag, uint64_t characters, const char *detail);

#endif
