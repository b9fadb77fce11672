#include "server/upstream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body_upstream.h"
#include "server/http.h"
#include "server/upstream_answer.h"
#include "server/upstream_kept.h"
#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "server/upstream_wire.h"
#include "store/base/jsonout.h"

#define REPLY_MAX_BYTES ((size_t)64 << 10)
#define MAX_BODY_BYTES ((size_t)8 << 20)
#define MAX_KEY_BYTES 256

struct upstream {
	struct http_server *server;
	const struct upstream_voice *voice;
	struct upstream_plan plan;
	char key[MAX_KEY_BYTES]; /* "": nobody asks */
	char url[96];
	struct upstream_counts counts;
	struct upstream_kept_list *kept;
	/* Each loop claims one. */
	atomic_uint claimed;
	struct upstream_lane **lanes;
	unsigned n_lanes;
};

/* A loop without memory for a lane answers 500. */
static void on_loop(struct http_loop *loop, void *arg)
{
	struct upstream *u = arg;
	struct upstream_lane *lane = malloc(sizeof(*lane));
	unsigned i = atomic_fetch_add(&u->claimed, 1);

	if (lane == NULL)
		return;
	upstream_lane_init(lane, loop, &u->counts);
	u->lanes[i] = lane;
	http_loop_set(loop, lane);
}

/* --- plain answers --- */

static void reply_error(const struct upstream *u, struct http_exchange *x,
    int status, const char *text)
{
	struct buf body;

	buf_init(&body, REPLY_MAX_BYTES);
	upstream_wire_error(u->voice, &body, status, text);
	if (status == 401)
		http_reply_header(x, "WWW-Authenticate", "Bearer");
	if (status == 429 || status == 503) {
		http_reply_header(x, "retry-after", "1");
		http_reply_header(x, "retry-after-ms", "100");
	}
	if (status == 429) {
		http_reply_header(x, "x-ratelimit-limit-requests", "60");
		http_reply_header(x, "x-ratelimit-remaining-requests", "0");
		http_reply_header(x, "x-ratelimit-reset-requests", "100ms");
	}
	http_reply(x, status, upstream_wire_error_type(status), &body);
	buf_fini(&body);
}

static void on_refusal(struct buf *body, const char **ret_content_type,
    int status, const char *code, const char *detail)
{
	(void)code;
	/* the server cannot say whose it is; any client reads this one */
	upstream_wire_error(&upstream_voice_openai, body, status, detail);
	*ret_content_type = upstream_wire_error_type(status);
}

static void reply_models(const struct upstream *u, struct http_exchange *x)
{
	struct buf body;

	buf_init(&body, REPLY_MAX_BYTES);
	u->voice->models(&body);
	http_reply(x, 200, "application/json", &body);
	buf_fini(&body);
}

void upstream_stats(const struct upstream *u, struct upstream_stats *ret)
{
	const struct upstream_counts *c = &u->counts;

	ret->finished = atomic_load(&c->finished);
	ret->faulted = atomic_load(&c->faulted);
	ret->cut = atomic_load(&c->cut);
	ret->tokens = atomic_load(&c->tokens);
	ret->resumed = atomic_load(&c->resumed);
	ret->cancelled = atomic_load(&c->cancelled);
	/* Last: so that what ended is never more than what began. */
	ret->streams = atomic_load(&c->streams);
	ret->requests = atomic_load(&c->requests);
}

static void reply_stats(struct http_exchange *x, const struct upstream *u)
{
	struct upstream_stats s;
	struct buf body;

	upstream_stats(u, &s);
	buf_init(&body, REPLY_MAX_BYTES);
	jsonout_object(&body);
	jsonout_member_int(&body, "requests", (int64_t)s.requests);
	jsonout_member_int(&body, "streams", (int64_t)s.streams);
	jsonout_member_int(&body, "open",
	    (int64_t)(s.streams - s.finished - s.faulted - s.cut));
	jsonout_member_int(&body, "finished", (int64_t)s.finished);
	jsonout_member_int(&body, "faulted", (int64_t)s.faulted);
	jsonout_member_int(&body, "cut", (int64_t)s.cut);
	jsonout_member_int(&body, "tokens", (int64_t)s.tokens);
	jsonout_member_int(&body, "resumed", (int64_t)s.resumed);
	jsonout_member_int(&body, "cancelled", (int64_t)s.cancelled);
	jsonout_object_end(&body);
	http_reply(x, 200, "application/json", &body);
	buf_fini(&body);
}

/* --- completions --- */

static bool is_allowed(const struct upstream *u, const struct http_exchange *x)
{
	const struct upstream_voice *v = u->voice;
	const char *said = http_header(x, v->key_header);
	size_t n = strlen(v->key_prefix);

	if (u->key[0] == '\0')
		return true;
	return said != NULL && strncmp(said, v->key_prefix, n) == 0 &&
	       strcmp(said + n, u->key) == 0;
}

/* The query without what the dialect itself puts there. */
static const char *own_query(const struct http_exchange *x)
{
	static const char sse[] = "alt=sse";
	const char *query = http_query(x);

	if (strncmp(query, sse, sizeof(sse) - 1) != 0)
		return query;
	query += sizeof(sse) - 1;
	return *query == '&' ? query + 1 : query;
}

/* What this request gets: an HTTP status to refuse it with, or 0. */
static int make_plan(struct upstream *u, const struct http_exchange *x,
    const struct body_upstream *asked, struct upstream_plan *ret,
    struct why *why)
{
	uint64_t number = atomic_fetch_add(&u->counts.requests, 1);
	struct upstream_plan plan = u->plan;
	enum err e = upstream_plan_model(&plan, asked->model, why);

	if (e == OK)
		e = upstream_plan_query(&plan, own_query(x), why);
	if (e != OK)
		return e == ERR_NOT_FOUND ? 404 : 400;
	upstream_plan_draw(&plan, number);
	*ret = plan;
	return 0;
}

/* Begin to tell an answer; takes what is in ${asked}, and ${kept}. */
static void tell(struct upstream *u, struct http_exchange *x,
    const struct upstream_plan *plan, struct body_upstream *asked,
    struct upstream_kept *kept, int64_t heard)
{
	struct upstream_lane *lane = http_loop_get(http_exchange_loop(x));

	if (lane != NULL && upstream_answer_start(lane, x, u->voice, plan,
				asked, kept, heard) == OK)
		return;
	upstream_kept_drop(kept);
	reply_error(u, x, 500, NULL);
}

static void complete(struct upstream *u, struct http_exchange *x)
{
	struct body_upstream asked = { 0 };
	struct upstream_plan plan = { 0 };
	struct upstream_kept *kept = NULL;
	struct why why = { "" };
	size_t len;
	const char *body = http_body(x, &len);
	int status = 0;
	enum err e = body_upstream_parse(
	    u->voice->name, http_path(x), body, len, &asked, &why);

	if (e == OK)
		status = make_plan(u, x, &asked, &plan, &why);
	if (e == ERR_INPUT) {
		reply_error(u, x, 400, why.text);
	} else if (e != OK) {
		reply_error(u, x, 500, NULL);
	} else if (status != 0) {
		reply_error(u, x, status, why.text);
	} else if (plan.fault == UPSTREAM_STATUS) {
		reply_error(u, x, (int)plan.status, NULL);
	} else if (u->voice->kept_path != NULL && asked.background &&
		   upstream_kept_add(u->kept, &plan, body, len, &kept) != OK) {
		reply_error(u, x, 500, NULL);
	} else {
		tell(u, x, &plan, &asked, kept, -1);
	}
	body_upstream_fini(&asked);
}

/* --- what goes on when nobody hears it --- */

/* The answer of ${text}, "UUID"; with ${cancels}, "UUID/cancel". */
static struct upstream_kept *find_kept(
    struct upstream *u, const char *text, bool cancels)
{
	size_t len = strcspn(text, "/");
	struct id id;

	if (strcmp(text + len, cancels ? "/cancel" : "") != 0 ||
	    id_parse(text, len, &id) != OK)
		return NULL;
	return upstream_kept_find(u->kept, &id);
}

/* How it is to be told: ERR_INPUT when the query makes no sense. */
static enum err read_telling(const struct http_exchange *x, bool *ret_stream,
    int64_t *ret_heard, struct why *why)
{
	char stream[8] = "", after[24] = "-1", *end;
	enum err e = http_query_value(x, "stream", stream, sizeof(stream));

	if (e == OK || e == ERR_NOT_FOUND)
		e = http_query_value(x, "starting_after", after, sizeof(after));
	if (e == ERR_INPUT) {
		err_why(why, "Invalid query.");
		return ERR_INPUT;
	}
	*ret_heard = strtoll(after, &end, 10);
	if (end == after || *end != '\0' || *ret_heard < -1) {
		err_why(why, "'starting_after' must be an integer.");
		return ERR_INPUT;
	}
	*ret_stream = strcmp(stream, "true") == 0;
	return OK;
}

/* GET tells it, as a stream or as it stands; POST …/cancel ends it. */
static void recall(struct upstream *u, struct http_exchange *x)
{
	const char *text = http_path(x) + strlen(u->voice->kept_path);
	bool cancels = http_method(x) == HTTP_POST, stream = false;
	struct upstream_kept *kept = find_kept(u, text, cancels);
	struct body_upstream asked = { 0 };
	struct upstream_plan plan;
	struct why why = { "" };
	int64_t heard = -1;
	enum err e = OK;

	if (kept == NULL) {
		reply_error(u, x, 404, "No response has that id.");
		return;
	}
	if (!cancels)
		e = read_telling(x, &stream, &heard, &why);
	if (e == OK)
		e = body_upstream_parse(u->voice->name, u->voice->kept_path,
		    kept->body, kept->len, &asked, &why);
	if (e != OK) {
		upstream_kept_drop(kept);
		reply_error(u, x, e == ERR_INPUT ? 400 : 500, why.text);
		return;
	}
	if (cancels) {
		upstream_kept_cancel(kept);
		atomic_fetch_add(&u->counts.cancelled, 1);
	} else if (stream) {
		atomic_fetch_add(&u->counts.resumed, 1);
	}
	asked.stream = stream;
	plan = kept->plan;
	tell(u, x, &plan, &asked, kept, heard);
	body_upstream_fini(&asked);
}

static bool is_kept(const struct upstream *u, const char *path)
{
	const char *at = u->voice->kept_path;

	return at != NULL && strncmp(path, at, strlen(at)) == 0;
}

static void on_request(struct http_exchange *x, void *arg)
{
	struct upstream *u = arg;
	const char *path = http_path(x);
	enum http_method method = http_method(x);
	bool get = method == HTTP_GET || method == HTTP_HEAD;
	bool chat = u->voice->is_chat(path);
	bool models = strcmp(path, u->voice->models_path) == 0;
	bool stats = strcmp(path, "/stats") == 0;
	bool kept = is_kept(u, path);

	if (!chat && !models && !stats && !kept)
		reply_error(u, x, 404,
		    "Unknown request URL: a simulation answers chats, and "
		    "makes no embeddings.");
	else if (kept	? !get && method != HTTP_POST
		 : chat ? method != HTTP_POST
			: !get)
		reply_error(u, x, 405, NULL);
	else if (stats)
		reply_stats(x, u);
	else if (!is_allowed(u, x))
		reply_error(u, x, 401, NULL);
	else if (models)
		reply_models(u, x);
	else if (kept)
		recall(u, x);
	else
		complete(u, x);
}

/* --- life --- */

static enum err listen_on(
    struct upstream *u, const struct upstream_options *o, struct why *why)
{
	const char *listen[] = { o->listen != NULL ? o->listen : "127.0.0.1:0",
		NULL };
	static const char *const any[] = { "*", NULL };
	const struct http_options http = {
		.listen = listen,
		.loops = u->n_lanes,
		.max_body_bytes = MAX_BODY_BYTES,
		.allow_hosts = any,
		.server_name = "spool-upstream (simulation)",
		.on_request = on_request,
		.on_refusal = on_refusal,
		.on_loop = on_loop,
		.arg = u,
	};
	char address[64];
	enum err e = http_server_start(&http, &u->server, why);

	if (e != OK)
		return e;
	(void)http_server_address(u->server, 0, address, sizeof(address));
	snprintf(
	    u->url, sizeof(u->url), "http://%s%s", address, u->voice->base);
	return OK;
}

enum err upstream_start(const struct upstream_options *options,
    struct upstream **ret, struct why *why)
{
	struct upstream *u = calloc(1, sizeof(*u));
	enum err e = ERR_NOMEM;

	if (u == NULL)
		goto out;
	e = upstream_voice_find(
	    options->dialect != NULL ? options->dialect : "openai", &u->voice,
	    why);
	if (e != OK)
		goto out;
	e = ERR_NOMEM;
	u->n_lanes = options->loops > 0 ? options->loops : 1;
	u->lanes = calloc(u->n_lanes, sizeof(*u->lanes));
	u->kept = upstream_kept_list_new();
	if (u->lanes == NULL || u->kept == NULL)
		goto out;
	e = upstream_plan_init(&u->plan, options, why);
	if (e != OK)
		goto out;
	if (options->key != NULL && (size_t)snprintf(u->key, sizeof(u->key),
					"%s", options->key) >= sizeof(u->key)) {
		err_why(why, "the simulation's key is too long");
		e = ERR_INPUT;
		goto out;
	}
	e = listen_on(u, options, why);
	if (e != OK)
		goto out;
	*ret = u;
	u = NULL;
out:
	upstream_stop(u);
	return e;
}

const char *upstream_url(const struct upstream *u)
{
	return u->url;
}

void upstream_stop(struct upstream *u)
{
	if (u == NULL)
		return;
	http_server_stop(u->server);
	for (unsigned i = 0; u->lanes != NULL && i < u->n_lanes; i++) {
		if (u->lanes[i] != NULL)
			upstream_lane_fini(u->lanes[i]);
		free(u->lanes[i]);
	}
	free(u->lanes);
	upstream_kept_list_free(u->kept);
	free(u);
}
