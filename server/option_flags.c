#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/option_internal.h"
#include "server/suggest.h"

/* What getopt_long returns for the i-th long name of struct names. */
#define FIRST_NAME 1024

enum name_kind { NAME_PLAIN, NAME_NO, NAME_FILE, NAME_FORBIDDEN };

struct name {
	char text[64];
	size_t value; /* index into the set */
	enum name_kind kind;
};

/* Everything that getopt_long wants, made from a set. */
struct names {
	struct name *name;
	struct option *longs;
	const char **words; /* for suggestions */
	char letters[160];
	size_t n;
};

static void add(
    struct names *names, size_t value, enum name_kind kind, const char *text)
{
	struct name *name = &names->name[names->n];
	struct option *o = &names->longs[names->n];

	snprintf(name->text, sizeof(name->text), "%s%s%s",
	    kind == NAME_NO ? "no-" : "", text,
	    kind == NAME_FILE ? "-file" : "");
	name->value = value;
	name->kind = kind;
	o->name = name->text;
	o->has_arg = required_argument;
	o->val = FIRST_NAME + (int)names->n;
	/* A flag that is always refused is no suggestion. */
	names->words[names->n] = kind == NAME_FORBIDDEN ? NULL : name->text;
	names->n++;
}

static enum err names_new(const struct option_set *set, struct names *names)
{
	char *letter = names->letters;

	names->name = calloc(set->n * 2 + 1, sizeof(*names->name));
	names->longs = calloc(set->n * 2 + 1, sizeof(*names->longs));
	names->words = calloc(set->n * 2 + 1, sizeof(*names->words));
	if (!names->name || !names->longs || !names->words)
		return ERR_NOMEM;
	*letter++ = ':'; /* a missing argument is told apart */
	for (size_t i = 0; i < set->n; i++) {
		const struct option_spec *spec = set->values[i].spec;
		bool is_bool = spec->kind == OPTION_BOOL;

		if (spec->kind == OPTION_SECRET) {
			add(names, i, NAME_FILE, spec->name);
			add(names, i, NAME_FORBIDDEN, spec->name);
			names->longs[names->n - 1].has_arg = optional_argument;
			continue;
		}
		add(names, i, NAME_PLAIN, spec->name);
		if (is_bool) {
			names->longs[names->n - 1].has_arg = no_argument;
			add(names, i, NAME_NO, spec->name);
			names->longs[names->n - 1].has_arg = no_argument;
		}
		if (spec->letter) {
			*letter++ = spec->letter;
			if (!is_bool)
				*letter++ = ':';
		}
	}
	return OK;
}

static void names_free(struct names *names)
{
	free(names->name);
	free(names->longs);
	free(names->words);
}

static enum err unknown(
    const struct names *names, const char *typed, struct why *why)
{
	char word[SUGGEST_MAX_WORD + 1];
	const char *near;

	if (strncmp(typed, "--", 2) != 0) {
		err_why(why, "unknown option -%c", optopt);
		return ERR_INPUT;
	}
	snprintf(word, sizeof(word), "%s", typed + 2);
	word[strcspn(word, "=")] = '\0';
	near = suggest_nearest(word, names->words, names->n);
	if (near)
		err_why(
		    why, "unknown option --%s; did you mean --%s?", word, near);
	else
		err_why(why, "unknown option --%s", word);
	return ERR_INPUT;
}

/* The argument that getopt_long has just been through. */
static const char *typed_now(char **argv)
{
	const char *last = argv[optind - 1];

	return optarg && last == optarg ? argv[optind - 2] : last;
}

/* Beginnings of names are not taken: the next release may add another. */
static bool whole_name(const struct name *name, const char *typed)
{
	size_t len = strlen(name->text);

	return strncmp(typed, "--", 2) == 0 &&
	       strncmp(typed + 2, name->text, len) == 0 &&
	       (typed[2 + len] == '\0' || typed[2 + len] == '=');
}

static enum err put_flag(struct option_value *v, enum name_kind kind,
    const char *flag, struct why *why)
{
	struct why detail = { "" };
	char where[96];
	enum err err = OK;

	snprintf(where, sizeof(where), "flag %s", flag);
	switch (kind) {
	case NAME_FORBIDDEN:
		err_why(why,
		    "a secret on the command line can be seen by every user of "
		    "this machine: use %s-file PATH or set %s",
		    flag, v->spec->env ? v->spec->env : "the config file");
		return ERR_INPUT;
	case NAME_FILE:
		err = option_put_secret_file(
		    v, optarg, OPTION_FROM_FLAG, where, &detail);
		break;
	case NAME_NO:
		err = option_put(v, "false", OPTION_FROM_FLAG, where, &detail);
		break;
	case NAME_PLAIN:
		err = option_put(v,
		    v->spec->kind == OPTION_BOOL ? "true" : optarg,
		    OPTION_FROM_FLAG, where, &detail);
		break;
	}
	if (err)
		err_why(why, "%s: %s", flag, detail.text);
	return err;
}

static enum err put_letter(struct option_set *set, int letter, struct why *why)
{
	char flag[4] = { '-', (char)letter, '\0' };

	for (size_t i = 0; i < set->n; i++)
		if (set->values[i].spec->letter == letter)
			return put_flag(&set->values[i], NAME_PLAIN, flag, why);
	return ERR_INPUT;
}

static enum err missing(const struct names *names, int which, struct why *why)
{
	if (which >= FIRST_NAME)
		err_why(why, "--%s wants a value",
		    names->name[which - FIRST_NAME].text);
	else
		err_why(why, "-%c wants a value", which);
	return ERR_INPUT;
}

static enum err take(struct option_set *set, const struct names *names,
    int which, char **argv, struct why *why)
{
	const char *typed = typed_now(argv);
	const struct name *name;
	char flag[80];

	if (which == ':')
		return missing(names, optopt, why);
	if (which == '?' && optopt >= FIRST_NAME &&
	    whole_name(&names->name[optopt - FIRST_NAME], typed)) {
		err_why(why, "--%s takes no value",
		    names->name[optopt - FIRST_NAME].text);
		return ERR_INPUT;
	}
	if (which == '?')
		return unknown(names, typed, why);
	if (which < FIRST_NAME)
		return put_letter(set, which, why);
	name = &names->name[which - FIRST_NAME];
	if (!whole_name(name, typed))
		return unknown(names, typed, why);
	snprintf(flag, sizeof(flag), "--%s", name->text);
	return put_flag(&set->values[name->value], name->kind, flag, why);
}

enum err option_take_flags(struct option_set *set, int argc, char **argv,
    int *ret_first, struct why *why)
{
	struct names names = { .n = 0 };
	enum err err;
	int which;

	err = names_new(set, &names);
	if (err)
		goto out;
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while (!err) {
		which =
		    getopt_long(argc, argv, names.letters, names.longs, NULL);
		if (which == -1)
			break;
		err = take(set, &names, which, argv, why);
	}
	if (!err)
		*ret_first = optind;
out:
	names_free(&names);
	return err;
}
