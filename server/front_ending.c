#include "server/front_ending.h"

#include <jansson.h>
#include <stdio.h>

#include "store/base/jsonout.h"

static void text(char *dst, size_t room, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	(void)snprintf(dst, room, "%s", s ? s : "");
}

static int64_t count(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

void front_ending_read(const struct page *last, struct front_ending *ret)
{
	json_t *root = last->metadata.len
			   ? json_loadb(last->metadata.data, last->metadata.len,
				 JSON_ALLOW_NUL, NULL)
			   : NULL;
	const json_t *error = json_object_get(root, "error");
	const json_t *usage = json_object_get(root, "usage");
	const json_t *cost = json_object_get(root, "cost_usd");
	char source[16];

	*ret = (struct front_ending){ .status = last->status, .cost_usd = -1 };
	text(ret->finish_reason, sizeof(ret->finish_reason), root,
	    "finish_reason");
	text(ret->model, sizeof(ret->model), root, "model");
	text(ret->code, sizeof(ret->code), error, "code");
	text(ret->message, sizeof(ret->message), error, "message");
	text(source, sizeof(source), root, "usage_source");
	ret->retry_after_ms = count(error, "retry_after_ms");
	ret->input = count(usage, "input_tokens");
	ret->output = count(usage, "output_tokens");
	ret->total = count(usage, "total_tokens");
	ret->cached = count(usage, "cached_input_tokens");
	ret->reasoning = count(usage, "reasoning_tokens");
	ret->estimated = source[0] && source[0] != 'p';
	if (json_is_number(cost))
		ret->cost_usd = json_number_value(cost);
	json_decref(root);
}

void front_ending_problem(
    const struct front_ending *e, const struct id *id, struct problem *ret)
{
	bool cancelled = e->status == EXECUTION_CANCELLED;

	problem_set(ret,
	    cancelled ? PROBLEM_EXECUTION_CANCELLED : PROBLEM_EXECUTION_FAILED,
	    NULL, "%s",
	    e->message[0] ? e->message
	    : cancelled	  ? "the execution was cancelled"
			  : "the execution failed");
	id_text(id, ret->execution);
	(void)snprintf(
	    ret->execution_error, sizeof(ret->execution_error), "%s", e->code);
	if (e->retry_after_ms > 0)
		ret->retry_after_ms = e->retry_after_ms;
}

static int64_t known(int64_t n)
{
	return n > 0 ? n : 0;
}

void front_ending_usage(struct buf *b, const struct front_ending *e)
{
	if (e->input < 0 && e->output < 0) {
		jsonout_null(b);
		return;
	}
	jsonout_object(b);
	jsonout_member_int(b, "prompt_tokens", known(e->input));
	jsonout_member_int(b, "completion_tokens", known(e->output));
	jsonout_member_int(b, "total_tokens", known(e->total));
	jsonout_key(b, "prompt_tokens_details");
	jsonout_object(b);
	jsonout_member_int(b, "cached_tokens", known(e->cached));
	jsonout_member_int(b, "audio_tokens", 0);
	jsonout_object_end(b);
	jsonout_key(b, "completion_tokens_details");
	jsonout_object(b);
	jsonout_member_int(b, "reasoning_tokens", known(e->reasoning));
	jsonout_member_int(b, "audio_tokens", 0);
	jsonout_member_int(b, "accepted_prediction_tokens", 0);
	jsonout_member_int(b, "rejected_prediction_tokens", 0);
	jsonout_object_end(b);
	/* No member of the original's: clients keep it as it is. */
	if (e->cost_usd >= 0) {
		jsonout_key(b, "cost");
		buf_printf(b, "%.12g", e->cost_usd);
	}
	if (e->estimated) {
		jsonout_key(b, "estimated");
		jsonout_bool(b, true);
	}
	jsonout_object_end(b);
}
