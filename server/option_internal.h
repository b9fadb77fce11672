/*
 * option_internal: what a set is made of.
 *
 * Used by: option's own files.     Thread: the set's.
 */
#ifndef SERVER_OPTION_INTERNAL_H
#define SERVER_OPTION_INTERNAL_H

#include "server/option.h"

#define OPTION_WHERE_BYTES 512

struct option_value {
	const struct option_spec *spec;
	char *text[OPTION_MAX_LIST + 1]; /* n texts, then NULL */
	size_t n;			 /* 0: no value */
	int64_t integer;		 /* BOOL, INT, SIZE, DURATION */
	double number;			 /* NUMBER and the above but BOOL */
	enum option_origin origin;
	unsigned line;			/* of the config file; 0: not there */
	char where[OPTION_WHERE_BYTES]; /* in words */
};

struct option_set {
	struct option_value *values;
	size_t n;
};

/*
 * Give ${v} the value ${text}, unless it has one of a stronger origin; it is
 * checked either way. Fails: ERR_INPUT, ERR_NOMEM.
 */
MUST_CHECK enum err option_put(struct option_value *v, const char *text,
    enum option_origin origin, const char *where, struct why *why);
MUST_CHECK enum err option_put_secret_file(struct option_value *v,
    const char *path, enum option_origin origin, const char *where,
    struct why *why);

#endif
