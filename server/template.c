#include "server/template.h"

#include <stdio.h>
#include <string.h>

static bool name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One piece of a template: literal text, or a variable. */
struct piece {
	const char *text;
	size_t len;
	bool is_name;
};

/*
 * Read what follows "{{" at ${p}: the name, and where "}}" ends. NULL when it
 * is not a variable.
 */
static const char *read_name(const char *p, const char *end, struct piece *ret)
{
	const char *from;

	while (p < end && blank(*p))
		p++;
	from = p;
	while (p < end && name_char(*p))
		p++;
	*ret = (struct piece){ from, (size_t)(p - from), true };
	if (ret->len == 0 || ret->len >= TEMPLATE_NAME_BYTES)
		return NULL;
	while (p < end && blank(*p))
		p++;
	if (end - p < 2 || p[0] != '}' || p[1] != '}')
		return NULL;
	return p + 2;
}

/* The next piece at *${p}; OK with len 0 and no name at the end. */
static enum err next_piece(const char *start, const char **p, const char *end,
    struct piece *ret, struct why *why)
{
	const char *at = *p, *after;

	if (end - at >= 3 && memcmp(at, "\\{{", 3) == 0) {
		*ret = (struct piece){ at + 1, 2, false };
		*p = at + 3;
		return OK;
	}
	if (end - at >= 2 && at[0] == '{' && at[1] == '{') {
		after = read_name(at + 2, end, ret);
		if (!after) {
			err_why(why,
			    "\"{{\" at byte %zu begins no variable: write "
			    "{{name}} with letters, digits, _ . - (at most "
			    "%d), or \\{{ for the braces themselves",
			    (size_t)(at - start), TEMPLATE_NAME_BYTES - 1);
			return ERR_INPUT;
		}
		*p = after;
		return OK;
	}
	while (at < end) {
		if (end - at >= 2 && at[0] == '{' && at[1] == '{')
			break;
		if (end - at >= 3 && memcmp(at, "\\{{", 3) == 0)
			break;
		at++;
	}
	*ret = (struct piece){ *p, (size_t)(at - *p), false };
	*p = at;
	return OK;
}

enum err template_check(const char *text, size_t len, struct why *why)
{
	const char *p = text, *end = text + len;
	struct piece piece;
	enum err e = OK;

	while (p < end && e == OK)
		e = next_piece(text, &p, end, &piece, why);
	return e;
}

static struct template_var *find(
    struct template_var *vars, size_t n, const struct piece *name)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(vars[i].name) == name->len &&
		    memcmp(vars[i].name, name->text, name->len) == 0)
			return &vars[i];
	return NULL;
}

/* Append ${name} to a list "a, b" once; a full list ends in "…". */
static void list_add(char *list, size_t room, const char *name, size_t len)
{
	size_t used = strlen(list);
	const char *at = list;

	while ((at = strstr(at, name)) != NULL) {
		if ((at == list || at[-1] == ' ') &&
		    (at[len] == ',' || at[len] == '\0'))
			return;
		at += len;
	}
	if (used + len + 8 > room) {
		if (used + 5 < room && strstr(list, " …") == NULL)
			memcpy(list + used, " …", sizeof(" …"));
		return;
	}
	(void)snprintf(
	    list + used, room - used, "%s%s", used ? ", " : "", name);
}

enum err template_render(const char *text, size_t len,
    struct template_var *vars, size_t n_vars, struct buf *out,
    struct template_missing *missing, struct why *why)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		struct template_var *v;
		char name[TEMPLATE_NAME_BYTES];
		struct piece piece;

		if (next_piece(text, &p, end, &piece, why) != OK)
			return ERR_INPUT;
		if (!piece.is_name) {
			buf_add(out, piece.text, piece.len);
			continue;
		}
		v = find(vars, n_vars, &piece);
		if (v) {
			v->used = true;
			buf_add(out, v->value, v->value_len);
			continue;
		}
		memcpy(name, piece.text, piece.len);
		name[piece.len] = '\0';
		list_add(missing->text, sizeof(missing->text), name, piece.len);
		missing->n++;
	}
	return buf_state(out);
}

enum err template_settle(const struct template_var *vars, size_t n_vars,
    const struct template_missing *missing, struct why *why)
{
	char unused[200] = "";

	if (missing->n > 0) {
		err_why(why, "the prompt needs a value for: %s", missing->text);
		return ERR_INPUT;
	}
	for (size_t i = 0; i < n_vars; i++)
		if (!vars[i].used)
			list_add(unused, sizeof(unused), vars[i].name,
			    strlen(vars[i].name));
	if (unused[0]) {
		err_why(why, "the prompt has no variable called: %s", unused);
		return ERR_INPUT;
	}
	return OK;
}
