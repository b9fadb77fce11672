/*
 * err: the house's list of what can go wrong, and words for people.
 *
 * Used by: everyone.          Thread: any.
 * Promises: the numbers are private (never stored, never sent); the names
 * returned by err_name() are stable.
 */
#ifndef STORE_BASE_ERR_H
#define STORE_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum err {
	OK = 0,
	ERR_NOMEM,     /* no memory */
	ERR_INPUT,     /* the caller's data is wrong; say which part */
	ERR_NOT_FOUND, /* no such thing, or not yours */
	ERR_GONE,      /* it was there and has been deleted */
	ERR_CONFLICT,  /* it is there already, or in another state */
	ERR_SEALED,    /* the log has ended */
	ERR_BUSY,      /* somebody else holds it */
	ERR_LIMIT,     /* a ceiling was reached; later may work */
	ERR_DENIED,    /* known, but not allowed */
	ERR_TIMEOUT,   /* a deadline passed */
	ERR_CANCELLED, /* somebody asked to stop */
	ERR_UPSTREAM,  /* the model's side failed */
	ERR_FULL,      /* no space left on the device */
	ERR_IO,	       /* the disk or the network failed */
	ERR_CORRUPT,   /* stored data is not what was written */
	ERR_VERSION,   /* data of a newer program */
	ERR_STOPPED,   /* the part that would do it has been stopped */
};

/* A bounded text for a person: what was wrong and how to mend it. */
struct why {
	char text[512];
};

/* The name of ${e}, in lower case with underscores ("not_found"). */
const char *err_name(enum err e);

/*
 * Write the formatted text into ${why} (which may be NULL), cut at its size.
 * Returns nothing; the caller returns its own enum err.
 */
void err_why(struct why *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
