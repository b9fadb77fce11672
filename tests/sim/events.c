#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"
#include "tests/sim/asked.h"
#include "tests/sim/net.h"
#include "tests/sim/world.h"
#include "worker/worker_internal.h"

static const char *const owners[] = { "ann", "bob" };
#define N_KEYS 6

struct known *world_find(struct world *w, uint32_t number)
{
	for (size_t i = 0; i < w->n_known; i++)
		if (w->known[i].number == number)
			return &w->known[i];
	log_panic(__FILE__, __LINE__, "an execution that nobody made");
}

struct known *world_find_id(struct world *w, const struct id *id)
{
	for (size_t i = 0; i < w->n_known; i++)
		if (id_equal(&w->known[i].id, id))
			return &w->known[i];
	return NULL;
}

/* --- creating --- */

/* Another that has used the key of ${k}; ${sure}: certainly stored. */
struct known *world_with_key(struct world *w, const struct known *k, bool sure)
{
	for (size_t i = 0; i < w->n_known; i++) {
		struct known *o = &w->known[i];

		if (o == k || k->key == 0 || o->key != k->key ||
		    o->owner != k->owner || o->state == KNOWN_NEVER)
			continue;
		if (sure ? o->state == KNOWN_STORED && !o->delete_asked
			 : o->state != KNOWN_GONE || o->pending > 0)
			return o;
	}
	return NULL;
}

/* The key was used: by whom? */
static void existed(struct asked *a)
{
	struct execution *e = a->write.u.create.execution;
	struct world *w = a->world;
	struct known *k = a->of[0], *o = world_find_id(w, &e->id);

	k->state = KNOWN_NEVER;
	if (o == NULL)
		world_break(w, k, "its key gave an execution of nobody");
	else if (o->owner != k->owner || o->key != k->key || o->body != k->body)
		world_break(w, k, "its key gave another's execution");
}

static void told_create(struct asked *a)
{
	struct world *w = a->world;
	struct known *k = a->of[0];
	enum err rc = a->write.result;
	bool fresh = rc == OK && !a->write.u.create.existed;

	if (fresh) {
		if (world_with_key(w, k, true) != NULL)
			world_break(w, k, "its key was used before");
		k->state = KNOWN_STORED;
		if (worker_submit(w->worker, &a->write.u.create.execution) !=
		    OK)
			world_break(w, k, "the worker does not take it");
		return;
	}
	worker_release(w->worker);
	if (rc == OK) {
		existed(a);
	} else if (rc == ERR_CONFLICT) {
		k->state = KNOWN_NEVER;
		if (world_with_key(w, k, false) == NULL)
			world_break(w, k, "its key is in conflict with nobody");
	} else if (rc == ERR_FULL || rc == ERR_NOMEM || rc == ERR_BUSY) {
		k->state = KNOWN_NEVER;
		if (!world_excused(w, rc))
			world_break(w, k, "refused: %s", a->write.why.text);
	} else if (!world_excused(w, rc)) {
		world_break(w, k, "not created: %s: %s", err_name(rc),
		    a->write.why.text);
	}
}

/* A place for one more; those that are gone are forgotten at last. */
struct known *world_new_known(struct world *w)
{
	size_t at = dice_throw(&w->dice, WORLD_KNOWN);
	struct known *k;

	if (w->n_known < WORLD_KNOWN)
		return &w->known[w->n_known++];
	for (size_t i = 0; i < WORLD_KNOWN; i++) {
		k = &w->known[(at + i) % WORLD_KNOWN];
		if ((k->state != KNOWN_GONE && k->state != KNOWN_NEVER) ||
		    k->pending > 0 || net_asks(k->number))
			continue;
		for (size_t r = 0; r < WORLD_READERS; r++)
			if (w->reader[r].of == (size_t)(k - w->known))
				reader_leave(&w->reader[r]);
		known_fini(k);
		return k;
	}
	return NULL;
}

/* In worlds where what fails is tried again. */
static const char *const models[] = { "", "both", "both", "other/m" };
static const char *const asked_interrupts[] = { "", "", "", "",
	",\"on_interrupt\":\"fail\"", ",\"on_interrupt\":\"restart\"",
	",\"on_interrupt\":\"continue\"", ",\"on_interrupt\":\"auto\"" };
static const char *const asked_retries[] = { "", "",
	",\"retry\":{\"attempts\":1}",
	",\"retry\":{\"attempts\":4,\"base_ms\":20,\"max_ms\":50}" };

static struct execution *record(struct world *w, const struct known *k)
{
	struct execution *e = execution_new();
	char text[200];
	int n;

	ASSERT(e != NULL);
	e->id = k->id;
	e->owner = strdup(owners[k->owner]);
	e->model =
	    strdup(models[w->weather.tries ? dice_throw(&w->dice, 4) : 0]);
	n = snprintf(text, sizeof(text),
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"" NET_MARK
	    "%u\"}]%s%s}",
	    k->number,
	    w->weather.tries ? asked_interrupts[dice_throw(&w->dice, 8)] : "",
	    w->weather.tries ? asked_retries[dice_throw(&w->dice, 4)] : "");
	e->request = strdup(text);
	e->request_len = (size_t)n;
	e->created_ms = w->wall_ms;
	if (k->key > 0) {
		snprintf(text, sizeof(text), "key %u", k->key);
		e->idempotency_key = strdup(text);
	}
	memset(e->request_hash, (int)k->body + 1, sizeof(e->request_hash));
	return e;
}

static void event_create(struct world *w)
{
	struct known *k;
	struct asked *a;

	if (worker_reserve(w->worker) != OK)
		return;
	k = world_new_known(w);
	if (k == NULL) {
		worker_release(w->worker);
		return;
	}
	k->number = ++w->n_created;
	k->state = KNOWN_ASKED;
	for (size_t i = 0; i < sizeof(k->id.byte); i++)
		k->id.byte[i] = (uint8_t)dice_bits(&w->dice);
	for (size_t i = 0; i < 6; i++)
		k->id.byte[i] = (uint8_t)(w->wall_ms >> (40 - 8 * i));
	k->id.byte[6] = (uint8_t)(0x70 | (k->id.byte[6] & 0x0f));
	k->id.byte[8] = (uint8_t)(0x80 | (k->id.byte[8] & 0x3f));
	k->owner = dice_throw(&w->dice, 2);
	k->key = dice_is(&w->dice, 1, 4) ? 1 + dice_throw(&w->dice, N_KEYS) : 0;
	k->body = dice_throw(&w->dice, 3) == 0;
	k->seed = dice_bits(&w->dice);
	a = asked_new(w, k, WRITE_CREATE, told_create);
	a->write.u.create.execution = record(w, k);
	if (asked_post(a) != OK) {
		k->state = KNOWN_NEVER;
		worker_release(w->worker);
	}
}

static void event_cancel(struct world *w)
{
	struct known *k;

	if (w->n_known == 0)
		return;
	k = &w->known[dice_throw(&w->dice, (uint32_t)w->n_known)];
	if (worker_cancel(w->worker, &k->id) != OK)
		world_break(w, k, "cannot be cancelled");
}

/* --- turns --- */

static void event_writer(struct world *w)
{
	if (!writer_turn(&w->store->writer, 0))
		world_break(w, NULL, "the writer has ended");
}

static void event_worker(struct world *w)
{
	worker_turn(w->worker);
}

static void event_upstream(struct world *w)
{
	static const uint32_t most[] = { 1, 40, 1000, 1000, 16384, 16384 };

	for (uint32_t n = 1 + dice_throw(&w->dice, 4); n > 0; n--)
		net_let(1 + dice_throw(&w->dice, 12),
		    most[dice_throw(&w->dice, 6)]);
}

static void event_break(struct world *w)
{
	(void)w;
	net_break();
}

static void event_read(struct world *w)
{
	reader_turn(&w->reader[dice_throw(&w->dice, WORLD_READERS)]);
}

static void event_seat(struct world *w)
{
	reader_seat(&w->reader[dice_throw(&w->dice, WORLD_READERS)]);
}

/* --- faults --- */

static void crash(struct world *w, bool power)
{
	world_crash(w, power && w->weather.power);
	w->full = false;
	world_boot(w);
}

static void event_kill(struct world *w)
{
	if (w->weather.crashes)
		crash(w, false);
}

static void event_power(struct world *w)
{
	if (w->weather.crashes)
		crash(w, true);
}

/* In the middle of some write. */
static void event_crash_later(struct world *w)
{
	if (w->weather.crashes)
		disk_off_after(1 + dice_throw(&w->dice, 60));
}

static void event_stop(struct world *w)
{
	int64_t drain_ms =
	    dice_is(&w->dice, 1, 2) ? 0 : dice_throw(&w->dice, 3000);

	/* A server waits for what it has posted itself. */
	for (int i = 0; i < 1000 && w->n_pending > 0; i++) {
		writer_turn(&w->store->writer, 0);
		world_pass(w, 10);
	}
	world_stop(w, drain_ms);
	world_boot(w);
}

static void event_disk_fails(struct world *w)
{
	static const unsigned what[] = { DISK_READ, DISK_WRITE, DISK_SYNC,
		DISK_TRUNCATE, DISK_WRITE | DISK_SYNC };

	if (w->weather.faults)
		disk_fail_after(1 + dice_throw(&w->dice, 60),
		    what[dice_throw(&w->dice, 5)], dice_is(&w->dice, 1, 2));
}

static void event_disk_fills(struct world *w)
{
	if (!w->weather.faults)
		return;
	disk_bound(dice_throw(&w->dice, 100000));
	w->full = true;
}

static void event_disk_room(struct world *w)
{
	disk_bound(UINT64_MAX);
	w->full = false;
}

static void event_sleep(struct world *w)
{
	world_pass(w, dice_size(&w->dice, 30000));
}

static void event_jump(struct world *w)
{
	w->wall_ms += (int64_t)dice_throw(&w->dice, 172800000) - 86400000;
	world_pass(w, 1);
}

static void event_check(struct world *w)
{
	world_check_store(w, false);
}

static const struct {
	const char *name;
	void (*happens)(struct world *w);
	uint32_t weight;
} kinds[] = {
	{ "create", event_create, 25 },
	{ "writer", event_writer, 220 },
	{ "worker", event_worker, 220 },
	{ "upstream", event_upstream, 220 },
	{ "read", event_read, 200 },
	{ "seat", event_seat, 15 },
	{ "delete", world_delete, 10 },
	{ "prune", world_prune, 3 },
	{ "retain", world_retain, 2 },
	{ "forget", world_forget, 2 },
	{ "export", world_export, 4 },
	{ "import", world_import, 4 },
	{ "backup", world_copy, 1 },
	{ "cancel", event_cancel, 6 },
	{ "break", event_break, 6 },
	{ "sleep", event_sleep, 6 },
	{ "jump", event_jump, 5 },
	{ "kill", event_kill, 2 },
	{ "power", event_power, 2 },
	{ "crash later", event_crash_later, 4 },
	{ "stop", event_stop, 1 },
	{ "disk fails", event_disk_fails, 3 },
	{ "disk fills", event_disk_fills, 3 },
	{ "disk room", event_disk_room, 5 },
	{ "check", event_check, 1 },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void forecast_tries(struct worker_options *o, struct dice *d)
{
	static const char *const interrupts[] = { "fail", "restart", "continue",
		"auto" };
	static const char *const recovers[] = { "fail", "restart", "continue" };

	o->retry_attempts = 1 + dice_throw(d, 3);
	o->retry_base_ms = 1 + dice_throw(d, 500);
	o->retry_max_ms = o->retry_base_ms + dice_throw(d, 3000);
	o->on_interrupt = interrupts[dice_throw(d, 4)];
	o->recover = recovers[dice_throw(d, 3)];
	o->circuit_failures = dice_throw(d, 6);
	o->circuit_cooldown_ms = 1 + dice_throw(d, 5000);
}

void world_forecast(struct world *w)
{
	struct weather *h = &w->weather;
	struct dice *d = &w->dice;

	*h = (struct weather){ .heavy = dice_is(d, 1, 12),
		.scarce = dice_is(d, 1, 4),
		.faults = dice_is(d, 1, 2),
		.crashes = dice_is(d, 3, 4),
		.power = dice_is(d, 3, 4),
		.from_nothing = dice_is(d, 1, 20),
		.tries = dice_is(d, 2, 3) };
	/* Each world is fond of some things and knows little of others. */
	for (size_t i = 0; i < N_KINDS; i++)
		h->weight[i] = kinds[i].weight * (1 + dice_throw(d, 4)) / 2;
	w->store_options.cache_bytes =
	    dice_is(d, 1, 2) ? 1 : 1 + dice_throw(d, 200000);
	if (!h->power && dice_is(d, 1, 2))
		w->store_options.durability = STORE_NORMAL;
	w->worker_options.max_live = 1 + dice_throw(d, 30);
	w->worker_options.threads = 1 + dice_throw(d, 3);
	if (dice_is(d, 1, 3))
		w->worker_options.max_backlog_bytes = 1 + dice_size(d, 20000);
	if (h->tries)
		forecast_tries(&w->worker_options, d);
}

static size_t choose(struct world *w)
{
	uint32_t sum = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < N_KINDS; k++)
		sum += w->weather.weight[k];
	at = dice_throw(&w->dice, sum);
	while (at >= w->weather.weight[i])
		at -= w->weather.weight[i++];
	return i;
}

void world_event(struct world *w)
{
	size_t i = choose(w);

	world_pass(w, dice_throw(&w->dice, 4));
	if (w->o.trace)
		fprintf(stderr, "event %u: %s\n", w->event, kinds[i].name);
	kinds[i].happens(w);
	if (!w->broken)
		world_resolve(w);
	if (!w->broken)
		world_look_at_copy(w);
	if (w->broken)
		return;
	if (disk_is_off())
		crash(w, dice_is(&w->dice, 1, 2));
	else if (store_failed(w->store, NULL) != OK &&
		 dice_is(&w->dice, 1, 4)) {
		/* A server that has lost its store ends. */
		if (!disk_has_failed())
			world_break(w, NULL, "the store stopped: %s",
			    w->store->failed_why.text);
		else if (dice_is(&w->dice, 1, 2))
			crash(w, true);
		else
			event_stop(w);
	}
}
