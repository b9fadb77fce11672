/*
 * POST /v1/chat/completions: an execution made, and told as it comes or whole;
 * GET …/{id}: told again.
 */
#include <jansson.h>
#include <stdio.h>

#include "server/body.h"
#include "server/cancel.h"
#include "server/events.h"
#include "server/front_ending.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/front_openai_chunk.h"
#include "server/front_openai_whole.h"
#include "server/front_record.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_page.h"
#include "store/base/digest.h"
#include "store/request.h"

#define PREFIX "chatcmpl-"
#define PING_MS 15000
/* For what fails at once; well before a proxy's patience ends. */
#define HOLD_MS 10000
/* As long as the clients' libraries wait. */
#define WAIT_MS 600000

/* What is remembered of the request while it is answered. */
struct chat {
	struct service *service;
	char model[REQUEST_MAX_MODEL_BYTES + 1];
	enum body_usage usage;
	bool stream;
	uint64_t from; /* the first event wanted */
	int64_t wait_ms;
	/* Whoever leaves, leaves nothing running. */
	bool cancel_on_leave, begun;
	struct id id;
};

static void chat_drop(void *memo)
{
	struct chat *chat = memo;

	if (chat->cancel_on_leave && chat->begun)
		cancel_left(chat->service, &chat->id);
}

/* --- whole --- */

struct whole {
	struct reader reader;
	struct front_openai_whole answer;
	bool gathering;
};

static void whole_drop(void *state)
{
	struct whole *w = state;

	reader_close(&w->reader);
	front_openai_whole_fini(&w->answer);
}

/* Nobody has waited in vain for what may yet come: the execution goes on. */
static void too_early(struct call *call, const struct id *id)
{
	struct chat *chat = call->memo;
	struct problem p;

	if (chat->begun)
		problem_set(&p, PROBLEM_DEADLINE_EXCEEDED, NULL,
		    "no end within %d s; the execution goes on: GET it by its "
		    "execution_id",
		    WAIT_MS / 1000);
	else
		problem_set(&p, PROBLEM_NOT_ENDED, NULL,
		    "the execution has not ended; ask again, or with "
		    "wait_ms, or with stream=true");
	id_text(id, p.execution);
	/* Asked again, it would be another execution. */
	if (chat->begun)
		http_reply_header(call->x, "x-should-retry", "false");
	chat->cancel_on_leave = false;
	call_fail(call, &p);
}

static void answer_whole(struct whole *w, const struct page *last)
{
	struct call *call = w->reader.call;
	const struct chat *chat = call->memo;
	struct front_ending e;
	struct buf b;

	if (front_openai_whole_state(&w->answer) == ERR_LIMIT) {
		call_refuse(call, PROBLEM_FAILED_PRECONDITION, "stream",
		    "the answer is larger than %d MiB: read it with "
		    "stream=true",
		    (int)(FRONT_OPENAI_WHOLE_BYTES >> 20));
		return;
	}
	if (front_openai_whole_state(&w->answer) != OK) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	front_ending_read(last, &e);
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	front_openai_whole_write(&b, &w->answer, last, chat->model, &e);
	call_reply_json(call, 200, &b);
}

static void on_whole(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct whole *w = (struct whole *)r;
	struct call *call = r->call;
	struct front_ending ending;
	struct problem p;

	if (e != OK) {
		call_fail_err(call, e, why);
	} else if (!execution_ended(page->status)) {
		too_early(call, &r->id);
	} else if (page->status != EXECUTION_COMPLETED) {
		front_ending_read(page, &ending);
		front_ending_problem(&ending, &r->id, &p);
		call_fail(call, &p);
	} else if (!w->gathering) {
		/* Only now that it is known to be wanted is it kept. */
		w->gathering = true;
		r->q.from = 0;
		r->q.limit = PAGE_MAX_CHUNKS;
		reader_read(r, READER_NOW, 0);
	} else {
		front_openai_whole_take(&w->answer, page);
		r->q.from = page_next(page);
		if (page_final(page))
			answer_whole(w, page);
		else
			reader_read(r, READER_NOW, 0);
	}
}

static void whole_start(struct call *call, const struct id *id)
{
	const struct chat *chat = call->memo;
	struct whole *w = call_state(call, sizeof(*w), whole_drop);

	if (!w) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	front_openai_whole_init(&w->answer);
	reader_init(&w->reader, call, id, on_whole);
	/* Until the end only the status is wanted: an empty page. */
	w->reader.q.from = INT64_MAX;
	w->reader.q.limit = 1;
	reader_read(&w->reader, READER_THE_END, chat->wait_ms);
}

/* --- as it comes --- */

static void stream_start(struct call *call, const struct id *id)
{
	const struct chat *chat = call->memo;
	struct telling *t =
	    front_openai_chunk_new(chat->model, chat->usage, chat->from);

	if (!t) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	events_start(call, id,
	    &(struct events_options){ .ping_ms = PING_MS,
		.wait_ms = EVENTS_FOR_EVER,
		.telling = t,
		.hold_ms = HOLD_MS });
}

static void answer(struct call *call, const struct id *id)
{
	const struct chat *chat = call->memo;

	front_openai_name(call, id);
	if (chat->stream)
		stream_start(call, id);
	else
		whole_start(call, id);
}

/* --- POST --- */

static void on_made(struct call *call, const struct submitted *s)
{
	struct chat *chat = call->memo;

	chat->id = s->id;
	chat->begun = true;
	if (s->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	answer(call, &s->id);
}

/* False: answered. */
static bool read_body(struct call *call, struct body_chat *ret)
{
	json_t *root = NULL;
	struct problem p;
	const char *body;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return false;
	body = http_body(call->x, &len);
	e = body_parse(body, len, &root, &p);
	if (e == OK)
		e = body_chat(root, call->service->o.never_goes_on, ret, &p);
	json_decref(root);
	if (e != OK)
		call_fail(call, &p);
	return e == OK;
}

void front_openai_chat_create(struct call *call)
{
	uint8_t hash[DIGEST_BYTES];
	struct body_chat chat;
	struct chat *memo;
	const char *body, *model;
	size_t len;

	if (!read_body(call, &chat))
		return;
	memo = call_memo(call, sizeof(*memo), chat_drop);
	if (!memo) {
		body_create_fini(&chat.create);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	model =
	    json_string_value(json_object_get(chat.create.members, "model"));
	*memo = (struct chat){ .service = call->service,
		.usage = chat.usage,
		.stream = chat.stream,
		.cancel_on_leave = chat.cancel_if_gone,
		.wait_ms = WAIT_MS };
	(void)snprintf(
	    memo->model, sizeof(memo->model), "%s", model ? model : "");
	body = http_body(call->x, &len);
	digest_sha256(body, len, hash);
	call->cancel_if_gone = chat.cancel_if_gone;
	submit_start(call, &chat.create, hash, on_made);
}

/* --- GET --- */

static void on_record(struct call *call, const struct execution *e)
{
	struct chat *chat = call->memo;

	(void)snprintf(chat->model, sizeof(chat->model), "%s", e->model);
	chat->usage = e->request ? body_chat_usage(e->request, e->request_len)
				 : BODY_USAGE_FINISH;
	answer(call, &e->id);
}

/*
 * What a client has seen: the number of the last event it knows, in the query
 * or, as reconnecting readers of events say it, in a header. False: answered.
 */
static bool read_after(struct call *call, uint64_t *ret_from)
{
	static const char *const names[] = { "starting_after", NULL };
	int64_t after = -1;

	if (events_last_id(call, &after) != OK)
		return false;
	if (after < 0 &&
	    call_number(call, names, -1, INT64_MAX - 1, &after) != OK)
		return false;
	*ret_from = (uint64_t)(after + 1);
	return true;
}

void front_openai_chat_show(struct call *call)
{
	static const char *const wait_names[] = { "wait_ms", NULL };
	struct chat *chat;
	struct id id;

	if (front_openai_call_id(call, PREFIX, &id) != OK)
		return;
	chat = call_memo(call, sizeof(*chat), chat_drop);
	if (!chat) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	if (call_bool(call, "stream", &chat->stream) == OK &&
	    read_after(call, &chat->from) &&
	    call_number(call, wait_names, 0, WAIT_MS, &chat->wait_ms) == OK)
		front_record_ask(call, &id, on_record, NULL);
}
