/* Stores that were damaged on purpose: what a check says of each. */
#include "tests/unit/store/support.h"

#include <sqlite3.h>
#include <zstd.h>

#include "store/check.h"
#include "store/engine.h"

/* What a check said. */
struct verdict {
	struct check_finding f[16];
	size_t n;
	struct check_counts counts;
};

static void on_finding(void *arg, const struct check_finding *f)
{
	struct verdict *v = arg;

	assert_true(v->n < 16);
	v->f[v->n++] = *f;
}

static void run_to_the_end(struct check *c, struct verdict *v)
{
	bool done = false;

	for (int i = 0; !done; i++) {
		assert_int_equal(check_step(c, &done), OK);
		assert_true(i < 100000);
	}
	check_counts(c, &v->counts);
	assert_int_equal(v->counts.findings, v->n);
	check_close(c);
}

static void check_alone(const char *url, struct verdict *v)
{
	const struct check_options o = { .on_finding = on_finding, .arg = v };
	struct why why = { "" };
	struct check *c = NULL;
	enum err rc;

	*v = (struct verdict){ 0 };
	rc = check_open_alone(url, &o, &c, &why);
	if (rc != OK)
		fail_msg("check_open_alone: %s: %s", err_name(rc), why.text);
	run_to_the_end(c, v);
}

/* --- a store whose every row has a known place --- */

struct world {
	struct place place;
	/* packed in three segments; live; streaming, half packed; queued */
	struct execution packed, live, streaming, queued;
};

static struct engine_db *open_engine(struct place *p)
{
	const struct engine *engine;
	struct engine_db *db = NULL;

	assert_int_equal(engine_find(p->url, &engine, NULL), OK);
	assert_int_equal(engine->open(&p->options, &db, NULL), OK);
	return db;
}

static struct chunk chunk_at(uint64_t index, uint64_t end)
{
	struct chunk c = { .index = index,
		.attempt = 1,
		.kind = index == end ? CHUNK_END : CHUNK_TEXT,
		.ts_ms = 1700000000000 + (int64_t)index,
		.content = "words and more words, and words again, then words",
		.content_len = index == end ? 0 : 49,
		.meta = index == end ? "{\"status\":\"completed\"}" : "",
		.meta_len = index == end ? 22 : 0 };

	return c;
}

/* An execution with ${n} live rows; the last is its end if ${ends}. */
static struct execution add(struct engine_db *db, uint64_t n, bool ends)
{
	struct execution *e = some_execution("ann", NULL, "x"), copy;
	const struct engine_end end = { .status = EXECUTION_COMPLETED,
		.finished_ms = 1700000000100,
		.next_index = n,
		.metadata = END_METADATA,
		.metadata_len = strlen(END_METADATA) };
	int64_t seq;

	assert_int_equal(db->engine->begin(db), OK);
	assert_int_equal(db->engine->execution_insert(db, e), OK);
	copy = (struct execution){ .row = e->row, .id = e->id };
	if (n > 0)
		assert_int_equal(db->engine->execution_start(
				     db, e, "demo/echo", 1, 1700000000000),
		    OK);
	for (uint64_t i = 0; i < n; i++) {
		struct chunk c = chunk_at(i, ends ? n - 1 : UINT64_MAX);

		assert_int_equal(db->engine->chunk_append(db, e, &c, &seq), OK);
	}
	if (ends)
		assert_int_equal(db->engine->execution_end(db, e, &end), OK);
	assert_int_equal(db->engine->commit(db), OK);
	execution_free(e);
	return copy;
}

static void pack(struct engine_db *db, const struct execution *e,
    uint64_t first, uint32_t n, uint64_t end, bool zip)
{
	struct engine_segment s = { .first = first, .n = n, .codec = zip };
	char small[4096];
	struct buf raw;

	buf_init(&raw, 1 << 20);
	for (uint64_t i = first; i < first + n; i++) {
		struct chunk c = chunk_at(i, end);

		chunk_pack(&raw, &c, 0);
	}
	s.payload = raw.data;
	s.payload_len = s.raw_len = raw.len;
	if (zip) {
		s.payload = small;
		s.payload_len =
		    ZSTD_compress(small, sizeof(small), raw.data, raw.len, 3);
		assert_false(ZSTD_isError(s.payload_len));
	}
	assert_int_equal(db->engine->begin(db), OK);
	assert_int_equal(db->engine->segment_put(db, e, &s), OK);
	assert_int_equal(db->engine->commit(db), OK);
	buf_fini(&raw);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct engine_db *db;
	uint32_t dropped;

	place_init(&w->place);
	db = open_engine(&w->place);
	w->packed = add(db, 7, true);
	pack(db, &w->packed, 0, 3, 6, false);
	pack(db, &w->packed, 3, 3, 6, true);
	pack(db, &w->packed, 6, 1, 6, false);
	assert_int_equal(db->engine->begin(db), OK);
	assert_int_equal(
	    db->engine->chunks_drop(db, INT64_MAX, 1000, &dropped), OK);
	assert_int_equal(db->engine->commit(db), OK);
	assert_int_equal(dropped, 7);
	w->live = add(db, 5, true);
	w->streaming = add(db, 4, false);
	pack(db, &w->streaming, 0, 2, UINT64_MAX, true);
	w->queued = add(db, 0, false);
	db->engine->close(db);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	place_fini(&w->place);
	free(w);
	return 0;
}

/* Damage it behind spool's back. */
static void edit(struct world *w, const char *text)
{
	char *message = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w->place.url, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
	assert_true(sqlite3_total_changes(db) > 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- what it says --- */

static void a_sound_store_has_no_findings(void **state)
{
	struct world *w = *state;
	struct verdict v;

	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.counts.executions, 4);
	assert_int_equal(v.counts.chunks, 7 + 5 + 4);
	assert_int_equal(v.counts.segments, 4);
	assert_int_equal(v.counts.stray_segments, 0);
	assert_int_equal(v.counts.stray_chunks, 0);
	assert_true(v.counts.pages);
}

static void each_damage_is_found_and_named(void **state)
{
	/* :P, :L, :S, :Q are the four executions. */
	static const struct damage {
		const char *sql;
		char whose;
		enum check_kind kind;
		const char *what;
	} damages[] = {
		{ "DELETE FROM segments WHERE id = (:P << 24) + 3", 'P',
		    CHECK_GAP, "rows 3 to 5 are missing" },
		{ "DELETE FROM segments WHERE id = (:P << 24) + 6", 'P',
		    CHECK_GAP, "rows 6 to 6 are missing" },
		{ "DELETE FROM segments WHERE id = :P << 24", 'P', CHECK_GAP,
		    "rows 0 to 2 are missing" },
		{ "UPDATE segments SET payload = CAST(substr(payload, 1, 9) "
		  "|| x'ff' || substr(payload, 11) AS BLOB) "
		  "WHERE id = (:P << 24) + 3",
		    'P', CHECK_SEGMENT, "the segment at 3 cannot be read" },
		{ "UPDATE segments SET payload = CAST(x'7f' || "
		  "substr(payload, 2) AS BLOB) WHERE id = :P << 24",
		    'P', CHECK_SEGMENT, "the segment at 0 cannot be read" },
		{ "UPDATE segments SET codec = 9 WHERE id = :P << 24", 'P',
		    CHECK_SEGMENT, "the segment at 0 cannot be read" },
		{ "UPDATE segments SET n = 2 WHERE id = :P << 24", 'P',
		    CHECK_SEGMENT, "the segment at 0 cannot be read" },
		{ "INSERT INTO segments SELECT id + 1, n, codec, raw_bytes, "
		  "payload FROM segments WHERE id = :P << 24",
		    'P', CHECK_OVERLAP, "the segment at 1 repeats" },
		{ "UPDATE executions SET next_index = 9 WHERE id = :P", 'P',
		    CHECK_TOTAL, "it counts 9 rows, but 7 are there" },
		{ "UPDATE executions SET packed = 6 WHERE id = :P", 'P',
		    CHECK_TOTAL, "a segment begins at 6" },
		{ "UPDATE executions SET packed = 9 WHERE id = :P", 'P',
		    CHECK_TOTAL, "9 rows are packed, but it has only 7" },
		{ "DELETE FROM segments WHERE id = (:P << 24) + 6;"
		  "UPDATE executions SET packed = 6, next_index = 6 "
		  "WHERE id = :P",
		    'P', CHECK_END, "it has no end" },
		{ "UPDATE executions SET status = 4 WHERE id = :P", 'P',
		    CHECK_STATUS,
		    "it is cancelled, but its end says completed" },
		{ "UPDATE executions SET metadata = NULL WHERE id = :P", 'P',
		    CHECK_STATUS, "has no metadata" },
		{ "UPDATE executions SET error_code = 'rate_limited' "
		  "WHERE id = :P",
		    'P', CHECK_STATUS, "it is completed, but has an error" },
		{ "UPDATE executions SET status = 77 WHERE id = :L", 'L',
		    CHECK_RECORD, "the unknown status 77" },
		{ "UPDATE executions SET status = 1, finished_ms = 0, "
		  "metadata = NULL, next_index = 0 WHERE id = :L",
		    'L', CHECK_STATUS,
		    "its end is there, but it has not ended" },
		{ "DELETE FROM chunks WHERE seq = (SELECT min(seq) FROM "
		  "chunks)",
		    'L', CHECK_TOTAL, "it counts 5 rows, but 0 are there" },
		{ "DELETE FROM requests WHERE execution = :Q", 'Q',
		    CHECK_RECORD, "its request is missing" },
		{ "DELETE FROM segments WHERE id = :S << 24", 'S', CHECK_GAP,
		    "rows 0 to 1 are missing" },
		{ "UPDATE executions SET payload_deleted_ms = 7 "
		  "WHERE id = :Q; INSERT INTO trash VALUES (:Q)",
		    'Q', CHECK_STATUS, "its payload is deleted, but" },
		{ "UPDATE executions SET metadata = '{}' WHERE id = :S", 'S',
		    CHECK_STATUS, "it has not ended, but" },
	};
	struct world *w;
	void *fresh;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];
		const struct execution *whose;
		struct verdict v;
		char sql[512] = "";

		assert_int_equal(set_up(&fresh), 0);
		w = fresh;
		for (const char *s = d->sql; *s; s++) {
			size_t used = strlen(sql);

			if (*s != ':') {
				sql[used] = *s;
				continue;
			}
			s++;
			whose = *s == 'P'   ? &w->packed
				: *s == 'L' ? &w->live
				: *s == 'S' ? &w->streaming
					    : &w->queued;
			snprintf(sql + used, sizeof(sql) - used, "%lld",
			    (long long)whose->row);
		}
		whose = d->whose == 'P'	  ? &w->packed
			: d->whose == 'L' ? &w->live
			: d->whose == 'S' ? &w->streaming
					  : &w->queued;
		edit(w, sql);
		check_alone(w->place.url, &v);
		if (v.n == 0)
			fail_msg("not found: %s", sql);
		if (v.f[0].kind != d->kind ||
		    strstr(v.f[0].what.text, d->what) == NULL)
			fail_msg("%s: %s: %s", sql,
			    check_kind_name(v.f[0].kind), v.f[0].what.text);
		assert_true(v.f[0].has_id);
		assert_true(id_equal(&v.f[0].id, &whose->id));
		assert_non_null(v.f[0].mend);
		/* Nobody else is accused. */
		for (size_t k = 1; k < v.n; k++)
			assert_true(id_equal(&v.f[k].id, &whose->id));
		tear_down(&fresh);
	}
}

static void a_broken_block_is_found_and_the_rest_is_read(void **state)
{
	struct world *w = *state;
	struct verdict v;

	edit(w, "UPDATE chunks SET block = x'00' WHERE seq = "
		"(SELECT min(seq) FROM chunks)");
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.f[0].kind, CHECK_LIVE);
	assert_int_equal(v.f[1].kind, CHECK_TOTAL);
	assert_true(id_equal(&v.f[1].id, &w->live.id));
}

static void what_deleting_leaves_is_counted_and_no_finding(void **state)
{
	struct world *w = *state;
	struct engine_db *db = open_engine(&w->place);
	struct verdict v;

	assert_int_equal(db->engine->begin(db), OK);
	assert_int_equal(db->engine->payload_delete(db, w->packed.row, 7), OK);
	assert_int_equal(db->engine->execution_delete(db, w->live.row, 7), OK);
	assert_int_equal(db->engine->commit(db), OK);
	db->engine->close(db);
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.counts.executions, 3);
	assert_int_equal(v.counts.chunks, 4);
	assert_int_equal(v.counts.stray_segments, 3);
	assert_int_equal(v.counts.stray_chunks, 5);
	assert_int_equal(v.counts.trash, 2);
	assert_int_equal(v.counts.tombstones, 1);
}

static void what_belongs_to_nobody_is_found(void **state)
{
	struct world *w = *state;
	struct verdict v;
	char sql[256];

	snprintf(sql, sizeof(sql), "DELETE FROM executions WHERE id = %lld",
	    (long long)w->packed.row);
	edit(w, sql);
	check_alone(w->place.url, &v);
	/* Its segments; its request is of the same row. */
	assert_int_equal(v.n, 1);
	assert_int_equal(v.f[0].kind, CHECK_ORPHAN);
	assert_false(v.f[0].has_id);
	snprintf(sql, sizeof(sql), "DELETE FROM segments WHERE id >> 24 = %lld",
	    (long long)w->packed.row);
	edit(w, sql);
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.f[0].kind, CHECK_ORPHAN);
	assert_non_null(strstr(v.f[0].what.text, "request"));
	snprintf(sql, sizeof(sql), "INSERT INTO trash VALUES (%lld)",
	    (long long)w->packed.row);
	edit(w, sql);
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 0);
}

/* As the finding says: delete it again. */
static void what_is_there_and_deleted_can_be_deleted_again(void **state)
{
	struct world *w = *state;
	struct verdict v;
	struct job job;

	edit(w, "INSERT INTO tombstones SELECT public_id, owner, 7 FROM "
		"executions WHERE status >= 2");
	check_alone(w->place.url, &v);
	assert_true(v.n > 0);
	place_open(&w->place);
	for (size_t i = 0; i < v.n; i++) {
		bool prune = i % 2 == 0;

		job_init(&job, prune ? WRITE_PRUNE : WRITE_DELETE);
		if (prune) {
			job.write.u.prune.ids = &v.f[i].id;
			job.write.u.prune.n = 1;
		} else {
			job.write.u.remove.id = v.f[i].id;
		}
		assert_int_equal(job_run(&job, w->place.store), OK);
		job_fini(&job);
	}
	place_close(&w->place);
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 0);
}

static void what_is_there_and_deleted_is_found(void **state)
{
	struct world *w = *state;
	struct verdict v;
	char sql[256];

	edit(w, "INSERT INTO tombstones SELECT public_id, owner, 7 FROM "
		"executions");
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 4);
	for (size_t i = 0; i < v.n; i++) {
		assert_int_equal(v.f[i].kind, CHECK_TOMBSTONE);
		assert_true(v.f[i].has_id);
	}
	edit(w, "DELETE FROM tombstones;"
		"INSERT INTO tombstones VALUES (x'ff', 'ann', 7)");
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.f[0].kind, CHECK_FILE);
	assert_non_null(strstr(v.f[0].what.text, "tombstone"));
	edit(w, "DELETE FROM tombstones");
	snprintf(sql, sizeof(sql), "INSERT INTO trash VALUES (%lld)",
	    (long long)w->live.row);
	edit(w, sql);
	check_alone(w->place.url, &v);
	assert_int_equal(v.n, 1);
	assert_int_equal(v.f[0].kind, CHECK_TRASH);
}

static void noise_in_the_file_is_found(void **state)
{
	struct world *w = *state;
	char noise[4096];
	bool done = false;
	FILE *file;

	memset(noise, 0x5a, sizeof(noise));
	/* One page at a time, but for the first: no crash, always a finding. */
	for (long page = 1; !done; page++) {
		const struct check_options o = { .on_finding = on_finding };
		struct check_options mine = o;
		struct check *c = NULL;
		char copy[200], command[512];
		struct verdict v = { 0 };
		enum err rc;

		snprintf(copy, sizeof(copy), "%s.copy", w->place.url);
		snprintf(
		    command, sizeof(command), "cp %s %s", w->place.url, copy);
		assert_int_equal(system(command), 0);
		file = fopen(copy, "r+b");
		fseek(file, 0, SEEK_END);
		done = ftell(file) <= page * 4096;
		if (!done) {
			fseek(file, page * 4096, SEEK_SET);
			assert_int_equal(fwrite(noise, 1, 4096, file), 4096);
		}
		fclose(file);
		if (done)
			break;
		mine.arg = &v;
		rc = check_open_alone(copy, &mine, &c, NULL);
		if (rc == OK) {
			run_to_the_end(c, &v);
			assert_true(v.n > 0);
		} else {
			assert_int_equal(rc, ERR_CORRUPT);
		}
	}
}

static void it_takes_the_lock_and_makes_nothing(void **state)
{
	struct world *w = *state;
	const struct check_options o = { .on_finding = on_finding };
	struct check *c = NULL, *second = NULL;
	char other[200];
	struct why why = { "" };

	assert_int_equal(check_open_alone(w->place.url, &o, &c, NULL), OK);
	assert_int_equal(
	    check_open_alone(w->place.url, &o, &second, &why), ERR_BUSY);
	assert_non_null(strstr(why.text, "in use by pid"));
	assert_int_equal(
	    store_open(&w->place.options, &w->place.store, &why), ERR_BUSY);
	check_close(c);
	snprintf(other, sizeof(other), "%s/none.db", w->place.dir);
	assert_int_equal(check_open_alone(other, &o, &c, &why), ERR_NOT_FOUND);
	assert_int_equal(access(other, F_OK), -1);
}

static void tables_of_another_time_are_refused(void **state)
{
	struct world *w = *state;
	const struct check_options o = { .on_finding = on_finding };
	struct check *c = NULL;
	struct why why = { "" };

	edit(w, "INSERT INTO schema_version VALUES (99, 'later', 1)");
	assert_int_equal(
	    check_open_alone(w->place.url, &o, &c, &why), ERR_VERSION);
	assert_non_null(strstr(why.text, "newer spool"));
}

/* --- while it is in use --- */

#define AT_WORK 24

struct looker {
	struct store *store;
	atomic_bool stop;
	uint64_t rounds, executions;
	struct verdict v;
};

static void *look_on(void *arg)
{
	struct looker *l = arg;
	const struct check_options o = { .on_finding = on_finding,
		.arg = &l->v };

	while (!atomic_load(&l->stop) && l->v.n == 0) {
		struct check *c = NULL;

		if (check_open(l->store, &o, &c, NULL) != OK)
			break;
		l->v.n = 0;
		run_to_the_end(c, &l->v);
		l->executions += l->v.counts.executions;
		l->rounds++;
	}
	return NULL;
}

/* Every other one of ${id}, or its payload. */
static void prune_half(struct store *store, struct id id[AT_WORK], bool payload)
{
	struct id half[AT_WORK / 2];
	struct job job;

	for (int i = 0; i < AT_WORK / 2; i++)
		half[i] = id[2 * i];
	job_init(&job, WRITE_PRUNE);
	job.write.u.prune.ids = half;
	job.write.u.prune.n = AT_WORK / 2;
	job.write.u.prune.payload_only = payload;
	assert_int_equal(job_run(&job, store), OK);
	assert_int_equal(job.write.u.prune.gone.executions, AT_WORK / 2);
	job_fini(&job);
}

static void remove_one(struct store *store, const struct id *id)
{
	struct job job;

	job_init(&job, WRITE_DELETE);
	job.write.u.remove.id = *id;
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
}

static void what_moves_meanwhile_is_no_finding(void **state)
{
	struct world *w = *state;
	struct id old[AT_WORK], id[AT_WORK];
	struct looker looker = { 0 };
	pthread_t thread;
	int64_t until;

	w->place.options.durability = STORE_NORMAL;
	place_open(&w->place);
	looker.store = w->place.store;
	assert_int_equal(pthread_create(&thread, NULL, look_on, &looker), 0);
	until = clock_mono_ms() + 1500;
	for (int round = 0; clock_mono_ms() < until; round++) {
		for (int i = 0; i < AT_WORK; i++)
			id[i] = create(w->place.store, "ann");
		for (uint64_t from = 0; from <= 400; from += 100) {
			struct job job;

			job_init(&job, WRITE_BATCH);
			for (int i = 0; i < AT_WORK; i++) {
				struct batch *b = &job.write.u.batch;

				if (from == 0)
					add_start(b, &id[i]);
				if (from < 400)
					add_texts(b, &id[i], from, 100, 300);
				else
					add_end(b, &id[i]);
			}
			assert_int_equal(job_run(&job, w->place.store), OK);
			job_fini(&job);
		}
		if (round % 2 > 0)
			prune_half(w->place.store, old, round % 4 == 1);
		for (int i = 0; round > 0 && round % 2 == 0 && i < AT_WORK;
		     i += 2)
			remove_one(w->place.store, &old[i]);
		memcpy(old, id, sizeof(old));
	}
	atomic_store(&looker.stop, true);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < looker.v.n; i++)
		fail_msg("%s: %s", check_kind_name(looker.v.f[i].kind),
		    looker.v.f[i].what.text);
	assert_true(looker.rounds > 1);
	assert_true(looker.executions > 100);
	place_close(&w->place);
	check_alone(w->place.url, &looker.v);
	assert_int_equal(looker.v.n, 0);
}

static void damage_is_found_while_it_is_in_use(void **state)
{
	struct world *w = *state;
	struct looker looker = { 0 };
	char sql[128];

	snprintf(sql, sizeof(sql), "DELETE FROM segments WHERE id = %lld",
	    (long long)(w->packed.row << 24) + 3);
	edit(w, sql);
	place_open(&w->place);
	looker.store = w->place.store;
	look_on(&looker);
	assert_int_equal(looker.v.n, 1);
	assert_int_equal(looker.v.f[0].kind, CHECK_GAP);
	assert_true(id_equal(&looker.v.f[0].id, &w->packed.id));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A stream of ${n} rows, the first ${packed} of them in a segment. */
static struct stream add_stream(struct engine_db *db, const char *name,
    const struct stream *source, uint64_t n, uint32_t packed)
{
	struct stream s = { .id = id_new(),
		.owner = "ann",
		.type = "text/plain",
		.created_ms = 1700000000000,
		.ttl_s = -1 };
	struct execution e;
	int64_t seq;

	strcpy(s.name, name);
	if (source != NULL) {
		s.source_row = source->row;
		strcpy(s.source, source->name);
		s.first = s.fork_at = source->total;
	}
	assert_int_equal(db->engine->begin(db), OK);
	assert_int_equal(db->engine->stream_insert(db, &s), OK);
	e = (struct execution){ .row = s.row, .id = s.id };
	for (uint64_t i = s.first; i < s.first + n; i++) {
		struct chunk c = chunk_at(i, UINT64_MAX);

		assert_int_equal(
		    db->engine->chunk_append(db, &e, &c, &seq), OK);
	}
	s.total = s.first + n;
	assert_int_equal(db->engine->stream_grown(db, &s), OK);
	assert_int_equal(
	    db->engine->producer_put(db, s.row,
		&(struct stream_tuple){ .producer = "p" }, false, s.total),
	    OK);
	assert_int_equal(db->engine->commit(db), OK);
	if (packed > 0)
		pack(db, &e, s.first, packed, UINT64_MAX, true);
	return s;
}

static void streams_are_looked_at_as_executions_are(void **state)
{
	static const struct {
		const char *sql, *what;
		enum check_kind kind;
	} damages[] = {
		{ "DELETE FROM segments WHERE id >> 24 = "
		  "(SELECT log FROM streams WHERE name = 'fork')",
		    "stream fork: rows 5 to 6 are missing", CHECK_STREAM },
		{ "UPDATE streams SET next_index = 9, closed = 1 "
		  "WHERE name = 'source'",
		    "stream source: it counts 9 rows, but 5 are there",
		    CHECK_STREAM },
		{ "UPDATE streams SET packed = 3 WHERE name = 'fork'",
		    "stream fork: its counts do not fit: first 5, packed 3, "
		    "next 9",
		    CHECK_STREAM },
		{ "UPDATE streams SET forks = 2 WHERE name = 'source'",
		    "stream source: it counts 2 forks, but 1 are there",
		    CHECK_STREAM },
		{ "UPDATE streams SET deleted_ms = 5, closed = 1 "
		  "WHERE name = 'fork'",
		    "stream fork: it is deleted, and no fork needs it",
		    CHECK_STREAM },
		{ "INSERT INTO producers VALUES (77, 'x', 0, 0, 0)",
		    "the producers of row 77 belong to nobody", CHECK_ORPHAN },
	};

	(void)state;
	for (size_t i = 0; i <= sizeof(damages) / sizeof(damages[0]); i++) {
		bool sound = i == sizeof(damages) / sizeof(damages[0]);
		struct stream source;
		struct engine_db *db;
		struct verdict v;
		struct world w;

		place_init(&w.place);
		db = open_engine(&w.place);
		source = add_stream(db, "source", NULL, 5, 0);
		(void)add_stream(db, "fork", &source, 4, 2);
		db->engine->close(db);
		if (!sound)
			edit(&w, damages[i].sql);
		check_alone(w.place.url, &v);
		assert_true(sound ? v.n == 0 : v.n >= 1);
		if (!sound) {
			assert_string_equal(v.f[0].what.text, damages[i].what);
			assert_int_equal(v.f[0].kind, damages[i].kind);
		}
		assert_int_equal(v.counts.executions, 0);
		assert_int_equal(v.counts.streams, 2);
		assert_int_equal(v.counts.stray_chunks, 0);
		if (sound)
			assert_int_equal(v.counts.chunks, 9);
		place_fini(&w.place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sound_store_has_no_findings),
		cmocka_unit_test(each_damage_is_found_and_named),
		cmocka_unit_test(streams_are_looked_at_as_executions_are),
		T(a_broken_block_is_found_and_the_rest_is_read),
		T(what_deleting_leaves_is_counted_and_no_finding),
		T(what_belongs_to_nobody_is_found),
		T(what_is_there_and_deleted_is_found),
		T(what_is_there_and_deleted_can_be_deleted_again),
		T(noise_in_the_file_is_found),
		T(it_takes_the_lock_and_makes_nothing),
		T(tables_of_another_time_are_refused),
		T(what_moves_meanwhile_is_no_finding),
		T(damage_is_found_while_it_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
