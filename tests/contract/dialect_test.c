/*
 * What each driver owes, asked of all: requests as the files below
 * tests/requests say, answers that end exactly once, keys that are seen in
 * headers alone.
 *
 * tests/requests/CASE.json has a normalised "request", and "models" where a
 * case needs others than usual; tests/requests/DIALECT/CASE.json what must be
 * sent: {"url","headers","body","warnings"}, or {"refused"}. With REWRITE=1 in
 * the environment these are written anew: read what git diff says then.
 */
#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/utf8.h"
#include "worker/dialect.h"
#include "worker/results.h"

#define DIR_NAME "tests/requests"
#define BASE "http://127.0.0.1:1/base"
#define KEY "secret-key-of-a-person"

/* What a driver is asked with and speaks, as far as this suite must know. */
static const struct sample {
	const char *dialect, *model;
	/* A stream that says "Hi" and ends as it should. */
	const char *stream;
} samples[] = {
	{ "openai", "gpt-4o",
	    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]"
	    "}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}"
	    "]}\n\ndata: [DONE]\n\n" },
	{ "ollama", "qwen3:8b",
	    "{\"model\":\"m\",\"message\":{\"content\":\"Hi\"},\"done\":false}"
	    "\n{\"model\":\"m\",\"message\":{\"content\":\"\"},\"done\":true,"
	    "\"done_reason\":\"stop\",\"prompt_eval_count\":3}\n" },
	{ "gemini", "gemini-2.5-flash",
	    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]"
	    "}}],\"responseId\":\"r\"}\r\n\r\ndata: {\"candidates\":[{"
	    "\"finishReason\":\"STOP\"}]}\r\n\r\n" },
	{ "anthropic", "claude-sonnet-4-5",
	    "event: message_start\ndata: {\"type\":\"message_start\","
	    "\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":3}}}\n\n"
	    "data: {\"type\":\"content_block_start\",\"index\":0,"
	    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
	    "\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
	    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	    "\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n" },
	{ "responses", "gpt-5.1",
	    "data: {\"type\":\"response.created\",\"sequence_number\":0,"
	    "\"response\":{\"id\":\"resp_1\",\"background\":true}}\n\n"
	    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}"
	    "\n\ndata: {\"type\":\"response.completed\",\"response\":{"
	    "\"status\":\"completed\"}}\n\n" },
};
#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void every_driver_is_asked_here(void **state)
{
	const char *const *names = dialect_names();
	size_t n = 0;

	(void)state;
	for (; names[n] != NULL; n++) {
		assert_non_null(dialect_find(names[n]));
		assert_true(n < N_SAMPLES);
		assert_string_equal(names[n], samples[n].dialect);
	}
	assert_int_equal(n, N_SAMPLES);
	assert_null(dialect_find("nobody"));
}

/* --- requests --- */

static enum err build(const struct sample *s, const char *model,
    const char *key, const char *request, struct dialect_request *r,
    struct why *why)
{
	struct dialect_target target = {
		.base_url = BASE, .model = model, .key = key
	};

	dialect_request_init(r);
	return dialect_build(dialect_find(s->dialect), request, strlen(request),
	    &target, r, why);
}

static json_t *lines(const struct buf *b)
{
	json_t *list = json_array();
	const char *p = b->data, *end = p + b->len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		assert_non_null(lf);
		json_array_append_new(list, json_stringn(p, (size_t)(lf - p)));
		p = lf + 1;
	}
	return list;
}

static json_t *value(const struct buf *b)
{
	json_t *v = json_loadb(b->data, b->len, JSON_ALLOW_NUL, NULL);

	assert_non_null(v);
	return v;
}

/* What ${s} makes of a case, in the form of the files. */
static json_t *outcome(const struct sample *s, const json_t *c)
{
	const char *model = json_string_value(
	    json_object_get(json_object_get(c, "models"), s->dialect));
	char *request = json_dumps(json_object_get(c, "request"), JSON_COMPACT);
	struct dialect_request r;
	struct why why = { "" };
	json_t *got;
	enum err err;

	assert_non_null(request);
	err =
	    build(s, model != NULL ? model : s->model, KEY, request, &r, &why);
	if (err == ERR_INPUT) {
		assert_int_equal(r.body.len + r.url.len + r.headers.len, 0);
		got = json_pack("{s:s}", "refused", why.text);
	} else {
		assert_int_equal(err, OK);
		got = json_pack("{s:s%,s:o,s:o}", "url", r.url.data,
		    (size_t)r.url.len, "headers", lines(&r.headers), "body",
		    value(&r.body));
		if (r.warnings.len > 0)
			json_object_set_new(
			    got, "warnings", value(&r.warnings));
	}
	assert_non_null(got);
	dialect_request_fini(&r);
	free(request);
	return got;
}

static void write_file(const char *path, const json_t *v)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	json_dumpf(
	    v, f, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	fputc('\n', f);
	fclose(f);
}

static bool check_case(const struct sample *s, const char *name)
{
	char path[512];
	json_t *c, *want, *got;
	char *a, *b;
	bool same;

	snprintf(path, sizeof(path), DIR_NAME "/%s", name);
	c = json_load_file(path, JSON_ALLOW_NUL, NULL);
	assert_non_null(c);
	got = outcome(s, c);
	snprintf(path, sizeof(path), DIR_NAME "/%s/%s", s->dialect, name);
	if (getenv("REWRITE") != NULL)
		write_file(path, got);
	want = json_load_file(path, JSON_ALLOW_NUL, NULL);
	/* as text: members must be in the order of the file, too */
	a = json_dumps(want, JSON_COMPACT | JSON_REAL_PRECISION(15));
	b = json_dumps(got, JSON_COMPACT | JSON_REAL_PRECISION(15));
	same = a != NULL && b != NULL && strcmp(a, b) == 0;
	if (!same)
		print_error("%s\n  want %s\n  got  %s\n", path,
		    a == NULL ? "no such file" : a, b == NULL ? "?" : b);
	free(a);
	free(b);
	json_decref(want);
	json_decref(got);
	json_decref(c);
	return same;
}

static void requests_are_sent_as_the_files_say(void **state)
{
	unsigned n = 0, wrong = 0;
	struct dirent *entry;
	DIR *dir = opendir(DIR_NAME);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		for (size_t i = 0; i < N_SAMPLES; i++)
			wrong += !check_case(&samples[i], entry->d_name);
		n++;
	}
	closedir(dir);
	assert_int_equal(wrong, 0);
	assert_true(n >= 40);
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void a_key_is_seen_in_headers_alone(void **state)
{
	struct dialect_request r;
	struct why why = { "" };

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		const struct sample *s = &samples[i];
		size_t n = strlen(KEY);

		assert_int_equal(
		    build(s, s->model, KEY, "{" HI "}", &r, &why), OK);
		assert_non_null(memmem(r.headers.data, r.headers.len, KEY, n));
		assert_null(memmem(r.url.data, r.url.len, KEY, n));
		assert_null(memmem(r.body.data, r.body.len, KEY, n));
		dialect_request_fini(&r);
		/* without one nothing is said of one */
		assert_int_equal(
		    build(s, s->model, NULL, "{" HI "}", &r, &why), OK);
		assert_null(memmem(r.headers.data, r.headers.len, "key", 3));
		assert_null(memmem(r.headers.data, r.headers.len, "Auth", 4));
		dialect_request_fini(&r);
	}
}

static void nothing_leads_to_another_place(void **state)
{
	static const char *const models[] = { "../../x", "..", "a/../../x",
		"models/../x", "models/..", "tunedModels/../../x", "x?key=1",
		"x#y", "x:generateContent", "%2e%2e" };
	struct dialect_request r;
	struct why why;

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++)
		for (size_t j = 0; j < sizeof(models) / sizeof(*models); j++) {
			if (build(&samples[i], models[j], KEY, "{" HI "}", &r,
				&why) == OK) {
				buf_putc(&r.url, '\0');
				assert_int_equal(
				    strncmp(r.url.data, BASE "/", 24), 0);
				assert_null(strstr(r.url.data, "/../"));
				assert_null(strstr(r.url.data, "/..:"));
				assert_null(strstr(r.url.data, "key=1"));
				assert_null(strchr(r.url.data, '#'));
			}
			dialect_request_fini(&r);
		}
}

static void what_no_upstream_can_be_asked_is_refused(void **state)
{
	static const struct {
		const char *model, *key, *request, *word;
	} bad[] = {
		{ "m", NULL, "{}", "messages" },
		{ "m", NULL, "{\"messages\":[]}", "messages" },
		{ "m", NULL, "[]", "object" },
		{ "m", NULL, "{", "object" },
		{ "m", NULL, "{" HI ",\"tool_choice\":{}}", "tool_choice" },
		{ "m\n", NULL, "{" HI "}", "model" },
		{ "", NULL, "{" HI "}", "model" },
		{ "\xff", NULL, "{" HI "}", "model" },
		{ "m", "k\r\nX: 1", "{" HI "}", "key" },
		{ "m", "k\x7f", "{" HI "}", "key" },
	};
	struct dialect_request r;

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++)
		for (size_t j = 0; j < sizeof(bad) / sizeof(*bad); j++) {
			struct why why = { "" };

			assert_int_equal(
			    build(&samples[i], bad[j].model, bad[j].key,
				bad[j].request, &r, &why),
			    ERR_INPUT);
			assert_non_null(strstr(why.text, bad[j].word));
			assert_int_equal(r.body.len + r.warnings.len, 0);
			dialect_request_fini(&r);
		}
}

static void a_long_list_of_odd_members_is_only_warned_of(void **state)
{
	struct dialect_request r;
	struct why why = { "" };
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "{" HI ",\"stop\":[\"x\"],\"temperature\":1,\"extra\":{");
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, "\"stream\":\"\xe2\x82\xac\",\"a%d\":1,", i);
	buf_puts(&b, "\"options\":{\"stop\":{\"a\\\"b\":1}}}}");
	buf_putc(&b, '\0');
	for (size_t i = 0; i < N_SAMPLES; i++) {
		enum err rc = build(&samples[i], "m", KEY, b.data, &r, &why);

		/* One knows no stop at all: it says that, and nothing else. */
		if (rc != OK)
			assert_memory_equal(why.text, "stop:", 5);
		if (r.warnings.len > 0)
			json_decref(value(&r.warnings));
		dialect_request_fini(&r);
	}
	buf_fini(&b);
}

/* --- answers --- */

struct seen {
	struct buf text;
	unsigned n_end;
	bool finished;
};

static void on_event(void *arg, const struct event *e)
{
	struct seen *seen = arg;

	assert_int_equal(seen->n_end, 0);
	if (e->kind == EVENT_TEXT)
		buf_add(&seen->text, e->text.s, e->text.len);
	seen->n_end += e->kind == EVENT_FINISH || e->kind == EVENT_ERROR;
	seen->finished = seen->finished || e->kind == EVENT_FINISH;
	if (e->kind == EVENT_ERROR) {
		assert_true(e->error.message.len > 0);
		assert_true(
		    utf8_valid(e->error.message.s, e->error.message.len));
	}
}

static void answer(const struct sample *s, int status, const char *type,
    const char *body, size_t len, bool clean, struct seen *seen)
{
	struct dialect_head head = {
		.status = status, .content_type = type, .streaming = true
	};
	struct decoder *d = NULL;

	*seen = (struct seen){ 0 };
	buf_init(&seen->text, 1 << 20);
	assert_int_equal(
	    decoder_new(dialect_find(s->dialect), &head, on_event, seen, &d),
	    OK);
	decoder_feed(d, body, len);
	decoder_end(d, clean);
	decoder_feed(d, body, len);
	decoder_end(d, clean);
	assert_true(decoder_done(d));
	assert_int_equal(seen->n_end, 1);
	decoder_free(d);
}

static void an_answer_that_is_cut_is_never_finished(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		const struct sample *s = &samples[i];
		size_t len = strlen(s->stream), first = 0;

		for (size_t at = 0; at <= len; at++) {
			answer(s, 200, NULL, s->stream, at, at % 2, &seen);
			if (seen.finished && first == 0)
				first = at;
			assert_true(seen.finished == (first != 0));
			if (seen.finished)
				assert_memory_equal(seen.text.data, "Hi", 2);
			buf_fini(&seen.text);
		}
		/* it needs the frame that says why it stopped */
		assert_true(first > strlen(s->stream) / 2);
	}
}

static void whatever_comes_there_is_one_end(void **state)
{
	static const char *const bodies[] = { "", "\n", "null", "[]", "{}",
		"[[]]", "\"x\"", "{\"error\":\"no\"}", "[{\"error\":{}}]",
		"{\"error\":{\"message\":\"\\ud800\"}}", "<html>",
		"data:", "data: [DONE]\n\n", "\xff\xfe\n\n",
		"{\"message\":7}\n", "{\"candidates\":{\"0\":1}}\n",
		"{\"choices\":[7,null]}\n",
		"{\"type\":\"content_block_stop\",\"index\":-9}\n",
		"{\"done\":true}\n", "event: error\ndata: x\n\n" };
	static const char *const types[] = { NULL, "application/json",
		"text/html", "text/event-stream", "application/x-ndjson" };
	static const int statuses[] = { 200, 204, 302, 401, 429, 503, 599 };
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(*bodies); j++)
			for (size_t k = 0; k < 5 * 7; k++) {
				answer(&samples[i], statuses[k / 5],
				    types[k % 5], bodies[j], strlen(bodies[j]),
				    k % 2, &seen);
				if (statuses[k / 5] > 204)
					assert_false(seen.finished);
				buf_fini(&seen.text);
			}
}

static void answers_do_not_share_what_they_remember(void **state)
{
	struct dialect_head head = { .status = 200, .streaming = true };
	struct seen seen[2] = { 0 };
	struct decoder *d[2];

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		const char *s = samples[i].stream;
		size_t len = strlen(s), half = len / 2;

		for (int j = 0; j < 2; j++) {
			seen[j] = (struct seen){ 0 };
			buf_init(&seen[j].text, 64);
			assert_int_equal(
			    decoder_new(dialect_find(samples[i].dialect), &head,
				on_event, &seen[j], &d[j]),
			    OK);
			decoder_feed(d[j], s, half);
		}
		for (int j = 0; j < 2; j++) {
			decoder_feed(d[j], s + half, len - half);
			decoder_end(d[j], true);
			assert_true(seen[j].finished);
			assert_int_equal(seen[j].text.len, 2);
			decoder_free(d[j]);
			buf_fini(&seen[j].text);
		}
	}
}

static void what_is_no_list_is_no_list(void **state)
{
	static const char *const bodies[] = { "", "{", "null", "[]", "{}",
		"{\"data\":1}", "{\"models\":{}}", "{\"embeddings\":[1]}",
		"{\"embeddings\":[[1],[1,2]]}", "{\"embeddings\":[[\"x\"]]}",
		"{\"embedding\":7}" };
	struct results_models models;
	struct results_embeddings rows;
	struct results_generation cost;

	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(*bodies); j++) {
			const struct dialect *d =
			    dialect_find(samples[i].dialect);
			size_t n = strlen(bodies[j]);

			assert_int_equal(
			    results_models(d, bodies[j], n, &models),
			    ERR_UPSTREAM);
			assert_int_equal(
			    results_embeddings(d, bodies[j], n, &rows),
			    ERR_UPSTREAM);
			assert_int_equal(
			    results_generation(d, bodies[j], n, &cost),
			    ERR_UPSTREAM);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_driver_is_asked_here),
		cmocka_unit_test(requests_are_sent_as_the_files_say),
		cmocka_unit_test(a_key_is_seen_in_headers_alone),
		cmocka_unit_test(nothing_leads_to_another_place),
		cmocka_unit_test(what_no_upstream_can_be_asked_is_refused),
		cmocka_unit_test(a_long_list_of_odd_members_is_only_warned_of),
		cmocka_unit_test(an_answer_that_is_cut_is_never_finished),
		cmocka_unit_test(whatever_comes_there_is_one_end),
		cmocka_unit_test(answers_do_not_share_what_they_remember),
		cmocka_unit_test(what_is_no_list_is_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
