#include "server/cmd/env_hint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/suggest.h"

#define MAX_WORDS 128

static const char prefix[] = "SPOOL_";
#define PREFIX_LEN (sizeof(prefix) - 1)

static void add(const struct option_spec *spec, const char **words, size_t *n)
{
	if (spec->env && *n < MAX_WORDS &&
	    strncmp(spec->env, prefix, PREFIX_LEN) == 0)
		words[(*n)++] = spec->env + PREFIX_LEN;
}

/* "KEY" and, for a secret that may be in a file, "KEY_FILE". */
static bool is_read(const char *name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(name, words[i], len) == 0 &&
		    (!name[len] || strcmp(name + len, "_FILE") == 0))
			return true;
	}
	return false;
}

void env_hint(const struct option_set *options)
{
	const char *words[MAX_WORDS], *near;
	const struct option_spec *spec;
	size_t n = 0;
	char name[SUGGEST_MAX_WORD];

	for (size_t i = 0; (spec = option_at(options, i)); i++)
		add(spec, words, &n);
	for (spec = client_table(); spec->name; spec++)
		add(spec, words, &n);
	for (char **e = environ; *e; e++) {
		if (strncmp(*e, prefix, PREFIX_LEN) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(*e + PREFIX_LEN, "="), *e + PREFIX_LEN);
		near = is_read(name, words, n)
			   ? NULL
			   : suggest_nearest(name, words, n);
		if (near)
			cmd_say("%s%s in the environment means nothing; did "
				"you mean %s%s?",
			    prefix, name, prefix, near);
	}
}
