/* REST: the models that can be asked for, in the shape of OpenAI's list. */
#include <stdio.h>
#include <string.h>

#include "server/call.h"
#include "server/front_handlers.h"
#include "server/models.h"
#include "server/service_internal.h"
#include "store/base/clock.h"
#include "worker/worker.h"

/* A list is answered in such pieces, each when the socket has drained. */
#define PIECE_BYTES ((size_t)64 << 10)
/* How long an answer waits for upstreams' lists, and how often it looks. */
#define WAIT_MS 3000
#define LOOK_MS 20
#define MAX_NAME 512

struct listing {
	struct worker_models *models;
	void (*answer)(struct call *call, struct listing *l);
	struct http_timer *timer;
	uint64_t what; /* waited for */
	int64_t until_ms;
	size_t at; /* bytes that were sent */
};

static void listing_drop(void *state)
{
	struct listing *l = state;

	if (l->timer)
		http_timer_cancel(l->timer);
	worker_models_drop(l->models);
}

static void look(struct call *call);

static void on_timer(void *arg)
{
	struct call *call = arg;
	struct listing *l = call->state;

	l->timer = NULL;
	look(call);
}

/* Answer as soon as lists are there, or have taken too long. */
static void look(struct call *call)
{
	struct listing *l = call->state;
	struct worker *w = service_worker(call->service);
	bool ready;

	if (!w) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return;
	}
	ready = l->what == 0 || worker_models_listed(w, l->what) ||
		clock_mono_ms() >= l->until_ms;
	if (ready)
		l->models = worker_models(w);
	service_worker_done(call->service);
	if (!ready)
		l->timer = http_loop_after(call->loop, LOOK_MS, on_timer, call);
	if (ready)
		l->answer(call, l);
	else if (!l->timer)
		call_fail_err(call, ERR_NOMEM, NULL);
}

static void start(
    struct call *call, void (*answer)(struct call *call, struct listing *l))
{
	struct listing *l;
	struct worker *w;
	bool now = false;

	if (call_bool(call, "refresh", &now) != OK)
		return;
	l = call_state(call, sizeof(*l), listing_drop);
	if (!l) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	l->answer = answer;
	l->until_ms = clock_mono_ms() + WAIT_MS;
	w = service_worker(call->service);
	if (w) {
		l->what = worker_models_want(w, now);
		service_worker_done(call->service);
	}
	look(call);
}

/* --- all of them --- */

static void more(struct call *call)
{
	struct listing *l = call->state;
	size_t len, left;
	const char *text = worker_models_text(l->models, &len);

	left = len - l->at;
	if (left == 0) {
		call_end(call);
		return;
	}
	if (left > PIECE_BYTES)
		left = PIECE_BYTES;
	l->at += left;
	(void)http_stream_write(call->x, text + l->at - left, left);
}

static void answer_list(struct call *call, struct listing *l)
{
	const char *match = http_header(call->x, "If-None-Match");
	char etag[64];
	const char *text;
	struct buf b;
	size_t len;

	(void)snprintf(
	    etag, sizeof(etag), "\"%s\"", worker_models_tag(l->models));
	http_reply_header(call->x, "ETag", etag);
	http_reply_header(call->x, "Cache-Control", "private, no-cache");
	if (match && (strcmp(match, "*") == 0 || strstr(match, etag))) {
		call_reply_empty(call, 304);
		return;
	}
	text = worker_models_text(l->models, &len);
	if (len > PIECE_BYTES) {
		call->on_ready = more;
		call_stream(call, 200, "application/json");
		return;
	}
	buf_init(&b, PIECE_BYTES);
	buf_add(&b, text, len);
	call_reply_json(call, 200, &b);
}

void front_rest_model_list(struct call *call)
{
	start(call, answer_list);
}

/* --- one --- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The rest of the path, percent-decoded: clients encode the slash, or not. */
static bool name_of(const struct call *call, char *dst, size_t room)
{
	const char *s = call->args.arg[0].text;
	const char *end = s + call->args.arg[0].len;
	size_t n = 0;

	while (s < end && n + 1 < room) {
		char c = *s++;

		if (c == '%') {
			if (end - s < 2 || hex(s[0]) < 0 || hex(s[1]) < 0)
				return false;
			c = (char)(hex(s[0]) << 4 | hex(s[1]));
			s += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return false;
		dst[n++] = c;
	}
	dst[n] = '\0';
	return s == end;
}

static void answer_one(struct call *call, struct listing *l)
{
	char name[MAX_NAME], hint[160] = "";
	const char *text;
	size_t i, len;
	struct buf b;

	if (!name_of(call, name, sizeof(name))) {
		call_refuse(call, PROBLEM_NOT_FOUND, "model",
		    "the path names no model");
		return;
	}
	if (!models_find(l->models, name, strlen(name), &i)) {
		models_hint(l->models, name, hint, sizeof(hint));
		call_refuse(call, PROBLEM_NOT_FOUND, "model",
		    "there is no model \"%.200s\"; %s", name,
		    hint[0] ? hint : "GET /v1/models lists them");
		return;
	}
	text = worker_models_entry(l->models, i, &len);
	buf_init(&b, len);
	buf_add(&b, text, len);
	http_reply_header(call->x, "Cache-Control", "private, no-cache");
	call_reply_json(call, 200, &b);
}

void front_rest_model_show(struct call *call)
{
	start(call, answer_one);
}
