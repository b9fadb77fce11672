#include "worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <cmocka.h>

#include "store/query.h"
#include "store/store.h"
#include "store/tail.h"
#include "store/writer.h"
#include "tests/unit/worker/script.h"

#define HELLO "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

/* A real store, a real worker, and an upstream that the test plays. */
struct world {
	char dir[64];
	struct script upstream;
	struct store *store;
	struct worker *worker;
	struct worker_upstream list[1];
	struct worker_options options;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char path[128];

	script_open(&w->upstream);
	snprintf(w->dir, sizeof(w->dir), "/tmp/spool-worker-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(path, sizeof(path), "%s/spool.db", w->dir);
	assert_int_equal(store_open(&(struct store_options){ .url = path,
					.durability = STORE_NORMAL },
			     &w->store, NULL),
	    OK);
	w->list[0] = (struct worker_upstream){ .name = "up",
		.dialect = "openai",
		.base_url = w->upstream.url,
		.key = "sk-verysecret" };
	w->options = (struct worker_options){ .store = w->store,
		.upstreams = w->list,
		.n_upstreams = 1,
		.threads = 2 };
	*state = w;
	return 0;
}

static void start(struct world *w)
{
	struct why why = { "" };

	if (worker_start(&w->options, &w->worker, &why) != OK)
		fail_msg("%s", why.text);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	worker_stop(w->worker, 0);
	store_close(w->store);
	script_close(&w->upstream);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* --- the store's side --- */

struct creation {
	struct write write;
	sem_t done;
};

static void on_created(struct write *w)
{
	sem_post(&((struct creation *)w)->done);
}

static void wait_for(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SCRIPT_PATIENCE_S;
	if (sem_timedwait(sem, &until) != 0)
		fail_msg("nothing happened for %d s", SCRIPT_PATIENCE_S);
}

/* Store a new execution and give it. */
static struct execution *stored(
    struct world *w, const char *model, const char *request)
{
	struct creation c = { .write = { .kind = WRITE_CREATE,
				  .on_done = on_created } };
	struct execution *e = execution_new();

	e->id = id_new();
	e->owner = strdup("ann");
	e->model = strdup(model);
	e->request = strdup(request);
	e->request_len = strlen(request);
	e->created_ms = 1;
	c.write.u.create.execution = e;
	sem_init(&c.done, 0, 0);
	assert_int_equal(writer_post(w->store, &c.write), OK);
	wait_for(&c.done);
	sem_destroy(&c.done);
	assert_int_equal(c.write.result, OK);
	return e;
}

static struct id submitted(struct world *w, const char *model)
{
	struct execution *e = stored(w, model, HELLO);
	struct id id = e->id;

	assert_int_equal(worker_submit(w->worker, &e), OK);
	assert_null(e);
	return id;
}

static void on_news(void *arg, uint64_t number)
{
	(void)number;
	sem_post(arg);
}

/* Wait until the log has ${n} chunks or has ended. */
static void await(struct world *w, const struct id *id, uint64_t n)
{
	struct tail_head head;
	struct waiter waiter;
	sem_t news;

	sem_init(&news, 0, 0);
	for (;;) {
		assert_int_equal(tail_head(w->store, id, NULL, &head), OK);
		if (head.total >= n || execution_ended(head.status))
			break;
		waiter = (struct waiter){ .wake = on_news, .arg = &news };
		if (tail_wait(w->store, id, NULL, head.total, &waiter) == OK)
			wait_for(&news);
		tail_forget(w->store, &waiter);
	}
	sem_destroy(&news);
}

struct result {
	enum execution_status status;
	uint64_t total;
	unsigned ends;
	char *text;	/* all content */
	char *metadata; /* final */
};

static void result_free(struct result *r)
{
	free(r->text);
	free(r->metadata);
}

/* Wait for the end and read the whole log. */
static struct result result_of(struct world *w, const struct id *id)
{
	struct result r = { 0 };
	struct query *query;
	struct page page;
	struct chunk c;
	struct buf text;

	await(w, id, UINT64_MAX);
	buf_init(&text, 64 << 20);
	assert_int_equal(query_open(w->store, &query), OK);
	do {
		struct page_cursor at = { 0 };

		page_init(&page);
		assert_int_equal(query_page(query, id, NULL,
				     &(struct page_query){ .from = r.total,
					 .limit = 10000,
					 .max_bytes = PAGE_MAX_BYTES },
				     &page),
		    OK);
		while (page_each(&page, &at, &c)) {
			assert_int_equal(c.index, r.total);
			assert_int_equal(r.ends, 0);
			r.ends += c.kind == CHUNK_END;
			buf_add(&text, c.content, c.content_len);
			r.total++;
		}
		r.status = page.status;
		if (page_final(&page)) {
			buf_putc(&page.metadata, '\0');
			free(r.metadata);
			r.metadata = strdup(page.metadata.data);
		}
		page_fini(&page);
	} while (r.metadata == NULL);
	query_close(query);
	assert_int_equal(r.ends, 1);
	r.text = buf_detach(&text, NULL);
	return r;
}

static void assert_result(struct world *w, const struct id *id,
    enum execution_status status, const char *text, const char *word)
{
	struct result r = result_of(w, id);

	assert_string_equal(
	    execution_status_name(r.status), execution_status_name(status));
	assert_string_equal(r.text, text);
	if (strstr(r.metadata, word) == NULL)
		fail_msg("\"%s\" is not in %s", word, r.metadata);
	result_free(&r);
}

#define CODE(c) "\"error\":{\"code\":\"" c "\""

/* --- */

static void an_answer_is_stored_and_completed(void **state)
{
	struct world *w = *state;
	char request[8192];
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	assert_non_null(strstr(request, "POST /v1/chat/completions HTTP/1.1"));
	assert_non_null(strstr(request, "Authorization: Bearer sk-verysecret"));
	assert_non_null(strstr(request, "\"hello\""));
	assert_null(strcasestr(request, "expect:"));
	assert_null(strcasestr(request, "accept-encoding: gzip"));
	script_say(fd, SCRIPT_HEAD);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1); /* visible before the answer is whole */
	script_chunk(fd, SCRIPT_TEXT("lo") SCRIPT_DONE);
	assert_result(
	    w, &id, EXECUTION_COMPLETED, "Hello", "\"finish_reason\":\"stop\"");
	close(fd);
}

static void a_connection_is_used_again(void **state)
{
	struct world *w = *state;
	char request[8192];
	struct id id;
	int fd;

	w->options.threads = 1;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("a") SCRIPT_DONE);
	/* the end is known before the body ends */
	assert_result(w, &id, EXECUTION_COMPLETED, "a", "stop");
	script_say(fd, "0\r\n\r\n");
	id = submitted(w, "m");
	script_hear(fd, request, sizeof(request));
	script_say(fd, SCRIPT_HEAD);
	script_chunk(fd, SCRIPT_TEXT("b") SCRIPT_DONE);
	assert_result(w, &id, EXECUTION_COMPLETED, "b", "stop");
	close(fd);
}

static void a_body_that_does_not_end_is_hung_up(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("a") SCRIPT_DONE);
	assert_result(w, &id, EXECUTION_COMPLETED, "a", "stop");
	assert_true(script_hung_up(fd));
	close(fd);
}

static void a_refused_connection_is_a_network_failure(void **state)
{
	struct world *w = *state;
	struct id id;

	close(w->upstream.fd);
	start(w);
	id = submitted(w, "m");
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("network"));
	w->upstream.fd = -1;
}

static void a_metadata_address_is_not_connected_to(void **state)
{
	struct world *w = *state;
	struct id id;

	w->list[0].base_url = "http://169.254.169.254/latest";
	start(w);
	id = submitted(w, "m");
	assert_result(w, &id, EXECUTION_FAILED, "", "not allowed");
	w->list[0].base_url = "http://0xa9fea9fe/latest";
	worker_stop(w->worker, 0);
	start(w);
	id = submitted(w, "m");
	assert_result(w, &id, EXECUTION_FAILED, "", "not allowed");
}

static void a_refusal_keeps_the_upstreams_words(void **state)
{
	struct world *w = *state;
	char request[8192];
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	script_say(fd,
	    "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
	    "Content-Length: 41\r\n\r\n"
	    "{\"error\":{\"message\":\"that key is wrong\"}}");
	assert_result(w, &id, EXECUTION_FAILED, "",
	    CODE("auth") ",\"message\":\"that key is wrong\"");
	close(fd);
}

static void redirects_are_not_followed(void **state)
{
	struct world *w = *state;
	char request[8192];
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	script_say(fd, "HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\n"
		       "Content-Length: 0\r\n\r\n");
	assert_result(w, &id, EXECUTION_FAILED, "", "\"status\":307");
	close(fd);
}

static void a_cut_stream_is_truncated_and_keeps_its_text(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1);
	close(fd);
	assert_result(w, &id, EXECUTION_FAILED, "Hel", CODE("truncated"));
}

static void an_endless_body_is_cut_at_its_cap(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	w->options.max_answer_bytes = 4096;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	while (script_send(fd, "10\r\n: pinpinpinpin\n\n\r\n", 22))
		;
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("answer_too_large"));
	close(fd);
}

static void without_a_connection_the_deadline_ends_it(void **state)
{
	struct world *w = *state;
	struct script full;
	struct id id;
	int fd[3];

	/* a listener whose backlog is full accepts nobody */
	script_open(&full);
	assert_int_equal(listen(full.fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in in;
		socklen_t len = sizeof(in);

		getsockname(full.fd, (struct sockaddr *)&in, &len);
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd[i], (struct sockaddr *)&in, len);
	}
	w->list[0].base_url = full.url;
	w->options.connect_ms = 100;
	start(w);
	id = submitted(w, "m");
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("connect_timeout"));
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	script_close(&full);
}

static void silence_before_the_first_token_ends_it(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	w->options.first_token_ms = 100;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, ": ping\n\n");
	assert_result(
	    w, &id, EXECUTION_FAILED, "", CODE("first_token_timeout"));
	assert_true(script_hung_up(fd));
	close(fd);
}

static void silence_in_the_middle_ends_it(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	w->options.idle_ms = 100;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	script_chunk(fd, ": ping\n\n");
	assert_result(w, &id, EXECUTION_FAILED, "Hel", CODE("idle_timeout"));
	assert_true(script_hung_up(fd));
	close(fd);
}

static void an_answer_without_end_is_ended(void **state)
{
	struct world *w = *state;
	struct result r;
	struct id id;
	int fd;

	w->options.total_ms = 200;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	while (script_send(fd, "b\r\ndata: [1]\n\n\r\n", 16))
		;
	r = result_of(w, &id);
	assert_non_null(strstr(r.metadata, CODE("total_timeout")));
	result_free(&r);
	close(fd);
}

static void a_cancel_hangs_up_at_once(void **state)
{
	struct world *w = *state;
	struct id id, unknown = id_new();
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1);
	assert_int_equal(worker_cancel(w->worker, &unknown), OK);
	assert_int_equal(worker_cancel(w->worker, &id), OK);
	assert_true(script_hung_up(fd));
	assert_result(w, &id, EXECUTION_CANCELLED, "Hel", CODE("cancelled"));
	assert_int_equal(worker_cancel(w->worker, &id), OK);
	close(fd);
}

static void a_cancel_before_an_answer_hangs_up_too(void **state)
{
	struct world *w = *state;
	char request[8192];
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	assert_int_equal(worker_cancel(w->worker, &id), OK);
	assert_true(script_hung_up(fd));
	assert_result(w, &id, EXECUTION_CANCELLED, "", CODE("cancelled"));
	close(fd);
}

static void a_waiting_one_starts_when_a_slot_is_free(void **state)
{
	struct world *w = *state;
	struct id id[3];
	int fd;

	w->options.max_live = 1;
	w->options.threads = 1;
	start(w);
	for (int i = 0; i < 3; i++)
		id[i] = submitted(w, "m");
	assert_int_equal(worker_reserve(w->worker), ERR_LIMIT);
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("a"));
	await(w, &id[0], 1);
	/* one that waits is cancelled without having begun */
	assert_int_equal(worker_cancel(w->worker, &id[1]), OK);
	assert_result(w, &id[1], EXECUTION_CANCELLED, "", CODE("cancelled"));
	script_chunk(fd, SCRIPT_DONE);
	script_say(fd, "0\r\n\r\n");
	assert_result(w, &id[0], EXECUTION_COMPLETED, "a", "stop");
	close(fd);
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("c") SCRIPT_DONE);
	assert_result(w, &id[2], EXECUTION_COMPLETED, "c", "stop");
	close(fd);
	assert_int_equal(worker_reserve(w->worker), OK);
	worker_release(w->worker);
}

static void a_slot_that_one_thread_frees_serves_another(void **state)
{
	struct world *w = *state;
	struct id id[8];
	int fd;

	w->options.max_live = 1;
	w->options.threads = 4;
	start(w);
	for (int i = 0; i < 8; i++)
		id[i] = submitted(w, "m");
	for (int i = 0; i < 8; i++) {
		fd = script_stream(&w->upstream);
		script_chunk(fd, SCRIPT_TEXT("a") SCRIPT_DONE);
		close(fd);
	}
	for (int i = 0; i < 8; i++)
		assert_result(w, &id[i], EXECUTION_COMPLETED, "a", "stop");
}

#define MANY 200

static void many_streams_run_at_once(void **state)
{
	static const char *const part[] = { SCRIPT_TEXT("a"), SCRIPT_TEXT("b"),
		SCRIPT_TEXT("c") SCRIPT_DONE };
	struct world *w = *state;
	struct id id[MANY];
	int fd[MANY];

	start(w);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(worker_reserve(w->worker), OK);
		id[i] = submitted(w, "m");
	}
	for (int i = 0; i < MANY; i++)
		fd[i] = script_stream(&w->upstream);
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < MANY; i++)
			script_chunk(fd[i], part[k]);
	for (int i = 0; i < MANY; i++) {
		assert_result(w, &id[i], EXECUTION_COMPLETED, "abc", "stop");
		close(fd[i]);
	}
}

static void a_slow_writer_pauses_upstreams_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct buf want;
	struct result r;
	struct id id;
	int fd;

	w->options.max_backlog_bytes = 1;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	buf_init(&want, 1 << 20);
	for (int i = 0; i < 20000; i++) {
		char frame[512];

		snprintf(
		    frame, sizeof(frame), SCRIPT_TEXT("%d\xe2\x82\xac"), i);
		script_chunk(fd, frame);
		buf_printf(&want, "%d\xe2\x82\xac", i);
	}
	script_chunk(fd, SCRIPT_DONE);
	r = result_of(w, &id);
	assert_int_equal(r.status, EXECUTION_COMPLETED);
	assert_int_equal(r.total, 20001);
	assert_int_equal(strlen(r.text), want.len);
	assert_memory_equal(r.text, want.data, want.len);
	result_free(&r);
	buf_fini(&want);
	close(fd);
}

/* A write that holds the writer's thread until it is let go. */
struct plug {
	struct write write;
	sem_t held, let_go;
};

static void on_plug(struct write *w)
{
	struct plug *p = (struct plug *)w;

	sem_post(&p->held);
	sem_wait(&p->let_go);
}

static void plug_in(struct world *w, struct plug *p)
{
	*p = (struct plug){ .write = { .kind = WRITE_DELETE,
				.on_done = on_plug,
				.u.remove.id = id_new() } };
	sem_init(&p->held, 0, 0);
	sem_init(&p->let_go, 0, 0);
	assert_int_equal(writer_post(w->store, &p->write), OK);
	wait_for(&p->held);
}

static struct worker_stats stats_of(struct world *w)
{
	struct worker_stats s;

	worker_stats(w->worker, &s);
	return s;
}

static void while_the_writer_stands_still_nothing_is_read(void **state)
{
	struct world *w = *state;
	struct plug plug;
	struct id id;
	int fd;

	w->options.max_backlog_bytes = 64;
	w->options.idle_ms = 200; /* being paused is not being idle */
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("a"));
	await(w, &id, 1);
	plug_in(w, &plug);
	for (int i = 0; stats_of(w).paused == 0; i++) {
		assert_true(i < 2000);
		script_chunk(fd, SCRIPT_TEXT("b"));
		poll(NULL, 0, 1);
	}
	script_chunk(fd, SCRIPT_TEXT("c"));
	poll(NULL, 0, 400); /* past the idle deadline */
	assert_int_equal(stats_of(w).live, 1);
	assert_int_equal(stats_of(w).paused, 1);
	/* a cancel does not wait for the writer */
	assert_int_equal(worker_cancel(w->worker, &id), OK);
	assert_true(script_hung_up(fd));
	sem_post(&plug.let_go);
	await(w, &id, UINT64_MAX);
	assert_int_equal(stats_of(w).paused, 0);
	close(fd);
}

static void when_the_store_has_failed_upstreams_are_hung_up(void **state)
{
	struct world *w = *state;
	struct rlimit before, none = { .rlim_cur = 1 };
	struct execution *e;
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	e = stored(w, "m", HELLO);
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("a"));
	await(w, &id, 1);
	/* from now on the disk fails: every write is too large a file */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	script_chunk(fd, SCRIPT_TEXT("b"));
	assert_true(script_hung_up(fd));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(store_failed(w->store, NULL), ERR_IO);
	/* what comes later is dropped as quietly */
	assert_int_equal(worker_submit(w->worker, &e), OK);
	assert_int_equal(stats_of(w).completed, 0);
	close(fd);
}

static void a_stop_waits_for_what_runs(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1);
	/* the rest waits in the socket: the stop must still read it */
	script_chunk(fd, SCRIPT_TEXT("lo"));
	script_chunk(fd, SCRIPT_DONE);
	worker_stop(w->worker, 60000);
	w->worker = NULL;
	assert_result(w, &id, EXECUTION_COMPLETED, "Hello", "stop");
	close(fd);
}

static void what_does_not_end_in_time_is_interrupted(void **state)
{
	struct world *w = *state;
	struct tail_head head;
	struct id id, waiting;
	int fd;

	w->options.max_live = 1;
	w->options.threads = 1;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1);
	waiting = submitted(w, "m");
	worker_stop(w->worker, 0);
	w->worker = NULL;
	assert_true(script_hung_up(fd));
	assert_result(w, &id, EXECUTION_FAILED, "Hel", CODE("interrupted"));
	/* what never began is left for the next start */
	assert_int_equal(tail_head(w->store, &waiting, NULL, &head), OK);
	assert_int_equal(head.status, EXECUTION_QUEUED);
	close(fd);
}

/* A stop from another thread, while the test plays the upstream. */
static void *stop_slowly(void *arg)
{
	struct world *w = arg;

	worker_stop(w->worker, 60000);
	w->worker = NULL;
	return NULL;
}

static void nothing_begins_while_it_stops(void **state)
{
	struct world *w = *state;
	struct tail_head head;
	struct id id, waiting;
	pthread_t stopping;
	int fd;

	w->options.max_live = 1;
	w->options.threads = 1;
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hel"));
	await(w, &id, 1);
	waiting = submitted(w, "m");
	assert_int_equal(pthread_create(&stopping, NULL, stop_slowly, w), 0);
	/* It is stopping for sure once it refuses. */
	while (worker_reserve(w->worker) != ERR_STOPPED)
		sched_yield();
	script_chunk(fd, SCRIPT_TEXT("lo"));
	script_chunk(fd, SCRIPT_DONE);
	/* Its place is free now; would another begin, it would never end. */
	pthread_join(stopping, NULL);
	assert_result(w, &id, EXECUTION_COMPLETED, "Hello", "stop");
	assert_int_equal(tail_head(w->store, &waiting, NULL, &head), OK);
	assert_int_equal(head.status, EXECUTION_QUEUED);
	close(fd);
}

static void a_settled_answers_tokens_are_estimated(void **state)
{
	struct world *w = *state;
	struct execution *e;
	struct id id;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("twelve bytes"));
	await(w, &id, 1);
	/* As at a start: nobody else ends it. */
	e = execution_new();
	e->id = id;
	e->attempts = 1;
	assert_int_equal(worker_settle(w->worker, e), OK);
	assert_result(
	    w, &id, EXECUTION_FAILED, "twelve bytes", "\"output_tokens\":3,");
	execution_free(e);
	close(fd);
}

#define REFUSAL                                                  \
	"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: " \
	"close\r\n%s\r\n"

/* Take a request and refuse it, with ${more} in the head. */
static void refuse(struct world *w, const char *more)
{
	char request[8192], head[256];
	int fd = script_accept(&w->upstream);

	script_hear(fd, request, sizeof(request));
	snprintf(head, sizeof(head), REFUSAL, more);
	script_say(fd, head);
	close(fd);
}

static void a_refused_one_is_asked_again(void **state)
{
	struct world *w = *state;
	struct id id;
	int fd;

	w->options.retry_attempts = 3;
	w->options.retry_base_ms = 1;
	start(w);
	id = submitted(w, "m");
	refuse(w, "");
	refuse(w, "Retry-After-Ms: 20\r\n");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("Hello") SCRIPT_DONE);
	assert_result(w, &id, EXECUTION_COMPLETED, "Hello",
	    "\"attempts\":[{\"attempt\":1,\"target\":\"up/m\"");
	close(fd);
}

static void a_cancel_does_not_wait_for_the_next_attempt(void **state)
{
	struct world *w = *state;
	struct id id;

	w->options.retry_attempts = 2;
	start(w);
	id = submitted(w, "m");
	refuse(w, "Retry-After: 50\r\n");
	assert_int_equal(worker_cancel(w->worker, &id), OK);
	assert_result(w, &id, EXECUTION_CANCELLED, "", CODE("cancelled"));
}

static void half_an_answer_is_begun_again_or_gone_on_with(void **state)
{
	static const char *const policies[] = { "restart", "continue" };
	static const char *const text[] = { "halfwhole", "half an answer" };
	static const char *const second[] = { "whole", " an answer" };
	struct world *w = *state;
	char request[8192], frame[256];
	struct id id;
	int fd;

	w->list[0].prefill = "yes";
	w->options.retry_attempts = 2;
	w->options.retry_base_ms = 1;
	for (int i = 0; i < 2; i++) {
		w->options.on_interrupt = policies[i];
		start(w);
		id = submitted(w, "m");
		fd = script_stream(&w->upstream);
		script_chunk(fd, SCRIPT_TEXT("half"));
		await(w, &id, 1);
		close(fd);
		fd = script_accept(&w->upstream);
		script_hear(fd, request, sizeof(request));
		assert_int_equal(
		    strstr(request, "{\"role\":\"assistant\",\"content\":"
				    "\"half\"}") != NULL,
		    i);
		script_say(fd, SCRIPT_HEAD);
		snprintf(frame, sizeof(frame), SCRIPT_TEXT("%s") SCRIPT_DONE,
		    second[i]);
		script_chunk(fd, frame);
		assert_result(
		    w, &id, EXECUTION_COMPLETED, text[i], "\"attempt\":2");
		close(fd);
		worker_stop(w->worker, 0);
		w->worker = NULL;
	}
}

static void what_is_to_be_recovered_is_left_by_a_stop_and_run_on(void **state)
{
	struct world *w = *state;
	struct execution *e;
	struct tail_head head;
	struct id id;
	int fd;

	w->list[0].prefill = "yes";
	w->options.recover = "continue";
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT("half"));
	await(w, &id, 1);
	worker_stop(w->worker, 0);
	close(fd);
	assert_int_equal(tail_head(w->store, &id, NULL, &head), OK);
	assert_int_equal(head.status, EXECUTION_STREAMING);
	assert_int_equal(head.total, 1);
	start(w);
	/* As store_unfinished() would give it. */
	e = execution_new();
	e->id = id;
	e->status = EXECUTION_STREAMING;
	e->attempts = 1;
	e->model = strdup("m");
	e->target = strdup("up/m");
	assert_false(worker_recovers(w->worker, e));
	e->request = strdup(HELLO);
	e->request_len = strlen(HELLO);
	assert_true(worker_recovers(w->worker, e));
	assert_int_equal(worker_submit(w->worker, &e), OK);
	fd = script_stream(&w->upstream);
	script_chunk(fd, SCRIPT_TEXT(" an answer") SCRIPT_DONE);
	assert_result(w, &id, EXECUTION_COMPLETED, "half an answer",
	    "\"error_code\":\"interrupted\"");
	close(fd);
}

static void words_that_are_no_policy_are_refused(void **state)
{
	struct world *w = *state;
	struct why why = { "" };

	w->options.on_interrupt = "retry";
	assert_int_equal(
	    worker_start(&w->options, &w->worker, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "restart"));
	w->options.on_interrupt = NULL;
	w->options.recover = "auto";
	assert_int_equal(
	    worker_start(&w->options, &w->worker, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "recover"));
}

/* What is told of a call at its end must fit a chunk, or it would be lost. */
static void a_call_that_fits_no_chunk_is_a_failure(void **state)
{
	static const char head[] =
	    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{"
	    "\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"";
	static const char tail[] = "\"}}]}}]}\n\n";
	struct world *w = *state;
	char *text = malloc(0x28000), size[16];
	size_t n = sizeof(head) - 1, len = 150000;
	struct id id;
	int fd;

	assert_non_null(text);
	memcpy(text, head, n);
	memset(text + n, 'x', len);
	memcpy(text + n + len, tail, sizeof(tail));
	n += len + sizeof(tail) - 1;
	memcpy(text + n, "\r\n", 3);
	start(w);
	id = submitted(w, "m");
	fd = script_stream(&w->upstream);
	snprintf(size, sizeof(size), "%zx\r\n", n);
	/* 18 MB, and a proper end, unless it hangs up before. */
	for (int i = 0; i < 120; i++)
		if (!script_send(fd, size, strlen(size)) ||
		    !script_send(fd, text, n + 2))
			break;
	n = (size_t)snprintf(
	    text, len, "%zx\r\n%s\r\n", sizeof(SCRIPT_DONE) - 1, SCRIPT_DONE);
	(void)script_send(fd, text, n);
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("protocol"));
	free(text);
	close(fd);
}

static void an_endless_head_is_cut_at_its_cap(void **state)
{
	static const char line[] = "X-More: 0123456789012345678901234567\r\n";
	struct world *w = *state;
	char request[4096];
	struct id id;
	size_t sent = 0;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	script_say(fd, "HTTP/1.1 200 OK\r\n");
	while (script_send(fd, line, sizeof(line) - 1) &&
	       sent < ((size_t)64 << 20))
		sent += sizeof(line) - 1;
	assert_true(sent < ((size_t)64 << 20));
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("network"));
	close(fd);
}

static void endless_interim_heads_are_cut_too(void **state)
{
	static const char head[] = "HTTP/1.1 102 Processing\r\n\r\n";
	struct world *w = *state;
	char request[4096];
	struct id id;
	size_t sent = 0;
	int fd;

	start(w);
	id = submitted(w, "m");
	fd = script_accept(&w->upstream);
	script_hear(fd, request, sizeof(request));
	while (script_send(fd, head, sizeof(head) - 1) &&
	       sent < ((size_t)64 << 20))
		sent += sizeof(head) - 1;
	assert_true(sent < ((size_t)64 << 20));
	assert_result(w, &id, EXECUTION_FAILED, "", CODE("network"));
	close(fd);
}

static void an_interrupted_execution_is_settled(void **state)
{
	struct world *w = *state;
	struct execution *e;

	start(w);
	e = stored(w, "m", HELLO);
	e->attempts = 1;
	assert_int_equal(worker_settle(w->worker, e), OK);
	assert_result(w, &e->id, EXECUTION_FAILED, "", CODE("interrupted"));
	execution_free(e);
}

static void a_target_is_told_before_anything_runs(void **state)
{
	struct world *w = *state;
	struct why why;
	char *target;

	start(w);
	assert_int_equal(worker_resolve(w->worker, "m", &target, NULL), OK);
	assert_string_equal(target, "up/m");
	free(target);
	assert_int_equal(
	    worker_resolve(w->worker, "", &target, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "up"));
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACT(an_answer_is_stored_and_completed),
		FACT(a_connection_is_used_again),
		FACT(a_body_that_does_not_end_is_hung_up),
		FACT(a_refused_connection_is_a_network_failure),
		FACT(a_metadata_address_is_not_connected_to),
		FACT(a_refusal_keeps_the_upstreams_words),
		FACT(redirects_are_not_followed),
		FACT(a_cut_stream_is_truncated_and_keeps_its_text),
		FACT(an_endless_body_is_cut_at_its_cap),
		FACT(without_a_connection_the_deadline_ends_it),
		FACT(silence_before_the_first_token_ends_it),
		FACT(silence_in_the_middle_ends_it),
		FACT(an_answer_without_end_is_ended),
		FACT(a_cancel_hangs_up_at_once),
		FACT(a_cancel_before_an_answer_hangs_up_too),
		FACT(a_waiting_one_starts_when_a_slot_is_free),
		FACT(a_slot_that_one_thread_frees_serves_another),
		FACT(many_streams_run_at_once),
		FACT(a_slow_writer_pauses_upstreams_and_loses_nothing),
		FACT(while_the_writer_stands_still_nothing_is_read),
		FACT(when_the_store_has_failed_upstreams_are_hung_up),
		FACT(a_stop_waits_for_what_runs),
		FACT(what_does_not_end_in_time_is_interrupted),
		FACT(nothing_begins_while_it_stops),
		FACT(an_interrupted_execution_is_settled),
		FACT(a_settled_answers_tokens_are_estimated),
		FACT(a_refused_one_is_asked_again),
		FACT(a_cancel_does_not_wait_for_the_next_attempt),
		FACT(half_an_answer_is_begun_again_or_gone_on_with),
		FACT(what_is_to_be_recovered_is_left_by_a_stop_and_run_on),
		FACT(words_that_are_no_policy_are_refused),
		FACT(a_call_that_fits_no_chunk_is_a_failure),
		FACT(an_endless_head_is_cut_at_its_cap),
		FACT(endless_interim_heads_are_cut_too),
		FACT(a_target_is_told_before_anything_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
