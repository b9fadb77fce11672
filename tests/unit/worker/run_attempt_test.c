/* A run's attempts: what follows a failure, and what is said of it. */
#include "worker/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/note.h"
#include "worker/past.h"
#include "worker/upstreams.h"
#include "worker/worker.h"

#define CHUNK(delta, reason)                                             \
	"data: {\"id\":\"c1\",\"model\":\"m-served\",\"choices\":[{"     \
	"\"index\":0,\"delta\":" delta ",\"finish_reason\":" reason "}]" \
	"}\n\n"
#define TEXT(t) CHUNK("{\"content\":\"" t "\"}", "null")
#define DONE CHUNK("{}", "\"stop\"") "data: [DONE]\n\n"
#define USAGE                                                              \
	"data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\"" \
	":10,\"completion_tokens\":4,\"cost\":0.5}}\n\n"

/* A thread's world without a thread, at second 100. */
struct world {
	struct run_env env;
	struct batch batch;
	struct upstreams *upstreams;
	struct run *run;
	struct dialect_request request;
};

/* Four upstreams, a chain of them called chat, a pair called pair. */
static int set_up(void **state)
{
	static const char *const chat[] = { "a/x", "b/y", "c/z" };
	static const char *const pair[] = { "a/x", "c/z" };
	static const struct worker_upstream list[] = {
		{ .name = "a",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:1/v1",
		    .key = "sk-verysecret" },
		{ .name = "b",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:2/v1" },
		{ .name = "c",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:3/v1",
		    .prefill = "yes" },
		{ .name = "d",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:4/v1",
		    .prefill = "trimmed" },
	};
	static const struct worker_model models[] = { { "chat", chat, 3 },
		{ "pair", pair, 2 } };
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(
	    upstreams_new(&(struct worker_options){ .upstreams = list,
			      .n_upstreams = 4,
			      .models = models,
			      .n_models = 2,
			      .circuit_failures = 3,
			      .circuit_cooldown_ms = 5000 },
		&w->upstreams, NULL),
	    OK);
	batch_init(&w->batch, 1 << 20);
	dialect_request_init(&w->request);
	w->env = (struct run_env){ .upstreams = w->upstreams,
		.limits = { 1000, 2000, 3000, 60000, 100, { 2, 500, 8000 },
		    INTERRUPT_AUTO },
		.batch = &w->batch,
		.wall_ms = 1700000000000,
		.mono_ms = 100000,
		.random = 7 };
	buf_init(&w->env.scratch, 1 << 20);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	run_free(w->run);
	dialect_request_fini(&w->request);
	batch_fini(&w->batch);
	buf_fini(&w->env.scratch);
	upstreams_free(w->upstreams);
	free(w);
	return 0;
}

#define ASK(more) \
	"{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]" more "}"

static void queue(struct world *w, const char *model, const char *request)
{
	struct execution *e = execution_new();

	e->id = id_new();
	e->owner = strdup("ann");
	e->model = strdup(model);
	e->request = strdup(request);
	e->request_len = strlen(request);
	run_free(w->run);
	w->run = run_new(&w->env, &e);
	assert_non_null(w->run);
}

static void begin(struct world *w, const char *model, const char *request)
{
	queue(w, model, request);
	assert_true(run_begin(w->run, &w->request));
}

/* Wait for the next attempt, which must come, and begin it. */
static void again(struct world *w)
{
	assert_false(run_ended(w->run));
	assert_true(run_resting(w->run));
	if (run_deadline(w->run) > w->env.mono_ms)
		w->env.mono_ms = run_deadline(w->run);
	run_tick(w->run);
	assert_true(run_due(w->run));
	assert_true(run_begin(w->run, &w->request));
	assert_false(run_resting(w->run));
}

static void answer_with(struct world *w, int status, const char *type)
{
	run_connected(w->run);
	run_head(w->run,
	    &(struct dialect_head){ .status = status, .content_type = type });
}

static void feed(struct world *w, const char *bytes)
{
	run_body(w->run, bytes, strlen(bytes));
}

static void refuse(struct world *w, int status)
{
	answer_with(w, status, "application/json");
	run_over(w->run, FETCH_CLEAN, NULL);
}

/* Text, then a broken connection. */
static void show_and_break(struct world *w, const char *frames)
{
	answer_with(w, 200, "text/event-stream");
	feed(w, frames);
	run_over(w->run, FETCH_BROKEN, "cut");
}

/* Where the request that was made last would go: "127.0.0.1:2". */
static bool asks(struct world *w, const char *port)
{
	char url[200];

	snprintf(url, sizeof(url), "%.*s", (int)w->request.url.len,
	    w->request.url.data);
	return strstr(url, port) != NULL;
}

/* All that was said: "1 start a/x|1 text Hi|2 end" with attempts' numbers. */
static const char *told(struct world *w)
{
	static char all[65536];
	struct batch_record r;
	size_t offset = 0, len = 0;

	all[0] = '\0';
	assert_int_equal(batch_state(&w->batch), OK);
	while (batch_each(&w->batch, &offset, &r)) {
		const struct chunk *c =
		    r.kind == BATCH_END ? &r.u.end.chunk : &r.u.chunk;

		if (r.kind == BATCH_NOTE)
			continue;
		if (r.kind == BATCH_START)
			len += (size_t)sprintf(all + len, "%u start %.*s|",
			    r.u.start.attempt, (int)r.u.start.target_len,
			    r.u.start.target);
		else if (r.kind == BATCH_END)
			len +=
			    (size_t)sprintf(all + len, "%u end|", c->attempt);
		else
			len += (size_t)sprintf(all + len, "%u %s%s%.*s%.*s|",
			    c->attempt, chunk_kind_name(c->kind),
			    c->content_len + c->meta_len > 0 ? " " : "",
			    (int)c->content_len, c->content, (int)c->meta_len,
			    c->meta);
	}
	return all;
}

static struct batch_end end_of(struct world *w)
{
	struct batch_record r;
	struct batch_end end = { 0 };
	size_t offset = 0;
	unsigned n = 0;

	assert_true(run_ended(w->run));
	while (batch_each(&w->batch, &offset, &r)) {
		assert_int_equal(n, 0);
		if (r.kind == BATCH_END) {
			end = r.u.end;
			n++;
		}
	}
	assert_int_equal(n, 1);
	return end;
}

static void assert_ended(
    struct world *w, enum execution_status status, const char *code)
{
	struct batch_end end = end_of(w);

	assert_int_equal(end.status, status);
	assert_int_equal(end.error_code_len, strlen(code));
	assert_memory_equal(end.error_code, code, strlen(code));
}

static void assert_metadata(struct world *w, const char *word)
{
	struct batch_end end = end_of(w);

	if (memmem(end.metadata, end.metadata_len, word, strlen(word)) == NULL)
		fail_msg(
		    "%.*s lacks %s", (int)end.metadata_len, end.metadata, word);
}

static void answer_well(struct world *w)
{
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("good") USAGE DONE);
}

/* --- before anything was shown --- */

static void a_failure_that_may_pass_is_repeated_out_of_sight(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	refuse(w, 503);
	assert_string_equal(told(w), "1 start a/x|");
	again(w);
	answer_well(w);
	assert_string_equal(
	    told(w), "1 start a/x|2 start a/x|2 text good|2 end|");
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_metadata(w,
	    "\"attempts\":[{\"attempt\":1,\"target\":\"a/x\",\"status\":"
	    "\"failed\",\"error_code\":\"overloaded\"");
	assert_metadata(w, "\"http_status\":503,\"started_at\":\"2023-");
	assert_metadata(
	    w, "{\"attempt\":2,\"target\":\"a/x\",\"status\":\"completed\"");
	/* the refused one was read by nobody */
	assert_metadata(w, "\"input_tokens\":10,\"output_tokens\":4,");
	assert_metadata(w, "\"usage_source\":\"provider\"");
}

static void targets_are_asked_in_order_each_as_often_as_said(void **state)
{
	struct world *w = *state;

	begin(w, "chat", ASK(""));
	refuse(w, 500);
	again(w);
	assert_true(asks(w, ":1/"));
	refuse(w, 500);
	again(w);
	assert_true(asks(w, ":2/"));
	run_over(w->run, FETCH_BROKEN, "refused");
	again(w);
	assert_true(asks(w, ":2/"));
	w->env.mono_ms += 1000;
	run_tick(w->run);
	again(w);
	assert_true(asks(w, ":3/"));
	answer_well(w);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_string_equal(told(w),
	    "1 start a/x|2 start a/x|3 start b/y|4 start b/y|5 start c/z|"
	    "5 text good|5 end|");
	assert_metadata(w, "\"error_code\":\"network\"");
	assert_metadata(w, "\"error_code\":\"connect_timeout\"");
	assert_metadata(w, "\"target\":\"c/z\"");
}

static void what_will_not_pass_goes_to_the_next_at_once(void **state)
{
	static const int status[] = { 400, 401, 402, 403, 404, 413 };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		begin(w, "pair", ASK(""));
		refuse(w, status[i]);
		assert_true(run_due(w->run));
		again(w);
		assert_true(asks(w, ":3/"));
	}
}

static void the_last_failure_is_the_executions(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(""));
	refuse(w, 401);
	again(w);
	refuse(w, 404);
	assert_ended(w, EXECUTION_FAILED, "not_found");
	assert_metadata(w, "\"error_code\":\"auth\"");
	assert_metadata(w, "\"total_tokens\":0");
}

static void what_one_will_not_answer_is_not_asked_of_another(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(""));
	answer_with(w, 400, "application/json");
	feed(w, "{\"error\":{\"message\":\"no\",\"code\":\"content_filter\"}}");
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_ended(w, EXECUTION_FAILED, "content_filter");
}

static void a_target_that_cannot_be_asked_this_is_passed_by(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(",\"tool_choice\":{\"name\":\"f\"}"));
	run_free(w->run);
	w->run = NULL;
	queue(w, "pair", "{\"messages\":[]}");
	assert_false(run_begin(w->run, &w->request));
	assert_ended(w, EXECUTION_FAILED, "bad_request");
	assert_metadata(w,
	    "\"attempts\":[{\"target\":\"a/x\",\"status\":\"failed\","
	    "\"error_code\":\"bad_request\"");
	assert_metadata(w, "{\"target\":\"c/z\"");
}

static void a_request_says_how_often(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(",\"retry\":{\"attempts\":1}"));
	refuse(w, 503);
	assert_ended(w, EXECUTION_FAILED, "overloaded");
	batch_fini(&w->batch);
	batch_init(&w->batch, 1 << 20);
	begin(w, "a/x", ASK(",\"retry\":{\"attempts\":4,\"base_ms\":0}"));
	for (int i = 0; i < 3; i++) {
		refuse(w, 409);
		assert_true(run_due(w->run));
		again(w);
	}
	refuse(w, 409);
	assert_ended(w, EXECUTION_FAILED, "conflict");
}

static void a_hint_is_waited_for(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	run_connected(w->run);
	run_head(w->run,
	    &(struct dialect_head){ .status = 429, .retry_after = "7" });
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_in_range(run_deadline(w->run), 107000, 107500);
	w->env.mono_ms = 106999;
	run_tick(w->run);
	assert_false(run_due(w->run));
	again(w);
}

static void a_hint_that_is_too_long_is_the_callers(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	run_connected(w->run);
	run_head(w->run,
	    &(struct dialect_head){ .status = 429, .retry_after = "61" });
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_ended(w, EXECUTION_FAILED, "rate_limit");
	assert_metadata(w, "\"retry_after_ms\":61000");
}

static void all_attempts_share_one_total_deadline(void **state)
{
	struct world *w = *state;

	w->env.limits.total_ms = 4000;
	begin(w, "a/x", ASK(",\"retry\":{\"attempts\":9}"));
	answer_with(w, 200, "text/event-stream");
	w->env.mono_ms += 2000;
	run_tick(w->run);
	again(w);
	answer_with(w, 200, "text/event-stream");
	assert_true(run_deadline(w->run) <= 104000);
	w->env.mono_ms = 104000;
	run_tick(w->run);
	assert_ended(w, EXECUTION_FAILED, "total_timeout");
	assert_metadata(w, "\"error_code\":\"first_token_timeout\"");
}

static void nothing_is_heard_between_attempts(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	refuse(w, 503);
	run_connected(w->run);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("late") DONE);
	run_pause(w->run);
	run_resume(w->run);
	run_over(w->run, FETCH_BROKEN, "cut");
	assert_true(run_resting(w->run));
	assert_string_equal(told(w), "1 start a/x|");
	again(w);
	answer_well(w);
	assert_ended(w, EXECUTION_COMPLETED, "");
}

static void a_cancel_ends_a_wait(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	refuse(w, 503);
	run_cancel(w->run);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
	assert_metadata(w, "\"error_code\":\"overloaded\"");
	assert_false(run_due(w->run));
	assert_int_equal(run_deadline(w->run), INT64_MAX);
}

static void a_stop_ends_a_wait(void **state)
{
	struct world *w = *state;

	begin(w, "chat", ASK(""));
	refuse(w, 503);
	run_interrupt(w->run);
	assert_ended(w, EXECUTION_FAILED, "interrupted");
}

static void a_cancel_is_not_repeated(void **state)
{
	struct world *w = *state;

	begin(w, "chat", ASK(""));
	run_cancel(w->run);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
}

/* --- after something was shown --- */

static void a_restart_withdraws_before_it_speaks(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	show_and_break(w, TEXT("one ") TEXT("two"));
	again(w);
	assert_null(strstr(told(w), "reset"));
	answer_with(w, 200, "text/event-stream");
	assert_null(strstr(told(w), "reset"));
	feed(w, TEXT("uno") USAGE DONE);
	assert_string_equal(told(w),
	    "1 start a/x|1 text one |1 text two|"
	    "1 error {\"code\":\"truncated\",\"message\":\"the upstream's "
	    "answer broke off before its end\"}|"
	    "2 start a/x|2 reset {\"reason\":\"truncated\"}|2 text uno|"
	    "2 end|");
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_metadata(w, "\"usage_source\":\"mixed\"");
	/* hello is 9, one two is 2 */
	assert_metadata(w, "\"input_tokens\":19,\"output_tokens\":6,");
	assert_metadata(w, "\"cost_usd\":0.5,");
}

static void what_was_shown_stays_when_nobody_can_do_better(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	show_and_break(w, TEXT("one"));
	again(w);
	refuse(w, 500);
	assert_ended(w, EXECUTION_FAILED, "server");
	assert_null(strstr(told(w), "reset"));
}

static void a_policy_of_fail_fails(void **state)
{
	struct world *w = *state;

	begin(w, "chat", ASK(",\"on_interrupt\":\"fail\""));
	show_and_break(w, TEXT("one"));
	assert_ended(w, EXECUTION_FAILED, "truncated");
	assert_null(strstr(told(w), "error"));
}

static bool sent(struct world *w, const char *word)
{
	return memmem(w->request.body.data, w->request.body.len, word,
		   strlen(word)) != NULL;
}

static void who_takes_it_goes_on_from_what_was_shown(void **state)
{
	struct world *w = *state;

	begin(w, "c/z", ASK(",\"on_interrupt\":\"continue\""));
	show_and_break(w, TEXT("one ") TEXT("\\u00e9"));
	again(w);
	assert_true(
	    sent(w, "{\"role\":\"assistant\",\"content\":\"one \xc3\xa9\"}]"));
	show_and_break(w, TEXT(" two"));
	/* two attempts at one target are enough */
	assert_ended(w, EXECUTION_FAILED, "truncated");
	assert_null(strstr(told(w), "reset"));
	assert_non_null(strstr(told(w), "|2 text  two|2 end|"));
}

/* Blanks that were not sent along come again, or do not: shown once. */
static void blanks_where_it_broke_off_are_shown_once(void **state)
{
	static const struct {
		const char *first, *then, *want;
	} cases[] = {
		{ TEXT("one \\n"), TEXT(" \\ntwo"), "two" },
		{ TEXT("one \\n"), TEXT("two"), "two" },
		{ TEXT("one \\n"), TEXT(" two"), "two" },
		{ TEXT("one \\n"), TEXT(" ") TEXT("\\n") TEXT("two"), "two" },
		{ TEXT("one "), TEXT("  two"), " two" },
		{ TEXT("one"), TEXT(" two"), " two" },
	};
	struct world *w = *state;
	char want[100];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		batch_fini(&w->batch);
		batch_init(&w->batch, 1 << 20);
		begin(w, "d/z", ASK(",\"on_interrupt\":\"continue\""));
		show_and_break(w, cases[i].first);
		again(w);
		assert_true(
		    sent(w, "{\"role\":\"assistant\",\"content\":\"one\"}]"));
		answer_with(w, 200, "text/event-stream");
		feed(w, cases[i].then);
		feed(w, DONE);
		snprintf(want, sizeof(want), "|2 start d/z|2 text %s|2 end|",
		    cases[i].want);
		if (strstr(told(w), want) == NULL)
			fail_msg("case %zu: %s", i, told(w));
	}
}

static void going_on_adds_up_over_attempts(void **state)
{
	struct world *w = *state;

	w->env.limits.retry.attempts = 3;
	begin(w, "c/z", ASK(""));
	show_and_break(w, TEXT("one"));
	again(w);
	show_and_break(w, TEXT(" two"));
	again(w);
	assert_true(
	    sent(w, "{\"role\":\"assistant\",\"content\":\"one two\"}]"));
	answer_well(w);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_null(strstr(told(w), "reset"));
}

static void to_continue_passes_by_who_cannot(void **state)
{
	struct world *w = *state;

	begin(w, "chat", ASK(",\"on_interrupt\":\"continue\""));
	show_and_break(w, TEXT("one"));
	assert_true(run_due(w->run));
	again(w);
	assert_true(asks(w, ":3/"));
	assert_true(sent(w, "\"content\":\"one\""));
	answer_well(w);
	assert_string_equal(told(w) + strlen("1 start a/x|1 text one|"),
	    "1 error {\"code\":\"truncated\",\"message\":\"the upstream's "
	    "answer broke off before its end\"}|"
	    "2 start c/z|2 text good|2 end|");
}

static void to_continue_without_anybody_who_can_is_to_fail(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(",\"on_interrupt\":\"continue\""));
	show_and_break(w, TEXT("one"));
	assert_ended(w, EXECUTION_FAILED, "truncated");
}

#define THOUGHT CHUNK("{\"reasoning_content\":\"hm\"}", "null")

static void thoughts_and_calls_cannot_be_gone_on_from(void **state)
{
	struct world *w = *state;

	begin(w, "c/z", ASK(",\"on_interrupt\":\"continue\""));
	show_and_break(w, THOUGHT TEXT("one"));
	assert_ended(w, EXECUTION_FAILED, "truncated");
	batch_fini(&w->batch);
	batch_init(&w->batch, 1 << 20);
	begin(w, "c/z", ASK(",\"on_interrupt\":\"auto\""));
	show_and_break(w, THOUGHT TEXT("one"));
	again(w);
	assert_false(sent(w, "assistant"));
	answer_well(w);
	assert_non_null(strstr(told(w), "2 reset"));
}

static void after_a_reset_what_follows_can_be_gone_on_from(void **state)
{
	struct world *w = *state;

	w->env.limits.retry.attempts = 3;
	begin(w, "c/z", ASK(""));
	show_and_break(w, THOUGHT TEXT("one"));
	again(w);
	show_and_break(w, TEXT("uno"));
	again(w);
	assert_true(sent(w, "{\"role\":\"assistant\",\"content\":\"uno\"}]"));
	answer_well(w);
	assert_string_equal(
	    strstr(told(w), "3 start"), "3 start c/z|3 text good|3 end|");
}

static void an_answer_without_a_word_withdraws_half_of_another(void **state)
{
	struct world *w = *state;

	begin(w, "a/x", ASK(""));
	show_and_break(w, TEXT("half"));
	again(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, DONE);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_non_null(
	    strstr(told(w), "2 reset {\"reason\":\"truncated\"}|2 end"));
}

static void who_goes_on_may_have_nothing_to_add(void **state)
{
	struct world *w = *state;

	begin(w, "c/z", ASK(""));
	show_and_break(w, TEXT("all of it"));
	again(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, DONE);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_null(strstr(told(w), "reset"));
	/* … but nobody knows whether it was whole */
	assert_metadata(w, "\"warnings\":[{\"field\":\"on_interrupt\",");
}

static void a_total_deadline_in_mid_stream_is_the_end(void **state)
{
	struct world *w = *state;

	w->env.limits.total_ms = 2500;
	begin(w, "chat", ASK(""));
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("one"));
	w->env.mono_ms += 2500;
	run_tick(w->run);
	assert_ended(w, EXECUTION_FAILED, "total_timeout");
}

static void silence_in_mid_stream_is_an_interruption(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(",\"on_interrupt\":\"continue\""));
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("one"));
	w->env.mono_ms += 3000;
	run_tick(w->run);
	again(w);
	answer_well(w);
	assert_metadata(w, "\"error_code\":\"idle_timeout\"");
}

static void an_answer_in_one_piece_is_attempted_alike(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(",\"stream\":false"));
	refuse(w, 500);
	again(w);
	answer_with(w, 200, "application/json");
	feed(w,
	    "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"message\":{\"content\""
	    ":\"Hi\"},\"finish_reason\":\"stop\"}]}");
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_string_equal(
	    told(w), "1 start a/x|2 start a/x|2 text Hi|2 end|");
}

/* --- the circuit --- */

static void an_upstream_that_keeps_failing_is_passed_by(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		begin(w, "pair", ASK(",\"retry\":{\"attempts\":1}"));
		assert_true(asks(w, ":1/"));
		refuse(w, 500);
	}
	begin(w, "pair", ASK(""));
	assert_true(asks(w, ":3/"));
	/* who has nobody else is asked all the same */
	begin(w, "a/x", ASK(""));
	assert_true(asks(w, ":1/"));
	/* after the cooldown one looks */
	w->env.mono_ms += 5000;
	begin(w, "pair", ASK(""));
	assert_true(asks(w, ":1/"));
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	begin(w, "pair", ASK(""));
	assert_true(asks(w, ":1/"));
}

static void a_rest_is_not_waited_through_beside_an_alternative(void **state)
{
	struct world *w = *state;

	begin(w, "pair", ASK(",\"retry\":{\"attempts\":9}"));
	for (int i = 0; i < 2; i++) {
		refuse(w, 500);
		again(w);
		assert_true(asks(w, ":1/"));
	}
	refuse(w, 500);
	assert_true(run_due(w->run));
	again(w);
	assert_true(asks(w, ":3/"));
}

static void a_wrong_key_is_no_sign_of_illness(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 9; i++) {
		begin(w, "pair", ASK(""));
		assert_true(asks(w, ":1/"));
		refuse(w, 401);
	}
}

static void an_answer_without_a_word_is_a_sign_of_health(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++) {
		begin(w, "pair", ASK(",\"retry\":{\"attempts\":1}"));
		assert_true(asks(w, ":1/"));
		if (i != 2) {
			refuse(w, 500);
			continue;
		}
		answer_with(w, 200, "text/event-stream");
		feed(w, DONE);
		assert_ended(w, EXECUTION_COMPLETED, "");
	}
	begin(w, "pair", ASK(""));
	assert_true(asks(w, ":1/"));
}

/* --- what a process before left --- */

/* Queue one that an earlier process began at ${model}, of which ${text} was shown. */
static void recalled(struct world *w, const char *model, const char *request,
    const char *text, bool only_text)
{
	struct execution *e = execution_new();
	struct past past;

	batch_fini(&w->batch);
	batch_init(&w->batch, 1 << 20);
	e->id = id_new();
	e->owner = strdup("ann");
	e->model = strdup(model);
	e->target = strdup("a/x");
	e->request = strdup(request);
	e->request_len = strlen(request);
	e->attempts = 1;
	e->status = EXECUTION_STREAMING;
	past_init(&past);
	past.shown = text[0] != '\0';
	past.only_text = only_text;
	buf_puts(&past.text, text);
	estimate_add(&past.kept, text, strlen(text));
	past.cut = past.shown;
	run_free(w->run);
	w->run = run_new(&w->env, &e);
	assert_non_null(w->run);
	run_recall(w->run, &past);
	past_fini(&past);
}

/*
 * What is done with what is left: "goes on", "restarts" or "fails", for each
 * word of the request and each of the operator's.
 */
static void recovery_does_what_both_operator_and_request_want(void **state)
{
	static const struct {
		enum run_recover operator;
		const char *request, *target, *want;
	} cases[] = {
		{ RUN_RECOVER_RESTART, "", "a/x", "restarts" },
		{ RUN_RECOVER_RESTART, "", "c/z", "restarts" },
		{ RUN_RECOVER_CONTINUE, "", "a/x", "restarts" },
		{ RUN_RECOVER_CONTINUE, "", "c/z", "goes on" },
		{ RUN_RECOVER_RESTART, "auto", "c/z", "restarts" },
		{ RUN_RECOVER_CONTINUE, "auto", "c/z", "goes on" },
		{ RUN_RECOVER_RESTART, "continue", "a/x", "fails" },
		{ RUN_RECOVER_RESTART, "continue", "c/z", "goes on" },
		{ RUN_RECOVER_CONTINUE, "continue", "a/x", "fails" },
		{ RUN_RECOVER_CONTINUE, "restart", "c/z", "restarts" },
		{ RUN_RECOVER_CONTINUE, "fail", "c/z", "fails" },
		{ RUN_RECOVER_RESTART, "fail", "a/x", "fails" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = "fails";
		char request[200];

		snprintf(request, sizeof(request), ASK("%s%s%s"),
		    cases[i].request[0] ? ",\"on_interrupt\":\"" : "",
		    cases[i].request, cases[i].request[0] ? "\"" : "");
		w->env.limits.recover = cases[i].operator;
		recalled(w, cases[i].target, request, "half", true);
		if (run_begin(w->run, &w->request)) {
			got = sent(w, "\"half\"") ? "goes on" : "restarts";
			answer_well(w);
			assert_int_equal(strstr(told(w), "2 reset") != NULL,
			    strcmp(got, "restarts") == 0);
		} else {
			assert_ended(w, EXECUTION_FAILED, "interrupted");
		}
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("case %zu: %s, not %s", i, got, cases[i].want);
		assert_metadata(w,
		    "\"attempts\":[{\"attempt\":1,\"target\":\"a/x\","
		    "\"status\":\"failed\",\"error_code\":\"interrupted\"");
	}
}

static void where_nothing_was_shown_anything_may_be_asked_again(void **state)
{
	struct world *w = *state;

	w->env.limits.recover = RUN_RECOVER_CONTINUE;
	recalled(w, "a/x", ASK(",\"on_interrupt\":\"fail\""), "", true);
	assert_true(run_begin(w->run, &w->request));
	answer_well(w);
	assert_string_equal(told(w), "2 start a/x|2 text good|2 end|");
}

static void a_cancel_beats_recovery_and_the_books_are_kept(void **state)
{
	struct world *w = *state;

	w->env.limits.recover = RUN_RECOVER_RESTART;
	recalled(w, "a/x", ASK(""), "half", true);
	run_cancel(w->run);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
	assert_metadata(w, "\"input_tokens\":9,\"output_tokens\":1,");
}

/* The last note that was told, as a process after this one would find it. */
static char *last_note(struct world *w, size_t *ret_len)
{
	struct batch_note last = { NULL, 0 };
	struct batch_record r;
	size_t offset = 0;

	while (batch_each(&w->batch, &offset, &r))
		if (r.kind == BATCH_NOTE)
			last = r.u.note;
	assert_non_null(last.text);
	*ret_len = last.len;
	return strndup(last.text, last.len);
}

/* Kill the process: what is stored is all that the next one knows. */
static void die(
    struct world *w, uint32_t attempts, const char *text, uint32_t of_attempt)
{
	struct execution *e = execution_new();
	struct past past;

	e->id = id_new();
	e->owner = strdup("ann");
	e->model = strdup("a/x");
	e->target = strdup("a/x");
	e->request = strdup(ASK(""));
	e->request_len = strlen(e->request);
	e->attempts = attempts;
	e->status = EXECUTION_STREAMING;
	e->started_ms = 1600000000000;
	e->note = last_note(w, &e->note_len);
	past_init(&past);
	past.shown = text[0] != '\0';
	buf_puts(&past.text, text);
	if (of_attempt > note_settled(e)) {
		past.cut = past.shown;
		estimate_add(&past.kept, text, strlen(text));
	}
	batch_fini(&w->batch);
	batch_init(&w->batch, 1 << 20);
	run_free(w->run);
	w->run = run_new(&w->env, &e);
	assert_non_null(w->run);
	run_recall(w->run, &past);
	past_fini(&past);
}

static void a_wait_that_a_crash_cut_short_is_no_attempt(void **state)
{
	struct world *w = *state;

	w->env.limits.recover = RUN_RECOVER_RESTART;
	begin(w, "a/x", ASK(""));
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("half") USAGE);
	run_over(w->run, FETCH_BROKEN, "cut");
	assert_true(run_resting(w->run));
	die(w, 1, "half", 1);
	assert_true(run_begin(w->run, &w->request));
	answer_well(w);
	/* its error was said by the process that saw it */
	assert_string_equal(told(w),
	    "2 start a/x|2 reset {\"reason\":\"truncated\"}|2 text good|"
	    "2 end|");
	assert_metadata(w,
	    "\"attempts\":[{\"attempt\":1,\"target\":\"a/x\",\"status\":"
	    "\"failed\",\"error_code\":\"truncated\"");
	assert_metadata(w, "{\"attempt\":2,\"target\":\"a/x\",\"status\":\"c");
	/* twice 10 and 4 were counted; nothing is estimated again */
	assert_metadata(w, "\"input_tokens\":20,\"output_tokens\":8,");
	assert_metadata(w, "\"usage_source\":\"provider\"");
	assert_metadata(w, "\"cost_usd\":1.0,");
}

static void attempts_before_a_crash_stay_on_record(void **state)
{
	struct world *w = *state;

	w->env.limits.recover = RUN_RECOVER_RESTART;
	w->env.limits.retry.attempts = 5;
	begin(w, "a/x", ASK(""));
	refuse(w, 503);
	again(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("half"));
	die(w, 2, "half", 2);
	assert_true(run_begin(w->run, &w->request));
	refuse(w, 500);
	assert_true(run_resting(w->run));
	/* and again, before the fourth */
	die(w, 3, "half", 2);
	assert_true(run_begin(w->run, &w->request));
	answer_well(w);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_metadata(w, "\"error_code\":\"overloaded\"");
	assert_metadata(w,
	    "{\"attempt\":2,\"target\":\"a/x\",\"status\":\"failed\","
	    "\"error_code\":\"interrupted\",\"message\":\"spool stopped "
	    "before the answer was complete\",\"started_at\":\"2023-");
	assert_metadata(w, "{\"attempt\":3,\"target\":\"a/x\",\"status\":\"f");
	assert_metadata(w, "{\"attempt\":4,\"target\":\"a/x\",\"status\":\"c");
	/* 9 and "half" are estimated once, 10 and 4 were counted */
	assert_metadata(w, "\"input_tokens\":19,\"output_tokens\":5,");
	assert_metadata(w, "\"usage_source\":\"mixed\"");
}

/* --- everything in every state --- */

enum { STATES = 7, EVENTS = 11 };

/* Bring a fresh run into one of its states; the last one is the end. */
static void reach(struct world *w, int s)
{
	batch_fini(&w->batch);
	batch_init(&w->batch, 1 << 20);
	queue(w, "pair", ASK(""));
	if (s == 0)
		return;
	assert_true(run_begin(w->run, &w->request));
	if (s == 1)
		return;
	if (s == 4 || s == 5) {
		answer_with(w, 200, "text/event-stream");
		if (s == 5)
			feed(w, TEXT("a"));
		run_over(w->run, FETCH_BROKEN, "cut");
		assert_true(run_resting(w->run));
		return;
	}
	run_connected(w->run);
	if (s == 2)
		return;
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	if (s == 3)
		return;
	feed(w, DONE);
	assert_true(run_ended(w->run));
}

static void happen(struct world *w, int e)
{
	switch (e) {
	case 0: run_connected(w->run); break;
	case 1: answer_with(w, 200, "text/event-stream"); break;
	case 2: answer_with(w, 503, "application/json"); break;
	case 3: feed(w, TEXT("b")); break;
	case 4: feed(w, DONE); break;
	case 5: run_over(w->run, FETCH_CLEAN, NULL); break;
	case 6: run_over(w->run, FETCH_BROKEN, "cut"); break;
	case 7: run_over(w->run, FETCH_TOO_LARGE, "cap"); break;
	case 8:
		run_pause(w->run);
		run_resume(w->run);
		break;
	case 9:
		w->env.mono_ms += 100000;
		run_tick(w->run);
		break;
	case 10:
		if (run_due(w->run))
			(void)run_begin(w->run, &w->request);
		break;
	}
}

/* Whatever happens, in whichever state, twice: one end, and nothing after it. */
static void every_event_may_come_in_every_state(void **state)
{
	struct world *w = *state;

	w->env.limits.retry.attempts = 4;
	for (int s = 0; s < STATES; s++)
		for (int e = 0; e < EVENTS; e++)
			for (int f = 0; f < EVENTS; f++)
				for (int last = 0; last < 2; last++) {
					reach(w, s);
					happen(w, e);
					happen(w, f);
					if (last == 0)
						run_cancel(w->run);
					else
						run_interrupt(w->run);
					happen(w, f);
					(void)end_of(w);
				}
	assert_int_equal(w->env.counts.streaming, 0);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(a_failure_that_may_pass_is_repeated_out_of_sight),
		FACT(targets_are_asked_in_order_each_as_often_as_said),
		FACT(what_will_not_pass_goes_to_the_next_at_once),
		FACT(the_last_failure_is_the_executions),
		FACT(what_one_will_not_answer_is_not_asked_of_another),
		FACT(a_target_that_cannot_be_asked_this_is_passed_by),
		FACT(a_request_says_how_often),
		FACT(a_hint_is_waited_for),
		FACT(a_hint_that_is_too_long_is_the_callers),
		FACT(all_attempts_share_one_total_deadline),
		FACT(nothing_is_heard_between_attempts),
		FACT(a_cancel_ends_a_wait),
		FACT(a_stop_ends_a_wait),
		FACT(a_cancel_is_not_repeated),
		FACT(a_restart_withdraws_before_it_speaks),
		FACT(what_was_shown_stays_when_nobody_can_do_better),
		FACT(a_policy_of_fail_fails),
		FACT(who_takes_it_goes_on_from_what_was_shown),
		FACT(blanks_where_it_broke_off_are_shown_once),
		FACT(going_on_adds_up_over_attempts),
		FACT(to_continue_passes_by_who_cannot),
		FACT(to_continue_without_anybody_who_can_is_to_fail),
		FACT(thoughts_and_calls_cannot_be_gone_on_from),
		FACT(after_a_reset_what_follows_can_be_gone_on_from),
		FACT(an_answer_without_a_word_withdraws_half_of_another),
		FACT(who_goes_on_may_have_nothing_to_add),
		FACT(a_total_deadline_in_mid_stream_is_the_end),
		FACT(silence_in_mid_stream_is_an_interruption),
		FACT(an_answer_in_one_piece_is_attempted_alike),
		FACT(an_upstream_that_keeps_failing_is_passed_by),
		FACT(a_rest_is_not_waited_through_beside_an_alternative),
		FACT(an_answer_without_a_word_is_a_sign_of_health),
		FACT(a_wrong_key_is_no_sign_of_illness),
		FACT(recovery_does_what_both_operator_and_request_want),
		FACT(where_nothing_was_shown_anything_may_be_asked_again),
		FACT(a_cancel_beats_recovery_and_the_books_are_kept),
		FACT(a_wait_that_a_crash_cut_short_is_no_attempt),
		FACT(attempts_before_a_crash_stay_on_record),
		FACT(every_event_may_come_in_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
