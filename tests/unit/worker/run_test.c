#include "worker/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/upstreams.h"
#include "worker/worker.h"

#define CHUNK(delta, reason)                                             \
	"data: {\"id\":\"c1\",\"model\":\"m-served\",\"choices\":[{"     \
	"\"index\":0,\"delta\":" delta ",\"finish_reason\":" reason "}]" \
	"}\n\n"
#define TEXT(t) CHUNK("{\"content\":\"" t "\"}", "null")
#define DONE CHUNK("{}", "\"stop\"") "data: [DONE]\n\n"

/* A thread's world without a thread, at second 100. */
struct world {
	struct run_env env;
	struct batch batch;
	struct upstreams *upstreams;
	struct run *run;
	struct dialect_request request;
};

static int set_up(void **state)
{
	const struct worker_upstream list[] = { { .name = "up",
	    .dialect = "openai",
	    .base_url = "http://127.0.0.1:1/v1",
	    .key = "sk-verysecret" } };
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(
	    upstreams_new(
		&(struct worker_options){ .upstreams = list, .n_upstreams = 1 },
		&w->upstreams, NULL),
	    OK);
	batch_init(&w->batch, 1 << 20);
	dialect_request_init(&w->request);
	w->env = (struct run_env){ .upstreams = w->upstreams,
		.limits = { 1000, 2000, 3000, 60000, 100 },
		.batch = &w->batch,
		.wall_ms = 1700000000000,
		.mono_ms = 100000 };
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

static void queue(struct world *w, const char *model, const char *request)
{
	struct execution *e = execution_new();

	e->id = id_new();
	e->owner = strdup("ann");
	e->model = strdup(model);
	e->request = strdup(request);
	e->request_len = strlen(request);
	w->run = run_new(&w->env, &e);
	assert_non_null(w->run);
	assert_null(e);
}

#define HELLO "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

static void begin(struct world *w)
{
	queue(w, "m", HELLO);
	assert_true(run_begin(w->run, &w->request));
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

static void pass(struct world *w, int64_t ms)
{
	w->env.mono_ms += ms;
	run_tick(w->run);
}

/* Everything said so far: "start up/m|text Hi|end completed" … */
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

		assert_true(id_equal(&r.id, run_id(w->run)));
		if (r.kind == BATCH_NOTE)
			continue;
		if (r.kind == BATCH_START)
			len += (size_t)sprintf(all + len, "start %u %.*s|",
			    r.u.start.attempt, (int)r.u.start.target_len,
			    r.u.start.target);
		else
			len += (size_t)sprintf(all + len, "%s %.*s%s%.*s|",
			    chunk_kind_name(c->kind), (int)c->content_len,
			    c->content, c->meta_len > 0 ? " " : "",
			    (int)c->meta_len, c->meta);
	}
	return all;
}

/* What the end said, which must be the last record and the only end. */
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

static bool metadata_has(struct world *w, const char *word)
{
	struct batch_end end = end_of(w);

	return memmem(end.metadata, end.metadata_len, word, strlen(word)) !=
	       NULL;
}

/* --- */

static void an_answer_becomes_chunks_and_one_end(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_string_equal(told(w), "start 1 up/m|");
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("Hel") TEXT("lo"));
	assert_true(run_streaming(w->run));
	assert_string_equal(told(w), "start 1 up/m|text Hel|text lo|");
	feed(w, DONE);
	assert_string_equal(told(w),
	    "start 1 up/m|text Hel|text lo|end  {\"status\":\"completed\","
	    "\"finish_reason\":\"stop\"}|");
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_true(metadata_has(w, "\"model\":\"m-served\""));
	assert_true(metadata_has(w, "\"upstream_id\":\"c1\""));
	assert_true(metadata_has(w, "\"usage_source\":\"estimated\""));
	assert_false(metadata_has(w, "warnings"));
	/* hello is 2, 4 a message, 3 a request; Hello is 2 */
	assert_true(metadata_has(w, "\"input_tokens\":9,\"output_tokens\":2"));
	assert_int_equal(w->env.counts.completed, 1);
	assert_int_equal(w->env.counts.streaming, 0);
}

static void what_was_left_out_is_in_the_metadata(void **state)
{
	struct world *w = *state;

	queue(w, "m",
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
	    "\"extra\":{\"model\":\"x\"}}");
	assert_true(run_begin(w->run, &w->request));
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("Hi") DONE);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_true(metadata_has(
	    w, "\"warnings\":[{\"field\":\"extra.model\",\"message\":\""));
}

static void a_count_from_before_the_break_is_not_that_of_the_answer(
    void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w,
	    "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\""
	    "A\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}"
	    "\n\n" TEXT("and quite a lot more that nobody had counted yet"));
	run_over(w->run, FETCH_BROKEN, NULL);
	assert_ended(w, EXECUTION_FAILED, "truncated");
	assert_true(metadata_has(w, "\"usage_source\":\"mixed\""));
	/* 49 bytes of text */
	assert_true(metadata_has(w, "\"input_tokens\":5,\"output_tokens\":13"));
}

static void what_was_counted_before_a_cancel_is_in_the_books(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w,
	    "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\""
	    "A\"}}],\"usage\":{\"prompt_tokens\":777,\"completion_tokens\":1}}\n\n");
	feed(w, TEXT("ll of it is"));
	run_cancel(w->run);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
	assert_true(metadata_has(w, "\"usage_source\":\"mixed\""));
	assert_true(
	    metadata_has(w, "\"input_tokens\":777,\"output_tokens\":3"));
}

static void no_count_is_so_large_that_sums_of_it_pass_64_bits(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{"
		"\"prompt_tokens\":9223372036854775807,"
		"\"completion_tokens\":9223372036854775807}}\n\n");
	feed(w, TEXT("a") DONE);
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_true(metadata_has(w, "\"usage_source\":\"estimated\""));
	assert_false(metadata_has(w, "922337203685477580"));
	assert_false(metadata_has(w, "\"total_tokens\":-"));
}

static void every_kind_of_delta_has_its_chunk(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, CHUNK("{\"reasoning_content\":\"hm \\\"\"}", "null"));
	feed(w, CHUNK("{\"refusal\":\"no\"}", "null"));
	feed(w, CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"t1\","
		      "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}",
		    "null"));
	feed(w, CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{"
		      "\"arguments\":\"{}\"}}]}",
		    "null"));
	feed(w, CHUNK("{}", "\"tool_calls\"") "data: [DONE]\n\n");
	assert_string_equal(told(w),
	    "start 1 up/m|"
	    "reasoning  {\"text\":\"hm \\\"\"}|"
	    "text no {\"refusal\":true}|"
	    "tool_call  {\"index\":0,\"phase\":\"start\",\"id\":\"t1\","
	    "\"name\":\"f\"}|"
	    "tool_call  {\"index\":0,\"phase\":\"delta\",\"arguments\":\"{}\"}|"
	    "tool_call  {\"index\":0,\"phase\":\"end\",\"arguments\":\"{}\","
	    "\"valid_json\":true}|"
	    "end  {\"status\":\"completed\",\"finish_reason\":\"tool_calls\"}|");
}

static void a_huge_delta_is_told_in_pieces_of_whole_code_points(void **state)
{
	struct world *w = *state;
	size_t n = 50000; /* of three bytes each */
	char *text = malloc(3 * n + 1);
	char *frame = NULL;
	struct batch_record r;
	size_t offset = 0, total = 0, chunks = 0;

	for (size_t i = 0; i < n; i++)
		memcpy(text + 3 * i, "\xe2\x82\xac", 4);
	assert_true(asprintf(&frame, TEXT("%s"), text) > 0);
	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, frame);
	while (batch_each(&w->batch, &offset, &r)) {
		if (r.kind != BATCH_CHUNK)
			continue;
		assert_int_equal(r.u.chunk.content_len % 3, 0);
		total += r.u.chunk.content_len;
		chunks++;
	}
	assert_int_equal(total, 3 * n);
	assert_int_equal(chunks, 3);
	free(frame);
	free(text);
}

static void a_broken_stream_is_truncated_and_keeps_its_text(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("Hel"));
	run_over(w->run, FETCH_BROKEN, "cut");
	assert_non_null(strstr(told(w), "|text Hel|end "));
	assert_ended(w, EXECUTION_FAILED, "truncated");
}

static void an_end_of_body_without_an_end_of_answer_is_truncated(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("Hel"));
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_ended(w, EXECUTION_FAILED, "truncated");
}

static void no_response_is_a_network_failure(void **state)
{
	struct world *w = *state;

	begin(w);
	run_over(w->run, FETCH_BROKEN, "refused");
	assert_ended(w, EXECUTION_FAILED, "network");
	assert_true(metadata_has(w, "up: refused"));
	assert_true(metadata_has(w, "\"retryable\":true"));
	/* nobody read the prompt */
	assert_true(metadata_has(w, "\"total_tokens\":0"));
}

static void a_refusal_says_why_without_our_key(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 401, "application/json");
	feed(w, "{\"error\":{\"message\":\"bad key sk-verysecret!\","
		"\"code\":\"invalid_api_key\"}}");
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_ended(w, EXECUTION_FAILED, "auth");
	assert_true(metadata_has(w, "bad key "));
	assert_false(metadata_has(w, "sk-verysecret"));
	assert_true(metadata_has(w, "\"status\":401"));
}

static void no_part_of_our_key_stands_at_a_cut_or_in_a_code(void **state)
{
	struct world *w = *state;
	char message[4096];

	memset(message, 'z', sizeof(message));
	message[4085] = '\0';
	begin(w);
	answer_with(w, 401, "application/json");
	feed(w, "{\"error\":{\"message\":\"");
	feed(w, message);
	feed(w, "sk-verysecret\",\"code\":\"not sk-verysecret\"}}");
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_ended(w, EXECUTION_FAILED, "auth");
	assert_true(metadata_has(w, "zz*****"));
	assert_true(metadata_has(w, "\"not ***"));
	assert_false(metadata_has(w, "sk-very"));
}

/* A page carries the final metadata whole: it must stay far below a page. */
static void the_longest_final_metadata_is_small(void **state)
{
	static const char head[] = "data: {\"id\":\"",
			  model[] = "\",\"model\":\"",
			  between[] = "\",\"provider\":\"",
			  end[] = "\",\"choices\":[]}\n\n",
			  error[] = "data: {\"error\":{\"code\":\"";
	struct world *w = *state;
	struct buf b;

	/* Each \u0001 is told in six bytes. */
#define CONTROLS(n)                              \
	do {                                     \
		for (int i = 0; i < (n); i++)    \
			buf_puts(&b, "\\u0001"); \
	} while (0)
	buf_init(&b, 8 << 20);
	buf_puts(&b, head);
	CONTROLS(50000);
	buf_puts(&b, model);
	CONTROLS(50000);
	buf_puts(&b, between);
	CONTROLS(50000);
	buf_puts(&b, end);
	buf_puts(&b, error);
	CONTROLS(50000);
	buf_puts(&b, "\",\"message\":\"");
	CONTROLS(300000);
	buf_puts(&b, "\"}}\n\n");
	buf_putc(&b, '\0');
	assert_int_equal(buf_state(&b), OK);
	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, b.data);
	buf_fini(&b);
	assert_int_equal(end_of(w).status, EXECUTION_FAILED);
	assert_true(end_of(w).metadata_len < 64 << 10);
	assert_true(end_of(w).chunk.meta_len < 64 << 10);
}

static void too_much_body_is_a_failure_of_its_own(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("Hel"));
	run_over(w->run, FETCH_TOO_LARGE, "cap");
	assert_ended(w, EXECUTION_FAILED, "answer_too_large");
}

static void an_answer_of_too_many_pieces_is_ended(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	for (int i = 0; i < 100; i++)
		feed(w, TEXT("a"));
	assert_true(run_streaming(w->run));
	feed(w, TEXT("b") TEXT("c") DONE);
	assert_ended(w, EXECUTION_FAILED, "answer_too_large");
	assert_null(strstr(told(w), "text b"));
}

static void each_state_has_its_deadline(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_int_equal(run_deadline(w->run), 101000);
	pass(w, 999);
	assert_false(run_ended(w->run));
	pass(w, 1);
	assert_ended(w, EXECUTION_FAILED, "connect_timeout");
}

static void a_head_and_pings_do_not_put_off_the_first_token(void **state)
{
	struct world *w = *state;

	begin(w);
	w->env.mono_ms += 500;
	answer_with(w, 200, "text/event-stream");
	assert_int_equal(run_deadline(w->run), 102500);
	w->env.mono_ms += 1500;
	feed(w, ": ping\n\n" CHUNK("{\"role\":\"assistant\"}", "null"));
	pass(w, 499);
	assert_false(run_ended(w->run));
	pass(w, 1);
	assert_ended(w, EXECUTION_FAILED, "first_token_timeout");
}

static void events_put_off_the_idle_deadline_and_pings_do_not(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	pass(w, 2900);
	feed(w, TEXT("b"));
	pass(w, 2900);
	feed(w, ": ping\n\n");
	pass(w, 99);
	assert_false(run_ended(w->run));
	pass(w, 1);
	assert_ended(w, EXECUTION_FAILED, "idle_timeout");
}

static void an_answer_that_never_ends_is_ended(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	for (int i = 0; i < 59; i++) {
		feed(w, TEXT("a"));
		pass(w, 1000);
	}
	assert_false(run_ended(w->run));
	feed(w, TEXT("a"));
	pass(w, 1000);
	assert_ended(w, EXECUTION_FAILED, "total_timeout");
}

static void our_own_slowness_is_not_the_upstreams(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	run_pause(w->run);
	pass(w, 10000);
	assert_false(run_ended(w->run));
	run_resume(w->run);
	pass(w, 2999);
	assert_false(run_ended(w->run));
	pass(w, 1);
	assert_ended(w, EXECUTION_FAILED, "idle_timeout");
}

static void many_short_pauses_do_not_put_off_a_deadline(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	for (int i = 0; i < 100; i++) {
		pass(w, 29);
		run_pause(w->run);
		pass(w, 1);
		run_resume(w->run);
	}
	pass(w, 99);
	assert_false(run_ended(w->run));
	pass(w, 1);
	assert_ended(w, EXECUTION_FAILED, "idle_timeout");
}

static void a_cancel_ends_any_state_once(void **state)
{
	struct world *w = *state;

	queue(w, "m", HELLO);
	run_cancel(w->run);
	run_cancel(w->run);
	run_interrupt(w->run);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
	assert_true(metadata_has(w, "\"finish_reason\":\"cancelled\""));
	assert_int_equal(w->env.counts.cancelled, 1);
}

static void what_comes_after_a_cancel_is_not_told(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	run_cancel(w->run);
	feed(w, TEXT("b") DONE);
	run_over(w->run, FETCH_BROKEN, "cut");
	pass(w, 100000);
	assert_ended(w, EXECUTION_CANCELLED, "cancelled");
	assert_null(strstr(told(w), "text b"));
	assert_true(metadata_has(w, "\"output_tokens\":1"));
}

static void a_stop_interrupts(void **state)
{
	struct world *w = *state;

	begin(w);
	run_interrupt(w->run);
	assert_ended(w, EXECUTION_FAILED, "interrupted");
}

static void a_full_disk_ends_it_with_what_came(void **state)
{
	struct world *w = *state;

	begin(w);
	answer_with(w, 200, "text/event-stream");
	feed(w, TEXT("a"));
	run_no_room(w->run);
	assert_ended(w, EXECUTION_FAILED, "storage_full");
	assert_non_null(strstr(told(w), "text a"));
	assert_true(metadata_has(w, "\"retryable\":true"));
}

static void what_the_dialect_cannot_say_is_a_bad_request(void **state)
{
	struct world *w = *state;

	queue(w, "m", "not json");
	assert_false(run_begin(w->run, &w->request));
	assert_ended(w, EXECUTION_FAILED, "bad_request");
	/* no attempt began */
	assert_null(strstr(told(w), "start"));
}

static void without_a_model_it_is_a_bad_request(void **state)
{
	struct world *w = *state;

	queue(w, "", HELLO);
	assert_false(run_begin(w->run, &w->request));
	assert_ended(w, EXECUTION_FAILED, "bad_request");
	assert_true(metadata_has(w, "name a model"));
}

static void an_answer_in_one_piece_is_an_answer(void **state)
{
	struct world *w = *state;

	queue(w, "m",
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],"
	    "\"stream\":false}");
	assert_true(run_begin(w->run, &w->request));
	answer_with(w, 200, "application/json");
	feed(w,
	    "{\"id\":\"c1\",\"model\":\"m-served\",\"choices\":[{\"index\":0,"
	    "\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}],"
	    "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}");
	run_over(w->run, FETCH_CLEAN, NULL);
	assert_non_null(strstr(told(w), "|text Hi|end "));
	assert_ended(w, EXECUTION_COMPLETED, "");
	assert_true(metadata_has(w, "\"usage_source\":\"provider\""));
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(an_answer_becomes_chunks_and_one_end),
		FACT(what_was_left_out_is_in_the_metadata),
		FACT(a_count_from_before_the_break_is_not_that_of_the_answer),
		FACT(what_was_counted_before_a_cancel_is_in_the_books),
		FACT(no_count_is_so_large_that_sums_of_it_pass_64_bits),
		FACT(every_kind_of_delta_has_its_chunk),
		FACT(a_huge_delta_is_told_in_pieces_of_whole_code_points),
		FACT(a_broken_stream_is_truncated_and_keeps_its_text),
		FACT(an_end_of_body_without_an_end_of_answer_is_truncated),
		FACT(no_response_is_a_network_failure),
		FACT(a_refusal_says_why_without_our_key),
		FACT(no_part_of_our_key_stands_at_a_cut_or_in_a_code),
		FACT(the_longest_final_metadata_is_small),
		FACT(too_much_body_is_a_failure_of_its_own),
		FACT(an_answer_of_too_many_pieces_is_ended),
		FACT(each_state_has_its_deadline),
		FACT(a_head_and_pings_do_not_put_off_the_first_token),
		FACT(events_put_off_the_idle_deadline_and_pings_do_not),
		FACT(an_answer_that_never_ends_is_ended),
		FACT(our_own_slowness_is_not_the_upstreams),
		FACT(many_short_pauses_do_not_put_off_a_deadline),
		FACT(a_cancel_ends_any_state_once),
		FACT(what_comes_after_a_cancel_is_not_told),
		FACT(a_stop_interrupts),
		FACT(a_full_disk_ends_it_with_what_came),
		FACT(what_the_dialect_cannot_say_is_a_bad_request),
		FACT(without_a_model_it_is_a_bad_request),
		FACT(an_answer_in_one_piece_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
