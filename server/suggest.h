/*
 * suggest: "did you mean": the nearest of some words to one that was mistyped.
 *
 * Used by: options, commands, config, routes.     Thread: any; pure.
 */
#ifndef SERVER_SUGGEST_H
#define SERVER_SUGGEST_H

#include <stddef.h>

/* Words longer than this are never near to anything. */
#define SUGGEST_MAX_WORD 64

/*
 * How many edits (insert, delete, replace, or swap two neighbours; letters
 * compared without case, '-' equal to '_') turn ${a} into ${b}. Anything longer
 * than SUGGEST_MAX_WORD bytes answers (size_t)-1.
 */
size_t suggest_distance(const char *a, const char *b);

/*
 * The nearest to ${word} of the ${n} ${words} (NULL ones are skipped), lent;
 * the first one of equals. NULL when none is near enough: at most a third of
 * the longer word's letters may differ. A word of three letters or more that
 * begins exactly one candidate is near to it, however much is missing.
 */
const char *suggest_nearest(
    const char *word, const char *const *words, size_t n);

#endif
