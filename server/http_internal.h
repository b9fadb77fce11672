/*
 * http_internal: what the http family's own files share.
 *
 * Used by: server/http*.c alone.
 * Thread: everything of a loop, its connections and exchanges its own loop's,
 * but for what is marked.
 */
#ifndef SERVER_HTTP_INTERNAL_H
#define SERVER_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>

#include "server/http.h"
#include "server/http_gate.h"
#include "server/parse_http.h"

/* What is read ahead of an open exchange, and at once; what waits in a socket. */
#define HTTP_READ_AHEAD (64 << 10)
#define HTTP_READ_ONCE (16 << 10)
#define HTTP_WRITE_AHEAD (64 << 10)
/* Headers that a handler adds to one reply. */
#define HTTP_MAX_REPLY_HEAD (16 << 10)
#define HTTP_NEVER INT64_MAX

struct http_gzip;
struct http_peers;
struct iovec;
struct http_conn;

/* A text made for an exchange and lent until its end. */
struct http_note {
	struct http_note *next;
	char text[];
};

struct http_exchange {
	struct http_conn *conn;
	uint64_t number; /* 0: none is open */
	struct parse_http parse;
	/*
	 * The request as C strings, NULL before its header was whole:
	 * path NUL query NUL host NUL, then for each field its two lengths, name NUL,
	 * value NUL.
	 */
	char *head;
	const char *query, *host;
	const char *fields, *fields_end;
	struct buf body;
	size_t body_counted; /* of server->body_bytes */
	struct http_note *notes;
	const char *request_id, *origin, *traceparent;
	char id_room[32];
	int64_t begun_ns;

	struct buf headers, timing; /* of the reply */
	bool head_only, chunked, streaming, upgraded, gone, close;
	bool coded; /* the handler set a Content-Encoding */
	void *data;
	void (*on_gone)(struct http_exchange *x);
	void (*on_wake)(struct http_exchange *x);
	void (*on_drain)(struct http_exchange *x);
	void (*on_ready)(struct http_exchange *x);
	size_t (*on_bytes)(struct http_exchange *x, const char *data, size_t n);
};

enum http_conn_state {
	HTTP_CONN_IDLE,
	HTTP_CONN_HEAD,
	HTTP_CONN_BODY,
	HTTP_CONN_OPEN,
	HTTP_CONN_STREAM,
	HTTP_CONN_UPGRADED,
	HTTP_CONN_FLUSH,
	HTTP_CONN_LINGER,
};

struct http_conn {
	struct http_loop *loop;
	LIST_ENTRY(http_conn) all;
	TAILQ_ENTRY(http_conn) queue;
	struct bufferevent *bev;
	struct event timer;
	int fd;
	uint32_t slot;
	enum http_conn_state state;
	bool queued, busy, doomed, eof, reset, want_ready;
	bool rests;	  /* nothing is read: the look-ahead is full */
	int64_t due_ms;	  /* when the state has lasted too long */
	int64_t armed_ms; /* when the timer fires; HTTP_NEVER: not armed */
	int64_t moved_ms; /* when the client was last seen to take bytes */
	uint64_t queued_bytes, taken_bytes; /* put into bev's output; left it */
	uint64_t lingered;
	struct parse_http_chunks chunks;
	struct http_exchange x;
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} peer; /* unset unless counted per address */
	char peer_text[48];
};

/* Counters that their loop alone changes and anyone reads. */
struct http_count {
	_Atomic uint64_t n;
};
enum http_counter {
	HTTP_N_CONNECTIONS,
	HTTP_N_REQUESTS,
	HTTP_N_REFUSED,
	HTTP_N_TIMEOUTS,
	HTTP_N_EXCHANGES_BEGUN,
	HTTP_N_EXCHANGES_ENDED,
	HTTP_N_IN,
	HTTP_N_OUT,
	HTTP_N_COUNTERS,
};

struct http_timer {
	struct event event;
	LIST_ENTRY(http_timer) all;
	struct http_loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

struct http_loop {
	struct http_server *server;
	unsigned place;
	pthread_t thread;
	bool started;
	struct event_base *base;
	struct event *doorbell, *kick;
	int bell; /* eventfd */
	bool kicked, kicking, draining, ending;
	int64_t now_ms;
	_Atomic(void *) data;

	LIST_HEAD(, http_conn) conns;
	TAILQ_HEAD(, http_conn) queue; /* to be looked at, see http_conn_kick */
	size_t n_queue;
	LIST_HEAD(, http_timer) timers;
	/* An exchange's number is a generation and the slot of its conn. */
	struct http_conn **slots;
	uint32_t n_slots, *free_slots, n_free;
	uint64_t generation;

	struct mailbox box;
	/* Whenever the lock is free: n_woken <= cap_woken; see http_loop_wake. */
	pthread_mutex_t wake_lock;
	uint64_t *woken, *spare;
	size_t n_woken, cap_woken, cap_spare;
	bool woke_all;

	struct buf out; /* a reply's head while it is made */
	struct http_gzip *gzip;
	uint64_t id_seed;
	int64_t date_s;
	char date[40];
	struct http_count counts[HTTP_N_COUNTERS];
};

struct http_server {
	struct http_options opt; /* its strings are our copies */
	char **hosts, **origins, **addresses, *name;
	struct http_gate gate;
	unsigned n_loops, n_listeners;
	struct http_loop *loops;
	struct evconnlistener **listeners; /* loop 0's */
	struct event *reopen;
	int64_t said_ms;
	unsigned next_loop;
	struct http_peers *peers; /* NULL: no ceiling per address */
	_Atomic unsigned open;
	_Atomic size_t body_bytes; /* held for bodies that are not small */
	atomic_bool draining, stopping;
};

/* http_loop.c */
MUST_CHECK enum err http_loop_init(
    struct http_loop *loop, struct http_server *s, unsigned place);
MUST_CHECK enum err http_loop_run(struct http_loop *loop);
/* Any thread: look at the server's flags. */
void http_loop_ring(struct http_loop *loop);
/* Wait for the thread; free what the loop has. */
void http_loop_fini(struct http_loop *loop);
/* The slot of a new connection. Fails: ERR_NOMEM. */
MUST_CHECK enum err http_loop_slot(struct http_loop *loop, struct http_conn *c);
void http_loop_unslot(struct http_loop *loop, struct http_conn *c);
/* A number for a new exchange of ${c}. */
uint64_t http_loop_number(struct http_loop *loop, const struct http_conn *c);
/* IMF-fixdate (RFC 9110 section 5.6.7) of the present second. */
const char *http_loop_date(struct http_loop *loop);

static inline void http_count(
    struct http_loop *loop, enum http_counter which, uint64_t n)
{
	_Atomic uint64_t *p = &loop->counts[which].n;

	atomic_store_explicit(p,
	    atomic_load_explicit(p, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/* http_accept.c, on loop 0 */
MUST_CHECK enum err http_accept_listen(
    struct http_server *s, const char *address, struct why *why);
void http_accept_stop(struct http_server *s);

/* http_peers.c; any thread */
MUST_CHECK enum err http_peers_new(
    unsigned max_connections, unsigned max_per_ip, struct http_peers **ret);
void http_peers_free(struct http_peers *p);
/* Count one more from there; false when it has its share. */
bool http_peers_enter(struct http_peers *p, const struct sockaddr *sa);
void http_peers_leave(struct http_peers *p, const struct sockaddr *sa);

/* http_conn.c */
/* Takes ${fd} in any case. */
void http_conn_start(struct http_loop *loop, int fd, const struct sockaddr *sa);
/* Close now; an open exchange is told. */
void http_conn_free(struct http_conn *c);
/* Look at it again soon, from inside the loop. */
void http_conn_kick(struct http_conn *c);
/* What the loop calls for a kicked one. */
void http_conn_kicked(struct http_conn *c);
/* Close it if nothing has been asked; tell an open exchange. */
void http_conn_drain(struct http_conn *c);
void http_conn_move(struct http_conn *c, enum http_conn_state to);
/* The exchange is answered; the next request, or the end, may come. */
void http_conn_answered(struct http_conn *c);
/* What waits in the socket, in bytes. */
size_t http_conn_pending(const struct http_conn *c);
/* What was read and not used, in bytes. */
size_t http_conn_ahead(const struct http_conn *c);
void http_conn_refuse(
    struct http_conn *c, const struct parse_http_refusal *why);

/* http_due.c */
/* Set the timer for what is due next. */
void http_due_arm(struct http_conn *c);
/* The timer fired: what is due now? May doom the connection. */
void http_due_look(struct http_conn *c);
/* True while bytes of the client may wait unseen in the kernel. */
bool http_due_blind(const struct http_conn *c);

/* http_read.c: false: there is nothing to do before more bytes come */
bool http_read_head(struct http_conn *c); /* IDLE, HEAD */
bool http_read_body(struct http_conn *c); /* BODY */

/* http_request.c */
/* Make an exchange of the request parsed from ${data}. Fails: ERR_NOMEM. */
MUST_CHECK enum err http_request_take(
    struct http_exchange *x, const char *data);
/* An exchange for refusing what could not be read. */
void http_request_blank(struct http_exchange *x);
/* Free what an exchange has; its connection stays. */
void http_request_fini(struct http_exchange *x);

/* http_reply.c */
struct http_reply_shape {
	const char *content_type; /* NULL: none */
	const char *coding;	  /* NULL: none */
	int64_t length;		  /* below 0: not known */
	bool vary;		  /* on Accept-Encoding */
};
/* Make the head of a reply in loop->out. */
void http_reply_head(
    struct http_exchange *x, int status, const struct http_reply_shape *shape);
/* Answer a CORS preflight that may pass. */
void http_reply_preflight(struct http_exchange *x);
/* The body of a refusal, as the options say, into ${body}, not yet begun. */
void http_reply_refusal(struct http_conn *c,
    const struct parse_http_refusal *why, struct buf *body,
    const char **ret_content_type);
/* Send a whole reply; takes ${body}'s memory, which may be NULL. */
void http_reply_whole(struct http_exchange *x, int status,
    const char *content_type, struct buf *body);
/* Send loop->out, then ${len} bytes; ${owned} is freed when not NULL. */
void http_reply_send(
    struct http_conn *c, const void *data, size_t len, char *owned);

/* Send pieces of memory; ${owned} is where the last one lies, or NULL. */
void http_reply_pieces(
    struct http_conn *c, const struct iovec *iov, int n, char *owned);

/* http_stream.c */
/* End a stream whose client asked for its header alone. */
void http_stream_head_only(struct http_exchange *x);

/* http_gzip.c */
void http_gzip_free(struct http_gzip *z);
/* Compress into ${out}; *${z} is made when NULL. Fails: ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK enum err http_gzip(
    struct http_gzip **z, const char *data, size_t len, struct buf *out);
/* What an Accept-Encoding (NULL: none) says. */
bool http_gzip_wanted(const char *accept);
/* True for what gets smaller. */
bool http_gzip_fits(const char *content_type);

#endif
