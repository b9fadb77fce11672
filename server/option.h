/*
 * option: one table that makes parsing, --help, config keys and environment
 * names. An entry says everything about one setting; a set holds the values and
 * where each came from: flag > environment > config file > default.
 *
 * Used by: commands, config, help.     Thread: the owner's.
 * Promises: a value in a set has been checked against its entry (kind, words,
 * bounds), whatever it came from. A value of a weaker origin never replaces one
 * of a stronger. A message about a secret never holds it.
 */
#ifndef SERVER_OPTION_H
#define SERVER_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

enum option_kind {
	OPTION_STRING,
	OPTION_BOOL,	 /* --x, --no-x; elsewhere true/false, yes/no, … */
	OPTION_INT,	 /* decimal */
	OPTION_NUMBER,	 /* decimal with a point */
	OPTION_SIZE,	 /* bytes: 4096, 16KiB, 64MiB, 1GiB */
	OPTION_DURATION, /* ms: 0, 500ms, 2s, 5m, 1h, 7d */
	OPTION_LIST, /* repeatable; commas elsewhere than on the command line */
	OPTION_ENUM, /* one of words */
	/*
	 * A secret called "key" is never taken from the command line, where
	 * every user sees it: the flag is --key-file PATH, the environment is
	 * ENV or ENV_FILE, the config file key or key_file.
	 */
	OPTION_SECRET,
};

enum option_origin {
	OPTION_FROM_DEFAULT,
	OPTION_FROM_FILE,
	OPTION_FROM_ENV,
	OPTION_FROM_FLAG,
};

struct option_spec {
	const char *name; /* "first-token-timeout" */
	char letter;	  /* 'm' for -m; 0: none */
	enum option_kind kind;
	const char *arg;      /* "ADDR" in --help; NULL for OPTION_BOOL */
	const char *fallback; /* the default as text; NULL: none */
	const char *group;    /* a heading in --help */
	const char *help;
	const char *env;	  /* "SPOOL_LISTEN"; NULL: none */
	const char *key;	  /* "server.listen"; NULL: none */
	const char *const *words; /* OPTION_ENUM, NULL-terminated */
	/*
	 * Bounds of INT, NUMBER, SIZE, DURATION, in the value's unit; both 0:
	 * 0 and up.
	 */
	int64_t min, max;
};

/* How many values one OPTION_LIST takes. */
#define OPTION_MAX_LIST 64
/* How long a value may be, and a secret's file. */
#define OPTION_MAX_VALUE ((size_t)64 << 10)

struct option_set;

/*
 * A set with the defaults of all entries in ${tables}: a NULL-terminated array
 * of arrays that end with a NULL name; lent for the set's life. A default that
 * its own entry refuses is a panic. Fails: ERR_NOMEM.
 */
MUST_CHECK enum err option_set_new(
    const struct option_spec *const *tables, struct option_set **ret);
/* Wipes the secrets. NULL is nothing. */
void option_set_free(struct option_set *set);

/*
 * Take the flags from argv[1…] (getopt_long's rules; "--" ends them; a long
 * name must be whole). The operands are moved to the end of argv:
 * *${ret_first} is the first one's place. Fails: ERR_INPUT, and ${why} says what
 * may have been meant; ERR_NOMEM. Not for two threads at once.
 */
MUST_CHECK enum err option_take_flags(struct option_set *set, int argc,
    char **argv, int *ret_first, struct why *why);

/* Take the environment. An empty variable counts as not set. */
MUST_CHECK enum err option_take_env(struct option_set *set, struct why *why);

/*
 * Take one line of a config file: ${section}.${key}. Fails: ERR_NOT_FOUND when
 * no entry has that key; ERR_INPUT, also for a key given twice; ERR_NOMEM.
 * ${why} has no file and line in front: the caller knows them.
 */
MUST_CHECK enum err option_take_line(struct option_set *set,
    const char *section, const char *key, const char *value, const char *file,
    unsigned line, struct why *why);

/*
 * The values. Asking for a name that is not in the tables, or by another kind's
 * function, is a panic. Texts are lent for the set's life; NULL: no value.
 */
const char *option_text(const struct option_set *set, const char *name);
bool option_bool(const struct option_set *set, const char *name);
/* INT; SIZE in bytes; DURATION in ms; 0 without a value. */
int64_t option_int(const struct option_set *set, const char *name);
double option_number(const struct option_set *set, const char *name);
/* NULL-terminated, never NULL itself. */
const char *const *option_list(const struct option_set *set, const char *name);

/* Does the set have an entry with that name? */
bool option_has(const struct option_set *set, const char *name);
/* Was it given anywhere, and where: "flag --db", "spool.ini:12", … lent. */
enum option_origin option_origin(
    const struct option_set *set, const char *name);
const char *option_where(const struct option_set *set, const char *name);

/* The ${i}-th entry; NULL past the end. */
const struct option_spec *option_at(const struct option_set *set, size_t i);

/*
 * The value of ${name} as a person may read it (lists with commas, secrets as
 * "(set)") into ${dst}; "" without a value.
 */
void option_show(
    const struct option_set *set, const char *name, char *dst, size_t room);

/*
 * Texts to values, for those who read other tables. Fails: ERR_INPUT and ${why}
 * says what is wanted.
 */
MUST_CHECK enum err option_parse_bool(
    const char *text, bool *ret, struct why *why);
MUST_CHECK enum err option_parse_int(
    const char *text, int64_t *ret, struct why *why);
MUST_CHECK enum err option_parse_number(
    const char *text, double *ret, struct why *why);
MUST_CHECK enum err option_parse_size(
    const char *text, int64_t *ret, struct why *why);
MUST_CHECK enum err option_parse_duration(
    const char *text, int64_t *ret, struct why *why);

/*
 * The first line of the file ${path} (a secret), without the end of line.
 * Gives: *${ret} for digest_wipe() and free(). Fails: ERR_INPUT (cannot be read,
 * empty, too long, control characters), ERR_NOMEM.
 */
MUST_CHECK enum err option_read_secret(
    const char *path, char **ret, struct why *why);

#endif
