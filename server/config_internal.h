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

/*
 * Take "Name: value" to be sent to ${u}. Fails: ERR_INPUT, and ${why} names the
 * header; ERR_NOMEM.
 */
MUST_CHECK enum err config_header_add(
    struct config_upstream *u, const char *line, struct why *why);
/* Wipe and free them. */
void config_header_forget(struct config_upstream *u);

/* As their namesakes, for [model NAME]. */
MUST_CHECK enum err config_model_add(
    struct config *c, const char *name, const char *where, struct why *why);
/* Take a line of the last one. ${why} has no place in front. */
MUST_CHECK enum err config_model_line(struct config_model *m, const char *key,
    const char *value, struct why *why);
/* Once the upstreams are there: has each model targets that exist? */
MUST_CHECK enum err config_model_check(
    const struct config *c, const struct config_model *m, struct why *why);
/* Is the default model one of them, or of an upstream's? */
MUST_CHECK enum err config_model_check_default(
    const struct config *c, struct why *why);
void config_model_fini(struct config_model *m);

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
