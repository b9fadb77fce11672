/*
 * stream: a named log that clients append to themselves (Durable Streams): its
 * record, and the rules by which an append is taken or refused.
 *
 * Used by: the writer (asks, applies), the engines (keep it), server/.
 * Thread: any; pure.
 * Promises: a message's place in its stream is its index; places start at 0,
 * have no gap and never change. A fork has the places of its source below
 * where it leaves it, and its own log from there on.
 *
 * A message is a chunk of kind text whose content is what was sent (any bytes;
 * for JSON one value) and whose attempt counts the messages of one append,
 * from 1.
 */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"
#include "store/key.h"

/* Each with its NUL. */
#define STREAM_NAME_BYTES 256
#define STREAM_TYPE_BYTES 128
#define STREAM_TOKEN_BYTES 256 /* a producer's id, a Stream-Seq */
#define STREAM_TIME_BYTES 48

#define STREAM_MAX_MESSAGES 10000000 /* of one stream */
#define STREAM_MAX_BATCH 10000	     /* messages of one append */
#define STREAM_MAX_PRODUCERS 1000    /* the longest idle one is forgotten */
#define STREAM_MAX_DEPTH 16	     /* a fork of a fork of … */
#define STREAM_MAX_OPEN 50000	     /* streams of one store not closed */
/* Numbers of producers are exact in every client's language. */
#define STREAM_MAX_NUMBER ((uint64_t)1 << 53)

/* Who appended what: by its number an append is known when it comes again. */
struct stream_tuple {
	char producer[STREAM_TOKEN_BYTES]; /* "": none */
	uint64_t epoch, seq;
};

struct stream {
	int64_t row;  /* of its log, as of an execution's; 0: not stored */
	struct id id; /* its log's */
	char owner[KEY_NAME_BYTES];
	char name[STREAM_NAME_BYTES];
	char type[STREAM_TYPE_BYTES]; /* as given */
	int64_t created_ms;
	bool closed;
	int64_t deleted_ms; /* deleted, but forks still read it; 0: it is not */
	uint64_t first;	    /* the first place that is in its own log */
	uint64_t packed;    /* the first that is in no segment */
	uint64_t total;	    /* the place after the last; exact once closed */
	int64_t ttl_s;	    /* since the last use; -1: none */
	char expires_at[STREAM_TIME_BYTES]; /* as given; "": never */
	int64_t expires_ms;		    /* by either of them; 0: never */
	char seq[STREAM_TOKEN_BYTES];	    /* the last Stream-Seq; "": none */
	struct stream_tuple closer;	    /* what closed it */
	int64_t source_row;		    /* 0: it is no fork */
	char source[STREAM_NAME_BYTES];
	uint64_t fork_at, fork_sub; /* where it left, as asked */
	uint32_t forks;		    /* that read it */
};

/* What a client sent, in both readings; which one counts is the type's. */
struct stream_message {
	const char *p;
	size_t len;
};
struct stream_body {
	const char *bytes; /* lent */
	size_t len;
	const struct stream_message *json; /* lent; of ${bytes} */
	uint32_t n_json;
	bool is_json; /* ${bytes} is JSON; an empty array has none */
};

/* What became of a request. */
enum stream_outcome {
	STREAM_DONE,
	STREAM_SAME,	     /* create: it is there, just so */
	STREAM_DUPLICATE,    /* append: it came before */
	STREAM_NOT_THERE,    /* or expired */
	STREAM_GONE,	     /* deleted, but forks read it */
	STREAM_TAKEN,	     /* create: it is there, but otherwise */
	STREAM_CLOSED,	     /* append: it does not grow any more */
	STREAM_OTHER_TYPE,   /* not the stream's */
	STREAM_FENCED,	     /* a newer epoch of the producer is known */
	STREAM_NEW_EPOCH,    /* a new epoch must begin with 0 */
	STREAM_GAP,	     /* a number of the producer's is missing */
	STREAM_OUT_OF_ORDER, /* Stream-Seq is not above the last */
	STREAM_NOT_JSON,
	STREAM_NO_MESSAGE, /* an empty array */
	STREAM_FULL,	   /* STREAM_MAX_MESSAGES */
	STREAM_TOO_MANY,   /* STREAM_MAX_OPEN */
	STREAM_NO_SOURCE,
	STREAM_SOURCE_GONE,
	STREAM_BEYOND,	/* the fork's place is not in its source */
	STREAM_TOO_DEEP /* STREAM_MAX_DEPTH */
};

/* An append as it was asked for. */
struct stream_append {
	char type[STREAM_TYPE_BYTES]; /* "": none was sent */
	struct stream_body body;
	bool has_body;
	bool close;
	struct stream_tuple tuple;    /* producer "": none */
	char seq[STREAM_TOKEN_BYTES]; /* "": none */
};

/* What is known of the producer; ${known} false: nothing. */
struct stream_producer {
	bool known;
	uint64_t epoch, seq;
};

/* "application/json", whatever parameters it has. */
bool stream_is_json(const char *type);

/* The same media type, without case and parameters. */
bool stream_same_type(const char *a, const char *b);

bool stream_expired(const struct stream *s, int64_t now_ms);

/*
 * When it expires after a use at ${now_ms}, if that is worth to be written
 * down; else 0. It is written with an eighth more than its time, so that what
 * is read often is not written often, and never goes too early.
 */
int64_t stream_renewal(const struct stream *s, int64_t now_ms);

/*
 * Is ${s} what ${wanted} asks to create? For a fork: a ${wanted} without type,
 * or with ${any_place}, takes what is there.
 */
bool stream_same(
    const struct stream *s, const struct stream *wanted, bool any_place);

/*
 * May ${a} be appended to ${s}? STREAM_DONE: yes. ${a} without a body closes
 * (has_body false, close true).
 */
enum stream_outcome stream_judge(const struct stream *s,
    const struct stream_append *a, const struct stream_producer *p);

/* How many messages ${body} is for a stream of ${type}. */
uint32_t stream_count(const struct stream_body *body, const char *type);

/* "0000000000000000_0000000000000042" into ${dst}. */
#define STREAM_OFFSET_TEXT 34
void stream_offset(uint64_t place, char dst[STREAM_OFFSET_TEXT]);

/*
 * The place that ${text} names; one that no stream reaches is UINT64_MAX.
 * Fails: ERR_INPUT, it is no offset.
 */
MUST_CHECK enum err stream_offset_parse(const char *text, uint64_t *ret);

/*
 * Is ${name} one: printable ASCII, without blanks and "%?#&, and none of its
 * parts between slashes empty, "." or ".."?
 */
bool stream_name_valid(const char *name);

#endif
