#include "server/route.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/front_handlers.h"
#include "server/suggest.h"
#include "store/key.h"

#define MAX_QUERY_NAMES 8
#define MAX_QUERY_BYTES 80

#define ADMIN KEY_ADMIN
#define READ (KEY_READ | KEY_RUN)
#define RUN KEY_RUN

#define CALLABLE(name, scope, cost, handle, what)                           \
	{                                                                   \
		HTTP_POST, name, &front_callable, scope, cost, handle, what \
	}
#define REST(method, pattern, scope, cost, handle, what) \
	ASKED(method, pattern, scope, cost, handle, "", what)
#define ASKED(method, pattern, scope, cost, handle, query, what)          \
	{                                                                 \
		HTTP_##method, pattern, &front_rest, scope, cost, handle, \
		    what, query                                           \
	}
/* What its clients add to a query is theirs: NULL passes it over. */
#define OPENAI(method, pattern, scope, cost, handle, query, what)           \
	{                                                                   \
		HTTP_##method, pattern, &front_openai, scope, cost, handle, \
		    what, query                                             \
	}
#define UI(method, pattern, scope, cost, handle, query, what)                 \
	{                                                                     \
		HTTP_##method, pattern, &front_ui, scope, cost, handle, what, \
		    query                                                     \
	}
/* What its query names that it does not know is passed over, by protocol. */
#define STREAM(method, scope, handle, what)                                \
	{                                                                  \
		HTTP_##method, "/v1/stream/{name}", &front_durable, scope, \
		    ROUTE_READ, handle, what, .deep = true                 \
	}
#define OPS(pattern, scope, handle, what)                                      \
	{                                                                      \
		HTTP_GET, pattern, &front_ops, scope, ROUTE_FREE, handle, what \
	}

static const struct route table[] = {
	CALLABLE("/get_execution_chunks", READ, ROUTE_READ,
	    front_callable_get_chunks,
	    "chunks of an execution from an index on"),
	CALLABLE("/get_chunks", READ, ROUTE_READ, front_callable_get_chunks,
	    "the same"),
	CALLABLE("/execute_prompt_streaming", RUN, ROUTE_CREATE,
	    front_callable_execute, "start an execution"),
	CALLABLE(
	    "/execute", RUN, ROUTE_CREATE, front_callable_execute, "the same"),
	CALLABLE("/execute_prompt", RUN, ROUTE_CREATE,
	    front_callable_execute_prompt,
	    "start an execution and wait for its answer, at most 60 s"),
	CALLABLE("/cancel_execution", RUN, ROUTE_READ, front_callable_cancel,
	    "cancel an execution"),
	CALLABLE("/cancel", RUN, ROUTE_READ, front_callable_cancel, "the same"),

	REST(POST, "/v1/executions", RUN, ROUTE_CREATE,
	    front_rest_execution_create, "start an execution"),
	ASKED(GET, "/v1/executions", READ, ROUTE_READ,
	    front_rest_execution_list, "status owner since until limit after",
	    "list executions, newest first"),
	REST(POST, "/v1/executions/poll", READ, ROUTE_READ, front_rest_poll,
	    "chunks of up to 100 executions at once"),
	ASKED(GET, "/v1/executions/export", READ, ROUTE_READ, front_rest_export,
	    "status owner since until after",
	    "executions with their chunks, one a line (NDJSON)"),
	{ HTTP_POST, "/v1/executions/import", &front_rest, ADMIN, ROUTE_FREE,
	    front_rest_import,
	    "lines of an export (NDJSON) back into the store",
	    "dry_run owner" },
	ASKED(POST, "/v1/executions/export", READ, ROUTE_READ,
	    front_rest_export_named, "",
	    "up to 1,000 executions by their ids, one a line (NDJSON)"),
	REST(GET, "/v1/executions/{id}", READ, ROUTE_READ,
	    front_rest_execution_show, "one execution without its chunks"),
	REST(DELETE, "/v1/executions/{id}", RUN, ROUTE_READ,
	    front_rest_execution_delete, "delete an execution that has ended"),
	ASKED(GET, "/v1/executions/{id}/chunks", READ, ROUTE_READ,
	    front_rest_chunks, "fromIndex from_index limit wait_ms waitMs",
	    "chunks from an index on; wait_ms holds the answer for news"),
	{ HTTP_GET, "/v1/executions/{id}/events", &front_sse, READ, ROUTE_READ,
	    front_sse_events,
	    "chunks behind an index as server-sent events, to the end",
	    "after wait_ms ticket", ROUTE_TICKET_EXECUTION },
	REST(POST, "/v1/executions/{id}/tickets", READ, ROUTE_READ,
	    front_sse_ticket,
	    "what opens one stream of its events once, in place of a key"),
	{ HTTP_GET, "/v1/ws", &front_ws, READ, ROUTE_READ, front_ws_open,
	    "a WebSocket: start, follow and cancel many executions", "ticket",
	    ROUTE_TICKET_SOCKET },
	{ HTTP_POST, "/v1/ws/tickets", &front_ws, READ, ROUTE_READ,
	    front_ws_ticket, "what opens one WebSocket once, in place of a key",
	    "" },
	REST(GET, "/v1/executions/{id}/text", READ, ROUTE_READ, front_rest_text,
	    "the answer as plain text"),
	REST(POST, "/v1/executions/{id}/cancel", RUN, ROUTE_READ,
	    front_rest_cancel, "cancel an execution"),

	OPENAI(POST, "/v1/chat/completions", RUN, ROUTE_CREATE,
	    front_openai_chat_create, NULL,
	    "OpenAI's chat completions, as a stream or whole"),
	OPENAI(GET, "/v1/chat/completions/{id}", READ, ROUTE_READ,
	    front_openai_chat_show, "stream starting_after wait_ms",
	    "an execution as a chat completion, or as its stream again"),
	OPENAI(POST, "/v1/responses", RUN, ROUTE_CREATE, front_responses_create,
	    NULL,
	    "OpenAI's responses, as a stream, whole or in the background"),
	OPENAI(GET, "/v1/responses/{id}", READ, ROUTE_READ,
	    front_responses_show, NULL,
	    "an execution as a response, or as its events again"),
	OPENAI(DELETE, "/v1/responses/{id}", RUN, ROUTE_READ,
	    front_responses_delete, NULL, "delete a response that has ended"),
	OPENAI(POST, "/v1/responses/{id}/cancel", RUN, ROUTE_READ,
	    front_responses_cancel, NULL, "cancel a response"),
	OPENAI(GET, "/v1/responses/{id}/input_items", READ, ROUTE_READ,
	    front_responses_input, NULL, "what a response was asked"),
	ASKED(GET, "/v1/models", READ, ROUTE_READ, front_rest_model_list,
	    "refresh",
	    "the models that can be asked for, as OpenAI lists them"),
	{ HTTP_GET, "/v1/models/{model}", &front_rest, READ, ROUTE_READ,
	    front_rest_model_show, "one of them; its name may have slashes",
	    "refresh", .deep = true },

	OPENAI(POST, "/v1/embeddings", RUN, ROUTE_CREATE,
	    front_openai_embeddings_create, NULL, "OpenAI's embeddings"),
	{ HTTP_POST, "/stream", &front_stream, RUN, ROUTE_CREATE,
	    front_stream_start,
	    "an answer to a text, as events that say their type", NULL, false },
	UI(POST, "/api/chat", RUN, ROUTE_CREATE, front_ui_chat, NULL,
	    "what useChat asks (AI SDK), answered as a UI message stream"),
	UI(GET, "/api/chat/{id}/stream", READ, ROUTE_READ, front_ui_stream,
	    "startIndex",
	    "the stream that answers in a chat now, or an execution's from a "
	    "part on"),

	ASKED(GET, "/v1/usage", READ, ROUTE_READ, front_rest_usage,
	    "by owner since until limit after",
	    "what executions used, by day, owner or target"),

	REST(POST, "/v1/keys", ADMIN, ROUTE_READ, front_rest_key_add,
	    "make a key; its secret is shown once"),
	REST(GET, "/v1/keys", ADMIN, ROUTE_READ, front_rest_key_list,
	    "list keys"),
	REST(DELETE, "/v1/keys/{id}", ADMIN, ROUTE_READ, front_rest_key_revoke,
	    "revoke a key"),
	REST(POST, "/v1/keys/{id}/rotate", ADMIN, ROUTE_READ,
	    front_rest_key_rotate, "replace a key by a new one"),

	REST(PUT, "/v1/provider-keys/{upstream}", RUN, ROUTE_READ,
	    front_rest_provider_key_put,
	    "keep a key of the owner's own for an upstream, sealed"),
	ASKED(GET, "/v1/provider-keys", READ, ROUTE_READ,
	    front_rest_provider_key_list, "owner",
	    "list them, without the keys"),
	ASKED(DELETE, "/v1/provider-keys/{upstream}", RUN, ROUTE_READ,
	    front_rest_provider_key_delete, "owner", "forget one"),

	REST(PUT, "/v1/prompts/{name}", RUN, ROUTE_READ, front_rest_prompt_put,
	    "store the next version of a prompt"),
	ASKED(GET, "/v1/prompts", READ, ROUTE_READ, front_rest_prompt_list,
	    "limit after", "list prompts, by name"),
	ASKED(GET, "/v1/prompts/{name}", READ, ROUTE_READ,
	    front_rest_prompt_show, "version",
	    "one prompt, its newest or ?version="),
	REST(DELETE, "/v1/prompts/{name}", RUN, ROUTE_READ,
	    front_rest_prompt_delete, "delete all versions of a prompt"),

	ASKED(GET, "/v1/streams", READ, ROUTE_READ, front_durable_list,
	    "limit after", "list streams, by name"),
	STREAM(PUT, RUN, front_durable_create, "create a stream, or a fork"),
	STREAM(POST, RUN, front_durable_append, "append to a stream, close it"),
	STREAM(GET, READ, front_durable_read,
	    "a stream from an offset on; live=long-poll waits, live=sse tells"),
	STREAM(DELETE, RUN, front_durable_delete, "delete a stream"),

	OPS("/healthz", 0, front_ops_healthz, "the process answers"),
	OPS("/readyz", 0, front_ops_readyz,
	    "the store works and new work is taken"),
	OPS("/v1/status", ADMIN, front_ops_status, "counts for operators"),
	{ HTTP_GET, "/v1/check", &front_ops, ADMIN, ROUTE_FREE, front_ops_check,
	    "does the store hold what it promises, finding by finding (NDJSON)",
	    "quick" },
	{ HTTP_POST, "/v1/backup", &front_ops, ADMIN, ROUTE_FREE,
	    front_ops_backup,
	    "copy the store into the server's directory for backups", "" },
	{ HTTP_POST, "/v1/prune", &front_ops, ADMIN, ROUTE_FREE,
	    front_ops_prune,
	    "remove ended executions, or their payload, a batch a call", "" },
	{ HTTP_GET, "/v1/audit", &front_ops, ADMIN, ROUTE_FREE, front_ops_audit,
	    "what was done, the newest first", "before limit" },
	OPS("/openapi.json", 0, front_ops_openapi, "this table as OpenAPI 3.1"),
};
#define N_ROUTES (sizeof(table) / sizeof(table[0]))

const struct route *route_table(size_t *ret_n)
{
	*ret_n = N_ROUTES;
	return table;
}

/* How much of each pattern is literal before its first {name}: asked first. */
static size_t literal[N_ROUTES];
static pthread_once_t counted = PTHREAD_ONCE_INIT;

static void count_literals(void)
{
	for (size_t i = 0; i < N_ROUTES; i++)
		literal[i] = strcspn(table[i].pattern, "{");
}

static bool in_segment(char c)
{
	return c != '\0' && c != '/';
}

/* {name}/… against the rest of a path; ${deep}: all of it is the name. */
static bool match_rest(
    const char *pattern, const char *path, bool deep, struct route_args *ret)
{
	for (;;) {
		const char *from = path;

		while (in_segment(*path) || (deep && *path))
			path++;
		if (path == from || ret->n == ROUTE_MAX_ARGS)
			return false;
		ret->arg[ret->n].text = from;
		ret->arg[ret->n++].len = (size_t)(path - from);
		while (in_segment(*pattern))
			pattern++;
		while (*pattern && *pattern != '{' && *pattern == *path) {
			pattern++;
			path++;
		}
		if (*pattern != '{')
			return *pattern == '\0' && *path == '\0';
	}
}

/* By hand: the whole table is tried for each request. */
static bool match(
    size_t i, const char *path, size_t len, struct route_args *ret)
{
	const char *pattern = table[i].pattern;
	size_t n = literal[i];

	ret->n = 0;
	/* The last byte tells most of them apart. */
	if (len < n || path[n - 1] != pattern[n - 1] ||
	    memcmp(path, pattern, n) != 0)
		return false;
	return pattern[n] == '\0'
		   ? len == n
		   : match_rest(pattern + n, path + n, table[i].deep, ret);
}

/* "/name" of /base/name and /{project}/{region}/name; else the path itself. */
static const char *callable_path(const char *path, const char *base)
{
	size_t n = strlen(base);
	const char *first, *second;

	if (n > 0 && strncmp(path, base, n) == 0 && path[n] == '/')
		path += n;
	if (strncmp(path, "/v1/", 4) == 0)
		return path;
	first = strchr(path + 1, '/');
	second = first ? strchr(first + 1, '/') : NULL;
	if (second && first > path + 1 && second > first + 1 &&
	    !strchr(second + 1, '/'))
		return second;
	return path;
}

static void allow_add(char *allow, size_t room, const char *name)
{
	size_t used = strlen(allow);

	if (!strstr(allow, name))
		(void)snprintf(
		    allow + used, room - used, "%s%s", used ? ", " : "", name);
}

enum err route_find(enum http_method method, const char *path,
    const char *base_path, const struct route **ret, struct route_args *args,
    char *allow, size_t allow_room)
{
	const char *short_path = callable_path(path, base_path);
	size_t len = strlen(path), cut = (size_t)(short_path - path);
	bool found = false, named = false;

	pthread_once(&counted, count_literals);
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	allow[0] = '\0';
	for (size_t i = 0; i < N_ROUTES; i++) {
		const struct route *r = &table[i];
		size_t skip = r->front == &front_callable ? cut : 0;

		if (!match(i, path + skip, len - skip, args))
			continue;
		if (r->method == method) {
			*ret = r;
			return OK;
		}
		/* "export" is not an id of another route's. */
		if (named && args->n > 0)
			continue;
		found = true;
		named |= args->n == 0;
		allow_add(allow, allow_room, http_method_name(r->method));
		if (r->method == HTTP_GET)
			allow_add(allow, allow_room, "HEAD");
	}
	return found ? ERR_DENIED : ERR_NOT_FOUND;
}

const struct front *route_front_of(enum http_method method, const char *path)
{
	if (strncmp(path, "/api/chat", 9) == 0)
		return &front_ui;
	if (method == HTTP_POST && strncmp(path, "/v1/", 4) != 0)
		return &front_callable;
	if (strncmp(path, "/v1/chat/", 9) == 0 ||
	    strncmp(path, "/v1/responses", 13) == 0 ||
	    strncmp(path, "/v1/embeddings", 14) == 0)
		return &front_openai;
	return &front_rest;
}

/* Is the ${i}-th pattern the first of its name in the table? */
static bool is_new(const char *const *names, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(names[k], names[i]) == 0)
			return false;
	return true;
}

void route_names(const char *path, char *dst, size_t room)
{
	const char *names[N_ROUTES], *near;
	static const char more[] = "; GET /openapi.json has all";
	bool rest = strncmp(path, "/v1", 3) == 0;
	size_t used = 0;

	for (size_t i = 0; i < N_ROUTES; i++)
		names[i] = table[i].pattern;
	near = strlen(path) < SUGGEST_MAX_WORD
		   ? suggest_nearest(path, names, N_ROUTES)
		   : NULL;
	dst[0] = '\0';
	if (near) {
		(void)snprintf(dst, room, "did you mean %s?", near);
		return;
	}
	for (size_t i = 0; i < N_ROUTES; i++) {
		bool v1 = strncmp(names[i], "/v1", 3) == 0;

		if (v1 != rest || !is_new(names, i))
			continue;
		if (used + strlen(names[i]) + sizeof(more) + 16 > room)
			break;
		used += (size_t)snprintf(dst + used, room - used, "%s%s",
		    used ? ", " : "known are ", names[i]);
	}
	(void)snprintf(dst + used, room - used, "%s", more);
}

/* "limit after" in words, cut out of ${text}. Returns how many. */
static size_t split(char *text, const char **words, size_t max)
{
	size_t n = 0;
	char *rest = text;

	for (char *w; n < max && (w = strtok_r(rest, " ", &rest));)
		words[n++] = w;
	return n;
}

/* Is the ${len} bytes at ${name} one of "limit after"? */
static bool is_word_of(const char *words, const char *name, size_t len)
{
	while (*words) {
		const char *end = strchrnul(words, ' ');

		if ((size_t)(end - words) == len &&
		    memcmp(words, name, len) == 0)
			return true;
		words = *end ? end + 1 : end;
	}
	return false;
}

static void hint_at(
    const struct route *r, const char *name, char *ret, size_t room)
{
	const char *words[MAX_QUERY_NAMES], *near;
	char text[MAX_QUERY_BYTES];
	size_t n;

	(void)snprintf(text, sizeof(text), "%s", r->query);
	n = split(text, words, MAX_QUERY_NAMES);
	near = suggest_nearest(name, words, n);
	(void)snprintf(ret, room, "%s%s%s",
	    near ? "did you mean "
	    : n	 ? "known are "
		 : "there are none",
	    near ? near : r->query, near ? "?" : "");
}

enum err route_check_query(const struct route *r, const char *query,
    char *ret_name, size_t room, char *ret_hint, size_t hint_room)
{
	if (!r->query)
		return OK;
	while (*query) {
		const char *end = strchrnul(query, '&');
		const char *mark = memchr(query, '=', (size_t)(end - query));
		size_t len = (size_t)((mark ? mark : end) - query);

		if (len > 0 && !is_word_of(r->query, query, len)) {
			(void)snprintf(ret_name, room, "%.*s", (int)len, query);
			hint_at(r, ret_name, ret_hint, hint_room);
			return ERR_INPUT;
		}
		query = *end ? end + 1 : end;
	}
	return OK;
}
