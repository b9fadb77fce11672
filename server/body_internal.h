/*
 * body_internal: the helpers that body's files share.
 *
 * Used by: body*.c and front_callable.c.     Thread: any; pure.
 */
#ifndef SERVER_BODY_INTERNAL_H
#define SERVER_BODY_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/problem.h"
#include "store/base/err.h"

/* Refuse ${field}: returns ERR_INPUT. */
enum err body_refuse(struct problem *p, const char *field, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Returns ERR_NOMEM. */
enum err body_nomem(struct problem *p);

/* Refuse ${name} as unknown; ${known} are for "did you mean". */
enum err body_unknown(struct problem *p, const char *where, const char *name,
    const char *const *known, size_t n_known);

/* ${o} has no member but the ${n} ${known} ones. Fails: ERR_INPUT. */
enum err body_only(const json_t *o, const char *where, const char *const *known,
    size_t n, struct problem *p);

/*
 * Each reads the member of ${o} that has one of ${names} (NULL-terminated); an
 * absent or null one leaves *ret. Fails: ERR_INPUT.
 */
enum err body_text(const json_t *o, const char *const *names, const char **ret,
    struct problem *p);
enum err body_int(const json_t *o, const char *const *names, int64_t min,
    int64_t max, int64_t *ret, struct problem *p);

/* The member with one of ${names}; NULL when absent or null. */
json_t *body_member(const json_t *o, const char *const *names);

/* A checked, normalised copy of messages in *${ret}. */
enum err body_messages(const json_t *v, json_t **ret, struct problem *p);
/*
 * Every text of ${messages} is a template; ${is_template}: they were made of
 * template and system, and a refusal names those. Fails: ERR_INPUT.
 */
enum err body_check_templates(
    const json_t *messages, bool is_template, struct problem *p);
enum err body_tools(const json_t *v, json_t **ret, struct problem *p);
enum err body_tool_choice(const json_t *v, json_t **ret, struct problem *p);

/*
 * Take one of the members that creations and prompts share (model,
 * temperature …) into ${out}. OK; ERR_NOT_FOUND when ${name} is none;
 * ERR_INPUT, ERR_NOMEM.
 */
enum err body_setting(
    json_t *out, const char *name, const json_t *v, struct problem *p);

/* All their names, for "did you mean". */
const char *const *body_settings(size_t *ret_n);

/* Compact text. Gives: for free(); NULL without memory. */
char *body_dump(const json_t *v, size_t *ret_len);

#endif
