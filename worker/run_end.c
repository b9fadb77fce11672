#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/base/utf8.h"
#include "worker/metadata.h"
#include "worker/run_internal.h"

/* Shorter keys ("x", "none") are no secrets and would eat plain words. */
#define MIN_SECRET_BYTES 8
#define MIN_CUT_BYTES 4
#define MAX_WARNING_BYTES ((size_t)8 << 10)

void run_outcome_fini(struct run_outcome *o)
{
	free(o->message);
	free(o->native);
	free(o->provider_code);
	*o = (struct run_outcome){ 0 };
}

static char *cut(struct text t, size_t max)
{
	if (t.s == NULL || t.len == 0)
		return NULL;
	return strndup(t.s, t.len > max ? utf8_cut(t.s, max) : t.len);
}

char *run_word(struct text t)
{
	return cut(t, RUN_MAX_WORD_BYTES);
}

/* The beginning of a secret that was cut with the text it ended. */
static void hide_cut(char *s, const char *secret, size_t len)
{
	size_t all = strlen(s);

	for (size_t n = len - 1; n >= MIN_CUT_BYTES; n--)
		if (n <= all && memcmp(s + all - n, secret, n) == 0) {
			memset(s + all - n, '*', n);
			return;
		}
}

/* Put stars over each ${secret} in ${s}: upstreams echo keys. */
static void hide(char *s, const char *secret)
{
	size_t len = secret == NULL ? 0 : strlen(secret);

	if (s == NULL || len < MIN_SECRET_BYTES)
		return;
	for (char *p = s; (p = strstr(p, secret)) != NULL; p += len)
		memset(p, '*', len);
	hide_cut(s, secret, len);
}

/* Whatever key an upstream may echo: the one that was sent, and ours. */
static void hide_keys(const struct run *r, char *s)
{
	hide(s, r->key);
	if (r->target.upstream != NULL)
		hide(s, r->target.upstream->key);
}

void run_complete(struct run *r, enum finish_reason reason, struct text native)
{
	if (r->outcome.known)
		return;
	r->outcome = (struct run_outcome){ .known = true,
		.status = EXECUTION_COMPLETED,
		.reason = reason,
		.native = run_word(native),
		.retry_after_ms = -1 };
}

__attribute__((format(printf, 5, 0))) static void fail(struct run *r,
    const char *code, bool retryable, bool final, const char *fmt, va_list ap)
{
	char text[RUN_MAX_MESSAGE_BYTES];

	vsnprintf(text, sizeof(text), fmt, ap);
	hide_keys(r, text);
	r->outcome = (struct run_outcome){ .known = true,
		.final = final,
		.status = EXECUTION_FAILED,
		.code = code,
		.message = strdup(text),
		.retryable = retryable,
		.retry_after_ms = -1 };
}

void run_fail(
    struct run *r, const char *code, bool retryable, const char *fmt, ...)
{
	va_list ap;

	if (r->outcome.known)
		return;
	va_start(ap, fmt);
	fail(r, code, retryable, false, fmt, ap);
	va_end(ap);
}

void run_fail_for_good(
    struct run *r, const char *code, bool retryable, const char *fmt, ...)
{
	va_list ap;

	if (r->outcome.known)
		return;
	va_start(ap, fmt);
	fail(r, code, retryable, true, fmt, ap);
	va_end(ap);
}

/* No key was sent: that is what is wrong. */
static void add_hint(struct run *r)
{
	char hint[256], *longer = NULL;

	upstreams_key_hint(r->target.upstream, hint, sizeof(hint));
	if (r->outcome.message == NULL ||
	    asprintf(&longer, "%s (no key was sent: %s)", r->outcome.message,
		hint) < 0)
		return;
	free(r->outcome.message);
	r->outcome.message = longer;
}

void run_fail_as_told(struct run *r, const struct dialect_error *e)
{
	if (r->outcome.known)
		return;
	/* What one provider will not answer is not for another to answer. */
	r->outcome = (struct run_outcome){ .known = true,
		.final = e->kind == ERROR_CONTENT_FILTER ||
			 e->kind == ERROR_CANCELED,
		.status = EXECUTION_FAILED,
		.code = dialect_error_name(e->kind),
		.message = cut(e->message, RUN_MAX_MESSAGE_BYTES),
		.provider_code = run_word(e->code),
		.http_status = e->status,
		.retryable = e->retryable,
		.retry_after_ms = e->retry_after_ms };
	if (e->kind == ERROR_AUTH && r->key == NULL)
		add_hint(r);
	hide_keys(r, r->outcome.message);
	hide_keys(r, r->outcome.provider_code);
}

void run_fail_as_cancelled(struct run *r)
{
	run_fail_for_good(r, "cancelled", false, "the execution was cancelled");
	if (r->outcome.code != NULL &&
	    strcmp(r->outcome.code, "cancelled") == 0)
		r->outcome.status = EXECUTION_CANCELLED;
}

void run_warn(struct run *r, const char *field, const char *message)
{
	size_t len = r->warnings == NULL ? 0 : strlen(r->warnings);
	struct buf b;

	buf_init(&b, MAX_WARNING_BYTES);
	if (len > 0)
		buf_add(&b, r->warnings, len - 1); /* all but its bracket */
	else
		jsonout_array(&b);
	jsonout_object(&b);
	jsonout_member(&b, "field", field);
	jsonout_member(&b, "message", message);
	jsonout_object_end(&b);
	jsonout_array_end(&b);
	if (buf_state(&b) == OK) {
		free(r->warnings);
		r->warnings = buf_detach(&b, NULL);
	} else if (buf_state(&b) == ERR_NOMEM) {
		r->env->batch->bytes.failed = ERR_NOMEM;
	}
	buf_fini(&b);
}

static const char *finish_reason(const struct run_outcome *o)
{
	if (o->status == EXECUTION_COMPLETED)
		return dialect_finish_name(o->reason);
	return o->status == EXECUTION_CANCELLED ? "cancelled" : "error";
}

/* From ${from} to ${to}, or -1 when one was not reached. */
static int64_t span(int64_t from, int64_t to)
{
	return from == 0 || to < from ? -1 : to - from;
}

static void collect(
    const struct run *r, const char *target, struct metadata *ret)
{
	const struct run_outcome *o = &r->outcome;
	int64_t now = r->env->mono_ms;

	metadata_init(ret);
	ret->status = o->status;
	ret->target = target;
	ret->model = r->model;
	if (r->model == NULL)
		ret->model = r->target.model;
	ret->provider = r->provider;
	ret->upstream_id = r->upstream_id;
	ret->warnings = r->warnings;
	ret->finish_reason = finish_reason(o);
	ret->native_finish_reason = o->native;
	ret->usage = r->attempts.sum;
	/* These are of the last attempt alone. */
	ret->usage.total_ns = r->usage.total_ns;
	ret->usage.load_ns = r->usage.load_ns;
	ret->usage.prompt_ns = r->usage.prompt_ns;
	ret->usage.output_ns = r->usage.output_ns;
	ret->usage_source = attempts_source(&r->attempts);
	ret->error = (struct metadata_error){ .code = o->code,
		.message = o->message == NULL ? o->code : o->message,
		.status = o->http_status,
		.retryable = o->retryable,
		.retry_after_ms = o->retry_after_ms,
		.provider_code = o->provider_code };
	ret->attempts = &r->attempts;
	ret->queued_ms = span(r->made_ms, r->first_ms == 0 ? now : r->first_ms);
	ret->connect_ms = r->connect_took_ms;
	ret->first_token_ms = span(r->first_ms, r->content_ms);
	ret->total_ms = span(r->first_ms, now);
}

static void count_and_log(struct run *r, const char *target)
{
	const struct run_outcome *o = &r->outcome;
	struct run_counts *c = &r->env->counts;
	bool failed = o->status == EXECUTION_FAILED;
	char id[ID_TEXT];

	c->completed += o->status == EXECUTION_COMPLETED;
	c->failed += failed;
	c->cancelled += o->status == EXECUTION_CANCELLED;
	id_text(&r->execution->id, id);
	log_line(failed ? LOG_WARN : LOG_INFO, "run", "execution ended",
	    "id=%s status=%s %s=%s events=%u attempts=%u ms=%lld target=%s", id,
	    execution_status_name(o->status),
	    o->code == NULL ? "finish" : "code",
	    o->code == NULL ? finish_reason(o) : o->code, r->n_events,
	    r->attempt, (long long)span(r->first_ms, r->env->mono_ms),
	    target == NULL ? "" : target);
}

void run_say_end(struct run *r)
{
	char *target = r->target.upstream == NULL
			   ? NULL
			   : upstreams_target_name(&r->target);
	const char *code = r->outcome.code == NULL ? "" : r->outcome.code;
	struct batch *batch = r->env->batch;
	struct buf *b = &r->env->scratch;
	struct metadata m;
	size_t at;

	run_attempt_settle(r);
	collect(r, target, &m);
	buf_reset(b);
	metadata_write(b, &m);
	at = b->len;
	buf_putc(b, '\n'); /* so that jsonout begins anew */
	metadata_write_end(b, &m);
	if (buf_state(b) != OK) {
		batch->bytes.failed = buf_state(b);
		goto out;
	}
	batch_end(batch, &r->execution->id,
	    &(struct batch_end){ .status = r->outcome.status,
		.chunk = { .attempt = r->attempt == 0 ? 1 : r->attempt,
		    .kind = CHUNK_END,
		    .ts_ms = r->env->wall_ms,
		    .content = "",
		    .meta = b->data + at + 1,
		    .meta_len = b->len - at - 1 },
		.metadata = b->data,
		.metadata_len = at,
		.error_code = code,
		.error_code_len = strlen(code) });
	count_and_log(r, target);
out:
	free(target);
}
