#include "worker/metadata.h"

#include <string.h>

#include "store/base/jsonout.h"
#include "worker/attempts.h"
#include "worker/decimal.h"

void metadata_init(struct metadata *m)
{
	*m = (struct metadata){ .status = EXECUTION_FAILED,
		.finish_reason = "error",
		.usage = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
		.error.retry_after_ms = -1,
		.queued_ms = -1,
		.connect_ms = -1,
		.first_token_ms = -1,
		.total_ms = -1 };
}

static void text(struct buf *b, const char *key, const char *s)
{
	if (s != NULL)
		jsonout_member(b, key, s);
}

static void count(struct buf *b, const char *key, int64_t v)
{
	if (v >= 0)
		jsonout_member_int(b, key, v);
}

/* US dollars with up to 12 digits behind the point, none of them idle. */
static void money(struct buf *b, const char *key, int64_t pusd)
{
	char digits[DECIMAL_TEXT + 2];

	if (pusd < 0)
		return;
	decimal_text(pusd, 12, digits);
	if (strchr(digits, '.') == NULL)
		strncat(digits, ".0", 3);
	jsonout_key(b, key);
	jsonout_raw(b, digits, strlen(digits));
}

/* Append usage; the total of it is *${ret_total}. */
static void usage(struct buf *b, const struct metadata *m, int64_t *ret_total)
{
	int64_t in = m->usage.input_tokens, out = m->usage.output_tokens;
	const char *source = "provider";

	if (in < 0 && out < 0)
		source = "estimated";
	else if (in < 0 || out < 0)
		source = "mixed";
	if (in < 0)
		in = m->estimated_input;
	if (out < 0)
		out = m->estimated_output;
	*ret_total = in + out;
	jsonout_key(b, "usage");
	jsonout_object(b);
	jsonout_member_int(b, "input_tokens", in);
	jsonout_member_int(b, "output_tokens", out);
	jsonout_member_int(b, "total_tokens", in + out);
	count(b, "reasoning_tokens", m->usage.reasoning_tokens);
	count(b, "cached_input_tokens", m->usage.cached_input_tokens);
	count(b, "cache_write_tokens", m->usage.cache_write_tokens);
	jsonout_object_end(b);
	jsonout_member(b, "usage_source",
	    m->usage_source != NULL ? m->usage_source : source);
}

static const char *cost_source(const struct metadata *m)
{
	if (m->attempts != NULL)
		return attempts_cost_source(m->attempts);
	return m->usage.cost_pusd < 0 ? "none" : "provider";
}

static void error(struct buf *b, const struct metadata_error *e)
{
	jsonout_key(b, "error");
	jsonout_object(b);
	jsonout_member(b, "code", e->code);
	jsonout_member(b, "message", e->message);
	if (e->status > 0)
		jsonout_member_int(b, "status", e->status);
	jsonout_key(b, "retryable");
	jsonout_bool(b, e->retryable);
	count(b, "retry_after_ms", e->retry_after_ms);
	text(b, "provider_code", e->provider_code);
	jsonout_object_end(b);
}

/* What the upstream says that it took. */
static void took(struct buf *b, const char *key, int64_t ns)
{
	if (ns >= 0)
		jsonout_member_int(b, key, ns / 1000000);
}

/* Our simulated upstream calls its models sim, sim-cut, sim?rate=5 … */
static bool simulated(const char *model)
{
	if (model == NULL || strncmp(model, "sim", 3) != 0)
		return false;
	return model[3] == '\0' || strchr("-?", model[3]) != NULL ||
	       strncmp(model, "simulat", 7) == 0;
}

void metadata_write(struct buf *b, const struct metadata *m)
{
	int64_t total;

	jsonout_object(b);
	text(b, "model", m->model);
	text(b, "target", m->target);
	text(b, "provider", m->provider);
	text(b, "upstream_id", m->upstream_id);
	jsonout_member(b, "finish_reason", m->finish_reason);
	text(b, "native_finish_reason", m->native_finish_reason);
	usage(b, m, &total);
	jsonout_member(b, "cost_source", cost_source(m));
	money(b, "cost_usd", m->usage.cost_pusd);
	jsonout_member_int(b, "tokens_used", total);
	if (m->error.code != NULL)
		error(b, &m->error);
	if (m->warnings != NULL && m->warnings[0] != '\0') {
		jsonout_key(b, "warnings");
		jsonout_raw(b, m->warnings, strlen(m->warnings));
	}
	if (m->attempts != NULL) {
		jsonout_key(b, "attempts");
		attempts_write(b, m->attempts);
	}
	jsonout_key(b, "timings");
	jsonout_object(b);
	count(b, "queued_ms", m->queued_ms);
	count(b, "connect_ms", m->connect_ms);
	count(b, "first_token_ms", m->first_token_ms);
	count(b, "total_ms", m->total_ms);
	took(b, "upstream_total_ms", m->usage.total_ns);
	took(b, "upstream_load_ms", m->usage.load_ns);
	took(b, "upstream_prompt_ms", m->usage.prompt_ns);
	took(b, "upstream_output_ms", m->usage.output_ns);
	jsonout_object_end(b);
	if (simulated(m->model)) {
		jsonout_key(b, "simulated");
		jsonout_bool(b, true);
	}
	jsonout_object_end(b);
}

void metadata_write_end(struct buf *b, const struct metadata *m)
{
	jsonout_object(b);
	jsonout_member(b, "status", execution_status_name(m->status));
	jsonout_member(b, "finish_reason", m->finish_reason);
	if (m->error.code != NULL) {
		jsonout_key(b, "error");
		jsonout_object(b);
		jsonout_member(b, "code", m->error.code);
		jsonout_member(b, "message", m->error.message);
		jsonout_object_end(b);
	}
	jsonout_object_end(b);
}
