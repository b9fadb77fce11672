/*
 * Room on the disk. What is new is refused early, so that what runs can go on;
 * and some room is set aside, so that it can end when others have filled the
 * disk all the same:
 *
 *   roomy ──free < reserve──► low ──a write finds no room──► full
 *     ▲                        │ ▲                            │ 10 s: workers end
 *     └── free > 9/8 reserve ──┘ └──── a commit succeeds ─────┤ what runs; 11 s:
 *                                                             │ what is set aside
 *                                                             ▼ is given for that
 */
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"
#include "store/writer_internal.h"

#define LOOK_MS 1000
/* A longer log of changes is looked at while nothing is written, too. */
#define WAL_REST_BYTES ((uint64_t)4 << 20)
/* What workers may have posted (16 MiB), its rows, and the ends of all. */
#define ASIDE_BYTES ((uint64_t)32 << 20)
/* After the workers' patience: their ends are in the queue by then. */
#define GIVE_MS (WRITER_PATIENCE_MS + 1000)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Set room aside where that does not take it from what is new. */
static void set_aside(struct writer *w, uint64_t left, uint64_t disk)
{
	uint64_t want = least(ASIDE_BYTES, disk / 16) & ~(uint64_t)4095;
	uint64_t enough = atomic_load(&w->store->reserve_bytes) / 8 * 9;

	if (w->aside != 0 || want == 0 || left < enough + want ||
	    w->store->engine->set_aside(w->store->db, want) != OK)
		return;
	w->aside = want;
	atomic_store(&w->store->spent, false);
}

void writer_room_look(struct writer *w)
{
	struct store *store = w->store;
	bool was = atomic_load(&store->low), low;
	bool first = w->look_ms == 0;
	uint64_t left, disk, want;

	store_weigh(store);
	w->look_ms = clock_mono_ms() + LOOK_MS;
	left = atomic_load(&store->free_bytes);
	disk = atomic_load(&store->disk_bytes);
	want = store_reserve(store->options.reserve_bytes, disk);
	atomic_store(&store->reserve_bytes, want);
	/* Nothing waits any more: whether there is room the next will see. */
	if (w->full != ERR_FULL)
		atomic_store(&store->full_ms, 0);
	/* Once low, a little more is wanted: it must not flicker. */
	low = disk != 0 && left < (was ? want / 8 * 9 : want);
	if (low != was)
		log_line(low ? LOG_WARN : LOG_INFO, "writer",
		    low ? "disk low, nothing new is taken" : "disk has room",
		    "free_bytes=%llu reserve_bytes=%llu",
		    (unsigned long long)left, (unsigned long long)want);
	atomic_store(&store->low, low);
	if (atomic_load(&store->wal_bytes) > WAL_REST_BYTES &&
	    w->untidy_bytes == 0)
		w->untidy_bytes = 1; /* tidied when there is nothing else */
	/* At open it would cost a start what nobody needs yet. */
	if (!low && !first && atomic_load(&store->full_ms) == 0)
		set_aside(w, left, disk);
}

int writer_room_wait_ms(const struct writer *w)
{
	int64_t left = w->look_ms - clock_mono_ms();

	return left <= 0 ? 0 : left < LOOK_MS ? (int)left : LOOK_MS;
}

void writer_room_out(struct writer *w)
{
	if (atomic_load(&w->store->full_ms) == 0)
		atomic_store(&w->store->full_ms, clock_mono_ms());
	/* What comes meanwhile would fail one by one. */
	if (!atomic_load(&w->store->low))
		writer_room_look(w);
}

void writer_room_in(struct writer *w)
{
	atomic_store(&w->store->full_ms, 0);
}

static bool give(struct writer *w)
{
	struct store *store = w->store;

	if (w->aside == 0)
		return false;
	log_warn("writer", "room set aside is given", "bytes=%llu",
	    (unsigned long long)w->aside);
	w->aside = 0;
	atomic_store(&store->spent, true);
	if (store->engine->set_aside(store->db, 0) != OK)
		log_warn("writer", "it could not be given", "why=%s",
		    store->db->why.text);
	return true;
}

bool writer_room_give(struct writer *w, bool now)
{
	if (w->full != ERR_FULL || (!now && writer_full_ms(w->store) < GIVE_MS))
		return false;
	return give(w);
}

bool writer_room_give_to_clean(struct writer *w)
{
	/* Batches that wait for room come first. */
	return w->full == OK && give(w);
}
