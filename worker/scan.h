/*
 * scan: find things in JSON that this program wrote, without making a tree.
 *
 * Used by: estimate, run.     Thread: any; pure.
 * Promises: reads valid JSON without insignificant white space (a normalised
 * request, store/request.h) in one pass; of anything else it makes no sense
 * but does no harm either: it never reads outside what it was given.
 */
#ifndef WORKER_SCAN_H
#define WORKER_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* A value's JSON text, lent from what is scanned. */
struct scan_value {
	const char *s;
	size_t len;
};

/* The member ${key} of the object ${json}; false when it has none. */
bool scan_member(
    const char *json, size_t len, const char *key, struct scan_value *ret);

/*
 * The next member of an object or element of an array; *${offset} is 0 to
 * begin. ${key} is the name without quotes, escapes as they are (empty in an
 * array). False at the end.
 */
bool scan_each(const char *json, size_t len, size_t *offset,
    struct scan_value *key, struct scan_value *ret);

#endif
