#include "worker/lister.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/thread.h"
#include "worker/catalog.h"
#include "worker/error_class.h"
#include "worker/fetch.h"
#include "worker/fetch_pool.h"
#include "worker/prices.h"
#include "worker/results.h"
#include "worker/upstreams.h"

/*
 * A round:  lister_want() -> rounds_wanted, wake
 *           turn(): begin() those that are due, one fetch each
 *           on_over() ... settle(): the next page, or the catalog
 *           nobody is under way: publish, rounds_done
 */

/* One upstream's list on its way here. */
struct page {
	struct lister *lister;
	size_t i;		      /* which upstream */
	struct fetch *fetch;	      /* NULL: not under way */
	struct results_models models; /* of the pages before */
	struct buf body;
	int status; /* 0: no head has come */
	bool over;
	enum fetch_end end;
	unsigned n;	    /* pages so far */
	int64_t until_ms;   /* its deadline */
	int64_t due_ms;	    /* when it is too old */
	int64_t pause_ms;   /* when it may be asked for again at all */
	const char *failed; /* the last time; NULL: not */
};

struct lister {
	struct lister_options o;
	struct thread thread;
	struct fetch_pool *pool;
	int fd;
	struct page *page;
	size_t n, n_under_way;
	bool begun;	   /* a round is under way */
	bool changed;	   /* it has asked somebody */
	int64_t priced_ms; /* when prices want to be asked for; 0: never */
	atomic_bool stopping, now;
	/* Rounds that somebody waits for, and that were done. */
	_Atomic uint64_t wanted, done;
	/* When the first list is too old; INT64_MAX: while a round goes on. */
	_Atomic int64_t due_ms;
};

static void wake(struct lister *l)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(l->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static void hush(struct lister *l)
{
	uint64_t n;

	while (read(l->fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* --- what fetches tell --- */

static void on_connected(void *arg)
{
	(void)arg;
}

static void on_head(void *arg, const struct dialect_head *head)
{
	struct page *p = arg;

	p->status = head->status;
}

static enum fetch_take on_body(void *arg, const char *bytes, size_t len)
{
	struct page *p = arg;

	buf_add(&p->body, bytes, len);
	return FETCH_TAKEN;
}

static void on_over(void *arg, enum fetch_end end, const char *detail)
{
	struct page *p = arg;

	(void)detail;
	p->end = end;
	p->over = true;
}

static const struct fetch_events fetch_events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_body = on_body,
	.on_over = on_over,
};

/* --- one upstream --- */

static const char *name(const struct page *p)
{
	return upstreams_at(p->lister->o.upstreams, p->i)->name;
}

static void end(struct page *p)
{
	fetch_free(p->fetch);
	p->fetch = NULL;
	buf_fini(&p->body);
	results_models_fini(&p->models);
	p->lister->n_under_way--;
	p->pause_ms = clock_mono_ms() + LISTER_PAUSE_MS;
}

static void fail(struct page *p, const char *why)
{
	int64_t again_ms = p->lister->o.ttl_ms;

	if (p->failed != why)
		log_info("models", "list not read", "upstream=%s code=%s",
		    name(p), why);
	p->failed = why;
	if (again_ms > LISTER_AGAIN_MS)
		again_ms = LISTER_AGAIN_MS;
	p->due_ms = clock_mono_ms() + again_ms;
	catalog_miss(p->lister->o.catalog, p->i, why);
	end(p);
}

static void succeed(struct page *p)
{
	if (p->failed != NULL || p->due_ms == 0)
		log_info("models", "list read", "upstream=%s models=%zu",
		    name(p), p->models.n);
	p->failed = NULL;
	p->due_ms = clock_mono_ms() + p->lister->o.ttl_ms;
	if (prices_put(p->lister->o.prices, p->i, &p->models))
		p->lister->priced_ms = clock_mono_ms() + LISTER_PRICED_MS;
	catalog_put(p->lister->o.catalog, p->i, &p->models);
	end(p);
}

/* Ask for the next page. */
static void ask(struct page *p)
{
	const struct upstream_entry *e =
	    upstreams_at(p->lister->o.upstreams, p->i);
	struct dialect_target target = {
		.base_url = e->base_url, .key = e->key, .headers = e->headers
	};
	struct dialect_request request;
	struct why why = { "" };
	enum err rc;

	p->status = 0;
	p->over = false;
	p->n++;
	dialect_request_init(&request);
	rc = dialect_build_models(
	    e->dialect, &target, p->models.next, &request, &why);
	if (rc == OK)
		rc = fetch_start(p->lister->pool, &request, RESULTS_MAX_BYTES,
		    &fetch_events, p, &p->fetch);
	dialect_request_fini(&request);
	if (rc != OK)
		fail(p, err_name(rc));
}

static void begin(struct page *p)
{
	p->lister->n_under_way++;
	p->n = 0;
	p->until_ms = clock_mono_ms() + LISTER_TOTAL_MS;
	buf_init(&p->body, RESULTS_MAX_BYTES);
	ask(p);
}

/* Put what a page has behind what came before. Takes ${more}'s contents. */
static enum err add(struct results_models *all, struct results_models *more)
{
	struct results_model *models =
	    realloc(all->models, (all->n + more->n + 1) * sizeof(*models));

	if (models == NULL)
		return ERR_NOMEM;
	if (more->n > 0)
		memcpy(
		    models + all->n, more->models, more->n * sizeof(*models));
	all->models = models;
	all->n += more->n;
	free(all->next);
	all->next = more->next;
	free(more->models);
	*more = (struct results_models){ 0 };
	return OK;
}

/* Which word says why there is no list; NULL: there is. */
static const char *failure(struct page *p)
{
	const struct upstream_entry *e =
	    upstreams_at(p->lister->o.upstreams, p->i);
	struct error_class_input in = { .status = p->status,
		.in_request = true };
	struct results_models more = { 0 };
	struct error_class class;
	enum err rc;

	if (p->end != FETCH_CLEAN || p->status == 0)
		return p->end == FETCH_TOO_LARGE
			   ? "too_large"
			   : dialect_error_name(ERROR_NETWORK);
	if (p->status < 200 || p->status > 299) {
		error_class(&in, &class);
		return dialect_error_name(class.error.kind);
	}
	rc = buf_state(&p->body);
	if (rc == OK)
		rc = results_models(
		    e->dialect, p->body.data, p->body.len, &more);
	if (rc == OK)
		rc = add(&p->models, &more);
	results_models_fini(&more);
	return rc == OK		    ? NULL
	       : rc == ERR_UPSTREAM ? dialect_error_name(ERROR_PROTOCOL)
				    : err_name(rc);
}

/* Its fetch is over, or has taken too long. */
static void settle(struct page *p)
{
	const char *why =
	    p->over ? failure(p) : dialect_error_name(ERROR_TIMEOUT);

	fetch_free(p->fetch);
	p->fetch = NULL;
	buf_reset(&p->body);
	if (why != NULL)
		fail(p, why);
	else if (p->models.next != NULL && p->n < LISTER_MAX_PAGES &&
		 p->models.n < CATALOG_MAX_MODELS)
		ask(p);
	else
		succeed(p);
}

/* --- the turn --- */

static void begin_round(struct lister *l)
{
	bool now = atomic_exchange(&l->now, false);
	int64_t at = clock_mono_ms();

	atomic_store(&l->due_ms, INT64_MAX);
	l->begun = true;
	for (size_t i = 0; i < l->n; i++) {
		struct page *p = &l->page[i];

		if (p->due_ms > at && !(now && p->pause_ms <= at))
			continue;
		l->changed = true;
		begin(p);
	}
}

static void end_round(struct lister *l)
{
	int64_t due_ms = INT64_MAX;
	enum err rc = l->changed ? catalog_publish(l->o.catalog) : OK;

	l->changed = false;
	if (rc != OK)
		log_warn("models", "list not made", "reason=%s", err_name(rc));
	for (size_t i = 0; i < l->n; i++)
		if (l->page[i].due_ms < due_ms)
			due_ms = l->page[i].due_ms;
	l->begun = false;
	atomic_fetch_add(&l->done, 1);
	atomic_store(&l->due_ms, due_ms);
}

/* How long to sleep: until the first deadline, or a question. */
static int nap(const struct lister *l)
{
	int64_t until =
	    l->priced_ms > 0 && !l->begun ? l->priced_ms : INT64_MAX;
	int64_t left;

	for (size_t i = 0; i < l->n; i++)
		if (l->page[i].fetch != NULL && l->page[i].until_ms < until)
			until = l->page[i].until_ms;
	if (until == INT64_MAX)
		return -1;
	left = until - clock_mono_ms();
	return left > 0 ? (int)left : 0;
}

static void turn(struct lister *l)
{
	if (fetch_pool_wait(l->pool, nap(l)))
		hush(l);
	while (fetch_pool_step(l->pool))
		;
	for (size_t i = 0; i < l->n; i++) {
		struct page *p = &l->page[i];

		if (p->fetch != NULL &&
		    (p->over || p->until_ms <= clock_mono_ms()))
			settle(p);
	}
	if (!l->begun && l->priced_ms > 0 && l->priced_ms <= clock_mono_ms()) {
		l->priced_ms = clock_mono_ms() + LISTER_PRICED_MS;
		(void)lister_want(l, false);
	}
	if (!l->begun && atomic_load(&l->wanted) > atomic_load(&l->done))
		begin_round(l);
	if (l->begun && l->n_under_way == 0)
		end_round(l);
}

static void *run(void *arg)
{
	struct lister *l = arg;

	while (!atomic_load(&l->stopping))
		turn(l);
	return NULL;
}

/* --- from outside --- */

enum err lister_start(const struct lister_options *options, struct lister **ret)
{
	struct lister *l = calloc(1, sizeof(*l));
	enum err rc = ERR_NOMEM;

	if (l == NULL)
		goto out;
	l->fd = -1;
	l->o = *options;
	atomic_init(&l->wanted, 1);
	while (upstreams_at(l->o.upstreams, l->n) != NULL)
		l->n++;
	l->page = calloc(l->n + 1, sizeof(*l->page));
	if (l->page == NULL)
		goto out;
	for (size_t i = 0; i < l->n; i++) {
		l->page[i].lister = l;
		l->page[i].i = i;
	}
	rc = ERR_IO;
	l->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->fd < 0)
		goto out;
	rc = fetch_pool_new(l->fd, &l->pool);
	if (rc != OK)
		goto out;
	rc = thread_start(&l->thread, run, l);
	if (rc != OK)
		goto out;
	*ret = l;
	l = NULL;
out:
	lister_stop(l);
	return rc;
}

void lister_stop(struct lister *l)
{
	if (l == NULL)
		return;
	atomic_store(&l->stopping, true);
	if (l->fd >= 0)
		wake(l);
	thread_join(&l->thread);
	for (size_t i = 0; l->page != NULL && i < l->n; i++)
		if (l->page[i].fetch != NULL)
			end(&l->page[i]);
	fetch_pool_free(l->pool);
	if (l->fd >= 0)
		close(l->fd);
	free(l->page);
	free(l);
}

uint64_t lister_want(struct lister *l, bool now)
{
	uint64_t done = atomic_load(&l->done);
	bool old = atomic_load(&l->due_ms) <= clock_mono_ms();

	if (now)
		atomic_store(&l->now, true);
	if (now || old) {
		atomic_store(&l->wanted, done + 1);
		wake(l);
	}
	return now || done == 0 ? done + 1 : 0;
}

bool lister_done(const struct lister *l, uint64_t round)
{
	return atomic_load(&l->done) >= round;
}
