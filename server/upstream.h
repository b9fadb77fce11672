/*
 * upstream: the simulated provider: a provider's wire format over real HTTP, so
 * that a demo needs no key and tests and benchmarks meet what a provider does.
 *
 * It speaks one dialect: its list of models, its question to a model (stream and
 * not), its errors; and GET /stats. What was asked for in the background
 * (dialect responses) goes on unheard: it can be taken up from any event on, and
 * cancelled; faults of the connection meet each one anew. It thinks when the request asks for thoughts.
 * The answer depends on the prompt; it says that it is a simulation in its text
 * and in its model name. What it does can be set for all requests (options), for
 * one by the model's name ("sim", "sim-cut?after=5&rate=100") or by the query
 * string of the URL; the names are the members below (but for listen, loops
 * and key).
 *
 * Used by: cmd_upstream, serve --demo, tests, benchmarks.
 * Thread: upstream_start() and upstream_stop() the main one.
 */
#ifndef SERVER_UPSTREAM_H
#define SERVER_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

struct upstream;

enum upstream_fault {
	UPSTREAM_FINE,
	UPSTREAM_STATUS,  /* answer ${status} with an error body */
	UPSTREAM_CUT,	  /* break the connection inside an event */
	UPSTREAM_STALL,	  /* go silent, keep the connection */
	UPSTREAM_GARBAGE, /* an event that is not JSON */
	UPSTREAM_NO_END,  /* end the body without finish_reason and [DONE] */
	UPSTREAM_ERROR,	  /* an error object in mid-stream */
	UPSTREAM_SPLIT, /* writes that cut UTF-8 sequences and lines anywhere */
	UPSTREAM_SILENT, /* accept, never answer */
	UPSTREAM_PINGS,	 /* signs of life only, for ever */
};

/* Negative means the default, in brackets. */
struct upstream_options {
	const char *listen;	   /* "127.0.0.1:0" when NULL */
	const char *dialect;	   /* of worker_dialects(); NULL: "openai" */
	int64_t tokens;		   /* in each answer [as the text has] */
	double rate;		   /* tokens/s per stream, 0: at once [40] */
	int64_t size;		   /* bytes in each token [words] */
	int64_t first_ms;	   /* before the first token [50] */
	enum upstream_fault fault; /* at token ${after} */
	int64_t after;		   /* [3] */
	int64_t status;		   /* for UPSTREAM_STATUS [500] */
	double fault_share;	   /* of the requests, 0…1 [1] */
	uint64_t seed;		   /* for fault_share and text [1] */
	unsigned loops;		   /* threads; 0: 1 */
	/* Each token is CLOCK_MONOTONIC in ns, 19 digits and a blank. */
	bool stamp;
	const char *key; /* asked for as the dialect does; NULL: nobody asks */
};

/* All defaults. */
void upstream_defaults(struct upstream_options *o);

/* "cut" …; Fails: ERR_INPUT, and ${why} lists them. */
MUST_CHECK enum err upstream_fault_parse(
    const char *name, enum upstream_fault *ret, struct why *why);

/* Fails: as http_server_start(); ERR_INPUT (no such dialect). */
MUST_CHECK enum err upstream_start(const struct upstream_options *options,
    struct upstream **ret, struct why *why);

/*
 * What to call base_url in that dialect, "http://127.0.0.1:PORT/v1"; lent until
 * upstream_stop().
 */
const char *upstream_url(const struct upstream *u);

/* What GET /stats says. */
struct upstream_stats {
	uint64_t requests; /* for an answer, refused ones too */
	uint64_t streams;  /* answers begun */
	uint64_t finished; /* ended by this side, as asked */
	uint64_t faulted;  /* ended by this side, by a fault */
	uint64_t cut;	   /* left by the client before their end */
	uint64_t tokens;   /* sent */
	/* Of those asked for in the background: */
	uint64_t resumed;   /* times that one was taken up; a stream, too */
	uint64_t cancelled; /* times that its end was asked for */
};
/* Thread: any. */
void upstream_stats(const struct upstream *u, struct upstream_stats *ret);

/* NULL is nothing. */
void upstream_stop(struct upstream *u);

#endif
