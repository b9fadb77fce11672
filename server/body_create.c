/* A creation, and a prompt to be stored: what the client's words say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/template.h"
#include "store/request.h"

/* What a creation says beside its settings, lent from the root. */
struct words {
	const json_t *prompt, *system, *messages, *prompt_id, *inputs, *rag,
	    *owner;
};

/* One of the members that are not settings; false when it is none. */
static bool take_word(struct words *w, const char *key, const json_t *v)
{
	const struct {
		const char *name;
		const json_t **to;
	} words[] = {
		{ "prompt", &w->prompt },
		{ "system", &w->system },
		{ "messages", &w->messages },
		{ "promptId", &w->prompt_id },
		{ "prompt_id", &w->prompt_id },
		{ "inputs", &w->inputs },
		{ "useRag", &w->rag },
		{ "use_rag", &w->rag },
		{ "owner", &w->owner },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].name, key) == 0) {
			if (!json_is_null(v))
				*words[i].to = v;
			return true;
		}
	return false;
}

static enum err check_words(const struct words *w, struct problem *p)
{
	int n = (w->prompt != NULL) + (w->messages != NULL) +
		(w->prompt_id != NULL);

	if (w->rag && json_is_true(w->rag)) {
		problem_set(p, PROBLEM_FAILED_PRECONDITION, "useRag",
		    "useRag needs documents, and this server keeps none; send "
		    "useRag: false or leave it out");
		return ERR_INPUT;
	}
	if (w->rag && !json_is_boolean(w->rag))
		return body_refuse(p, "useRag", "useRag must be true or false");
	if (n != 1)
		return body_refuse(p, n ? "messages" : "prompt",
		    "send exactly one of prompt (a text), messages (a list) "
		    "and promptId (a stored prompt's name)");
	if (w->prompt &&
	    (!json_is_string(w->prompt) || json_string_length(w->prompt) == 0))
		return body_refuse(
		    p, "prompt", "prompt must be a string that is not empty");
	if (w->system && !json_is_string(w->system))
		return body_refuse(p, "system", "system must be a string");
	if (w->system && w->prompt_id)
		return body_refuse(p, "system",
		    "system belongs to the stored prompt; it cannot be sent "
		    "beside promptId");
	if (w->inputs && !w->prompt_id)
		return body_refuse(p, "inputs",
		    "inputs are the variables of a stored prompt: they need "
		    "promptId");
	if (w->inputs && !json_is_object(w->inputs))
		return body_refuse(p, "inputs", "inputs must be an object");
	if (w->inputs && json_object_size(w->inputs) > TEMPLATE_MAX_VARS)
		return body_refuse(p, "inputs",
		    "inputs has more than %d members", TEMPLATE_MAX_VARS);
	return OK;
}

/* [{system}?, {user}] */
static json_t *two_messages(const json_t *system, const json_t *user)
{
	json_t *list = json_array();
	int bad = !list;

	if (!bad && system)
		bad |= json_array_append_new(
		    list, json_pack("{s:s,s:O}", "role", "system", "content",
			      system));
	if (!bad && user)
		bad |= json_array_append_new(list,
		    json_pack("{s:s,s:O}", "role", "user", "content", user));
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}

/* The messages of prompt or messages, with system before them. */
static enum err make_messages(
    const struct words *w, json_t *members, struct problem *p)
{
	json_t *list = NULL, *first = NULL;
	enum err e = OK;

	if (w->prompt) {
		list = two_messages(w->system, w->prompt);
	} else {
		e = body_messages(w->messages, &list, p);
		if (e != OK)
			return e;
		if (w->system) {
			first = two_messages(w->system, NULL);
			if (!first || json_array_insert(list, 0,
					  json_array_get(first, 0)) != 0) {
				json_decref(list);
				list = NULL;
			}
			json_decref(first);
		}
	}
	if (!list || json_object_set_new(members, "messages", list) != 0)
		return body_nomem(p);
	return OK;
}

enum err body_prompt_name(const char *name, size_t len, struct problem *p)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '_' ||
			c == '-'))
			break;
	}
	if (len == 0 || len >= PROMPT_NAME_BYTES || i < len)
		return body_refuse(p, "promptId",
		    "a prompt's name has 1 to %d letters, digits, . _ -",
		    PROMPT_NAME_BYTES - 1);
	return OK;
}

/* "name" or "name@3" */
static enum err read_prompt_id(
    const json_t *v, struct body_create *c, struct problem *p)
{
	const char *text = json_string_value(v), *at;
	size_t len;

	if (!text || strlen(text) != json_string_length(v))
		return body_refuse(
		    p, "promptId", "promptId must be a string: name or name@3");
	at = strchr(text, '@');
	len = at ? (size_t)(at - text) : strlen(text);
	if (body_prompt_name(text, len, p) != OK)
		return ERR_INPUT;
	if (at) {
		size_t digits = strspn(at + 1, "0123456789");

		if (digits == 0 || digits > 9 || at[1 + digits] ||
		    atoi(at + 1) < 1)
			return body_refuse(p, "promptId",
			    "what follows @ in promptId must be a version, "
			    "from 1");
		c->version = (uint32_t)atoi(at + 1);
	}
	memcpy(c->prompt, text, len);
	c->prompt[len] = '\0';
	return OK;
}

static enum err read_members(
    const json_t *root, struct words *w, json_t *members, struct problem *p)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		enum err e;

		if (take_word(w, key, v))
			continue;
		e = body_setting(members, key, v, p);
		if (e == ERR_NOT_FOUND) {
			size_t n;
			const char *const *known = body_settings(&n);

			/* The last one belongs to stored prompts alone. */
			return body_unknown(p, "", key, known, n - 1);
		}
		if (e != OK)
			return e;
	}
	return OK;
}

enum err body_create(
    const struct json_t *root, struct body_create *ret, struct problem *p)
{
	struct body_create c = { 0 };
	struct words w = { 0 };
	enum err e;

	c.members = json_object();
	if (!c.members)
		return body_nomem(p);
	e = read_members(root, &w, c.members, p);
	if (e == OK)
		e = check_words(&w, p);
	if (e == OK && w.owner) {
		const char *owner = json_string_value(w.owner);

		if (!owner || !owner[0] || strlen(owner) >= sizeof(c.owner) ||
		    strlen(owner) != json_string_length(w.owner))
			e = body_refuse(p, "owner",
			    "owner must be a string of 1 to %d bytes",
			    KEY_NAME_BYTES - 1);
		else
			(void)snprintf(c.owner, sizeof(c.owner), "%s", owner);
	}
	if (e == OK)
		e = w.prompt_id ? read_prompt_id(w.prompt_id, &c, p)
				: make_messages(&w, c.members, p);
	if (e != OK) {
		body_create_fini(&c);
		return e;
	}
	if (w.inputs)
		c.inputs = json_incref((json_t *)(uintptr_t)w.inputs);
	*ret = c;
	return OK;
}

void body_create_fini(struct body_create *c)
{
	json_decref(c->members);
	json_decref(c->inputs);
	*c = (struct body_create){ 0 };
}

enum err body_create_blind(struct body_create *c, bool fails)
{
	if (json_object_get(c->members, "on_interrupt"))
		return OK;
	return json_object_set_new(c->members, "on_interrupt",
		   json_string(fails ? "fail" : "continue")) == 0
		   ? OK
		   : ERR_NOMEM;
}

enum err body_create_told(const struct json_t *root, bool fails,
    struct body_create *ret, struct problem *p)
{
	static const char *const names[] = { "on_interrupt", NULL };
	const char *word = "";
	enum err e;

	if (body_text(root, names, &word, p) != OK)
		return ERR_INPUT;
	if (strcmp(word, "restart") == 0 || strcmp(word, "auto") == 0)
		return body_refuse(p, "on_interrupt",
		    "on_interrupt must be fail or continue: this protocol "
		    "cannot withdraw what it has said");
	e = body_create(root, ret, p);
	if (e != OK)
		return e;
	e = body_create_blind(ret, fails);
	if (e == OK)
		return OK;
	body_create_fini(ret);
	return body_nomem(p);
}

/* --- a prompt to be stored --- */

static enum err prompt_members(const json_t *root, struct words *w,
    const json_t **template, json_t *members, struct problem *p)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		enum err e;

		if (strcmp(key, "template") == 0) {
			*template = v;
			continue;
		}
		if (strcmp(key, "system") == 0 ||
		    strcmp(key, "messages") == 0) {
			(void)take_word(w, key, v);
			continue;
		}
		if (strcmp(key, "parameters") == 0 && json_is_object(v)) {
			e = prompt_members(v, w, template, members, p);
			if (e != OK)
				return e;
			continue;
		}
		e = body_setting(members, key, v, p);
		if (e == ERR_NOT_FOUND) {
			size_t n;
			const char *const *known = body_settings(&n);

			return body_unknown(p, "", key, known, n);
		}
		if (e != OK)
			return e;
	}
	return OK;
}

enum err body_prompt(const char *text, size_t len, char **ret, size_t *ret_len,
    struct problem *p)
{
	json_t *root = NULL, *members = NULL;
	const json_t *template = NULL;
	struct words w = { 0 };
	enum err e;

	e = body_parse(text, len, &root, p);
	if (e != OK)
		goto out;
	members = json_object();
	e = members ? prompt_members(root, &w, &template, members, p)
		    : body_nomem(p);
	if (e != OK)
		goto out;
	if ((template != NULL) == (w.messages != NULL) ||
	    (template && !json_is_string(template))) {
		e = body_refuse(p, "template",
		    "send either template (a text with {{variables}}) or "
		    "messages (a list)");
		goto out;
	}
	if (template && !json_string_length(template)) {
		e = body_refuse(p, "template", "the template is empty");
		goto out;
	}
	w.prompt = template;
	if (w.system && !json_is_string(w.system)) {
		e = body_refuse(p, "system", "system must be a string");
		goto out;
	}
	e = make_messages(&w, members, p);
	if (e == OK)
		e = body_check_templates(
		    json_object_get(members, "messages"), template != NULL, p);
	if (e != OK)
		goto out;
	*ret = body_dump(members, ret_len);
	if (!*ret)
		e = body_nomem(p);
out:
	json_decref(members);
	json_decref(root);
	return e;
}
