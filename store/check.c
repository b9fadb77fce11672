/*
 * The look goes in this order, so that each thing that moves meanwhile is
 * caught by what comes after it:
 *
 *   files ─► live rows ─► records, with their segments ─► live rows again
 *                │              (64 at a time)                  │
 *                └─ seems wrong ─► suspects ◄── what is deleted ┘
 *                                                 │ record, segments, and the
 *                                                 ▼ record once more
 *                                              findings, then usage
 *
 * Between the live rows and the suspects: requests, trash, tombstones, keys and
 * prompts, each row on its own.
 *
 * Rows become segments before they are dropped, and a record says so in the
 * same transaction: what a walk over the live rows missed is packed in every
 * record that is read after the walk. Of what is deleted each row is asked
 * about together with what must be there, or must not, so one look is enough.
 */
#include "store/check.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/check_subject.h"
#include "store/check_usage.h"
#include "store/store_internal.h"

#define BATCH 64
#define DELETED_BATCH 1000
/* Each may have 64 KiB. */
#define PROMPTS_BATCH 16
#define STEP_BYTES ((size_t)1 << 20)
/* The largest file whose pages are looked at while others wait for the WAL. */
#define PAGES_MAX_BYTES ((uint64_t)64 << 20)
#define MAX_SUSPECTS 10000

enum phase {
	PHASE_FILES,
	PHASE_LIVE,
	PHASE_RECORDS,
	PHASE_SEGMENTS, /* of the batch */
	PHASE_LIVE_AGAIN,
	PHASE_REQUESTS, /* in this order, down to the producers */
	PHASE_TRASH,
	PHASE_TOMBSTONES,
	PHASE_KEYS,
	PHASE_PROMPTS,
	PHASE_STREAMS,
	PHASE_PRODUCERS,
	PHASE_SUSPECT, /* the next one's record */
	PHASE_SUSPECT_SEGMENTS,
	PHASE_SUSPECT_THERE, /* its record again */
	PHASE_USAGE,	     /* its sums */
	PHASE_DONE,
};

struct check {
	struct check_options o;
	struct engine_db *db;
	bool alone; /* nobody else has the store */
	enum phase phase;
	int64_t live_next;
	struct check_live live;

	struct check_subject batch[BATCH];
	size_t n;
	int64_t last_row;     /* of the records so far */
	int64_t at_row, upto; /* which segments come next, and the last */
	uint64_t at_index;
	bool moved;	     /* this step found something */
	int64_t deleted_row; /* as far as requests, or the trash, are seen */
	struct id deleted_id;
	int64_t orphan; /* the last row whose segments were one */

	int64_t *suspects;
	size_t n_suspects, suspects_room, next_suspect;
	struct check_usage usage;
	bool gone; /* the suspect was deleted meanwhile */
	bool cut;  /* there are more */
	struct check_counts counts;
};

static const struct {
	const char *name, *mend;
} kinds[] = {
#define RESTORE "restore a backup (spool restore)"
#define REMOVE_OR_RESTORE \
	"restore a backup, or delete this execution if it can be spared"
	[CHECK_FILE] = { "file",
	    "stop the server, keep a copy of the file and its -wal, and "
	    "restore a backup (spool restore); look at the disk" },
	[CHECK_LIVE] = { "live_rows", RESTORE "; look at the disk" },
	[CHECK_SEGMENT] = { "segment", REMOVE_OR_RESTORE "; look at the disk" },
	[CHECK_GAP] = { "gap", REMOVE_OR_RESTORE },
	[CHECK_OVERLAP] = { "overlap", REMOVE_OR_RESTORE },
	[CHECK_TOTAL] = { "total", REMOVE_OR_RESTORE },
	[CHECK_END] = { "end", REMOVE_OR_RESTORE },
	[CHECK_STATUS] = { "status", REMOVE_OR_RESTORE },
	[CHECK_RECORD] = { "record", REMOVE_OR_RESTORE },
	[CHECK_KEY] = { "key",
	    "it opens nothing: make another (spool keys create), or " RESTORE },
	[CHECK_PROMPT] = { "prompt",
	    "delete it and set it again (spool prompts), or " RESTORE },
	[CHECK_USAGE] = { "usage",
	    "executions are not concerned; restore a backup if the sums "
	    "matter" },
	[CHECK_ORPHAN] = { "orphan",
	    "it harms nobody but takes room; a crash cannot leave it: look at "
	    "the disk, or " RESTORE },
	[CHECK_TRASH] = { "trash", RESTORE ": what is left of it is being "
					   "dropped" },
	[CHECK_TOMBSTONE] = { "tombstone",
	    "delete this execution again, or " RESTORE },
	[CHECK_STREAM] = { "stream",
	    "restore a backup (spool restore), or delete this stream if it can "
	    "be spared; look at the disk" },
	[CHECK_TOO_MANY] = { "too_many", "mend these, then check again" },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == CHECK_KINDS,
    "a kind without its words");

const char *check_kind_name(enum check_kind k)
{
	ASSERT((unsigned)k < CHECK_KINDS);
	return kinds[k].name;
}

/* --- findings and suspicions --- */

static void found(struct check *c, enum check_kind kind, const struct id *id,
    const char *what)
{
	struct check_finding f = { .kind = kind, .mend = kinds[kind].mend };
	static const struct id none;

	if (c->phase == PHASE_DONE)
		return;
	if (c->counts.findings >= CHECK_MAX_FINDINGS) {
		f.kind = CHECK_TOO_MANY;
		f.mend = kinds[CHECK_TOO_MANY].mend;
		err_why(&f.what, "there are more than %d findings",
		    CHECK_MAX_FINDINGS);
		c->phase = PHASE_DONE;
	} else {
		err_why(&f.what, "%s", what);
		/* SQLite says several things in several lines. */
		for (char *at = f.what.text; (at = strchr(at, '\n'));)
			*at = ' ';
		if (id != NULL && !id_equal(id, &none)) {
			f.has_id = true;
			f.id = *id;
		}
	}
	c->counts.findings++;
	c->o.on_finding(c->o.arg, &f);
}

/* Once for each row, however many there are. */
static void found_orphan(struct check *c, int64_t row, const char *what)
{
	struct why why;

	if (c->orphan == row)
		return;
	c->orphan = row;
	err_why(&why, "%s of row %lld belong to nobody", what, (long long)row);
	found(c, CHECK_ORPHAN, NULL, why.text);
}

static enum err suspect(struct check *c, int64_t row)
{
	int64_t *list = c->suspects;

	if (c->n_suspects == MAX_SUSPECTS)
		return OK;
	if (c->n_suspects == c->suspects_room) {
		size_t room = c->suspects_room == 0 ? 64 : c->suspects_room * 2;

		list = reallocarray(list, room, sizeof(*list));
		if (list == NULL)
			return ERR_NOMEM;
		c->suspects = list;
		c->suspects_room = room;
	}
	list[c->n_suspects++] = row;
	return OK;
}

/* --- what the engine tells --- */

static enum err on_execution(void *arg, const struct engine_seen_execution *e)
{
	struct check *c = arg;
	struct check_run *run = check_live_find(&c->live, e->row);
	struct check_subject *s = &c->batch[c->n++];

	ASSERT(c->n <= BATCH);
	check_subject_record(s, e);
	if (run != NULL)
		run->known = true;
	if (c->phase == PHASE_RECORDS && s->stream)
		c->counts.streams++;
	else if (c->phase == PHASE_RECORDS)
		c->counts.executions++;
	return c->phase == PHASE_RECORDS && !s->stream
		   ? check_usage_note(&c->usage, e)
		   : OK;
}

/* The subject with that row: segments come in the order of rows. */
static struct check_subject *subject_of(struct check *c, int64_t row)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c->batch[mid].row < row)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->n && c->batch[low].row == row ? &c->batch[low] : NULL;
}

static enum err on_segment(void *arg, const struct engine_seen_segment *seg)
{
	struct check *c = arg;
	struct check_subject *s = subject_of(c, seg->row);

	c->moved = true;
	c->at_row = seg->row;
	c->at_index = seg->first + 1;
	if (seg->trashed && !seg->owned && c->phase == PHASE_SEGMENTS)
		c->counts.stray_segments++;
	else if (!seg->trashed && !seg->owned)
		found_orphan(c, seg->row, "segments");
	if (s == NULL)
		return OK;
	check_subject_segment(s, seg, c->alone);
	if (c->phase == PHASE_SEGMENTS)
		c->counts.segments++;
	return OK;
}

static enum err on_chunk(void *arg, int64_t row, const struct chunk *chunk)
{
	struct check *c = arg;

	return check_live_add(&c->live, row, chunk);
}

static enum err on_request(void *arg, const struct engine_seen_request *r)
{
	struct check *c = arg;

	c->moved = true;
	c->deleted_row = r->row;
	if (!r->owned && !r->trashed)
		found_orphan(c, r->row, "the requests");
	if (r->owned && !r->holds)
		found(c, CHECK_RECORD, &r->id,
		    "its request is not what was written");
	return OK;
}

static enum err on_name(void *arg, int64_t row, const char *name, bool holds)
{
	bool key = ((struct check *)arg)->phase == PHASE_KEYS;
	struct check *c = arg;
	struct why why;

	c->moved = true;
	c->deleted_row = row;
	if (holds)
		return OK;
	err_why(&why, "%s %.100s (row %lld) is not what was written",
	    key ? "the key" : "the prompt", name, (long long)row);
	found(c, key ? CHECK_KEY : CHECK_PROMPT, NULL, why.text);
	return OK;
}

static enum err on_trash(void *arg, int64_t row, bool owned)
{
	struct check *c = arg;
	struct why why;

	c->moved = true;
	c->deleted_row = row;
	c->counts.trash++;
	if (owned) {
		err_why(&why,
		    "row %lld waits to be dropped, but its execution is there",
		    (long long)row);
		found(c, CHECK_TRASH, NULL, why.text);
	}
	return OK;
}

static enum err on_tombstone(void *arg, const struct id *id, bool there)
{
	struct check *c = arg;

	c->moved = true;
	c->deleted_id = *id;
	c->counts.tombstones++;
	if (there)
		found(c, CHECK_TOMBSTONE, id,
		    "it is said to have been deleted, but it is there");
	return OK;
}

static void found_stream(struct check *c, const char *name, const char *what)
{
	struct why why;

	err_why(&why, "stream %s: %s", name, what);
	found(c, CHECK_STREAM, NULL, why.text);
}

static enum err on_stream(void *arg, const struct engine_seen_stream *s)
{
	struct check *c = arg;
	struct why why;

	c->moved = true;
	c->deleted_row = s->row;
	if (s->forks != s->forks_there) {
		err_why(&why, "it counts %lld forks, but %lld are there",
		    (long long)s->forks, (long long)s->forks_there);
		found_stream(c, s->name, why.text);
	}
	if (s->deleted && s->forks_there == 0)
		found_stream(c, s->name, "it is deleted, and no fork needs it");
	if (s->has_source && !s->source_there)
		found_stream(c, s->name, "what it is a fork of is not there");
	return OK;
}

static enum err on_producers(void *arg, int64_t row, bool there)
{
	struct check *c = arg;

	c->moved = true;
	c->deleted_row = row;
	if (!there)
		found_orphan(c, row, "the producers");
	return OK;
}

static enum err on_damage(void *arg, const char *what)
{
	struct check *c = arg;

	found(c, c->phase == PHASE_FILES ? CHECK_FILE : CHECK_LIVE, NULL, what);
	return OK;
}

/* --- verdicts --- */

/* Is something wrong with ${s}, whose segments have all been seen? */
static bool judge(struct check *c, struct check_subject *s, uint64_t *ret_rows)
{
	*ret_rows = check_subject_judge(s, check_live_find(&c->live, s->row));
	return s->record.there || s->log.there;
}

static enum err judge_batch(struct check *c)
{
	enum err rc = OK;

	for (size_t i = 0; rc == OK && i < c->n; i++) {
		uint64_t rows;

		if (judge(c, &c->batch[i], &rows))
			rc = suspect(c, c->batch[i].row);
		c->counts.chunks += rows;
	}
	if (c->n_suspects == MAX_SUSPECTS) {
		c->cut = true;
		c->phase = PHASE_LIVE_AGAIN;
	}
	return rc;
}

/* --- the steps --- */

static struct engine_seen telling(struct check *c)
{
	return (struct engine_seen){ .on_execution = on_execution,
		.on_segment = on_segment,
		.on_chunk = on_chunk,
		.on_request = on_request,
		.on_name = on_name,
		.on_trash = on_trash,
		.on_tombstone = on_tombstone,
		.on_stream = on_stream,
		.on_producers = on_producers,
		.on_damage = on_damage,
		.arg = c };
}

static enum err step_files(struct check *c, const struct engine_seen *to)
{
	enum err rc;

	rc = c->db->engine->seen_files(c->db, c->o.quick || !c->alone,
	    c->alone ? 0 : PAGES_MAX_BYTES, to, &c->counts.pages);
	if (rc == OK && c->phase != PHASE_DONE)
		c->phase = PHASE_LIVE;
	return rc;
}

static enum err step_live(struct check *c, const struct engine_seen *to)
{
	int64_t from = c->live_next;
	enum err rc;

	rc = c->db->engine->seen_chunks(
	    c->db, from, STEP_BYTES, to, &c->live_next);
	if (rc == OK && c->live_next == from && c->phase != PHASE_DONE)
		c->phase =
		    c->phase == PHASE_LIVE ? PHASE_RECORDS : PHASE_REQUESTS;
	return rc;
}

/* Requests, trash, tombstones, and so on: each to its end. */
static enum err step_small(struct check *c, const struct engine_seen *to)
{
	const struct engine *engine = c->db->engine;
	enum phase phase = c->phase;
	enum err rc;

	c->moved = false;
	if (phase == PHASE_REQUESTS)
		rc = engine->seen_requests(
		    c->db, c->deleted_row, DELETED_BATCH, STEP_BYTES, to);
	else if (phase == PHASE_TRASH)
		rc = engine->seen_trash(
		    c->db, c->deleted_row, DELETED_BATCH, to);
	else if (phase == PHASE_STREAMS)
		rc = engine->seen_streams(
		    c->db, c->deleted_row, DELETED_BATCH, to);
	else if (phase == PHASE_PRODUCERS)
		rc = engine->seen_producers(
		    c->db, c->deleted_row, DELETED_BATCH, to);
	else if (phase == PHASE_TOMBSTONES)
		rc = engine->seen_tombstones(
		    c->db, &c->deleted_id, DELETED_BATCH, to);
	else if (phase == PHASE_KEYS)
		rc =
		    engine->seen_keys(c->db, c->deleted_row, DELETED_BATCH, to);
	else
		rc = engine->seen_prompts(
		    c->db, c->deleted_row, PROMPTS_BATCH, to);
	if (rc != OK || c->moved || c->phase == PHASE_DONE)
		return rc;
	c->deleted_row = 0;
	c->phase = (enum phase)(phase + 1);
	return OK;
}

static enum err step_records(struct check *c, const struct engine_seen *to)
{
	enum err rc;

	c->n = 0;
	c->at_row = c->last_row + (c->last_row < INT64_MAX);
	c->at_index = 0;
	rc = c->db->engine->seen_executions(c->db, c->last_row, BATCH, to);
	if (rc != OK)
		return rc;
	c->upto = INT64_MAX;
	if (c->n > 0)
		c->upto = c->last_row = c->batch[c->n - 1].row;
	/* What lies beyond the last may be of one that was made just now. */
	c->phase = c->n > 0 || c->alone ? PHASE_SEGMENTS : PHASE_LIVE_AGAIN;
	return OK;
}

static enum err step_segments(struct check *c, const struct engine_seen *to)
{
	uint64_t rows;
	enum err rc;

	c->moved = false;
	rc = c->db->engine->seen_segments(
	    c->db, c->at_row, c->at_index, c->upto, STEP_BYTES, to);
	if (rc != OK || c->moved)
		return rc;
	if (c->phase == PHASE_SEGMENTS) {
		c->phase = c->n > 0 ? PHASE_RECORDS : PHASE_LIVE_AGAIN;
		return judge_batch(c);
	}
	c->phase =
	    judge(c, &c->batch[0], &rows) ? PHASE_SUSPECT_THERE : PHASE_SUSPECT;
	return OK;
}

/* Rows of executions that are no more. */
static void count_strays(struct check *c)
{
	for (size_t i = 0; i < c->live.room; i++) {
		const struct check_run *run = &c->live.run[i];

		if (run->row != 0 && !run->known &&
		    (c->alone || run->row <= c->last_row))
			c->counts.stray_chunks += run->n;
	}
}

static enum err step_suspect(struct check *c, const struct engine_seen *to)
{
	int64_t row;
	enum err rc;

	if (c->next_suspect == c->n_suspects) {
		count_strays(c);
		if (c->cut)
			found(c, CHECK_TOO_MANY, NULL,
			    "too many executions seem wrong to look at all");
		/* Records that are wrong were added up before they were. */
		c->phase = c->counts.findings == 0 ? PHASE_USAGE : PHASE_DONE;
		return OK;
	}
	row = c->suspects[c->next_suspect++];
	c->n = 0;
	rc = c->db->engine->seen_executions(c->db, row - 1, 1, to);
	if (rc != OK || c->n == 0 || c->batch[0].row != row)
		return rc;
	c->at_row = c->upto = row;
	c->at_index = 0;
	c->phase = PHASE_SUSPECT_SEGMENTS;
	return OK;
}

static enum err on_again(void *arg, const struct engine_seen_execution *e)
{
	struct check *c = arg;

	/* Or its payload is: then there is nothing to be wrong. */
	c->gone = e->row != c->batch[0].row ||
		  (e->payload_deleted_ms != 0) != c->batch[0].gone;
	return OK;
}

/* A stream is known by its name, not by its log's id. */
static void found_trouble(struct check *c, const struct check_subject *s,
    const struct check_trouble *t)
{
	if (t->there && s->stream)
		found_stream(c, s->name, t->what.text);
	else if (t->there)
		found(c, t->kind, &s->id, t->what.text);
}

static enum err step_there(struct check *c, const struct engine_seen *to)
{
	struct engine_seen again = *to;
	struct check_subject *s = &c->batch[0];
	enum err rc;

	c->gone = true;
	again.on_execution = on_again;
	rc = c->db->engine->seen_executions(c->db, s->row - 1, 1, &again);
	if (rc != OK)
		return rc;
	c->phase = PHASE_SUSPECT;
	if (c->gone)
		return OK;
	found_trouble(c, s, &s->record);
	found_trouble(c, s, &s->log);
	return OK;
}

/* Whatever ended was added up in the same commit: after the records. */
static enum err step_usage(struct check *c)
{
	struct why what;
	bool done = false;
	enum err rc = check_usage_step(&c->usage, c->db, &what, &done);

	if (rc == OK && what.text[0] != '\0')
		found(c, CHECK_USAGE, NULL, what.text);
	if (rc == OK && done)
		c->phase = PHASE_DONE;
	return rc;
}

static enum err step(struct check *c)
{
	const struct engine_seen to = telling(c);

	switch (c->phase) {
	case PHASE_FILES: return step_files(c, &to);
	case PHASE_LIVE:
	case PHASE_LIVE_AGAIN: return step_live(c, &to);
	case PHASE_RECORDS: return step_records(c, &to);
	case PHASE_SEGMENTS:
	case PHASE_SUSPECT_SEGMENTS: return step_segments(c, &to);
	case PHASE_REQUESTS:
	case PHASE_TRASH:
	case PHASE_TOMBSTONES:
	case PHASE_KEYS:
	case PHASE_PROMPTS:
	case PHASE_STREAMS:
	case PHASE_PRODUCERS: return step_small(c, &to);
	case PHASE_SUSPECT: return step_suspect(c, &to);
	case PHASE_SUSPECT_THERE: return step_there(c, &to);
	case PHASE_USAGE: return step_usage(c);
	case PHASE_DONE: return OK;
	}
	return OK;
}

enum err check_step(struct check *c, bool *ret_done)
{
	enum err rc = step(c);

	if (rc == ERR_CORRUPT) {
		found(c, CHECK_FILE, NULL, c->db->why.text);
		c->phase = PHASE_DONE;
		rc = OK;
	}
	if (rc == ERR_LIMIT)
		err_why(&c->db->why, "too many executions have live rows");
	if (rc == OK)
		*ret_done = c->phase == PHASE_DONE;
	return rc;
}

/* --- open and close --- */

static struct check *check_new(const struct check_options *options, bool alone)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->o = *options;
	c->alone = alone;
	return c;
}

enum err check_open_alone(const char *url, const struct check_options *options,
    struct check **ret, struct why *why)
{
	const struct store_options o = { .url = url };
	struct check *c = check_new(options, true);
	const struct engine *engine;
	enum err rc;

	if (c == NULL)
		return ERR_NOMEM;
	rc = engine_find(url, &engine, why);
	if (rc == OK)
		rc = engine->open_alone(&o, &c->db, why);
	if (rc == OK)
		*ret = c;
	else
		check_close(c);
	return rc;
}

enum err check_open(struct store *store, const struct check_options *options,
    struct check **ret, struct why *why)
{
	struct check *c = check_new(options, false);
	enum err rc;

	if (c == NULL)
		return ERR_NOMEM;
	rc = store->engine->open_reader(&store->options, &c->db, why);
	if (rc == OK)
		*ret = c;
	else
		check_close(c);
	return rc;
}

void check_close(struct check *c)
{
	if (c == NULL)
		return;
	if (c->db != NULL)
		c->db->engine->close(c->db);
	check_live_fini(&c->live);
	check_usage_fini(&c->usage);
	free(c->suspects);
	free(c);
}

const struct why *check_why(const struct check *c)
{
	return &c->db->why;
}

void check_counts(const struct check *c, struct check_counts *ret)
{
	*ret = c->counts;
}
