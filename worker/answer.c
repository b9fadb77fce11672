#include "worker/answer.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/utf8.h"
#include "worker/finish.h"
#include "worker/redact.h"

static void emit(struct answer *a, const struct event *e)
{
	if (!a->done)
		a->sink(a->arg, e);
}

static void on_tool(void *arg, const struct event *e)
{
	struct answer *a = arg;

	if (e->kind == EVENT_TOOL_START)
		a->content = true;
	emit(a, e);
}

struct dialect_usage answer_usage_none(void)
{
	return (struct dialect_usage){ .input_tokens = -1,
		.output_tokens = -1,
		.reasoning_tokens = -1,
		.cached_input_tokens = -1,
		.cache_write_tokens = -1,
		.cost_pusd = -1,
		.total_ns = -1,
		.load_ns = -1,
		.prompt_ns = -1,
		.output_ns = -1 };
}

void answer_init(struct answer *a, dialect_sink_fn *sink, void *arg)
{
	*a = (struct answer){ .sink = sink, .arg = arg };
	a->usage = answer_usage_none();
	buf_init(&a->message, ANSWER_MAX_MESSAGE);
	tool_calls_init(&a->calls, on_tool, a);
}

void answer_fini(struct answer *a)
{
	tool_calls_fini(&a->calls);
	buf_fini(&a->message);
}

void answer_ping(struct answer *a)
{
	emit(a, &(struct event){ .kind = EVENT_PING });
}

void answer_start(
    struct answer *a, struct text id, struct text model, struct text provider)
{
	struct event e = { .kind = EVENT_START };

	if (a->started || (id.len == 0 && model.len == 0))
		return;
	a->started = true;
	if (id.len > 0)
		e.id = id;
	if (model.len > 0)
		e.model = model;
	if (provider.len > 0)
		e.provider = provider;
	emit(a, &e);
}

void answer_text(struct answer *a, enum event_kind kind, struct text t)
{
	if (t.len == 0)
		return;
	a->content = true;
	emit(a, &(struct event){ .kind = kind, .text = t });
}

/* A call could not be taken in. */
static void check(struct answer *a, enum err err)
{
	if (err != OK)
		answer_fail_err(a, err);
}

void answer_tool(struct answer *a, const struct tool_calls_fragment *f)
{
	if (!a->done)
		check(a, tool_calls_add(&a->calls, f));
}

/* With its arguments; {} and nothing are the same. */
static void take_call(struct answer *a, struct tool_calls_fragment *f,
    const json_t *arguments,
    enum err take(struct tool_calls *c, const struct tool_calls_fragment *f))
{
	char *made = NULL;
	enum err err = OK;

	if (a->done)
		return;
	if (!json_is_object(arguments) || json_object_size(arguments) > 0)
		err = tool_calls_arguments(arguments, &f->arguments, &made);
	if (err == OK)
		err = take(&a->calls, f);
	check(a, err);
	free(made);
}

void answer_tool_whole(
    struct answer *a, struct text id, struct text name, const json_t *arguments)
{
	struct tool_calls_fragment f = { .id = id, .name = name };

	take_call(a, &f, arguments, tool_calls_whole);
}

void answer_tool_open(struct answer *a, int64_t index, struct text id,
    struct text name, const json_t *input)
{
	struct tool_calls_fragment f = {
		.has_index = true, .index = index, .id = id, .name = name
	};

	take_call(a, &f, input, tool_calls_open);
}

void answer_tool_close(struct answer *a, int64_t index)
{
	if (!a->done)
		check(a, tool_calls_close(&a->calls, index));
}

void answer_reason(struct answer *a, struct text reason, struct text native,
    struct text message)
{
	struct finish f;

	if (reason.len == 0)
		return;
	f = finish_of(reason);
	a->has_reason = true;
	a->reason = f.reason;
	a->reason_fails = f.fails;
	a->reason_kind = f.kind;
	/* A failure's code is the reason itself. */
	if (native.len == 0 || f.fails)
		native = reason;
	a->native_len = native.len;
	if (native.len > sizeof(a->native))
		a->native_len = utf8_cut(native.s, sizeof(a->native));
	memcpy(a->native, native.s, a->native_len);
	buf_reset(&a->message);
	if (message.len > ANSWER_MAX_MESSAGE)
		message.len = utf8_cut(message.s, ANSWER_MAX_MESSAGE);
	if (f.fails)
		buf_add(&a->message, message.s, message.len);
}

void answer_stop(struct answer *a)
{
	a->has_reason = true;
	a->reason = FINISH_STOP;
	a->reason_fails = false;
	a->native_len = 0;
}

static void tell_usage(struct answer *a)
{
	const struct dialect_usage *u = &a->usage;

	if (u->input_tokens < 0 && u->output_tokens < 0 &&
	    u->reasoning_tokens < 0 && u->cached_input_tokens < 0 &&
	    u->cache_write_tokens < 0 && u->cost_pusd < 0 && u->total_ns < 0 &&
	    u->load_ns < 0 && u->prompt_ns < 0 && u->output_ns < 0)
		return;
	emit(a, &(struct event){ .kind = EVENT_USAGE, .usage = *u });
}

void answer_fail(struct answer *a, const struct dialect_error *e)
{
	struct event out = { .kind = EVENT_ERROR, .error = *e };
	struct buf message, code;

	if (a->done)
		return;
	buf_init(&message, 4 * REDACT_MAX_BYTES);
	buf_init(&code, 4 * REDACT_MAX_BYTES);
	if (!e->in_request)
		tell_usage(a);
	redact_text(&message, e->message);
	redact_text(&code, e->code);
	out.error.message = (struct text){ message.data, message.len };
	out.error.code = (struct text){ code.data, code.len };
	if (buf_state(&message) != OK || message.len == 0)
		out.error.message = (struct text){ "the upstream failed", 19 };
	if (buf_state(&code) != OK || code.len == 0)
		out.error.code = (struct text){ NULL, 0 };
	emit(a, &out);
	a->done = true;
	buf_fini(&message);
	buf_fini(&code);
}

void answer_fail_as(struct answer *a, enum error_kind kind, const char *code,
    const char *message)
{
	struct dialect_error e = { .kind = kind,
		.message = { message, strlen(message) },
		.retryable = dialect_error_retryable(kind),
		.retry_after_ms = -1 };

	if (code != NULL)
		e.code = (struct text){ code, strlen(code) };
	answer_fail(a, &e);
}

void answer_fail_err(struct answer *a, enum err err)
{
	if (err == ERR_LIMIT)
		answer_fail_as(a, ERROR_PROTOCOL, "upstream_too_large",
		    "a part of the answer is larger than we take");
	else
		answer_fail_as(a, ERROR_SERVER, "out_of_memory",
		    "no memory was left to read the answer");
}

/* The end that the last reason means. */
static void finish(struct answer *a)
{
	struct event e = { .kind = EVENT_FINISH, .reason = a->reason };
	enum err err;

	if (a->has_reason && a->reason_fails) {
		struct dialect_error held = { .kind = a->reason_kind,
			.code = { a->native, a->native_len },
			.retryable = dialect_error_retryable(a->reason_kind),
			.retry_after_ms = -1 };

		held.message = held.code;
		if (buf_state(&a->message) == OK && a->message.len > 0)
			held.message =
			    (struct text){ a->message.data, a->message.len };
		answer_fail(a, &held);
		return;
	}
	err = tool_calls_end(&a->calls);
	if (err != OK) {
		answer_fail_err(a, err);
		return;
	}
	tell_usage(a);
	if (!a->has_reason)
		e.reason = FINISH_UNKNOWN;
	else if (a->native_len > 0)
		e.native = (struct text){ a->native, a->native_len };
	if (e.reason == FINISH_STOP && a->has_reason && a->calls.n > 0)
		e.reason = FINISH_TOOL_CALLS;
	emit(a, &e);
	a->done = true;
}

void answer_marker(struct answer *a)
{
	if (a->done)
		return;
	if (a->has_reason || a->content)
		finish(a);
	else
		answer_fail_as(a, ERROR_EMPTY, NULL,
		    "the upstream ended the answer without saying anything");
}

void answer_eof(struct answer *a)
{
	if (a->done)
		return;
	if (a->has_reason)
		finish(a);
	else
		answer_fail_as(a, ERROR_TRUNCATED, NULL,
		    "the upstream's answer broke off before its end");
}
