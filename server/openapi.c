#include "server/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "server/openapi_internal.h"
#include "server/route.h"
#include "store/base/jsonout.h"
#include "store/key.h"

#define PROBLEM_JSON "application/problem+json"

static void ref(struct buf *b, const char *what, const char *name)
{
	jsonout_object(b);
	jsonout_key(b, "$ref");
	buf_printf(b, "\"#/components/%s/%s\"", what, name);
	jsonout_object_end(b);
}

/* --- what goes along with a request --- */

static void parameter(struct buf *b, const struct route *r, const char *in,
    const char *name, size_t len)
{
	const struct openapi_parameter *p =
	    openapi_operation_parameter(name, len, r->pattern);
	const char *type = p ? p->type : "string";

	jsonout_object(b);
	jsonout_key(b, "name");
	jsonout_string(b, name, len);
	jsonout_member(b, "in", in);
	if (p)
		jsonout_member(b, "description", p->what);
	if (strcmp(in, "path") == 0) {
		jsonout_key(b, "required");
		jsonout_bool(b, true);
	}
	jsonout_key(b, "schema");
	openapi_type(b, type, strlen(type));
	jsonout_object_end(b);
}

/* Each word of "limit after". */
static void parameter_words(
    struct buf *b, const struct route *r, const char *in, const char *text)
{
	for (size_t n; text && *(text += strspn(text, " ")); text += n) {
		n = strcspn(text, " ");
		parameter(b, r, in, text, n);
	}
}

static void parameters(
    struct buf *b, const struct route *r, const struct openapi_operation *o)
{
	const char *arg = strchr(r->pattern, '{');
	const char *headers = o ? o->headers : NULL;
	const char *query = o ? o->query : NULL;

	if (!arg && !headers && !query && (!r->query || !*r->query))
		return;
	jsonout_key(b, "parameters");
	jsonout_array(b);
	for (; arg; arg = strchr(arg + 1, '{'))
		parameter(b, r, "path", arg + 1, strcspn(arg + 1, "}"));
	parameter_words(b, r, "query", r->query ? r->query : query);
	parameter_words(b, r, "header", headers);
	jsonout_array_end(b);
}

/* "MEDIA:TYPE", "MEDIA" or "TYPE": a type has no slash in it. */
static void medium(struct buf *b, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	const char *colon = slash ? memchr(text, ':', len) : NULL;
	const char *type = colon ? colon + 1 : slash ? "string" : text;
	size_t n = colon   ? (size_t)(text + len - type)
		   : slash ? strlen(type)
			   : len;
	char name[48] = "application/json";

	if (slash)
		(void)snprintf(name, sizeof(name), "%.*s",
		    (int)(colon ? (size_t)(colon - text) : len), text);
	jsonout_key(b, name);
	jsonout_object(b);
	jsonout_key(b, "schema");
	openapi_type(b, type, n);
	jsonout_object_end(b);
}

static bool has_body(const struct route *r, const struct openapi_operation *o)
{
	if (o)
		return o->takes != NULL;
	return r->method == HTTP_POST || r->method == HTTP_PUT ||
	       r->method == HTTP_PATCH;
}

static void request_body(
    struct buf *b, const struct route *r, const struct openapi_operation *o)
{
	const char *takes = o ? o->takes : "object?";
	size_t len;

	if (!has_body(r, o))
		return;
	len = strlen(takes);
	jsonout_key(b, "requestBody");
	jsonout_object(b);
	jsonout_key(b, "required");
	jsonout_bool(b, takes[len - 1] != '?');
	if (takes[len - 1] == '?')
		len--;
	jsonout_key(b, "content");
	jsonout_object(b);
	medium(b, takes, len);
	jsonout_object_end(b);
	jsonout_object_end(b);
}

static void scope(struct buf *b, const struct route *r)
{
	char text[80];

	if (r->scope == 0) {
		jsonout_key(b, "security");
		jsonout_raw(b, "[]", 2);
		return;
	}
	(void)snprintf(text, sizeof(text), "Needs a key with %s.",
	    r->scope & KEY_READ	 ? "read or run"
	    : r->scope & KEY_RUN ? "run"
				 : "admin");
	jsonout_member(b, "description", text);
	if (r->ticket == ROUTE_NO_TICKET)
		return;
	jsonout_key(b, "security");
	buf_puts(b, "[{\"bearer\":[]},{\"header\":[]},{\"ticket\":[]}]");
}

/* --- what comes back --- */

static const char *phrase(const char *status)
{
	static const struct {
		const char *status, *text;
	} phrases[] = {
		{ "101", "A WebSocket from here on" },
		{ "200", "OK" },
		{ "201", "Made" },
		{ "202", "Taken, and goes on" },
		{ "204", "Done, and nothing to say" },
		{ "304", "No news" },
		{ "503", "Not now" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (strncmp(phrases[i].status, status, 3) == 0)
			return phrases[i].text;
	return "An answer";
}

/* One status and all that stands for it in ${gives}; returns what follows. */
static const char *answer(struct buf *b, const char *gives)
{
	const char *first = gives;
	char status[4] = "";
	bool any = false;
	size_t len;

	memcpy(status, gives, 3);
	jsonout_key(b, status);
	jsonout_object(b);
	jsonout_member(b, "description", phrase(status));
	for (; strncmp(gives, first, 3) == 0; gives += strspn(gives, ", ")) {
		len = strcspn(gives, ",");
		if (len > 4 && !any) {
			jsonout_key(b, "content");
			jsonout_object(b);
			any = true;
		}
		if (len > 4)
			medium(b, gives + 4, len - 4);
		gives += len;
	}
	if (any)
		jsonout_object_end(b);
	jsonout_object_end(b);
	return gives;
}

/* How its front refuses: one of components/responses. */
static const char *refusal(const struct front *f)
{
	if (f == &front_callable)
		return "CallProblem";
	return strcmp(f->problem_type, PROBLEM_JSON) == 0 ? "Problem"
							  : "Refusal";
}

static void problem_if(
    struct buf *b, bool may, const char *status, const char *name)
{
	if (!may)
		return;
	jsonout_key(b, status);
	ref(b, "responses", name);
}

static void responses(
    struct buf *b, const struct route *r, const struct openapi_operation *o)
{
	const char *name = refusal(r->front);
	bool arg = strchr(r->pattern, '{') != NULL;

	jsonout_key(b, "responses");
	jsonout_object(b);
	for (const char *gives = o ? o->gives : "200 object"; *gives;)
		gives = answer(b, gives);
	problem_if(
	    b, arg || has_body(r, o) || (r->query && *r->query), "400", name);
	problem_if(b, r->scope != 0, "401", name);
	problem_if(b, r->scope != 0, "403", name);
	problem_if(b, arg, "404", name);
	problem_if(b, r->cost != ROUTE_FREE, "429", name);
	jsonout_key(b, "default");
	ref(b, "responses", name);
	jsonout_object_end(b);
}

/* --- operations --- */

/* "get_executions_id_chunks": the same as long as the route is. */
static void operation_id(struct buf *b, const struct route *r)
{
	const char *path = r->pattern, *method = http_method_name(r->method);

	if (strncmp(path, "/v1/", 4) == 0)
		path += 3;
	jsonout_key(b, "operationId");
	buf_putc(b, '"');
	for (; *method; method++)
		buf_putc(b, (char)tolower((unsigned char)*method));
	for (; *path; path++) {
		if (*path == '/' || *path == '.' || *path == '-')
			buf_putc(b, '_');
		else if (isalnum((unsigned char)*path) || *path == '_')
			buf_putc(b, *path);
	}
	buf_putc(b, '"');
}

static void operation(struct buf *b, const struct route *r)
{
	const struct openapi_operation *o =
	    openapi_operation_find(r->method, r->pattern);
	char method[16];
	size_t n = 0;

	for (const char *m = http_method_name(r->method); *m && n < 15; m++)
		method[n++] = (char)tolower((unsigned char)*m);
	method[n] = '\0';
	jsonout_key(b, method);
	jsonout_object(b);
	operation_id(b, r);
	jsonout_member(b, "summary", r->what);
	scope(b, r);
	jsonout_key(b, "tags");
	jsonout_array(b);
	jsonout_string(b, r->front->name, strlen(r->front->name));
	jsonout_array_end(b);
	parameters(b, r, o);
	request_body(b, r, o);
	responses(b, r, o);
	jsonout_object_end(b);
}

static void paths(struct buf *b)
{
	const struct route *table;
	size_t n;

	table = route_table(&n);
	jsonout_key(b, "paths");
	jsonout_object(b);
	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= !strcmp(table[j].pattern, table[i].pattern);
		if (seen)
			continue;
		jsonout_key(b, table[i].pattern);
		jsonout_object(b);
		for (size_t j = i; j < n; j++)
			if (!strcmp(table[j].pattern, table[i].pattern))
				operation(b, &table[j]);
		jsonout_object_end(b);
	}
	jsonout_object_end(b);
}

/* --- what all share --- */

static void refusal_response(
    struct buf *b, const char *name, const char *media, const char *type)
{
	static const char header[] =
	    "{\"description\":\"seconds after which it may help to ask "
	    "again\",\"schema\":{\"type\":\"integer\"}}";

	jsonout_key(b, name);
	jsonout_object(b);
	jsonout_member(b, "description", "It was refused, or it failed");
	jsonout_key(b, "headers");
	jsonout_object(b);
	jsonout_key(b, "Retry-After");
	jsonout_raw(b, header, sizeof(header) - 1);
	jsonout_object_end(b);
	jsonout_key(b, "content");
	jsonout_object(b);
	jsonout_key(b, media);
	jsonout_object(b);
	jsonout_key(b, "schema");
	openapi_type(b, type, strlen(type));
	jsonout_object_end(b);
	jsonout_object_end(b);
	jsonout_object_end(b);
}

static void components(struct buf *b)
{
	static const char keys[] =
	    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
	    "\"header\":{\"type\":\"apiKey\",\"in\":\"header\","
	    "\"name\":\"X-API-Key\"},"
	    "\"ticket\":{\"type\":\"apiKey\",\"in\":\"query\","
	    "\"name\":\"ticket\"}}";

	jsonout_key(b, "components");
	jsonout_object(b);
	jsonout_key(b, "securitySchemes");
	jsonout_raw(b, keys, sizeof(keys) - 1);
	jsonout_key(b, "responses");
	jsonout_object(b);
	refusal_response(b, "Problem", PROBLEM_JSON, "Problem");
	refusal_response(b, "CallProblem", "application/json", "CallProblem");
	refusal_response(b, "Refusal", "application/json", "object");
	jsonout_object_end(b);
	jsonout_key(b, "schemas");
	openapi_type_schemas(b);
	jsonout_object_end(b);
}

void openapi_json(struct buf *b)
{
	jsonout_object(b);
	jsonout_member(b, "openapi", "3.1.0");
	jsonout_key(b, "info");
	jsonout_object(b);
	jsonout_member(b, "title", "spool");
	jsonout_member(b, "version", SPOOL_VERSION);
	jsonout_member(b, "description",
	    "Runs an LLM prompt once, keeps every chunk that comes back, and "
	    "lets anyone read the answer from any index. Callables are also "
	    "found under /{project}/{region}.");
	jsonout_key(b, "license");
	buf_puts(b, "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
	jsonout_object_end(b);
	jsonout_key(b, "servers");
	buf_puts(b, "[{\"url\":\"/\"}]");
	jsonout_key(b, "security");
	buf_puts(b, "[{\"bearer\":[]},{\"header\":[]}]");
	paths(b);
	components(b);
	jsonout_object_end(b);
}
