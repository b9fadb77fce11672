/*
 * upstreams: the configured table, and which of them a model's name means.
 *
 * Used by: worker, pump, run.
 * Thread: any; nothing changes after upstreams_new().
 */
#ifndef WORKER_UPSTREAMS_H
#define WORKER_UPSTREAMS_H

#include <stdbool.h>

#include "store/base/err.h"

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
};

/* Where a model is asked for; both lent, the model from its name's string. */
struct upstreams_target {
	const struct upstream_entry *upstream;
	const char *model;
};

/* A table of more is a mistake. */
#define UPSTREAMS_MAX 256

/*
 * Copy and check what is configured. Fails: ERR_INPUT and ${why} says which
 * upstream is wrong and how; ERR_NOMEM.
 */
MUST_CHECK enum err upstreams_new(const struct worker_options *options,
    struct upstreams **ret, struct why *why);

/* Wipes the keys. NULL is nothing. */
void upstreams_free(struct upstreams *u);

/*
 * "" is the default upstream's own model; "name/model" is that upstream's,
 * when there is one of that name; all else is a model of the default one.
 * Lends: *${ret} while ${u} and ${model} live. Fails: ERR_INPUT, and ${why}
 * lists what is configured.
 */
MUST_CHECK enum err upstreams_resolve(const struct upstreams *u,
    const char *model, struct upstreams_target *ret, struct why *why);

/* Gives: "upstream/model" for free(), or NULL without memory. */
char *upstreams_target_name(const struct upstreams_target *t);

#endif
