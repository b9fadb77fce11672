#include "worker/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/jsonout.h"
#include "worker/json_in.h"

void ask_refuse(struct ask *a, const char *fmt, ...)
{
	char text[sizeof(((struct why *)NULL)->text)];
	va_list ap;

	if (a->err != OK)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_why(a->why, "%s", text);
	a->err = ERR_INPUT;
}

/* Was ${field} warned of already? */
static bool warned(const struct buf *b, const char *field)
{
	char head[80];
	int n = snprintf(head, sizeof(head), "{\"field\":\"%s\"", field);

	return b->len > 0 && n > 0 &&
	       memmem(b->data, b->len, head, (size_t)n) != NULL;
}

void ask_warn(struct ask *a, const char *field, const char *fmt, ...)
{
	struct buf *b = &a->ret->warnings;
	char text[256];
	va_list ap;

	/* a list that is full is no reason to fail */
	if (warned(b, field) || b->len + sizeof(text) * 2 > b->max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (b->len > 0)
		b->len--; /* the bracket */
	else
		buf_putc(b, '[');
	jsonout_object(b);
	jsonout_member(b, "field", field);
	jsonout_member(b, "message", text);
	jsonout_object_end(b);
	buf_putc(b, ']');
}

/* --- making JSON --- */

static void no_memory(struct ask *a)
{
	if (a->err == OK)
		a->err = ERR_NOMEM;
}

void ask_set(struct ask *a, json_t *object, const char *key, json_t *v)
{
	if (json_object_set_new(object, key, v) != 0)
		no_memory(a);
}

void ask_append(struct ask *a, json_t *array, json_t *v)
{
	if (json_array_append_new(array, v) != 0)
		no_memory(a);
}

void ask_put(struct ask *a, json_t *object, const char *key, json_t *v)
{
	if (v != NULL)
		ask_set(a, object, key, json_incref(v));
}

json_t *ask_object(struct ask *a, json_t *object, const char *key)
{
	ask_set(a, object, key, json_object());
	return json_object_get(object, key);
}

json_t *ask_array(struct ask *a, json_t *object, const char *key)
{
	ask_set(a, object, key, json_array());
	return json_object_get(object, key);
}

void ask_copy(struct ask *a, json_t *to, const char *key, const char *from)
{
	ask_put(a, to, key, ask_member(a, from));
}

void ask_drop_empty(struct ask *a, json_t *turns, const char *member)
{
	for (size_t i = json_array_size(turns); i > 0; i--)
		if (json_array_size(json_object_get(
			json_array_get(turns, i - 1), member)) == 0)
			json_array_remove(turns, i - 1);
	if (json_array_size(turns) == 0)
		ask_refuse(a, "messages: nothing is said in any of them");
}

/* Write where a member is; names that are not plain are not repeated. */
static void name_member(
    char *dst, size_t size, const char *path, const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	bool fits = strspn(key, plain) == strlen(key) &&
		    strlen(path) + strlen(key) + 1 < size;

	snprintf(dst, size, "%s%s%s", path, fits ? "." : "", fits ? key : "");
}

/* Add to ${to} what ${from}, found at ${path}, has and it has not. */
static void merge(struct ask *a, json_t *to, json_t *from, const char *path)
{
	char where[64];
	const char *key;
	json_t *v, *ours;

	json_object_foreach(from, key, v)
	{
		ours = json_object_get(to, key);
		if (ours == NULL) {
			ask_set(a, to, key, json_incref(v));
			continue;
		}
		name_member(where, sizeof(where), path, key);
		if (json_is_object(ours) && json_is_object(v))
			merge(a, ours, v, where);
		else if (!json_equal(ours, v))
			ask_warn(
			    a, where, "not taken: the request says it already");
	}
}

void ask_extra(struct ask *a, json_t *body)
{
	json_t *extra = json_deep_copy(ask_member(a, "extra"));

	/* a copy: what is merged into must not be the request's own */
	if (extra == NULL && ask_member(a, "extra") != NULL)
		no_memory(a);
	merge(a, body, extra, "extra");
	json_decref(extra);
}

void ask_extra_openai(struct ask *a, json_t *body)
{
	json_t *extra = json_deep_copy(ask_member(a, "openai"));

	if (extra == NULL && ask_member(a, "openai") != NULL)
		no_memory(a);
	merge(a, body, extra, "openai");
	json_decref(extra);
}

void ask_lacks_openai(struct ask *a)
{
	const char *key;
	char where[64];
	json_t *v;

	json_object_foreach(ask_member(a, "openai"), key, v)
	{
		name_member(where, sizeof(where), "openai", key);
		ask_warn(a, where, "left out: this upstream does not know it");
	}
}

json_t *ask_embeddings(struct ask *a, bool tokens)
{
	json_t *body = json_object(), *item;
	size_t i;

	json_array_foreach(ask_member(a, "input"), i,
	    item) if (!tokens && !json_is_string(item))
	    ask_refuse(a, "input: this upstream takes texts, not tokens");
	ask_set(a, body, "model", json_string(a->target->model));
	ask_copy(a, body, "input", "input");
	ask_copy(a, body, "dimensions", "dimensions");
	return body;
}

static int on_bytes(const char *bytes, size_t len, void *arg)
{
	buf_add(arg, bytes, len);
	return 0;
}

void ask_finish(struct ask *a, json_t *body, const char *stream_type)
{
	struct buf *h = &a->ret->headers;

	/* 15 digits give back what was written: 0.7, not 0.69999999999999996 */
	if (body == NULL || json_dump_callback(body, on_bytes, &a->ret->body,
				JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0)
		no_memory(a);
	json_decref(body);
	buf_puts(h, "Content-Type: application/json\n");
	buf_printf(h, "Accept: %s\n",
	    ask_streams(a) ? stream_type : "application/json");
	buf_puts(h, "Accept-Encoding: identity\n");
}

void ask_get(struct ask *a)
{
	a->ret->is_get = true;
	buf_puts(&a->ret->headers,
	    "Accept: application/json\nAccept-Encoding: identity\n");
}

void ask_percent(struct buf *url, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			buf_putc(url, *s);
		else
			buf_printf(url, "%%%02X", (unsigned char)*s);
}

/* --- reading the request --- */

json_t *ask_member(const struct ask *a, const char *key)
{
	return json_object_get(a->request, key);
}

bool ask_streams(const struct ask *a)
{
	return !json_is_false(ask_member(a, "stream"));
}

int64_t ask_max_tokens(const struct ask *a)
{
	int64_t n;

	return json_in_int(ask_member(a, "max_output_tokens"), &n) ? n : -1;
}

bool ask_is(const json_t *v, const char *word)
{
	struct text t = json_in_text(v);

	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

void ask_lacks(struct ask *a, const char *field)
{
	if (ask_member(a, field) != NULL)
		ask_warn(a, field, "left out: this upstream has no such thing");
}

bool ask_has_tools(const struct ask *a)
{
	return json_array_size(ask_member(a, "tools")) > 0;
}

enum ask_choice ask_choice(struct ask *a, const char **ret_name)
{
	const json_t *choice = ask_member(a, "tool_choice");
	const char *name = json_string_value(json_object_get(choice, "name"));

	if (json_is_object(choice) && (name == NULL || *name == '\0')) {
		ask_refuse(a, "tool_choice: it names no function");
		return ASK_UNSAID;
	}
	if (!ask_has_tools(a))
		return ASK_UNSAID;
	if (name != NULL) {
		*ret_name = name;
		return ASK_NAMED;
	}
	return ask_is(choice, "auto")	    ? ASK_AUTO
	       : ask_is(choice, "none")	    ? ASK_NONE
	       : ask_is(choice, "required") ? ASK_REQUIRED
					    : ASK_UNSAID;
}

json_t *ask_arguments(struct ask *a, const json_t *call, size_t message)
{
	struct text t = json_in_text(
	    json_object_get(json_object_get(call, "function"), "arguments"));
	json_t *v = NULL;
	enum err err = OK;

	if (t.len == 0)
		v = json_object();
	else
		err = json_in_parse(t.s, t.len, &v);
	if (err == ERR_NOMEM || (t.len == 0 && v == NULL))
		no_memory(a);
	else if (err != OK || !json_is_object(v))
		ask_refuse(a,
		    "messages[%zu].tool_calls: this upstream takes arguments "
		    "only when they are a JSON object",
		    message);
	if (a->err == OK)
		return v;
	json_decref(v);
	return NULL;
}

const char *ask_called(struct ask *a, const json_t *id, size_t message)
{
	const json_t *messages = ask_member(a, "messages"), *call;
	size_t j;

	for (size_t i = message; i > 0; i--) {
		const json_t *calls = json_object_get(
		    json_array_get(messages, i - 1), "tool_calls");

		json_array_foreach(calls, j, call)
		{
			const char *name = json_string_value(json_object_get(
			    json_object_get(call, "function"), "name"));

			if (name != NULL &&
			    json_equal(json_object_get(call, "id"), id))
				return name;
		}
	}
	ask_refuse(a,
	    "messages[%zu].tool_call_id: no message before it has a call of "
	    "this id",
	    message);
	return NULL;
}

/* The two halves of "data:image/png;base64,AAAA"; false: it is none. */
static bool data_url(struct text t, struct ask_image *ret)
{
	static const char scheme[] = "data:", mark[] = ";base64,";
	const char *at;
	size_t n = sizeof(scheme) - 1;

	if (t.len <= n || strncasecmp(t.s, scheme, n) != 0)
		return false;
	at = memmem(t.s, t.len, mark, sizeof(mark) - 1);
	if (at == NULL || at == t.s + n)
		return false;
	ret->media = (struct text){ t.s + n, (size_t)(at - t.s) - n };
	at += sizeof(mark) - 1;
	ret->data = (struct text){ at, t.len - (size_t)(at - t.s) };
	/* "image/png;name=a": parameters mean nothing to anybody */
	at = memchr(ret->media.s, ';', ret->media.len);
	if (at != NULL)
		ret->media.len = (size_t)(at - ret->media.s);
	return ret->data.len > 0 && ret->media.len > 0;
}

bool ask_image(
    struct ask *a, const json_t *part, size_t message, struct ask_image *ret)
{
	const json_t *image = json_object_get(part, "image_url");
	const json_t *detail = json_object_get(image, "detail");
	struct text t = json_in_member(image, "url");

	*ret = (struct ask_image){ 0 };
	if (!ask_is(json_object_get(part, "type"), "image_url"))
		return false;
	if (detail != NULL && !ask_is(detail, "auto"))
		ask_warn(a, "detail",
		    "left out: this upstream has no such "
		    "setting of images");
	if (data_url(t, ret))
		return true;
	if (t.len > 8 && (strncasecmp(t.s, "https://", 8) == 0 ||
			     strncasecmp(t.s, "http://", 7) == 0)) {
		ret->url = t.s;
		return true;
	}
	ask_refuse(a,
	    "messages[%zu]: an image's url must be http:, https:, or data: "
	    "with a media type and base64",
	    message);
	return false;
}

void ask_text(struct ask *a, const json_t *content, struct buf *out)
{
	struct text t = json_in_text(content);
	const json_t *part;
	size_t i;

	buf_add(out, t.s, t.len);
	json_array_foreach(content, i, part)
	{
		if (!ask_is(json_object_get(part, "type"), "text"))
			continue;
		t = json_in_member(part, "text");
		buf_add(out, t.s, t.len);
	}
	if (buf_state(out) != OK)
		no_memory(a);
}

json_t *ask_string(struct ask *a, const struct buf *text)
{
	json_t *v = json_stringn(text->len > 0 ? text->data : "", text->len);

	if (v == NULL)
		no_memory(a);
	return v;
}
