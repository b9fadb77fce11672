#include "server/models.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/suggest.h"
#include "worker/worker.h"

/* Comparing takes about a microsecond each, on a loop's thread. */
#define MAX_COMPARED 1000

bool models_find(
    const struct worker_models *m, const char *name, size_t len, size_t *ret)
{
	const char *known;

	for (size_t i = 0; (known = worker_models_name(m, i)) != NULL; i++)
		if (strlen(known) == len && memcmp(known, name, len) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

/* May it be near at all? Lengths are compared faster than letters. */
static bool comparable(const char *name, const char *known)
{
	size_t a = strlen(name), b = strlen(known);
	size_t longer = a > b ? a : b, shorter = a > b ? b : a;

	return (longer - shorter) * 3 <= longer ||
	       strncasecmp(name, known, a) == 0;
}

void models_hint(
    const struct worker_models *m, const char *name, char *dst, size_t room)
{
	const char *words[MAX_COMPARED], *known, *near = NULL;
	size_t n = 0;

	for (size_t i = 0; n < MAX_COMPARED; i++) {
		known = worker_models_name(m, i);
		if (!known)
			break;
		if (comparable(name, known))
			words[n++] = known;
	}
	if (strlen(name) < SUGGEST_MAX_WORD)
		near = suggest_nearest(name, words, n);
	(void)snprintf(dst, room, "%s%s%s", near ? "did you mean \"" : "",
	    near ? near : "", near ? "\"?" : "");
}
