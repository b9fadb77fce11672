/*
 * transcripts: replay recorded bodies of upstreams through the decoders and
 * compare what comes out with what must. See tests/transcripts/README.md for
 * the files' form and the rules of comparison.
 */
#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"
#include "store/base/jsonout.h"
#include "store/base/utf8.h"
#include "worker/dialect.h"
#include "worker/results.h"

#define MAX_OUT ((size_t)256 << 20)
#define MAX_CASES 4096
#define SMALL_BODY 8192

/* How large bodies are cut: as a daily check, and with --all. */
static struct {
	size_t edge;
	int n_random;
} large_cuts = { 128, 25 };

/* --quick: no cuts but those between all bytes. */
static bool quick;

static const char help[] =
    "usage: transcripts [--help] [--all | --quick] DIR\n"
    "\n"
    "Run every case (NAME.http-body with NAME.expect.json) below DIR.\n"
    "\n"
    "Each body is fed whole, byte by byte, and cut at every offset; of bodies\n"
    "above 8 KiB the cuts are those at every offset of the first and the last\n"
    "128 bytes, and 25 single and 25 double cuts at places from a fixed seed;\n"
    "with --all 2 KiB and 500 of each, which takes minutes. With --quick a\n"
    "body is fed whole and byte by byte, no more.\n"
    "All must give the same events, and those that are expected; the first\n"
    "event that differs is printed. Cases of a dialect that is not built in\n"
    "are skipped and counted by dialect. The last line says\n"
    "\"N passed, N failed\"; the exit status is 0 when none failed.\n";

struct trial {
	const char *path;
	json_t *expect;
	struct buf body;
	const struct dialect *dialect;
	struct dialect_head head;
	bool clean;
};

struct collected {
	struct buf lines; /* one event a line, as JSON */
	size_t n_terminal;
	const char *broken; /* a promise of the contract that was not kept */
};

static const struct {
	const char *ours, *theirs;
} dialects[] = { { "openai", "openai_chat" }, { "ollama", "ollama_chat" },
	{ "gemini", "gemini" }, { "anthropic", "anthropic_messages" },
	{ "responses", "openai_responses" } };

#define N_DIALECTS (sizeof(dialects) / sizeof(dialects[0]))

static unsigned skipped[N_DIALECTS + 1];
static char *cases[MAX_CASES];
static size_t n_cases;

/* --- events as JSON, in the form of the expect files --- */

static void put_text(
    struct collected *c, const char *key, struct text t, bool or_null)
{
	if (t.s == NULL && !or_null)
		return;
	jsonout_key(&c->lines, key);
	if (t.s == NULL) {
		jsonout_null(&c->lines);
		return;
	}
	if (!utf8_valid(t.s, t.len))
		c->broken = "a text is not UTF-8";
	jsonout_string(&c->lines, t.s, t.len);
}

static void put_count(struct collected *c, const char *key, int64_t n)
{
	if (n >= 0)
		jsonout_member_int(&c->lines, key, n);
}

static void put_usage(struct collected *c, const struct dialect_usage *u)
{
	put_count(c, "input_tokens", u->input_tokens);
	put_count(c, "output_tokens", u->output_tokens);
	if (u->input_tokens >= 0 && u->output_tokens >= 0)
		put_count(
		    c, "total_tokens", u->input_tokens + u->output_tokens);
	put_count(c, "reasoning_tokens", u->reasoning_tokens);
	put_count(c, "cached_input_tokens", u->cached_input_tokens);
	put_count(c, "cache_write_tokens", u->cache_write_tokens);
	if (u->cost_pusd >= 0) {
		jsonout_key(&c->lines, "cost_usd");
		buf_printf(&c->lines, "%.17g", (double)u->cost_pusd / 1e12);
	}
	if (u->total_ns < 0 && u->load_ns < 0 && u->prompt_ns < 0 &&
	    u->output_ns < 0)
		return;
	jsonout_key(&c->lines, "durations_ns");
	jsonout_object(&c->lines);
	put_count(c, "total", u->total_ns);
	put_count(c, "load", u->load_ns);
	put_count(c, "prompt", u->prompt_ns);
	put_count(c, "output", u->output_ns);
	jsonout_object_end(&c->lines);
}

static void put_error(struct collected *c, const struct dialect_error *e)
{
	jsonout_member(&c->lines, "kind", dialect_error_name(e->kind));
	put_text(c, "message", e->message, false);
	if (e->message.len == 0)
		c->broken = "an error without a message";
	if (e->status != 0)
		jsonout_member_int(&c->lines, "status", e->status);
	else
		jsonout_member(&c->lines, "status", NULL);
	put_text(c, "code", e->code, true);
	jsonout_key(&c->lines, "retryable");
	jsonout_bool(&c->lines, e->retryable);
	put_count(c, "retry_after_ms", e->retry_after_ms);
	jsonout_member(
	    &c->lines, "phase", e->in_request ? "request" : "stream");
}

static const char *const kind_names[] = {
	[EVENT_START] = "start",
	[EVENT_TEXT] = "text",
	[EVENT_REASONING] = "reasoning",
	[EVENT_REFUSAL] = "refusal",
	[EVENT_TOOL_START] = "tool_call_start",
	[EVENT_TOOL_DELTA] = "tool_call_delta",
	[EVENT_TOOL_END] = "tool_call_end",
	[EVENT_USAGE] = "usage",
	[EVENT_FINISH] = "finish",
	[EVENT_ERROR] = "error",
	[EVENT_PING] = "ping",
};

static void put_members(struct collected *c, const struct event *e)
{
	switch (e->kind) {
	case EVENT_START:
		put_text(c, "id", e->id, false);
		put_text(c, "model", e->model, false);
		put_text(c, "provider", e->provider, false);
		break;
	case EVENT_TEXT:
	case EVENT_REASONING:
	case EVENT_REFUSAL: put_text(c, "text", e->text, true); break;
	case EVENT_TOOL_START:
		put_count(c, "index", e->index);
		put_text(c, "id", e->id, true);
		put_text(c, "name", e->name, true);
		break;
	case EVENT_TOOL_DELTA:
	case EVENT_TOOL_END:
		put_count(c, "index", e->index);
		put_text(c, "arguments", e->text, true);
		if (e->kind == EVENT_TOOL_DELTA)
			break;
		jsonout_key(&c->lines, "valid_json");
		jsonout_bool(&c->lines, e->valid_json);
		break;
	case EVENT_USAGE: put_usage(c, &e->usage); break;
	case EVENT_FINISH:
		jsonout_member(
		    &c->lines, "reason", dialect_finish_name(e->reason));
		put_text(c, "native", e->native, true);
		break;
	case EVENT_ERROR: put_error(c, &e->error); break;
	case EVENT_PING: break;
	}
}

static void on_event(void *arg, const struct event *e)
{
	struct collected *c = arg;

	if (c->n_terminal > 0)
		c->broken = "an event after the last one";
	if (e->kind == EVENT_FINISH || e->kind == EVENT_ERROR)
		c->n_terminal++;
	jsonout_object(&c->lines);
	jsonout_member(&c->lines, "type", kind_names[e->kind]);
	put_members(c, e);
	jsonout_object_end(&c->lines);
	buf_putc(&c->lines, '\n');
}

/* --- feeding --- */

/* Feed the body in pieces that end at ${cuts} (growing) and at its end. */
static void feed(const struct trial *t, const size_t *cuts, size_t n_cuts,
    struct collected *c)
{
	struct decoder *d = NULL;
	size_t from = 0;

	buf_reset(&c->lines);
	c->n_terminal = 0;
	c->broken = NULL;
	if (decoder_new(t->dialect, &t->head, on_event, c, &d) != OK) {
		c->broken = "no memory";
		return;
	}
	for (size_t i = 0; i <= n_cuts; i++) {
		size_t to = i < n_cuts ? cuts[i] : t->body.len;

		decoder_feed(d, t->body.data + from, to - from);
		from = to;
	}
	decoder_end(d, t->clean);
	if (c->n_terminal != 1 || !decoder_done(d))
		c->broken = "not exactly one last event";
	if (buf_state(&c->lines) != OK)
		c->broken = "more events than memory";
	decoder_free(d);
}

static void feed_bytes(const struct trial *t, struct collected *c)
{
	size_t *cuts = malloc((t->body.len + 1) * sizeof(*cuts));

	if (cuts == NULL) {
		c->broken = "no memory";
		return;
	}
	for (size_t i = 0; i < t->body.len; i++)
		cuts[i] = i;
	feed(t, cuts, t->body.len, c);
	free(cuts);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* --- comparing --- */

static bool near(const json_t *a, const json_t *b, double relative)
{
	double x = json_number_value(a), y = json_number_value(b);

	return json_is_number(a) && json_is_number(b) &&
	       fabs(x - y) <=
		   relative * (fabs(x) > fabs(y) ? fabs(x) : fabs(y));
}

static bool same_arguments(const json_t *a, const json_t *b)
{
	size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY;
	json_t *x = json_loadb(
	    json_string_value(a), json_string_length(a), flags, NULL);
	json_t *y = json_loadb(
	    json_string_value(b), json_string_length(b), flags, NULL);
	bool same =
	    x != NULL && y != NULL ? json_equal(x, y) : json_equal(a, b);

	json_decref(x);
	json_decref(y);
	return same;
}

static bool same_rows(const json_t *want, const json_t *got)
{
	const json_t *row, *v;
	size_t i, j;

	if (json_array_size(want) != json_array_size(got))
		return false;
	json_array_foreach(want, i, row)
	{
		const json_t *other = json_array_get(got, i);

		if (json_array_size(row) != json_array_size(other))
			return false;
		json_array_foreach(
		    row, j, v) if (!near(v, json_array_get(other, j),
				       1e-6)) return false;
	}
	return true;
}

static bool same_member(const char *key, const json_t *want, const json_t *got)
{
	if (got == NULL)
		return false;
	if (strcmp(key, "message") == 0 &&
	    strcmp(json_string_value(want), "*") == 0)
		return json_string_length(got) > 0;
	if (strcmp(key, "arguments") == 0)
		return same_arguments(want, got);
	if (strcmp(key, "cost_usd") == 0 && json_is_number(want))
		return near(want, got, 1e-9);
	if (strcmp(key, "embeddings") == 0)
		return same_rows(want, got);
	return json_equal(want, got);
}

static bool same_object(json_t *want, json_t *got)
{
	const char *key;
	json_t *v;

	json_object_foreach(
	    want, key, v) if (!same_member(key, v,
				  json_object_get(got, key))) return false;
	json_object_foreach(
	    got, key, v) if (json_object_get(want, key) == NULL) return false;
	return true;
}

static void show(const char *label, const json_t *v)
{
	char *text = v == NULL ? NULL
			       : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT |
						   JSON_ENSURE_ASCII);

	printf("    %s %.2000s\n", label, text == NULL ? "nothing" : text);
	free(text);
}

/* The collected lines as a JSON array. */
static json_t *lines_array(const struct buf *lines)
{
	const char *p = lines->data, *end = p + lines->len;
	json_t *all = json_array();

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		json_array_append_new(
		    all, json_loadb(p, (size_t)(lf - p), JSON_ALLOW_NUL, NULL));
		p = lf + 1;
	}
	return all;
}

/* Print the first difference between two lists; true when there is none. */
static bool same_events(
    const char *path, const char *how, const json_t *want, const json_t *got)
{
	size_t n = json_array_size(want), m = json_array_size(got);

	for (size_t i = 0; i < n || i < m; i++) {
		json_t *w = json_array_get(want, i);
		json_t *g = json_array_get(got, i);

		if (w != NULL && g != NULL && same_object(w, g))
			continue;
		printf("FAIL %s, %s: event %zu\n", path, how, i);
		show("want", w);
		show("got ", g);
		return false;
	}
	return true;
}

/* --- cases of chat --- */

/* The same as ${whole} after another feeding? Says so when not. */
static bool agrees(const struct trial *t, const char *how,
    const struct collected *whole, const struct collected *c)
{
	json_t *want, *got;

	if (c->broken != NULL) {
		printf("FAIL %s, %s: %s\n", t->path, how, c->broken);
		return false;
	}
	if (c->lines.len == whole->lines.len &&
	    memcmp(c->lines.data, whole->lines.data, c->lines.len) == 0)
		return true;
	want = lines_array(&whole->lines);
	got = lines_array(&c->lines);
	if (same_events(t->path, how, want, got))
		printf("FAIL %s, %s: differs from whole\n", t->path, how);
	json_decref(want);
	json_decref(got);
	return false;
}

static bool cut_once(const struct trial *t, const struct collected *whole,
    struct collected *c, size_t at)
{
	char how[64];

	feed(t, &at, 1, c);
	snprintf(how, sizeof(how), "cut at %zu", at);
	return agrees(t, how, whole, c);
}

static bool cut_randomly(
    const struct trial *t, const struct collected *whole, struct collected *c)
{
	uint64_t state = 0x9e3779b97f4a7c15u;
	char how[64];
	size_t cuts[2];

	for (int i = 0; i < large_cuts.n_random; i++) {
		if (!cut_once(
			t, whole, c, next_random(&state) % (t->body.len + 1)))
			return false;
		cuts[0] = next_random(&state) % (t->body.len + 1);
		cuts[1] = next_random(&state) % (t->body.len + 1);
		if (cuts[0] > cuts[1]) {
			size_t swap = cuts[0];

			cuts[0] = cuts[1];
			cuts[1] = swap;
		}
		feed(t, cuts, 2, c);
		snprintf(
		    how, sizeof(how), "cut at %zu and %zu", cuts[0], cuts[1]);
		if (!agrees(t, how, whole, c))
			return false;
	}
	return true;
}

static bool all_cuts(
    const struct trial *t, const struct collected *whole, struct collected *c)
{
	bool large = t->body.len > SMALL_BODY;

	feed_bytes(t, c);
	if (!agrees(t, "byte by byte", whole, c))
		return false;
	if (quick)
		return true;
	for (size_t at = 0; at <= t->body.len; at++) {
		if (large && at > large_cuts.edge &&
		    at < t->body.len - large_cuts.edge)
			at = t->body.len - large_cuts.edge;
		if (!cut_once(t, whole, c, at))
			return false;
	}
	return !large || cut_randomly(t, whole, c);
}

static bool run_chat(const struct trial *t)
{
	struct collected whole = { 0 }, c = { 0 };
	json_t *got;
	bool ok;

	buf_init(&whole.lines, MAX_OUT);
	buf_init(&c.lines, MAX_OUT);
	feed(t, NULL, 0, &whole);
	got = lines_array(&whole.lines);
	ok = agrees(t, "whole", &whole, &whole) &&
	     same_events(
		 t->path, "whole", json_object_get(t->expect, "events"), got) &&
	     all_cuts(t, &whole, &c);
	json_decref(got);
	buf_fini(&whole.lines);
	buf_fini(&c.lines);
	return ok;
}

/* --- cases with a result --- */

static json_t *string_or_null(const char *s)
{
	return s == NULL ? json_null() : json_string(s);
}

static json_t *count_or_null(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static json_t *prices_json(const struct results_model *m)
{
	json_t *v;

	if (!m->has_prices)
		return json_null();
	v = json_object();
	for (int p = 0; p < N_PRICES; p++)
		if (m->price_pusd[p] != RESULTS_PRICE_ABSENT)
			json_object_set_new(v,
			    results_price_name((enum results_price)p),
			    count_or_null(m->price_pusd[p]));
	return v;
}

static json_t *models_json(const struct results_models *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(list,
		    json_pack("{s:o,s:o,s:o,s:o,s:o}", "id",
			string_or_null(r->models[i].id), "name",
			string_or_null(r->models[i].name), "context_length",
			count_or_null(r->models[i].context_length),
			"max_output_tokens",
			count_or_null(r->models[i].max_output_tokens),
			"pricing_pusd", prices_json(&r->models[i])));
	return json_pack(
	    "{s:o,s:o}", "models", list, "next", string_or_null(r->next));
}

static json_t *embeddings_json(const struct results_embeddings *r)
{
	json_t *rows = json_array(), *row;

	for (size_t i = 0; i < r->n; i++) {
		row = json_array();
		for (size_t j = 0; j < r->dims; j++)
			json_array_append_new(
			    row, json_real((double)r->values[i * r->dims + j]));
		json_array_append_new(rows, row);
	}
	return json_pack("{s:o,s:o,s:o,s:I,s:I}", "embeddings", rows, "model",
	    string_or_null(r->model), "input_tokens",
	    count_or_null(r->input_tokens), "count", (json_int_t)r->n, "dims",
	    (json_int_t)r->dims);
}

static json_t *generation_json(const struct results_generation *r)
{
	json_t *v = json_object();

	json_object_set_new(v, "id", string_or_null(r->id));
	json_object_set_new(v, "model", string_or_null(r->model));
	json_object_set_new(v, "provider", string_or_null(r->provider));
	json_object_set_new(v, "cost_usd",
	    r->cost_usd < 0 ? json_null() : json_real(r->cost_usd));
	json_object_set_new(v, "input_tokens", count_or_null(r->input_tokens));
	json_object_set_new(
	    v, "output_tokens", count_or_null(r->output_tokens));
	json_object_set_new(
	    v, "reasoning_tokens", count_or_null(r->reasoning_tokens));
	json_object_set_new(
	    v, "cached_input_tokens", count_or_null(r->cached_input_tokens));
	json_object_set_new(v, "latency_ms", count_or_null(r->latency_ms));
	json_object_set_new(
	    v, "generation_ms", count_or_null(r->generation_ms));
	json_object_set_new(
	    v, "finish_reason", string_or_null(r->finish_reason));
	json_object_set_new(v, "native", string_or_null(r->native));
	json_object_set_new(v, "streamed",
	    r->streamed < 0 ? json_null() : json_boolean(r->streamed));
	json_object_set_new(v, "canceled",
	    r->canceled < 0 ? json_null() : json_boolean(r->canceled));
	return v;
}

/* The body's result in the form of the expect files; NULL: none. */
static json_t *result_json(const struct trial *t, const char *op)
{
	struct results_models models;
	struct results_embeddings embeddings;
	struct results_generation generation;
	json_t *v = NULL;

	if (strcmp(op, "models") == 0) {
		if (results_models(
			t->dialect, t->body.data, t->body.len, &models) != OK)
			return NULL;
		v = models_json(&models);
		results_models_fini(&models);
	} else if (strcmp(op, "embed") == 0) {
		if (results_embeddings(t->dialect, t->body.data, t->body.len,
			&embeddings) != OK)
			return NULL;
		v = embeddings_json(&embeddings);
		results_embeddings_fini(&embeddings);
	} else if (strcmp(op, "generation") == 0) {
		if (results_generation(t->dialect, t->body.data, t->body.len,
			&generation) != OK)
			return NULL;
		v = generation_json(&generation);
		results_generation_fini(&generation);
	}
	return v;
}

static bool run_result(const struct trial *t, const char *op)
{
	json_t *want = json_object_get(t->expect, "result");
	json_t *got = result_json(t, op);
	bool ok = got != NULL && same_object(want, got);

	if (!ok) {
		printf("FAIL %s\n", t->path);
		show("want", want);
		show("got ", got);
	}
	json_decref(got);
	return ok;
}

/* --- the cases --- */

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char block[65536];
	size_t n;

	if (f == NULL)
		return false;
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, block, n);
	fclose(f);
	return buf_state(out) == OK;
}

static const char *header(const json_t *headers, const char *name)
{
	return json_string_value(json_object_get(headers, name));
}

/* Fill ${t} from its expect file. False: skipped, and counted. */
static bool prepare(struct trial *t)
{
	const char *name =
	    json_string_value(json_object_get(t->expect, "dialect"));
	const char *eof = json_string_value(json_object_get(t->expect, "eof"));
	const char *op = json_string_value(json_object_get(t->expect, "op"));
	const json_t *http = json_object_get(t->expect, "http");
	const json_t *headers = json_object_get(http, "headers");
	size_t i = 0;

	while (i < N_DIALECTS &&
	       (name == NULL || strcmp(name, dialects[i].theirs) != 0))
		i++;
	if (i < N_DIALECTS)
		t->dialect = dialect_find(dialects[i].ours);
	if (t->dialect == NULL) {
		skipped[i]++;
		return false;
	}
	t->clean = eof == NULL || strcmp(eof, "abort") != 0;
	t->head.status =
	    (int)json_integer_value(json_object_get(http, "status"));
	t->head.streaming = op != NULL && strcmp(op, "chat_stream") == 0;
	t->head.content_type = header(headers, "content-type");
	t->head.retry_after = header(headers, "retry-after");
	t->head.retry_after_ms = header(headers, "retry-after-ms");
	t->head.should_retry = header(headers, "x-should-retry");
	t->head.date = header(headers, "date");
	return true;
}

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome run_case(const char *path)
{
	struct trial t = { .path = path };
	enum outcome outcome = FAILED;
	char body_path[4096];
	const char *op;

	buf_init(&t.body, MAX_OUT);
	snprintf(body_path, sizeof(body_path), "%.*s.http-body",
	    (int)(strlen(path) - strlen(".expect.json")), path);
	t.expect = json_load_file(path, JSON_ALLOW_NUL, NULL);
	if (t.expect == NULL || !read_file(body_path, &t.body)) {
		printf("FAIL %s: it or its body cannot be read\n", path);
		goto out;
	}
	if (!prepare(&t)) {
		outcome = SKIPPED;
		goto out;
	}
	op = json_string_value(json_object_get(t.expect, "op"));
	if (json_object_get(t.expect, "events") != NULL ? run_chat(&t)
							: run_result(&t, op))
		outcome = PASSED;
out:
	json_decref(t.expect);
	buf_fini(&t.body);
	return outcome;
}

static int on_file(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	size_t len = strlen(path), tail = strlen(".expect.json");

	(void)st;
	(void)where;
	if (type != FTW_F || len < tail || n_cases == MAX_CASES ||
	    strcmp(path + len - tail, ".expect.json") != 0)
		return 0;
	cases[n_cases] = strdup(path);
	return cases[n_cases++] == NULL;
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int main(int argc, char **argv)
{
	unsigned n[3] = { 0 };

	if (argc == 3 && strcmp(argv[1], "--all") == 0) {
		large_cuts.edge = 2048;
		large_cuts.n_random = 500;
		argv++;
		argc--;
	} else if (argc == 3 && strcmp(argv[1], "--quick") == 0) {
		quick = true;
		argv++;
		argc--;
	}
	if (argc != 2 || strcmp(argv[1], "--help") == 0) {
		fputs(help, argc == 2 ? stdout : stderr);
		return argc == 2 ? 0 : 2;
	}
	if (nftw(argv[1], on_file, 16, FTW_PHYS) != 0) {
		fprintf(stderr, "transcripts: cannot walk %s\n", argv[1]);
		return 2;
	}
	qsort(cases, n_cases, sizeof(cases[0]), by_name);
	for (size_t i = 0; i < n_cases; i++) {
		n[run_case(cases[i])]++;
		free(cases[i]);
	}
	for (size_t i = 0; i <= N_DIALECTS; i++)
		if (skipped[i] > 0)
			printf("%u skipped: no dialect %s\n", skipped[i],
			    i < N_DIALECTS ? dialects[i].theirs : "so named");
	printf("%u passed, %u failed\n", n[PASSED], n[FAILED]);
	return n[FAILED] > 0 || n[PASSED] == 0;
}
