/*
 * The AI SDK's chat: POST /api/chat asks, GET /api/chat/{id}/stream finds the
 * answer again: by the chat's name while it is being given, or, with startIndex,
 * by the execution's.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/cancel.h"
#include "server/chats.h"
#include "server/events.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/front_record.h"
#include "server/front_ui_part.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_page.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"

#define PING_MS 15000
#define HOLD_MS 10000

static void event_problem(struct buf *b, const struct problem *p)
{
	buf_puts(b, "data: ");
	jsonout_object(b);
	jsonout_member(b, "type", "error");
	jsonout_member(b, "errorText", p->detail);
	jsonout_object_end(b);
	buf_puts(b, "\n\n");
}

static int status(const struct problem *p)
{
	return front_openai.problem_status(p);
}

const struct front front_ui = {
	.name = "ui",
	.page = write_page,
	.problem_type = "application/json",
	.problem = front_openai_problem,
	.problem_status = status,
	.event_problem = event_problem,
};

/* What is remembered of the request while it is answered. */
struct ui {
	struct service *service;
	char chat[BODY_UI_NAME_BYTES];
	char message[BODY_UI_NAME_BYTES];
	uint64_t from;	/* the first part wanted */
	bool only_live; /* an answer that has ended is 204 */
	bool cancel_on_leave, begun;
	struct id id;
};

static void ui_drop(void *memo)
{
	struct ui *ui = memo;

	if (ui->cancel_on_leave && ui->begun)
		cancel_left(ui->service, &ui->id);
}

static void answer(struct call *call, const struct id *id)
{
	const struct ui *ui = call->memo;
	struct telling *t = front_ui_part_new(ui->message, ui->from);
	char text[ID_TEXT];

	if (!t) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	id_text(id, text);
	front_openai_name(call, id);
	http_reply_header(call->x, "x-workflow-run-id", text);
	http_reply_header(call->x, "x-vercel-ai-ui-message-stream", "v1");
	events_start(call, id,
	    &(struct events_options){ .ping_ms = PING_MS,
		.wait_ms = EVENTS_FOR_EVER,
		.over_is_204 = ui->only_live,
		.telling = t,
		.hold_ms = ui->begun ? HOLD_MS : 0 });
}

/* --- POST --- */

static void on_made(struct call *call, const struct submitted *s)
{
	struct ui *ui = call->memo;

	ui->id = s->id;
	ui->begun = true;
	if (ui->chat[0])
		chats_put(
		    call->service->chats, call->who.owner, ui->chat, &s->id);
	if (s->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	answer(call, &s->id);
}

/* False: answered. */
static bool read_body(struct call *call, struct body_ui *ret)
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
		e = body_ui(root, call->service->o.never_goes_on, ret, &p);
	json_decref(root);
	if (e != OK)
		call_fail(call, &p);
	return e == OK;
}

void front_ui_chat(struct call *call)
{
	uint8_t hash[DIGEST_BYTES];
	struct body_ui ui;
	struct ui *memo;
	const char *body;
	size_t len;

	if (!read_body(call, &ui))
		return;
	memo = call_memo(call, sizeof(*memo), ui_drop);
	if (!memo) {
		body_create_fini(&ui.create);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	memo->service = call->service;
	memo->cancel_on_leave = ui.cancel_if_gone;
	memcpy(memo->chat, ui.chat, sizeof(memo->chat));
	memcpy(memo->message, ui.message, sizeof(memo->message));
	body = http_body(call->x, &len);
	digest_sha256(body, len, hash);
	call->cancel_if_gone = ui.cancel_if_gone;
	submit_start(call, &ui.create, hash, on_made);
}

/* --- GET --- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The {id} of the path as the application wrote it; "": it is none. */
static void chat_name(const struct call *call, char *dst, size_t room)
{
	const char *at = call->args.arg[0].text;
	const char *end = at + call->args.arg[0].len;
	size_t n = 0;

	while (at < end && n + 1 < room) {
		int high = *at == '%' && end - at > 2 ? hex(at[1]) : -1;
		int low = high >= 0 ? hex(at[2]) : -1;

		dst[n++] = low >= 0 ? (char)(16 * high + low) : *at;
		at += low >= 0 ? 3 : 1;
	}
	dst[at < end ? 0 : n] = '\0';
}

static void on_record(struct call *call, const struct execution *e)
{
	struct ui *ui = call->memo;
	struct body_ui said;

	body_ui_reply(e->request, e->request_len, &said);
	memcpy(ui->message, said.message, sizeof(ui->message));
	answer(call, &e->id);
}

/* No stream is active: what useChat does not call an error. */
static void no_stream(struct call *call)
{
	call_reply_empty(call, 204);
}

void front_ui_stream(struct call *call)
{
	static const char *const names[] = { "startIndex", NULL };
	char chat[BODY_UI_NAME_BYTES];
	int64_t from = -1;
	struct ui *ui;
	struct id id;

	if (call_number(call, names, 0, INT64_MAX, &from) != OK)
		return;
	if (from < 0) {
		chat_name(call, chat, sizeof(chat));
		if (chats_find(call->service->chats, call->who.owner, chat,
			&id) != OK) {
			no_stream(call);
			return;
		}
	} else if (call_id(call, &id) != OK) {
		return;
	}
	ui = call_memo(call, sizeof(*ui), ui_drop);
	if (!ui) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	ui->only_live = from < 0;
	ui->from = from < 0 ? 0 : (uint64_t)from;
	front_record_ask(call, &id, on_record, from < 0 ? no_stream : NULL);
}
