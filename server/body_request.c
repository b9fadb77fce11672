/* A creation's stored form, and the rendering of a stored prompt into it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/template.h"
#include "store/base/spare.h"

/* A rendered prompt; more than a body may be, for inputs used twice. */
#define RENDERED_MAX_BYTES ((size_t)8 << 20)

struct render {
	struct template_var vars[TEMPLATE_MAX_VARS];
	char *made[TEMPLATE_MAX_VARS]; /* texts of values that are no strings */
	size_t n;
	struct template_missing missing;
	struct problem *p;
};

static enum err read_inputs(struct render *r, const json_t *inputs)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)inputs, key, v)
	{
		struct template_var *var = &r->vars[r->n];

		var->name = key;
		if (json_is_string(v)) {
			var->value = json_string_value(v);
			var->value_len = json_string_length(v);
		} else {
			r->made[r->n] = body_dump(v, &var->value_len);
			var->value = r->made[r->n];
			if (!var->value)
				return body_nomem(r->p);
		}
		r->n++;
	}
	return OK;
}

/* Replace ${o}'s string member ${key} by its rendered form. */
static enum err render_member(struct render *r, json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	struct why why = { "" };
	struct buf out;
	enum err e;

	if (!json_is_string(v))
		return OK;
	buf_init(&out, RENDERED_MAX_BYTES);
	e = template_render(json_string_value(v), json_string_length(v),
	    r->vars, r->n, &out, &r->missing, &why);
	if (e == OK &&
	    json_object_set_new(
		o, key, json_stringn(out.data ? out.data : "", out.len)) != 0)
		e = body_nomem(r->p);
	else if (e == ERR_LIMIT)
		e = body_refuse(r->p, "inputs",
		    "the rendered prompt would be larger than %d MiB",
		    (int)(RENDERED_MAX_BYTES >> 20));
	else if (e != OK)
		problem_from_err(r->p, e, &why);
	buf_fini(&out);
	return e;
}

static enum err render_messages(struct render *r, json_t *messages)
{
	json_t *m, *part;
	enum err e = OK;
	size_t i, j;

	json_array_foreach(messages, i, m)
	{
		e = render_member(r, m, "content");
		if (e != OK)
			return e;
		json_array_foreach(json_object_get(m, "content"), j, part)
		{
			e = render_member(r, part, "text");
			if (e != OK)
				return e;
		}
	}
	return OK;
}

/* The stored prompt's messages, rendered, and its settings where open. */
static enum err apply_prompt(
    struct body_create *c, json_t *prompt, struct render *r)
{
	json_t *messages = json_object_get(prompt, "messages");
	struct why why = { "" };
	const char *key;
	json_t *v;
	enum err e;

	e = read_inputs(r, c->inputs);
	if (e == OK)
		e = render_messages(r, messages);
	if (e != OK)
		return e;
	if (template_settle(r->vars, r->n, &r->missing, &why) != OK)
		return body_refuse(r->p, "inputs", "%s", why.text);
	json_object_foreach(
	    prompt, key, v) if (!json_object_get(c->members, key) &&
				json_object_set(c->members, key, v) !=
				    0) return body_nomem(r->p);
	return OK;
}

enum err body_request(struct body_create *c, const char *prompt,
    size_t prompt_len, char **ret, size_t *ret_len, char **ret_model,
    struct problem *p)
{
	struct render *r = NULL;
	json_t *stored = NULL;
	char *model = NULL, *text = NULL;
	const char *name;
	size_t len = 0;
	enum err e = OK;

	if (prompt) {
		r = calloc(1, sizeof(*r));
		if (spare_begin(prompt_len) == OK) {
			stored = json_loadb(
			    prompt, prompt_len, JSON_ALLOW_NUL, NULL);
			if (!spare_whole()) {
				json_decref(stored);
				stored = NULL;
			}
			spare_end();
		}
		if (!r || !stored) {
			e = body_nomem(p);
			goto out;
		}
		r->p = p;
		e = apply_prompt(c, stored, r);
		if (e != OK)
			goto out;
	}
	name = json_string_value(json_object_get(c->members, "model"));
	model = strdup(name ? name : "");
	text = body_dump(c->members, &len);
	if (!model || !text) {
		e = body_nomem(p);
		goto out;
	}
	*ret = text;
	*ret_len = len;
	*ret_model = model;
	text = model = NULL;
out:
	for (size_t i = 0; r && i < r->n; i++)
		free(r->made[i]);
	if (r && r->n < TEMPLATE_MAX_VARS)
		free(r->made[r->n]);
	free(r);
	free(text);
	free(model);
	json_decref(stored);
	return e;
}

static enum err check_text(
    const json_t *v, const char *field, struct problem *p)
{
	struct why why = { "" };

	if (!json_is_string(v) || template_check(json_string_value(v),
				      json_string_length(v), &why) == OK)
		return OK;
	return body_refuse(p, field, "%s: %s", field, why.text);
}

enum err body_check_templates(
    const json_t *messages, bool is_template, struct problem *p)
{
	const json_t *m, *part;
	size_t i, j;

	json_array_foreach(messages, i, m)
	{
		const json_t *content = json_object_get(m, "content");
		const char *role =
		    json_string_value(json_object_get(m, "role"));
		bool system = role && strcmp(role, "system") == 0;
		char field[40];

		(void)snprintf(field, sizeof(field), "messages[%zu]", i);
		if (is_template)
			(void)snprintf(field, sizeof(field), "%s",
			    system ? "system" : "template");
		if (check_text(content, field, p) != OK)
			return ERR_INPUT;
		json_array_foreach(content, j, part)
		{
			if (check_text(
				json_object_get(part, "text"), field, p) != OK)
				return ERR_INPUT;
		}
	}
	return OK;
}
