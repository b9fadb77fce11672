/*
 * config_internal: the parts of config_load().
 *
 * Used by: config's own files.     Thread: the main one.
 */
#ifndef SERVER_CONFIG_INTERNAL_H
#define SERVER_CONFIG_INTERNAL_H

#include "server/config.h"

/* Read the file ${path} into both. Fails: ERR_INPUT, ERR_NOMEM. */
MUST_CHECK enum err config_read_file(const char *path,
    struct option_set *options, struct config *c, struct why *why);

/* Upstreams from the variables of providers. Fails: ERR_INPUT, ERR_NOMEM. */
MUST_CHECK enum err config_read_providers(struct config *c, struct why *why);

/* The upstream called ${name}, or NULL. */
struct config_upstream *config_upstream_find(
    struct config *c, const char *name);

/* A new, empty upstream. Fails: ERR_INPUT (too many, a bad name), ERR_NOMEM. */
MUST_CHECK enum err config_upstream_add(struct config *c, const char *name,
    const char *where, struct config_upstream **ret, struct why *why);

/*
 * Check an upstream, tidy its URL, set its defaults. ${why} has no place in
 * front. Fails: ERR_INPUT, ERR_NOMEM.
 */
MUST_CHECK enum err config_upstream_check(
    struct config_upstream *u, struct why *why);

/* A new [retain ${name}]. Fails: ERR_INPUT (too many, a bad name), ERR_NOMEM. */
MUST_CHECK enum err config_retain_add(
    struct config *c, const char *name, const char *where, struct why *why);

/* One line of the newest one. Fails: ERR_INPUT. */
MUST_CHECK enum err config_retain_line(
    struct config *c, const char *key, const char *value, struct why *why);

/* Does each keep less than everything? Fails: ERR_INPUT. */
MUST_CHECK enum err config_retain_check(
    const struct config *c, struct why *why);

#endif
