/*
 * upstreams_internal: the table behind upstreams.h, and what its files share.
 *
 * Used by: upstreams, upstreams_route.     Thread: any.
 */
#ifndef WORKER_UPSTREAMS_INTERNAL_H
#define WORKER_UPSTREAMS_INTERNAL_H

#include "worker/upstreams.h"

/* A configured name and what it means; targets point into text. */
struct upstreams_model {
	char *name;
	char *text[UPSTREAMS_MAX_TARGETS];
	struct upstreams_route route;
};

struct upstreams {
	struct upstream_entry *entry;
	size_t n;
	size_t standard; /* the default upstream */
	struct upstreams_model *model;
	size_t n_models;
	char *default_model; /* NULL: the default upstream's own */
};

/* The configured models, once all upstreams are there. As upstreams_new(). */
MUST_CHECK enum err upstreams_read_models(
    struct upstreams *u, const struct worker_options *options, struct why *why);
void upstreams_free_models(struct upstreams *u);

#endif
