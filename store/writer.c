/*
 * The writer's thread. It sleeps in its mailbox; what came in while it
 * committed shares the next commit; when there is no mail it packs.
 *
 *   idle ──mail──► transaction ──OK──► announce ──► on_done ──► (pack) ──► idle
 *     ▲                │
 *     │                ├─ no room: undo, answer all but batches; batches stay
 *     └── 250 ms ──────┘  in front and are tried again, deletions beside them
 *                      └─ ERR_IO, ERR_CORRUPT: stop for good, answer ERR_IO
 */
#include "store/writer.h"

#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"
#include "store/writer_internal.h"

#define BOX_MAILS ((size_t)1 << 20)
#define BACKLOG_BYTES ((size_t)64 << 20)
/* One transaction ends with the write that passes one of these. */
#define TX_BYTES ((size_t)4 << 20)
#define TX_RECORDS 10000
#define RETRY_MS 250
/* Renewed with each look at the disk; what is not runs elsewhere after it. */
#define LEASE_MS 15000
/* A page: the least that a commit leaves in the engine's log of changes. */
#define COMMIT_BYTES ((size_t)4 << 10)
/* Rest this long before tidying up behind a few writes. */
#define REST_MS 250
/* With mail waiting, pack or clean only after this many commits. */
#define COMMITS_A_PACK 8
/* One that is larger counts as several. */
#define BYTES_A_COMMIT ((size_t)1 << 20)
#define COMMITS_A_CLEAN 8
/* … and after this many it is its turn, whatever else there is to put off. */
#define COMMITS_TO_STARVE 64
/* … and rest this many times as long as that took. */
#define CLEAN_RESTS 3

static struct write *write_of(struct mail *mail)
{
	return (struct write *)(void *)mail;
}

/* Take in what has arrived, waiting at most ${wait_ms}. */
static void take_in(struct writer *w, int wait_ms)
{
	struct mail *m = wait_ms == 0 ? mailbox_take(&w->box)
				      : mailbox_wait(&w->box, wait_ms);
	size_t bytes = 0;

	*w->queue_tail = m;
	for (; m != NULL; m = m->next) {
		bytes += m->bytes;
		w->queue_tail = &m->next;
	}
	atomic_fetch_add(&w->held_bytes, bytes);
}

static struct write *shift(struct writer *w)
{
	struct mail *m = w->queue;

	w->queue = m->next;
	if (w->queue == NULL)
		w->queue_tail = &w->queue;
	return write_of(m);
}

static void answer(struct writer *w, struct write *x)
{
	atomic_fetch_sub(&w->held_bytes, x->mail.bytes);
	x->on_done(x);
}

/* Answer with a failure that is not of ${x}'s own making. */
static void refuse(
    struct writer *w, struct write *x, enum err rc, const struct why *why)
{
	x->result = rc;
	x->why = *why;
	if (x->kind == WRITE_CREATE && x->u.create.execution != NULL) {
		x->u.create.execution->row = 0;
		x->u.create.existed = false;
	}
	answer(w, x);
}

/* End the prunes under way; what they have done stays done. */
static void refuse_prunes(struct writer *w, enum err rc, const struct why *why)
{
	struct write *x;

	while ((x = writer_clean_stop(w, rc, why)) != NULL)
		answer(w, x);
}

static void refuse_all(struct writer *w, enum err rc, const struct why *why)
{
	struct write *copied = writer_copy_stop(w, rc, why), *import;

	if (copied != NULL)
		answer(w, copied);
	while ((import = writer_import_stop(w, rc, why)) != NULL)
		answer(w, import);
	refuse_prunes(w, rc, why);
	while (w->queue != NULL)
		refuse(w, shift(w), rc, why);
}

/*
 * Refuse all but batches, which stay, in order, and deletions, which have their
 * turn beside them: they need little, and make room.
 */
static void refuse_creations(struct writer *w)
{
	struct mail **at = &w->queue, *m;
	struct write *x;

	while ((m = *at) != NULL) {
		x = write_of(m);
		if (x->kind == WRITE_BATCH) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		if (x->kind == WRITE_DELETE)
			writer_clean_retry(w, x);
		else if (x->kind != WRITE_PRUNE)
			refuse(w, x, w->full, &w->full_why);
		else if ((x = writer_clean_begin(w, x)) != NULL)
			answer(w, x);
	}
	w->queue_tail = at;
}

/* No room for now. Nothing waits for it when no batch is left. */
static void no_room(struct writer *w, enum err rc)
{
	struct write *import;

	w->full = rc;
	w->full_why = w->store->db->why;
	if (rc == ERR_FULL)
		writer_room_out(w);
	if (rc == ERR_NOMEM)
		err_why(&w->full_why, "there is no memory for it now");
	w->retry_ms = clock_mono_ms() + RETRY_MS;
	if (!w->told)
		log_warn("writer", "no room", "reason=%s detail=%s",
		    err_name(rc), w->full_why.text);
	w->told = true;
	while ((import = writer_import_stop(w, rc, &w->full_why)) != NULL)
		answer(w, import);
	refuse_creations(w);
	if (w->queue == NULL)
		w->full = OK;
}

static void stop_for_good(struct writer *w, enum err rc)
{
	struct why why = w->store->db->why;

	if (why.text[0] == '\0')
		err_why(&why, "the store said %s", err_name(rc));
	store_fail(w->store, rc, &why);
	refuse_all(w, ERR_IO, &w->store->failed_why);
}

static void measure(struct store *store, int64_t ns)
{
	uint64_t took = ns < 0 ? 0 : (uint64_t)ns;

	atomic_fetch_add(&store->commits, 1);
	atomic_fetch_add(&store->commit_ns_sum, took);
	if (took > atomic_load(&store->commit_ns_max))
		atomic_store(&store->commit_ns_max, took);
}

/*
 * Apply writes from the head of the queue until one transaction is full. Gives
 * how many; they stay in the queue until their fate is known.
 */
static enum err apply_some(struct writer *w, size_t *ret_n)
{
	size_t n = 0, bytes = 0, records = 0;
	struct mail *m = w->queue;
	enum err rc = OK;

	while (
	    rc == OK && m != NULL && bytes < TX_BYTES && records < TX_RECORDS) {
		struct write *x = write_of(m);

		rc = writer_apply(w, x);
		if (x->kind == WRITE_STREAM)
			bytes += x->mail.bytes;
		bytes += x->kind == WRITE_BATCH ? x->u.batch.bytes.len : 0;
		records += x->kind == WRITE_BATCH ? x->u.batch.n : 1;
		m = m->next;
		n++;
	}
	*ret_n = n;
	return rc;
}

/* One transaction from the head of the queue, and its answers. */
static enum err commit_some(struct writer *w)
{
	struct store *store = w->store;
	const struct engine *engine = store->engine;
	bool begun = false;
	size_t n = 0, bytes = 0;
	int64_t from;
	enum err rc;

	store->db->why.text[0] = '\0';
	rc = engine->begin(store->db);
	begun = rc == OK;
	if (rc == OK)
		rc = apply_some(w, &n);
	if (rc == OK)
		rc = writer_reserve(w);
	if (rc == OK) {
		from = clock_mono_ns();
		rc = engine->commit(store->db);
		begun = false;
		measure(store, clock_mono_ns() - from);
	}
	if (rc != OK) {
		if (begun)
			engine->rollback(store->db);
		writer_undo(w);
		return writer_verdict(rc);
	}
	writer_announce(w);
	writer_room_in(w);
	w->full = OK;
	if (w->told)
		log_info("writer", "room again", "backlog=%zu",
		    writer_backlog(store));
	w->told = false;
	w->since_clean++;
	w->untidy_bytes += COMMIT_BYTES;
	for (; n > 0; n--) {
		struct write *x = shift(w);

		bytes += x->mail.bytes;
		w->untidy_bytes += x->kind == WRITE_BATCH ? 0 : x->mail.bytes;
		if (x->result == OK)
			writer_settle(w, x);
		if (x->kind == WRITE_COPY)
			x = writer_copy_begin(w, x);
		else if (x->kind == WRITE_IMPORT && x->result == OK)
			x = writer_import_begin(w, x);
		else if (x->kind == WRITE_PRUNE)
			x = writer_clean_begin(w, x);
		if (x != NULL)
			answer(w, x);
	}
	w->since_pack += 1 + (unsigned)(bytes / BYTES_A_COMMIT);
	return OK;
}

/* Keep the engine's log of changes small. That it cannot now is no matter. */
static enum err tidy(struct writer *w)
{
	enum err rc = w->store->engine->tidy(w->store->db);

	w->untidy_bytes = 0;
	w->shrink = true;
	store_weigh(w->store);
	return rc == ERR_IO || rc == ERR_CORRUPT ? rc : OK;
}

/* Is there something to be deleted that may make room? */
static bool deletes_when_full(const struct writer *w)
{
	return w->prunes != NULL || w->trash;
}

/* Of two waits, the shorter; negative: for ever. */
static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* How long there is nothing to do without mail; 0: there is. */
static int wait_ms(const struct writer *w)
{
	int64_t left;

	if (w->full != OK) {
		left = w->retry_ms - clock_mono_ms();
		if (deletes_when_full(w) && writer_clean_wait_ms(w) < left)
			left = writer_clean_wait_ms(w);
		return left > 0 ? (int)left : 0;
	}
	if (w->queue != NULL || writer_pack_due(w) || writer_import_due(w))
		return 0;
	left = sooner(writer_clean_wait_ms(w), writer_copy_wait_ms(w));
	if (w->untidy_bytes > 0 || w->n_packing > 0 || w->import_unclean ||
	    w->imports != NULL)
		return left < 0 || left > REST_MS ? REST_MS : (int)left;
	return (int)left;
}

/* Nothing but other work has kept it from its turn for long. */
static bool starved(const struct writer *w)
{
	return w->since_clean >= COMMITS_TO_STARVE;
}

static bool clean_is_due(const struct writer *w, bool mail)
{
	int64_t left = writer_clean_wait_ms(w);

	if (left < 0 || starved(w))
		return left >= 0;
	return left == 0 && (!mail || w->since_clean >= COMMITS_A_CLEAN);
}

/* What may be put off while others write: copying back, or deleting. */
static enum err clean_or_tidy(struct writer *w, bool mail, bool rested)
{
	bool tidies = w->untidy_bytes > WRITER_TIDY_BYTES ||
		      (rested && w->untidy_bytes > 0);
	bool alone = w->since_clean == 0, cleans;
	int64_t from = clock_mono_ns();
	struct write *done = NULL;
	enum err rc = OK;

	if (tidies)
		rc = tidy(w);
	/* Large commits leave enough to tidy each time. */
	cleans = rc == OK && (!tidies || starved(w)) && clean_is_due(w, mail);
	if (cleans)
		rc = writer_clean_turn(w, &done);
	if (done != NULL)
		answer(w, done);
	if (!alone && (tidies || cleans))
		writer_clean_rest(
		    w, CLEAN_RESTS * (clock_mono_ns() - from) / 1000000);
	return rc;
}

/* The only chore while there is no room. */
static enum err clean_when_full(struct writer *w)
{
	struct write *done = NULL;
	enum err rc;

	if (!deletes_when_full(w) || writer_clean_wait_ms(w) > 0)
		return OK;
	rc = writer_clean_turn(w, &done);
	if (done != NULL)
		answer(w, done);
	return rc;
}

/* What is done beside the writes, a little at a time. */
static enum err chores(struct writer *w, bool rested)
{
	bool mail = w->queue != NULL || mailbox_bytes(&w->box) > 0;
	struct write *done = writer_copy_turn(w), *import = NULL;
	enum err rc = OK;

	if (done != NULL)
		answer(w, done);
	if (w->full != OK)
		return clean_when_full(w);
	if ((!mail || w->since_pack >= COMMITS_A_PACK) && writer_pack_due(w))
		rc = writer_pack_turn(w);
	if (rc == OK)
		rc = writer_stream_turn(w);
	if (rc == OK)
		rc = writer_import_turn(w, mail, &import);
	if (import != NULL)
		answer(w, import);
	return rc == OK ? clean_or_tidy(w, mail, rested) : rc;
}

/* The queue's turn: a transaction, or a refusal while there is no room. */
static enum err writes(struct writer *w, bool closed)
{
	enum err rc;

	if (w->full != OK) {
		refuse_creations(w);
		if (!closed && clock_mono_ms() < w->retry_ms)
			return OK;
		(void)writer_room_give(w, false);
		rc = tidy(w);
		if (rc != OK)
			return rc;
	}
	if (w->queue == NULL)
		return OK;
	rc = commit_some(w);
	if (writer_may_retry(rc)) {
		no_room(w, rc);
		rc = OK;
	}
	return rc;
}

bool writer_turn(struct writer *w, int longest_ms)
{
	struct store *store = w->store;
	bool failed = atomic_load(&store->failed) != OK;
	int wait = failed ? -1 : wait_ms(w);
	int look = writer_room_wait_ms(w);
	/* Looked at first: what is taken after it is all there is. */
	bool closed = mailbox_closed(&w->box), rested;
	enum err rc = OK;

	if (!failed && (wait < 0 || wait > look))
		wait = look;
	if (closed)
		take_in(w, 0);
	else if (longest_ms >= 0 && (wait < 0 || wait > longest_ms))
		take_in(w, longest_ms);
	else
		take_in(w, wait);
	rested = wait >= REST_MS && w->queue == NULL;
	if (failed) {
		refuse_all(w, ERR_IO, &store->failed_why);
		return !closed;
	}
	if (look == 0) {
		writer_room_look(w);
		rc = writer_verdict(
		    store->engine->node_renew(store->db, LEASE_MS));
	}
	if (rc == OK && w->queue != NULL)
		rc = writes(w, closed);
	if (rc == OK && w->full != OK && closed && !writer_room_give(w, true))
		return false;
	if (rc == OK && !closed)
		rc = chores(w, rested);
	if (rc != OK)
		stop_for_good(w, rc);
	return !closed || w->queue != NULL;
}

static void *run(void *arg)
{
	struct writer *w = arg;
	struct store *store = w->store;
	struct why why = { 0 };

	while (writer_turn(w, -1))
		;
	err_why(&why, "the store has been closed");
	refuse_all(w, ERR_STOPPED, &why);
	if (atomic_load(&store->failed) == OK && tidy(w) != OK)
		log_warn("writer", "not tidied", "why=%s", store->db->why.text);
	return NULL;
}

enum err writer_init(struct writer *w, struct store *store)
{
	size_t backlog = store->options.backlog_bytes;

	*w = (struct writer){ .store = store };
	mailbox_init(&w->box, BOX_MAILS, backlog == 0 ? BACKLOG_BYTES : backlog,
	    NULL, NULL);
	w->queue_tail = &w->queue;
	w->imports_tail = &w->imports;
	w->prunes_tail = &w->prunes;
	/* What the last process left of it. */
	w->trash = true;
	w->expire_as = (struct audit){ .operation = id_new(),
		.actor = "retention",
		.action = "stream.expire" };
	atomic_store(&store->cleaning, true);
	writer_tx_init(&w->tx);
	TAILQ_INIT(&w->unpacked);
	TAILQ_INIT(&w->packing);
	return pack_init(&w->pack);
}

void writer_fini(struct writer *w)
{
	pack_fini(&w->pack);
	writer_tx_fini(&w->tx);
	mailbox_fini(&w->box);
}

enum err writer_start(struct writer *w)
{
	return thread_start(&w->thread, run, w);
}

void writer_stop(struct writer *w)
{
	mailbox_close(&w->box);
	thread_join(&w->thread);
}

/* Does it add to the store what nobody waits for yet? */
static bool is_new(const struct write *x)
{
	enum write_kind kind = x->kind;

	if (kind == WRITE_STREAM)
		return x->u.stream->kind == STREAM_CREATE ||
		       (x->u.stream->kind == STREAM_APPEND &&
			   x->u.stream->append.has_body);
	return kind == WRITE_CREATE || kind == WRITE_KEY_ADD ||
	       kind == WRITE_PROVIDER_KEY_PUT || kind == WRITE_PROMPT_ADD ||
	       kind == WRITE_IMPORT;
}

enum err writer_post(struct store *store, struct write *x)
{
	struct writer *w = &store->writer;
	enum err rc;

	if (atomic_load(&store->failed) != OK)
		return ERR_IO;
	if (is_new(x) && atomic_load(&store->low))
		return ERR_FULL;
	if (x->kind == WRITE_BATCH)
		rc = mailbox_post_always(&w->box, &x->mail);
	else if (atomic_load(&w->held_bytes) > w->box.max_bytes)
		rc = ERR_LIMIT;
	else
		rc = mailbox_post(&w->box, &x->mail);
	return rc;
}

size_t writer_backlog(struct store *store)
{
	struct writer *w = &store->writer;

	return mailbox_bytes(&w->box) + atomic_load(&w->held_bytes);
}

int64_t writer_full_ms(struct store *store)
{
	int64_t since = atomic_load(&store->full_ms);

	return since == 0 ? 0 : clock_mono_ms() - since;
}

bool writer_may_begin(struct store *store)
{
	return atomic_load(&store->full_ms) == 0 &&
	       !(atomic_load(&store->spent) && atomic_load(&store->low));
}
