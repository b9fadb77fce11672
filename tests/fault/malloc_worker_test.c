/*
 * The worker without memory: answers, runs, threads, fetches.
 */
#include <dirent.h>

#include "store/base/clock.h"
#include "store/base/thread.h"
#include "store/store_internal.h"
#include "tests/fault/try_all.h"
#include "worker/dialect.h"
#include "worker/run.h"
#include "worker/upstreams.h"
#include "worker/worker.h"
#include "worker/worker_internal.h"

/* --- answers --- */

struct answer {
	char dialect[32];
	struct dialect_head head;
	char type[100];
	char *body;
	size_t len;
	struct buf whole; /* what it says with enough memory */
};

struct told {
	struct buf text;
	unsigned n_ends;
	bool completed;
};

static void on_event(void *arg, const struct event *e)
{
	unsigned whose = scarcity_pause();
	struct told *t = arg;

	buf_printf(&t->text, "%d %u %.*s|%.*s\n", (int)e->kind, e->index,
	    (int)e->text.len, e->text.s == NULL ? "" : e->text.s,
	    (int)e->name.len, e->name.s == NULL ? "" : e->name.s);
	t->n_ends += e->kind == EVENT_FINISH || e->kind == EVENT_ERROR;
	t->completed = t->completed || e->kind == EVENT_FINISH;
	scarcity_resume(whose);
}

/* One end; and if that is no error, nothing is missing before it. */
static enum err an_answer(void *arg)
{
	struct answer *a = arg;
	struct decoder *d = NULL;
	struct told t = { .n_ends = 0 };
	enum err rc;

	buf_init(&t.text, 1 << 24);
	rc = decoder_new(dialect_find(a->dialect), &a->head, on_event, &t, &d);
	if (rc == OK) {
		decoder_feed(d, a->body, a->len / 2);
		decoder_feed(d, a->body + a->len / 2, a->len - a->len / 2);
		decoder_end(d, true);
		ASSERT(decoder_done(d) && t.n_ends == 1);
		if (a->whole.data == NULL) {
			a->whole = t.text;
			buf_init(&t.text, 0);
		} else if (t.completed) {
			ASSERT(t.text.len == a->whole.len);
			ASSERT(memcmp(t.text.data, a->whole.data, t.text.len) ==
			       0);
		}
	}
	decoder_free(d);
	buf_fini(&t.text);
	return rc;
}

static char *slurp(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	long len = 0;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	len = ftell(f);
	rewind(f);
	text = malloc((size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)len, f), (size_t)len);
	text[len] = '\0';
	fclose(f);
	*ret_len = (size_t)len;
	return text;
}

/* The transcript ${stem}: false when no dialect of ours speaks so. */
static bool load(const char *stem, struct answer *a)
{
	char path[640];
	const char *dialect, *op, *type;
	json_t *root, *http;
	char *text;
	size_t len;
	bool chat;

	*a = (struct answer){ 0 };
	snprintf(path, sizeof(path), "%s.expect.json", stem);
	text = slurp(path, &len);
	root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	free(text);
	assert_non_null(root);
	http = json_object_get(root, "http");
	dialect = json_string_value(json_object_get(root, "dialect"));
	op = json_string_value(json_object_get(root, "op"));
	snprintf(a->dialect, sizeof(a->dialect), "%.*s",
	    (int)strcspn(dialect, "_"), dialect);
	a->head.status =
	    (int)json_integer_value(json_object_get(http, "status"));
	a->head.streaming = strcmp(op, "chat_stream") == 0;
	type = json_string_value(
	    json_object_get(json_object_get(http, "headers"), "content-type"));
	snprintf(a->type, sizeof(a->type), "%s", type == NULL ? "" : type);
	a->head.content_type = type == NULL ? NULL : a->type;
	chat = strncmp(op, "chat", 4) == 0;
	json_decref(root);
	if (!chat || dialect_find(a->dialect) == NULL)
		return false;
	snprintf(path, sizeof(path), "%s.http-body", stem);
	a->body = slurp(path, &a->len);
	return true;
}

static void try_transcript(const char *stem)
{
	struct answer a;

	if (load(stem, &a)) {
		try_all(stem, SCARCITY_OURS, an_answer, &a);
		try_all(stem, SCARCITY_JANSSON, an_answer, &a);
	}
	free(a.body);
	buf_fini(&a.whole);
}

static void answers_are_whole_or_fail(void **state)
{
	static const char top[] = "tests/transcripts";
	struct dirent **provider, **name;
	char path[300], stem[600];
	int n_providers, n;
	unsigned i = 0;

	(void)state;
	n_providers = scandir(top, &provider, NULL, alphasort);
	assert_true(n_providers > 0);
	for (int p = 0; p < n_providers; p++) {
		snprintf(path, sizeof(path), "%s/%s", top, provider[p]->d_name);
		n = provider[p]->d_name[0] == '.'
			? 0
			: scandir(path, &name, NULL, alphasort);
		for (int k = 0; k < n; k++) {
			char *end = strstr(name[k]->d_name, ".expect.json");

			/* Some of them by default: they resemble each other. */
			if (end != NULL && (points() > 1000 || i++ % 6 == 0)) {
				snprintf(stem, sizeof(stem), "%s/%.*s", path,
				    (int)(end - name[k]->d_name),
				    name[k]->d_name);
				try_transcript(stem);
			}
			free(name[k]);
		}
		if (n > 0)
			free(name);
		free(provider[p]);
	}
	free(provider);
	assert_true(i > 0 || points() > 1000);
}

/* --- a run, from its request to its end --- */

#define EVENT(delta, reason)                                              \
	"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0," \
	"\"delta\":" delta ",\"finish_reason\":" reason "}]}\n\n"

static const char stream[] = EVENT("{\"content\":\"one\"}", "null")
    EVENT("{\"reasoning_content\":\"why\"}", "null")
	EVENT("{\"content\":\" two \\u00e9\"}", "null")
	    EVENT("{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"function\":"
		  "{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
		"null") EVENT("{}", "\"stop\"") "data: [DONE]\n\n";

static enum err a_run(void *arg)
{
	const struct upstreams *upstreams = arg;
	unsigned whose = scarcity_pause();
	struct execution *e = record(1);
	struct dialect_request request;
	struct batch batch;
	struct run_env env = { .upstreams = upstreams,
		.limits = { 1000, 1000, 1000, 1000, 1000 },
		.batch = &batch,
		.wall_ms = 1700000000000,
		.mono_ms = 1000 };
	struct batch_record r;
	struct run *run = NULL;
	size_t offset = 0;
	unsigned n_ends = 0;
	enum err rc;

	free(e->request);
	e->request = strdup("{\"messages\":[{\"role\":\"user\",\"content\":"
			    "\"hi\"}],\"temperature\":0.5}");
	e->request_len = strlen(e->request);
	scarcity_resume(whose);

	dialect_request_init(&request);
	batch_init(&batch, 1 << 20);
	buf_init(&env.scratch, 1 << 20);
	run = run_new(&env, &e);
	if (run != NULL && run_begin(run, &request)) {
		run_connected(run);
		run_head(run, &(struct dialect_head){ .status = 200,
				  .content_type = "text/event-stream" });
		run_body(run, stream, sizeof(stream) - 1);
		run_over(run, FETCH_CLEAN, NULL);
	}
	ASSERT(run == NULL || run_ended(run));
	/* Not whole: the pump stops the program, so that no log has a hole. */
	rc = run == NULL ? ERR_NOMEM : batch_state(&batch);
	while (rc == OK && batch_each(&batch, &offset, &r))
		n_ends += r.kind == BATCH_END;
	ASSERT(rc != OK || n_ends == 1);
	if (rc == OK && run_completed(run))
		ASSERT(batch.n >= 6);
	run_free(run);
	execution_free(e);
	dialect_request_fini(&request);
	buf_fini(&env.scratch);
	batch_fini(&batch);
	return rc;
}

static const struct worker_upstream configured[] = {
	{ .name = "up",
	    .dialect = "openai",
	    .base_url = "http://127.0.0.1:9/v1",
	    .key = "sk-verysecret",
	    .model = "m" },
	{ .name = "other",
	    .dialect = "openai",
	    .base_url = "http://127.0.0.1:9/v1/" },
};

static void a_run_ends_once_or_has_no_batch(void **state)
{
	struct upstreams *u = NULL;

	(void)state;
	ASSERT(upstreams_new(&(struct worker_options){ .upstreams = configured,
				 .n_upstreams = 2 },
		   &u, NULL) == OK);
	try_all("a run: ours", SCARCITY_OURS, a_run, u);
	try_all("a run: jansson's", SCARCITY_JANSSON, a_run, u);
	upstreams_free(u);
}

/* --- the worker and curl --- */

static enum err a_worker(void *arg)
{
	struct worker_options options = { .store = arg,
		.upstreams = configured,
		.n_upstreams = 2,
		.threads = 2 };
	struct worker *w = NULL;
	struct why why = { "" };
	char *target = NULL;
	enum err rc;

	rc = worker_start(&options, &w, &why);
	if (rc == OK)
		rc = worker_resolve(w, "other/x", &target, &why);
	free(target);
	worker_stop(w, 0);
	return rc;
}

/* Nobody waits for so long. */
#define CONNECT_MS 60000

/* A request to nobody: it fails, or cannot even be sent. */
static enum err a_fetch(void *arg)
{
	struct worker_options options = { .store = arg,
		.upstreams = configured,
		.n_upstreams = 1,
		/* Only what can never begin ends by its deadline. */
		.connect_ms = scarcity.for_good ? 30 : CONNECT_MS };
	int64_t begun_ms = clock_mono_ms();
	unsigned whose = scarcity_pause();
	struct worker *w = NULL;
	struct execution *e = record(9);
	struct worker_stats s = { .live = 1 };

	free(e->request);
	e->request = strdup("{\"messages\":[{\"role\":\"user\",\"content\":"
			    "\"hi\"}]}");
	e->request_len = strlen(e->request);
	ASSERT(worker_start(&options, &w, NULL) == OK);
	ASSERT(worker_submit(w, &e) == OK);
	scarcity_resume(whose);
	for (int i = 0; i < 1000 && s.live > 0; i++) {
		worker_turn(w);
		whose = scarcity_pause();
		while (writer_turn(&((struct store *)arg)->writer, 0) &&
		       writer_backlog(arg) > 0)
			;
		scarcity_resume(whose);
		worker_stats(w, &s);
	}
	ASSERT(s.live == 0 && s.failed == 1);
	ASSERT(clock_mono_ms() - begun_ms < CONNECT_MS);
	whose = scarcity_pause();
	worker_stop(w, 0);
	scarcity_resume(whose);
	return OK;
}

static void a_worker_without_memory_says_so(void **state)
{
	struct store_options options = { .url = url };
	struct store *store = NULL;

	(void)state;
	thread_hold(true);
	ASSERT(store_open(&options, &store, NULL) == OK);
	try_all("a worker: ours", SCARCITY_OURS, a_worker, store);
	try_all("a worker: curl's", SCARCITY_CURL, a_worker, store);
	try_all("a fetch: curl's", SCARCITY_CURL, a_fetch, store);
	store_close(store);
	remove_place();
	thread_hold(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_whole_or_fail),
		cmocka_unit_test(a_run_ends_once_or_has_no_batch),
		cmocka_unit_test(a_worker_without_memory_says_so),
	};

	return TRY_GROUP(tests);
}
