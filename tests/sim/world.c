#include "tests/sim/world.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/thread.h"
#include "store/store_internal.h"
#include "tests/sim/net.h"
#include "worker/worker_internal.h"

/* 2026, so that there is room for jumps. */
#define EPOCH_MS INT64_C(1780000000000)
/* So many rounds of turns end everything that can end. */
#define LAST_ROUNDS 3000

static char place[100], place_log[110], place_copy[110];
static struct disk_image *newborn;

/* The store looks at its place with its own eyes, and must find files there. */
static void touch_place(void)
{
	int fd = open(place_log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ASSERT(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void make_newborn(void)
{
	struct store_options options = { .url = place };
	struct store *store = NULL;

	disk_begin(1);
	clock_hold(EPOCH_MS, 1000);
	touch_place();
	ASSERT(store_open(&options, &store, NULL) == OK);
	store_close(store);
	newborn = disk_save();
	disk_end();
}

void world_place(const char *directory)
{
	snprintf(place, sizeof(place), "%s/sim.db", directory);
	snprintf(place_log, sizeof(place_log), "%s-wal", place);
	snprintf(place_copy, sizeof(place_copy), "%s/copy.db", directory);
	thread_hold(true);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	make_newborn();
}

const char *world_copy_path(void)
{
	return place_copy;
}

struct store_options world_store_options(void)
{
	touch_place();
	return (struct store_options){ .url = place };
}

void world_disk(uint64_t seed)
{
	disk_begin(seed);
	disk_load(newborn);
}

void world_leave(void)
{
	disk_image_free(newborn);
	newborn = NULL;
	clock_hold(0, -1);
	thread_hold(false);
}

void world_break(struct world *w, const struct known *k, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (w->broken)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->broken = true;
	if (k == NULL)
		err_why(&w->why, "%s", text);
	else
		err_why(&w->why, "execution %u: %s", k->number, text);
}

bool world_excused(const struct world *w, enum err rc)
{
	return disk_is_off() || (rc == ERR_IO && disk_has_failed()) ||
	       (rc == ERR_FULL && w->weather.faults) ||
	       ((rc == ERR_NOMEM || rc == ERR_BUSY) && w->weather.scarce);
}

/* --- time --- */

void world_pass(struct world *w, int64_t ms)
{
	w->mono_ms += ms;
	w->wall_ms += ms;
	clock_hold(w->wall_ms, w->mono_ms);
}

/* The worker's thread sleeps. While it stops, the world goes on by itself. */
static void on_sleep(void *arg, int ms)
{
	struct world *w = arg;

	if (!w->stopping)
		return;
	net_let(1 + dice_throw(&w->dice, 4), 300);
	world_pass(w, ms < 0 || ms > 200 ? 200 : ms);
	writer_turn(&w->store->writer, 0);
}

/* --- the network's questions --- */

/* The answer so far that ${request} wants to be gone on with. */
static void read_prefill(const struct buf *request, struct buf *ret)
{
	json_t *root, *messages, *last;

	if (memmem(request->data, request->len, "assistant", 9) == NULL)
		return;
	root = json_loadb(request->data, request->len, 0, NULL);
	messages = json_object_get(root, "messages");
	ASSERT(json_array_size(messages) > 0);
	last = json_array_get(messages, json_array_size(messages) - 1);
	ASSERT(json_is_string(json_object_get(last, "content")));
	buf_add(ret, json_string_value(json_object_get(last, "content")),
	    json_string_length(json_object_get(last, "content")));
	json_decref(root);
}

static const struct story *on_asked(
    void *arg, uint32_t number, const struct buf *request)
{
	struct world *w = arg;
	struct known *k = world_find(w, number);
	struct known_try *t = known_begin(k, k->attempt + 1);
	struct dice dice = { k->seed + k->attempt };

	story_init(&t->story, dice_bits(&dice), w->weather.heavy,
	    w->o.lie == NULL ? STORY_TRUE : w->o.lie->story);
	read_prefill(request, &t->prefill);
	if (w->o.lie != NULL && w->o.lie->prefills && t->prefill.len > 0)
		t->prefill.len--;
	return &t->story;
}

static void on_taken(
    void *arg, uint32_t number, const struct story *story, size_t upto)
{
	struct known *k = world_find(arg, number);

	for (uint32_t i = 0; i < k->n_tries; i++)
		if (k->tries[i] != NULL && &k->tries[i]->story == story)
			k->tries[i]->taken = upto;
}

/* --- birth --- */

/* What the writer calls is not always what it should be. */
static void disturb(struct world *w)
{
	w->lying = *w->store->engine;
	if (w->o.lie != NULL && w->o.lie->engine != NULL)
		w->o.lie->engine(&w->lying);
	w->engine = w->lying;
	if (w->weather.scarce && !w->plenty)
		world_be_scarce(&w->engine, &w->lying, &w->dice);
	w->store->engine = &w->engine;
	w->store->db->engine = &w->engine;
}

static bool runs_on(const struct world *w, const struct execution *e)
{
	return e->status == EXECUTION_QUEUED || worker_recovers(w->worker, e);
}

/* As the server does before its first request. */
static void recover(struct world *w)
{
	struct execution **left = NULL;
	size_t n = 0;

	ASSERT(store_unfinished(w->store, &left, &n) == OK);
	for (size_t i = 0; i < n; i++) {
		struct known *k = world_find_id(w, &left[i]->id);

		/* What a dead process began and nobody saw is begun again. */
		if (k != NULL)
			k->attempt = left[i]->attempts;
		if (runs_on(w, left[i]))
			continue;
		if (w->stopped)
			world_break(w, NULL, "a clean stop left one streaming");
		ASSERT(worker_settle(w->worker, left[i]) == OK);
	}
	worker_settled(w->worker);
	for (size_t i = 0; i < n; i++)
		if (runs_on(w, left[i]))
			ASSERT(worker_submit(w->worker, &left[i]) == OK);
	for (size_t i = 0; i < n; i++)
		execution_free(left[i]);
	free(left);
}

/* False: the disk would not let it; try again. */
static bool open_store(struct world *w)
{
	struct why why = { "" };
	enum err rc;

	touch_place();
	rc = store_open(&w->store_options, &w->store, &why);
	if (rc == OK)
		return true;
	if (!world_excused(w, rc))
		world_break(w, NULL, "the store does not open: %s: %s",
		    err_name(rc), why.text);
	if (disk_is_off() && w->weather.power && dice_is(&w->dice, 1, 2))
		disk_power_cut();
	else
		disk_process_died();
	disk_mend();
	return false;
}

void world_boot(struct world *w)
{
	for (int tries = 0; w->store == NULL && !w->broken; tries++)
		if (!open_store(w) && tries > 3)
			world_break(w, NULL, "the store never opens");
	if (w->broken)
		return;
	disturb(w);
	w->worker_options.store = w->store;
	ASSERT(worker_start(&w->worker_options, &w->worker, NULL) == OK);
	recover(w);
	w->stopped = false;
	w->n_forgets = 0;
	for (size_t i = 0; i < w->n_known && !disk_is_off(); i++) {
		world_compare(w, &w->known[i]);
		/* What it had been asked for was done, or never will be. */
		w->known[i].unsure = true;
	}
	world_resolve(w);
}

/* --- death --- */

static void take_apart(struct world *w, int64_t drain_ms)
{
	for (size_t i = 0; i < WORLD_READERS; i++) {
		struct reader *r = &w->reader[i];

		if (r->waiting)
			tail_forget(w->store, &r->waiter);
		r->waiting = r->woken = false;
	}
	query_close(w->query);
	w->query = NULL;
	w->stopping = true;
	worker_stop(w->worker, drain_ms);
	w->worker = NULL;
	store_close(w->store);
	w->store = NULL;
	w->stopping = false;
	/* Nobody has finished it. */
	w->copying = w->copied = false;
	world_drop_copy(w);
}

void world_crash(struct world *w, bool power)
{
	w->crashes++;
	/* From here on nothing that it does reaches the disk. */
	disk_off_now();
	w->dying = true;
	take_apart(w, 0);
	w->dying = false;
	w->stopped = false;
	if (power)
		disk_power_cut();
	else
		disk_process_died();
	disk_mend();
}

void world_stop(struct world *w, int64_t drain_ms)
{
	bool well;

	w->stops++;
	take_apart(w, drain_ms);
	well = !disk_has_failed() && !disk_is_off() && !w->full &&
	       !w->weather.scarce;
	if (disk_is_off() && w->weather.power && dice_is(&w->dice, 1, 2))
		disk_power_cut();
	else
		disk_process_died();
	disk_mend();
	w->full = false;
	w->stopped = well;
}

/* --- life --- */

static void begin(const struct world_options *o, struct world *w)
{
	struct net_hooks hooks = { .on_asked = on_asked,
		.on_taken = on_taken,
		.on_sleep = on_sleep,
		.arg = w };
	static const struct worker_upstream upstreams[] = {
		{ .name = "up",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:1/v1",
		    .key = "sk-simulated",
		    .model = "m" },
		{ .name = "other",
		    .dialect = "openai",
		    .base_url = "http://127.0.0.1:2/v1",
		    .model = "m",
		    .prefill = "yes" },
	};
	static const char *const targets[] = { "up", "other" };
	static const struct worker_model both = {
		.name = "both", .targets = targets, .n_targets = 2
	};

	memset(w, 0, sizeof(*w));
	w->o = *o;
	w->dice.state = o->seed;
	w->wall_ms = EPOCH_MS;
	w->mono_ms = 1000;
	w->store_options.url = place;
	w->worker_options = (struct worker_options){ .upstreams = upstreams,
		.n_upstreams = 2,
		.models = &both,
		.n_models = 1,
		.connect_ms = 4000,
		.first_token_ms = 8000,
		.idle_ms = 8000,
		.total_ms = 30000 };
	clock_hold(w->wall_ms, w->mono_ms);
	for (size_t i = 0; i < WORLD_READERS; i++)
		w->reader[i].world = w;
	for (size_t i = 0; i < WORLD_SHELVES; i++)
		import_init(&w->shelf[i].import);
	world_forecast(w);
	disk_begin(dice_bits(&w->dice));
	if (o->lie != NULL)
		disk_lie(o->lie->disk);
	net_begin(&hooks, dice_bits(&w->dice));
	if (!w->weather.from_nothing)
		disk_load(newborn);
}

/* What was deleted is dropped, down to the last byte. */
static void clean_up(struct world *w)
{
	struct writer *writer = &w->store->writer;
	struct store_stats stats;
	bool left = true;

	for (int i = 0; i < LAST_ROUNDS && left; i++) {
		writer_turn(writer, 0);
		world_pass(w, 100);
		store_stats(w->store, &stats);
		left = stats.cleaning || w->n_pending > 0 ||
		       writer->import_unclean;
	}
	if (left)
		world_break(w, NULL, "what was deleted is never dropped");
	world_resolve(w);
}

/* The weather is fine, and everybody has time: all that lives must end. */
static void last_days(struct world *w)
{
	bool live = true;

	w->plenty = true;
	if (w->store != NULL)
		w->engine = w->lying;
	disk_mend();
	w->full = false;
	if (w->store == NULL)
		world_boot(w);
	if (!w->broken && store_failed(w->store, NULL) != OK) {
		world_crash(w, false);
		world_boot(w);
	}
	for (int i = 0; live && !w->broken && i < LAST_ROUNDS; i++) {
		for (size_t k = net_open(); k > 0; k--)
			net_let(1000, 100000);
		worker_turn(w->worker);
		while (writer_turn(&w->store->writer, 0) &&
		       writer_backlog(w->store) > 0)
			world_pass(w, 10);
		world_pass(w, 100);
		for (size_t k = 0; k < WORLD_READERS; k++)
			reader_turn(&w->reader[k]);
		world_check_waiters(w);
		live = false;
		for (size_t k = 0; k < w->n_known; k++)
			live = live || world_is_live(w, &w->known[k]);
	}
	for (size_t k = 0; live && k < w->n_known; k++)
		if (world_is_live(w, &w->known[k]))
			world_break(w, &w->known[k], "it never ends");
	if (!w->broken)
		clean_up(w);
}

static void last_look(struct world *w)
{
	struct worker_stats stats;

	worker_stats(w->worker, &stats);
	if (stats.live != 0)
		world_break(w, NULL, "the worker still counts %llu live",
		    (unsigned long long)stats.live);
	for (size_t i = 0; i < w->n_known; i++)
		world_compare(w, &w->known[i]);
	w->ended = w->completed = w->chunks = 0;
	for (size_t i = 0; i < w->n_known; i++) {
		const struct known *k = &w->known[i];

		w->ended += k->state == KNOWN_STORED;
		w->completed += k->status == EXECUTION_COMPLETED;
		w->chunks += k->total;
	}
	world_check_store(w, true);
}

static void end(struct world *w)
{
	w->fingerprint = dice_bits(&w->dice) ^ disk_changes() << 32 ^
			 w->chunks << 16 ^ (uint64_t)w->mono_ms;
	for (size_t i = 0; i < w->n_known; i++)
		known_fini(&w->known[i]);
	for (size_t i = 0; i < WORLD_SHELVES; i++)
		import_fini(&w->shelf[i].import);
	disk_end();
	clock_hold(0, -1);
}

bool world_live(const struct world_options *o, struct world *w)
{
	begin(o, w);
	world_boot(w);
	for (; w->event < o->events && !w->broken; w->event++) {
		if (o->on_event != NULL)
			o->on_event(o->arg, w->event);
		world_event(w);
		if (!w->broken && w->store != NULL)
			world_check_waiters(w);
	}
	if (!w->broken)
		last_days(w);
	if (!w->broken)
		last_look(w);
	/* And once more, after an end in order and a night without power. */
	if (!w->broken) {
		world_stop(w, 100);
		if (w->weather.power)
			disk_power_cut();
		world_boot(w);
	}
	if (!w->broken)
		last_look(w);
	if (!w->broken)
		world_stop(w, 0);
	if (!w->broken)
		end(w);
	return !w->broken;
}
