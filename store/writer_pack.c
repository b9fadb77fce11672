/*
 * Packing. A log's rows begin as live ones, in the order of commits. They
 * become segments when the log has ended, when its unpacked part is large, when
 * it is the one that keeps too many dead rows alive (rows are deleted only as a
 * prefix, below the first row that somebody needs), or when there are so many
 * in all that a start would be long in reading them back: then the oldest go.
 *
 * `unpacked` lists all logs with live rows by first_seq, so its head says where
 * that prefix ends.
 */
#include "store/writer_internal.h"

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"

/* One turn: what a commit may have to wait for. */
#define TURN_BYTES ((size_t)64 << 10)
#define TURN_BYTES_BEHIND ((size_t)256 << 10)
#define TURN_LOGS 64
#define BEHIND_LOGS 64
#define LARGE_BYTES ((size_t)256 << 10)
#define KEEP_BYTES ((size_t)64 << 10)
/* There may be many streams, open for ever, of which few are read. */
#define STREAM_LARGE_BYTES ((size_t)16 << 10)
#define STREAM_KEEP_BYTES ((size_t)4 << 10)
#define DROP_ROWS 1000
#define DROP_STEPS 4
/* Dead rows that may lie among live ones: this many, and twice the live. */
#define DEAD_ROWS 100000
#define PUT_OFF_MS 1000
/* A start reads some 3 million rows a second; a small segment is a poor one. */
#define LIVE_ROWS 250000
#define LIVE_ROWS_A_LOG 256

void writer_pack_want(struct writer *w, struct tail_log *l)
{
	if (l->queued)
		return;
	l->queued = true;
	TAILQ_INSERT_TAIL(&w->packing, l, queue_link);
	w->n_packing++;
}

void writer_pack_grown(
    struct writer *w, struct tail_log *l, uint32_t n, int64_t first_seq)
{
	struct tail_log *before;

	w->unpacked_rows += n;
	if (!l->unpacked) {
		l->unpacked = true;
		w->n_unpacked++;
		l->first_seq = first_seq;
		before = TAILQ_LAST(&w->unpacked, tail_logs);
		while (before != NULL && before->first_seq > first_seq)
			before = TAILQ_PREV(before, tail_logs, unpacked_link);
		if (before == NULL)
			TAILQ_INSERT_HEAD(&w->unpacked, l, unpacked_link);
		else
			TAILQ_INSERT_AFTER(
			    &w->unpacked, before, l, unpacked_link);
	}
	if (execution_ended(l->status) ||
	    chunklog_bytes_from(&l->log, l->packed) >=
		(l->stream ? STREAM_LARGE_BYTES : LARGE_BYTES))
		writer_pack_want(w, l);
}

/* Out of the lists; its rows, if any are left, are dead. */
static void release(struct writer *w, struct tail_log *l)
{
	if (l->queued) {
		TAILQ_REMOVE(&w->packing, l, queue_link);
		w->n_packing--;
		l->queued = false;
	}
	if (l->unpacked) {
		TAILQ_REMOVE(&w->unpacked, l, unpacked_link);
		w->n_unpacked--;
		l->unpacked = false;
	}
}

void writer_pack_forget(struct writer *w, struct tail_log *l)
{
	w->unpacked_rows -= chunklog_next(&l->log) - l->packed;
	release(w, l);
}

/* No row below this is needed. */
static int64_t needed_seq(const struct writer *w)
{
	const struct tail_log *l = TAILQ_FIRST(&w->unpacked);

	return l == NULL ? w->last_seq + 1 : l->first_seq;
}

/* The log that keeps more dead rows alive than is worth it, or NULL. */
static struct tail_log *holding_back(const struct writer *w)
{
	struct tail_log *l = TAILQ_FIRST(&w->unpacked);
	uint64_t span;

	if (l == NULL || l->queued)
		return NULL;
	span = (uint64_t)(w->last_seq - l->first_seq);
	return span > DEAD_ROWS + 2 * w->unpacked_rows ? l : NULL;
}

static bool crowded(const struct writer *w)
{
	return w->unpacked_rows > LIVE_ROWS &&
	       w->unpacked_rows > LIVE_ROWS_A_LOG * w->n_unpacked;
}

/* Of a crowd, as many of the oldest as fill a turn. */
static void thin_out(struct writer *w, size_t budget)
{
	struct tail_log *l;
	size_t bytes = 0;

	TAILQ_FOREACH(l, &w->unpacked, unpacked_link)
	{
		if (bytes >= budget)
			break;
		bytes += chunklog_bytes_from(&l->log, l->packed);
		writer_pack_want(w, l);
	}
}

/* Enough to be worth a turn, or what somebody deleted. */
static bool dead_rows_wait(const struct writer *w)
{
	int64_t dead = needed_seq(w) - w->dropped_seq;

	return w->dropping || dead >= DROP_ROWS ||
	       (dead > 0 && w->dropped_seq < w->deleted_seq);
}

bool writer_pack_due(const struct writer *w)
{
	if (w->n_packing == 0 && holding_back(w) == NULL && !crowded(w) &&
	    !dead_rows_wait(w))
		return false;
	return clock_mono_ms() >= w->pack_after_ms;
}

/* How far each log of this turn came. */
struct turn {
	struct tail_log *log[TURN_LOGS];
	uint64_t upto[TURN_LOGS];
	size_t n, bytes, written;
};

/* Segments for the logs at the head of the queue. */
static enum err put_segments(struct writer *w, struct turn *t, size_t budget)
{
	struct store *store = w->store;
	struct engine_segment s;
	struct tail_log *l;
	enum err rc = OK;

	TAILQ_FOREACH(l, &w->packing, queue_link)
	{
		struct execution e = {
			.row = l->row, .id = l->id, .owner = l->owner
		};
		uint64_t from = l->packed, next = chunklog_next(&l->log);

		if (t->n == TURN_LOGS || t->bytes >= budget)
			break;
		while (rc == OK && from < next && t->bytes < budget) {
			rc = pack_next(&w->pack, &l->log, from, &s);
			s.first_chunk_ms = l->first_chunk_ms;
			if (rc == OK)
				rc = store->engine->segment_put(
				    store->db, &e, &s);
			if (rc == OK) {
				from += s.n;
				t->bytes += s.raw_len;
				t->written += s.payload_len;
			}
		}
		if (rc != OK)
			break;
		t->log[t->n] = l;
		t->upto[t->n++] = from;
	}
	return rc;
}

/* Delete some of the rows that nobody needed when this turn began. */
static enum err drop_rows(struct writer *w, int64_t before, bool *ret_left)
{
	struct store *store = w->store;
	uint32_t dropped = DROP_ROWS;
	enum err rc = OK;

	/* An engine may stop short of the limit; far short means: no more. */
	for (int i = 0; rc == OK && dropped > DROP_ROWS / 2 && i < DROP_STEPS;
	     i++)
		rc = store->engine->chunks_drop(
		    store->db, before, DROP_ROWS, &dropped);
	if (rc == OK)
		*ret_left = dropped > DROP_ROWS / 2;
	return rc;
}

/* The turn is durable: memory may know. */
static void advance(struct writer *w, const struct turn *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct tail_log *l = t->log[i];

		w->unpacked_rows -= t->upto[i] - l->packed;
		if (t->upto[i] == chunklog_next(&l->log))
			release(w, l);
		tail_packed(w->store->tail, l, t->upto[i],
		    l->stream ? STREAM_KEEP_BYTES : KEEP_BYTES);
	}
	w->untidy_bytes += t->written;
}

/* Of the logs that one turn may take. */
static size_t waiting_bytes(const struct writer *w)
{
	struct tail_log *l;
	size_t bytes = 0, n = 0;

	TAILQ_FOREACH(l, &w->packing, queue_link)
	{
		if (n++ == TURN_LOGS)
			break;
		bytes += chunklog_bytes_from(&l->log, l->packed);
	}
	return bytes;
}

enum err writer_pack_turn(struct writer *w)
{
	struct store *store = w->store;
	const struct engine *engine = store->engine;
	size_t budget =
	    w->n_packing > BEHIND_LOGS ? TURN_BYTES_BEHIND : TURN_BYTES;
	struct tail_log *l = holding_back(w);
	int64_t before = needed_seq(w);
	struct turn turn = { .n = 0 };
	bool left = false, begun = false;
	enum err rc;

	w->since_pack = 0;
	if (l != NULL)
		writer_pack_want(w, l);
	if (crowded(w))
		thin_out(w, budget);
	/* Logs that grow faster than they are packed must not win. */
	if (waiting_bytes(w) / 2 > budget)
		budget = waiting_bytes(w) / 2;

	rc = engine->begin(store->db);
	if (rc != OK)
		goto out;
	begun = true;
	rc = put_segments(w, &turn, budget);
	if (rc == OK && before > w->dropped_seq)
		rc = drop_rows(w, before, &left);
	if (rc != OK)
		goto out;
	rc = engine->commit(store->db);
	begun = false;
	if (rc != OK)
		goto out;
	w->dropping = left;
	if (!left)
		w->dropped_seq = before;
	advance(w, &turn);
out:
	if (begun)
		engine->rollback(store->db);
	rc = writer_verdict(rc);
	if (writer_may_retry(rc)) {
		w->pack_after_ms = clock_mono_ms() + PUT_OFF_MS;
		rc = OK;
	}
	return rc;
}
