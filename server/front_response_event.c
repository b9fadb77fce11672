#include "server/front_response_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/front_openai.h"
#include "server/front_response.h"
#include "store/base/jsonout.h"
#include "store/request.h"

struct telling_response {
	struct telling t;
	char model[REQUEST_MAX_MODEL_BYTES + 1];
	char *echo;
	struct front_response r;
	const struct front_ending *ending; /* while the end is told */
};

static void fini(struct telling *t)
{
	struct telling_response *s = (struct telling_response *)t;

	front_response_fini(&s->r);
	free(s->echo);
}

/* An event; what it has beside its type and number comes next. */
static struct buf *event(struct telling_response *s, const char *type)
{
	struct buf *b = s->t.out;

	telling_event_of(&s->t, type);
	jsonout_object(b);
	jsonout_member(b, "type", type);
	jsonout_member_int(b, "sequence_number", (int64_t)s->t.n);
	return b;
}

static void event_end(struct telling_response *s)
{
	jsonout_object_end(s->t.out);
	telling_event_end(&s->t);
}

/* --- the response --- */

static void lifecycle(
    struct telling_response *s, const char *type, const char *status)
{
	struct buf *b = event(s, type);

	jsonout_key(b, "response");
	front_response_write(b, &s->r, status, s->ending);
	event_end(s);
}

static void begin(struct telling *t)
{
	struct telling_response *s = (struct telling_response *)t;

	s->r.id = t->id;
	s->r.created_ms = t->created_ms;
	s->r.model = s->model;
	s->r.echo = s->echo;
	lifecycle(s, "response.created", "in_progress");
	lifecycle(s, "response.in_progress", "in_progress");
}

static void fail(struct telling_response *s, const char *code, const char *text)
{
	struct buf *b = event(s, "error");

	/* Clients know one of both forms. */
	jsonout_member(b, "code", code);
	jsonout_member(b, "message", text);
	jsonout_member(b, "param", NULL);
	jsonout_key(b, "error");
	jsonout_object(b);
	jsonout_member(b, "type", "server_error");
	jsonout_member(b, "code", code);
	jsonout_member(b, "message", text);
	jsonout_member(b, "param", NULL);
	jsonout_object_end(b);
	event_end(s);
	s->t.over = true;
}

/* --- its items --- */

static struct buf *item_event(
    struct telling_response *s, const char *type, size_t i)
{
	struct buf *b = event(s, type);

	front_response_item_id(b, "item_id", &s->r, i);
	jsonout_member_int(b, "output_index", (int64_t)i);
	if (s->r.items[i].kind == FRONT_RESPONSE_REASONING)
		jsonout_member_int(b, "summary_index", 0);
	else if (s->r.items[i].kind != FRONT_RESPONSE_CALL)
		jsonout_member_int(b, "content_index", 0);
	return b;
}

static void whole_item(
    struct telling_response *s, const char *type, size_t i, bool done)
{
	struct buf *b = event(s, type);

	jsonout_member_int(b, "output_index", (int64_t)i);
	jsonout_key(b, "item");
	front_response_item(b, &s->r, i, done,
	    !done		 ? "in_progress"
	    : s->r.items[i].last ? front_response_item_status(s->ending)
				 : "completed");
	event_end(s);
}

/* The words of a kind; without a call, which has no parts. */
static const struct {
	const char *part_added, *delta, *done, *member, *part_done;
} words[] = {
	[FRONT_RESPONSE_TEXT] = { "response.content_part.added",
	    "response.output_text.delta", "response.output_text.done", "text",
	    "response.content_part.done" },
	[FRONT_RESPONSE_REFUSAL] = { "response.content_part.added",
	    "response.refusal.delta", "response.refusal.done", "refusal",
	    "response.content_part.done" },
	[FRONT_RESPONSE_REASONING] = { "response.reasoning_summary_part.added",
	    "response.reasoning_summary_text.delta",
	    "response.reasoning_summary_text.done", "text",
	    "response.reasoning_summary_part.done" },
	[FRONT_RESPONSE_CALL] = { NULL,
	    "response.function_call_arguments.delta",
	    "response.function_call_arguments.done", "arguments", NULL },
};

static void tell_part(
    struct telling_response *s, const char *type, size_t i, bool done)
{
	struct buf *b;

	if (!type)
		return;
	b = item_event(s, type, i);
	jsonout_key(b, "part");
	front_response_part(b, &s->r.items[i], done);
	event_end(s);
}

static void on_added(void *arg, size_t i)
{
	struct telling_response *s = arg;

	whole_item(s, "response.output_item.added", i, false);
	tell_part(s, words[s->r.items[i].kind].part_added, i, false);
}

static void no_logprobs(struct telling_response *s, size_t i)
{
	if (s->r.items[i].kind != FRONT_RESPONSE_TEXT)
		return;
	jsonout_key(s->t.out, "logprobs");
	jsonout_array(s->t.out);
	jsonout_array_end(s->t.out);
}

static void on_grown(void *arg, size_t i, const char *inside, size_t len)
{
	struct telling_response *s = arg;
	struct buf *b = item_event(s, words[s->r.items[i].kind].delta, i);

	front_response_inside(b, "delta", inside, len);
	no_logprobs(s, i);
	event_end(s);
}

static void on_done(void *arg, size_t i)
{
	struct telling_response *s = arg;
	const struct front_response_item *item = &s->r.items[i];
	struct buf *b = item_event(s, words[item->kind].done, i);

	if (item->kind == FRONT_RESPONSE_CALL) {
		jsonout_key(b, "name");
		jsonout_raw(b, item->name, strlen(item->name));
	}
	front_response_inside(
	    b, words[item->kind].member, item->text.data, item->text.len);
	no_logprobs(s, i);
	event_end(s);
	tell_part(s, words[item->kind].part_done, i, true);
	whole_item(s, "response.output_item.done", i, true);
}

static const struct front_response_hooks hooks = { on_added, on_grown,
	on_done };

/* --- rows --- */

static void chunk(struct telling *t, const struct chunk *c)
{
	struct telling_response *s = (struct telling_response *)t;

	if (c->kind == CHUNK_RESET && s->r.n > 0) {
		fail(s, "conflict",
		    "the answer was begun again, which this stream cannot "
		    "say; read the response without stream");
		return;
	}
	front_response_take(&s->r, c, &hooks, s);
	if (s->r.failed == ERR_LIMIT)
		fail(s, "failed_precondition",
		    "the answer is larger than a response may be; read the "
		    "chunks of its execution");
	else if (s->r.failed != OK)
		t->out->failed = s->r.failed;
}

static void end(struct telling *t, const struct page *last)
{
	struct telling_response *s = (struct telling_response *)t;
	struct front_ending e;

	front_ending_read(last, &e);
	s->ending = &e;
	front_response_close(&s->r, &hooks, s);
	lifecycle(s,
	    e.status == EXECUTION_FAILED ? "response.failed"
	    : strcmp(front_response_status(&e), "completed") == 0
		? "response.completed"
		: "response.incomplete",
	    NULL);
	s->ending = NULL;
}

static const struct telling_kind kind = {
	.begin = begin,
	.chunk = chunk,
	.end = end,
	.fini = fini,
	.ids = true,
};

struct telling *front_response_event_new(
    const char *model, char *echo, uint64_t from)
{
	struct telling_response *s =
	    echo ? telling_new(&kind, sizeof(*s)) : NULL;

	if (!s) {
		free(echo);
		return NULL;
	}
	(void)snprintf(s->model, sizeof(s->model), "%s", model);
	s->echo = echo;
	s->t.from = from;
	return &s->t;
}
