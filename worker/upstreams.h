/*
 * upstreams: the configured table, and which of them a model's name means, in
 * which order.
 *
 * Used by: worker, pump, run.
 * Thread: any; nothing changes after upstreams_new() but the circuits, which
 * all threads share.
 */
#ifndef WORKER_UPSTREAMS_H
#define WORKER_UPSTREAMS_H

#include <stdbool.h>

#include "store/base/err.h"
#include "worker/prefill.h"

struct circuit;
struct dialect;
struct worker_options;
struct upstreams;

struct upstream_entry {
	char *name;
	char *base_url; /* without a slash at the end */
	char *key;	/* NULL: none */
	char *model;	/* NULL: the caller must name one */
	const struct dialect *dialect;
	bool is_openai;
	bool background; /* its answers may go on without us */
	bool any_model;	 /* its models have slashes in their names */
	enum prefill prefill;
	char *headers; /* "Name: value\n" lines; NULL: none */
	char *prices;  /* whose prices are its own; NULL: those it lists */
	/* The usual name of its key; NULL: it may do without one. A literal. */
	const char *key_variable;
	struct circuit *circuit;
};

/* Where a model is asked for; both lent, the model from its name's string. */
struct upstreams_target {
	const struct upstream_entry *upstream;
	const char *model;
};

/* A table of more is a mistake, and so are a longer list and name. */
#define UPSTREAMS_MAX_NAME 64
#define UPSTREAMS_MAX 256
#define UPSTREAMS_MAX_TARGETS 8

/* What a name means: ask the first; when that does not help, the next. */
struct upstreams_route {
	struct upstreams_target at[UPSTREAMS_MAX_TARGETS];
	size_t n; /* from 1 */
};

/*
 * Copy and check what is configured. Fails: ERR_INPUT and ${why} says which
 * upstream is wrong and how; ERR_NOMEM.
 */
MUST_CHECK enum err upstreams_new(const struct worker_options *options,
    struct upstreams **ret, struct why *why);

/* Wipes the keys. NULL is nothing. */
void upstreams_free(struct upstreams *u);

/*
 * In this order:
 *  ""             the default model, else the default upstream's own
 *  NAME           the targets of the configured model of that name
 *  upstream/model that upstream's model (its own when nothing follows)
 *  model          a model of the default upstream
 * A name with a slash whose first part is no upstream is a model of the
 * default upstream only when that one has any_model or calls its own so.
 *
 * Lends: *${ret} while ${u} and ${model} live. Fails: ERR_INPUT, and ${why}
 * lists what is configured.
 */
MUST_CHECK enum err upstreams_resolve(const struct upstreams *u,
    const char *model, struct upstreams_route *ret, struct why *why);

/* Is ${key} what a header's value may be? */
bool upstreams_key_ok(const char *key);

/* "give [upstream x] a key …": how to mend that ${e} has none. */
void upstreams_key_hint(const struct upstream_entry *e, char *dst, size_t room);

/* The one of that name, lent, or NULL. */
const struct upstream_entry *upstreams_find(
    const struct upstreams *u, const char *name, size_t len);

/* The ${i}-th upstream, in the order of the configuration; NULL past the end. */
const struct upstream_entry *upstreams_at(const struct upstreams *u, size_t i);

/* The one that is asked when none is named; NULL: there are none. */
const struct upstream_entry *upstreams_default(const struct upstreams *u);

/* The ${i}-th configured model's name and targets, lent; NULL past the end. */
const char *upstreams_model_at(
    const struct upstreams *u, size_t i, const struct upstreams_route **ret);

/* Gives: "upstream/model" for free(), or NULL without memory. */
char *upstreams_target_name(const struct upstreams_target *t);

#endif
