/* What is SQLite's own: plans, bytes, places, refusals, damage. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/engine.h"
#include "store/sqlite.h"
#include "store/sqlite_internal.h"

#define assert_ok(expr) assert_int_equal((expr), OK)

struct fixture {
	char dir[64], path[128];
	struct store_options options;
	struct engine_db *w;
};

static const struct engine *eng(void)
{
	return sqlite_engine();
}

static void open_store(struct fixture *f)
{
	struct why why = { "" };
	enum err rc = eng()->open(&f->options, &f->w, &why);

	if (rc != OK)
		fail_msg("open: %s: %s", err_name(rc), why.text);
}

static void close_store(struct fixture *f)
{
	eng()->close(f->w);
	f->w = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/engine_sqlite_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
	f->options.url = f->path;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_store(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static sqlite3 *handle(struct fixture *f)
{
	return ((struct sqlite_db *)f->w)->db;
}

/* Ask the connection under test directly. */
static void sql(struct fixture *f, const char *text)
{
	char *message = NULL;

	if (sqlite3_exec(handle(f), text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
}

static int64_t number(sqlite3 *db, const char *text)
{
	sqlite3_stmt *s = NULL;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static struct execution insert(struct fixture *f)
{
	static char owner[] = "ann", model[] = "m", request[] = "{}";
	struct execution e = { .id = id_new(),
		.owner = owner,
		.model = model,
		.created_ms = 1000000,
		.request = request,
		.request_len = 2 };

	assert_ok(eng()->execution_insert(f->w, &e));
	return e;
}

static struct execution stored(struct fixture *f, uint64_t n_chunks)
{
	struct execution e;
	int64_t seq;

	assert_ok(eng()->begin(f->w));
	e = insert(f);
	for (uint64_t i = 0; i < n_chunks; i++) {
		struct chunk c = { .index = i,
			.attempt = 1,
			.ts_ms = 1000000 + (int64_t)i,
			.content = "thirty bytes of text in chunks",
			.content_len = 30 };

		assert_ok(eng()->chunk_append(f->w, &e, &c, &seq));
	}
	assert_ok(eng()->commit(f->w));
	return e;
}

/* The whole of a file, for free(). */
static char *slurp(const char *path, size_t *ret_len)
{
	FILE *in = fopen(path, "rb");
	char *data = malloc(1 << 22);

	assert_non_null(in);
	*ret_len = fread(data, 1, 1 << 22, in);
	fclose(in);
	return data;
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

/* Opening fails with ${want} and leaves the file and its neighbours alone. */
static void assert_refused(struct fixture *f, enum err want, const char *word)
{
	struct engine_db *db = NULL;
	struct why why = { "" };
	size_t len = 0, len_after = 0;
	char *before = NULL, *after = NULL;
	char lock[160];
	struct stat st;
	bool is_file = stat(f->path, &st) == 0 && S_ISREG(st.st_mode);

	if (is_file)
		before = slurp(f->path, &len);
	assert_int_equal(eng()->open(&f->options, &db, &why), want);
	assert_null(db);
	if (strstr(why.text, word) == NULL)
		fail_msg("want \"%s\", got \"%s\"", word, why.text);
	if (is_file) {
		after = slurp(f->path, &len_after);
		assert_int_equal(len_after, len);
		assert_memory_equal(after, before, len);
	}
	free(before);
	free(after);
	snprintf(lock, sizeof(lock), "%s-wal", f->path);
	assert_int_equal(access(lock, F_OK), -1);
}

static void assert_no_lock_file(struct fixture *f)
{
	char lock[160];

	snprintf(lock, sizeof(lock), "%s.lock", f->path);
	assert_int_equal(access(lock, F_OK), -1);
}

/* --- statements --- */

static void every_question_has_its_text(void **state)
{
	(void)state;
	for (int q = 0; q < N_SQL; q++)
		assert_non_null(sqlite_sql((enum sqlite_sql)q)->text);
}

static void no_hot_question_scans_a_table(void **state)
{
	struct fixture *f = *state;
	int hot = 0;

	open_store(f);
	for (int q = 0; q < N_SQL; q++) {
		const struct sqlite_sql_text *t =
		    sqlite_sql((enum sqlite_sql)q);
		char text[2048];
		sqlite3_stmt *s = NULL;

		if (!t->hot)
			continue;
		hot++;
		snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", t->text);
		assert_int_equal(
		    sqlite3_prepare_v2(handle(f), text, -1, &s, NULL),
		    SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			const char *step =
			    (const char *)sqlite3_column_text(s, 3);

			if (strstr(step, "SCAN") != NULL ||
			    strstr(step, "TEMP B-TREE") != NULL)
				fail_msg("%s: %s", t->text, step);
		}
		sqlite3_finalize(s);
	}
	assert_true(hot > 25);
}

static void the_start_walks_only_the_index_of_what_lives(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *s = NULL;
	char text[2048];

	open_store(f);
	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s",
	    sqlite_sql(SQL_LIVE_EXECUTIONS)->text);
	assert_int_equal(
	    sqlite3_prepare_v2(handle(f), text, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_non_null(strstr((const char *)sqlite3_column_text(s, 3),
	    "USING INDEX executions_live"));
	assert_int_equal(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
}

/* --- bytes and settings --- */

static void a_live_chunk_of_thirty_bytes_takes_at_most_46(void **state)
{
	enum { LOGS = 1000, ROUNDS = 100 };
	struct fixture *f = *state;
	struct execution *e = calloc(LOGS, sizeof(*e));
	int64_t seq, pages, ms = 1000000;
	double each;

	f->options.durability = STORE_NORMAL;
	open_store(f);
	assert_ok(eng()->begin(f->w));
	for (int i = 0; i < LOGS; i++)
		e[i] = insert(f);
	assert_ok(eng()->commit(f->w));
	pages = number(handle(f), "PRAGMA page_count");
	for (uint64_t k = 0; k < ROUNDS * LOGS; k++) {
		struct chunk c = { .index = k / LOGS,
			.attempt = 1,
			.ts_ms = ms += k % 20 == 0,
			.content = "thirty bytes of text in chunks",
			.content_len = 30 };

		if (k % 128 == 0) {
			if (k > 0)
				assert_ok(eng()->commit(f->w));
			assert_ok(eng()->begin(f->w));
		}
		assert_ok(eng()->chunk_append(f->w, &e[k % LOGS], &c, &seq));
	}
	assert_ok(eng()->commit(f->w));
	pages = number(handle(f), "PRAGMA page_count") - pages;
	each = (double)pages * 4096 / (ROUNDS * LOGS);
	print_message("%.1f bytes a live chunk\n", each);
	assert_true(each <= 46);
	assert_true(each > 30);
	free(e);
}

static void a_new_store_is_its_owners_alone_and_set_up_safely(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_store(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(number(handle(f), "PRAGMA synchronous"), 2);
	assert_int_equal(number(handle(f), "PRAGMA auto_vacuum"), 2);
	assert_int_equal(number(handle(f), "PRAGMA secure_delete"), 1);
	assert_int_equal(number(handle(f), "PRAGMA page_size"), 4096);
	assert_int_equal(number(handle(f), "PRAGMA wal_autocheckpoint"), 0);
	assert_int_equal(number(handle(f), "PRAGMA mmap_size"), 0);
	assert_int_equal(
	    number(handle(f), "PRAGMA application_id"), SQLITE_STORE_ID);
	assert_int_equal(
	    number(handle(f), "SELECT max(version) FROM schema_version"), 1);
	close_store(f);
	f->options.durability = STORE_NORMAL;
	open_store(f);
	assert_int_equal(number(handle(f), "PRAGMA synchronous"), 1);
}

static void a_reader_cannot_write(void **state)
{
	struct fixture *f = *state;
	struct engine_db *r = NULL;

	open_store(f);
	assert_ok(eng()->open_reader(&f->options, &r, NULL));
	assert_int_equal(sqlite3_exec(((struct sqlite_db *)r)->db,
			     "DELETE FROM executions", NULL, NULL, NULL),
	    SQLITE_READONLY);
	eng()->close(r);
}

static void a_url_may_name_the_engine(void **state)
{
	struct fixture *f = *state;
	char url[160];

	assert_true(eng()->accepts("spool.db"));
	assert_true(eng()->accepts("sqlite:x"));
	assert_false(eng()->accepts("postgresql://x/y"));
	snprintf(url, sizeof(url), "sqlite://%s", f->path);
	f->options.url = url;
	open_store(f);
	assert_int_equal(access(f->path, F_OK), 0);
}

/* --- places --- */

static void a_place_that_is_not_fit_is_named(void **state)
{
	struct fixture *f = *state;

	strcat(f->path, "/deeper");
	assert_refused(f, ERR_INPUT, "no directory");
	f->options.url = f->dir;
	assert_refused(f, ERR_INPUT, "not a regular file");
	f->options.url = "";
	assert_refused(f, ERR_INPUT, "path");
	f->options.url = ":memory:";
	assert_refused(f, ERR_INPUT, "path");
	f->options.url = "/proc/spool.db";
	assert_refused(f, ERR_INPUT, "");
}

static void a_text_file_is_refused_untouched(void **state)
{
	static const char text[] = "Dear diary, today I was not a database.\n";
	struct fixture *f = *state;

	write_file(f->path, text, sizeof(text) - 1);
	assert_refused(f, ERR_CORRUPT, "not a spool store");
	assert_no_lock_file(f);
}

static void anothers_database_is_refused_untouched(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
			     "PRAGMA user_version=7; CREATE TABLE t(x);"
			     "INSERT INTO t VALUES(1)",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_refused(f, ERR_CORRUPT, "not a spool store");
	assert_no_lock_file(f);
}

static void a_newer_store_is_refused_untouched(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	sql(f, "INSERT INTO schema_version VALUES (99, 'later', 0)");
	close_store(f);
	assert_refused(f, ERR_VERSION, "newer spool");
	/* And by the program that knows it, nothing is lost. */
	assert_int_equal(access(f->path, F_OK), 0);
}

/* The file and its WAL as a killed process leaves them, under ${to}. */
static void copy_live(struct fixture *f, const char *to)
{
	static const char *const parts[] = { "", "-wal" };
	char from[160], name[160];
	size_t len = 0;
	char *data;

	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof(from), "%s%s", f->path, parts[i]);
		snprintf(name, sizeof(name), "%s%s", to, parts[i]);
		data = slurp(from, &len);
		assert_true(len > 0);
		write_file(name, data, len);
		free(data);
	}
}

/* Opening ${path} fails with ${want}; the file and its WAL stay as they are. */
static void assert_left_alone(const char *path, enum err want)
{
	static const char *const parts[] = { "", "-wal" };
	struct store_options options = { .url = path };
	struct engine_db *db = NULL;
	struct why why = { "" };
	char name[160], *before[2], *after;
	size_t len[2], len_after;

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, parts[i]);
		before[i] = slurp(name, &len[i]);
	}
	assert_int_equal(eng()->open(&options, &db, &why), want);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, parts[i]);
		after = slurp(name, &len_after);
		assert_int_equal(len_after, len[i]);
		assert_memory_equal(after, before[i], len_after);
		free(after);
		free(before[i]);
	}
}

static void the_wal_of_a_refused_store_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char newer[160], broken[160], *data;
	size_t len;

	open_store(f);
	stored(f, 1000);
	sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	sql(f, "INSERT INTO schema_version VALUES (99, 'later', 0)");
	snprintf(newer, sizeof(newer), "%s/newer.db", f->dir);
	copy_live(f, newer);
	sql(f, "DELETE FROM schema_version WHERE version = 99");
	stored(f, 10);
	snprintf(broken, sizeof(broken), "%s/broken.db", f->dir);
	copy_live(f, broken);
	data = slurp(broken, &len);
	memset(data + 4096, 0x5a, len - 4096);
	write_file(broken, data, len);
	free(data);
	assert_left_alone(newer, ERR_VERSION);
	assert_left_alone(broken, ERR_CORRUPT);
}

static void a_file_of_two_names_is_refused(void **state)
{
	struct fixture *f = *state;
	char other[160];

	open_store(f);
	stored(f, 3);
	close_store(f);
	snprintf(other, sizeof(other), "%s/other.db", f->dir);
	assert_int_equal(link(f->path, other), 0);
	/* Each name would have a lock and a WAL of its own. */
	assert_refused(f, ERR_INPUT, "hard link");
	assert_int_equal(unlink(other), 0);
	open_store(f);
}

static void a_first_open_that_failed_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct engine_db *db = NULL;
	struct rlimit all, few;
	char command[128];

	/* No room for the schema. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	few = all;
	few.rlim_cur = 40000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	assert_int_not_equal(eng()->open(&f->options, &db, NULL), OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	snprintf(command, sizeof(command), "test -z \"$(ls -A %s)\"", f->dir);
	assert_int_equal(system(command), 0);
}

static void a_file_that_is_taken_away_stops_the_writer(void **state)
{
	struct fixture *f = *state;
	char other[160];
	size_t len;
	char *data;

	open_store(f);
	stored(f, 3);
	snprintf(other, sizeof(other), "%s/other.db", f->dir);
	assert_int_equal(rename(f->path, other), 0);
	assert_int_equal(eng()->begin(f->w), ERR_IO);
	assert_non_null(strstr(f->w->why.text, "removed or replaced"));
	/* Another one in its place is no better. */
	data = slurp(other, &len);
	write_file(f->path, data, len);
	free(data);
	assert_int_equal(eng()->begin(f->w), ERR_IO);
}

static void an_empty_file_becomes_a_store(void **state)
{
	struct fixture *f = *state;

	write_file(f->path, "", 0);
	open_store(f);
	stored(f, 3);
}

static void a_first_open_that_fell_midway_is_gone_on_with(void **state)
{
	struct fixture *f = *state;
	char text[80];
	sqlite3 *db = NULL;

	/* As after the birth pragmas, before the schema. */
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	snprintf(
	    text, sizeof(text), "PRAGMA application_id=%d", SQLITE_STORE_ID);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_store(f);
	stored(f, 3);
}

static void two_names_of_one_file_meet_at_one_lock(void **state)
{
	struct fixture *f = *state;
	struct engine_db *second = NULL;
	struct store_options options = f->options;
	char other[160];

	open_store(f);
	snprintf(other, sizeof(other), "%s/other.db", f->dir);
	assert_int_equal(symlink(f->path, other), 0);
	options.url = other;
	assert_int_equal(eng()->open(&options, &second, NULL), ERR_BUSY);
}

/* --- crashes and damage --- */

static void a_killed_writer_loses_nothing_it_committed(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct execution e;

		open_store(f);
		stored(f, 100);
		/* Begun, not committed. */
		assert_ok(eng()->begin(f->w));
		e = insert(f);
		(void)e;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	open_store(f); /* a dead process holds no lock */
	assert_int_equal(
	    number(handle(f), "SELECT count(*) FROM executions"), 1);
	assert_int_equal(number(handle(f), "SELECT sum(n) FROM chunks"), 100);
}

static void a_full_disk_fails_the_commit_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct execution e;
	enum err rc = OK;
	char text[64];
	int64_t seq, chunks;

	open_store(f);
	e = stored(f, 10);
	snprintf(text, sizeof(text), "PRAGMA max_page_count=%d",
	    (int)number(handle(f), "PRAGMA page_count") + 4);
	sql(f, text);
	assert_ok(eng()->begin(f->w));
	for (uint64_t i = 10; i < 10000 && rc == OK; i++) {
		struct chunk c = { .index = i,
			.attempt = 1,
			.content = "thirty bytes of text in chunks",
			.content_len = 30 };

		rc = eng()->chunk_append(f->w, &e, &c, &seq);
	}
	assert_int_equal(rc, ERR_FULL);
	assert_int_equal(eng()->commit(f->w), ERR_FULL);
	chunks = number(handle(f), "SELECT sum(n) FROM chunks");
	assert_int_equal(chunks, 10);
	sql(f, "PRAGMA max_page_count=1000000");
	stored(f, 1000); /* there is room again */
}

static void a_long_log_of_changes_is_given_back_at_rest(void **state)
{
	struct fixture *f = *state;
	struct engine_stats stats;

	open_store(f);
	stored(f, 200000);
	eng()->stats(f->w, &stats);
	assert_true(stats.wal_bytes > (uint64_t)4 << 20);
	/* One look while it grows, one when nothing was written since. */
	assert_ok(eng()->tidy(f->w));
	assert_ok(eng()->tidy(f->w));
	eng()->stats(f->w, &stats);
	assert_true(stats.wal_bytes <= (uint64_t)4 << 20);
	stored(f, 10);
}

static enum err page_of(struct fixture *f, const struct execution *e)
{
	struct page_query q = { 0, 10, 1000 };
	struct page page;
	enum err rc;

	page_init(&page);
	rc = eng()->chunk_page(f->w, &e->id, "ann", &q, &page);
	page_fini(&page);
	return rc;
}

static void damaged_rows_are_corruption_not_a_crash(void **state)
{
	static const struct {
		const char *name, *text;
	} damage[] = {
		{ "a cut block",
		    "UPDATE chunks SET block = substr(block, 1, 20)" },
		{ "a block of noise",
		    "UPDATE chunks SET block = randomblob(300)" },
		{ "an empty block", "UPDATE chunks SET block = x''" },
		{ "a wrong count", "UPDATE chunks SET n = n + 1" },
		{ "a wrong status", "UPDATE executions SET status = 9" },
		{ "a missing segment", "UPDATE executions SET packed = 5" },
		{ "a segment of noise",
		    "UPDATE executions SET packed = 5; INSERT INTO segments "
		    "SELECT id << 24, 5, 0, 50, randomblob(50) "
		    "FROM executions" },
		{ "a segment that does not unpack",
		    "UPDATE executions SET packed = 5; INSERT INTO segments "
		    "SELECT id << 24, 5, 1, 50, randomblob(50) "
		    "FROM executions" },
		{ "a segment that would fill the memory",
		    "UPDATE executions SET packed = 5; INSERT INTO segments "
		    "SELECT id << 24, 5, 1, 1 << 60, randomblob(50) "
		    "FROM executions" },
		{ "an unknown codec",
		    "UPDATE executions SET packed = 5; INSERT INTO segments "
		    "SELECT id << 24, 5, 2, 50, randomblob(50) "
		    "FROM executions" },
		{ "a segment elsewhere",
		    "UPDATE executions SET packed = 5; INSERT INTO segments "
		    "SELECT id << 24 | 2, 5, 0, 50, randomblob(50) "
		    "FROM executions" },
	};
	struct fixture *f = *state;

	open_store(f);
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct execution e;
		enum err rc;

		sql(f, "DELETE FROM chunks; DELETE FROM executions; "
		       "DELETE FROM segments");
		e = stored(f, 10);
		assert_ok(page_of(f, &e));
		sql(f, damage[i].text);
		rc = page_of(f, &e);
		if (rc != ERR_CORRUPT)
			fail_msg("%s gave %s", damage[i].name, err_name(rc));
		assert_true(f->w->why.text[0] != '\0');
	}
	sql(f, "DELETE FROM chunks; DELETE FROM executions");
}

/* Change each byte of ${column} in turn; a page must see each. */
static void each_byte_matters(struct fixture *f, const struct execution *e,
    const char *table, const char *column)
{
	char text[400];
	int64_t n;

	snprintf(text, sizeof(text), "CREATE TABLE kept AS SELECT %s FROM %s",
	    column, table);
	sql(f, text);
	snprintf(text, sizeof(text), "SELECT length(%s) FROM kept", column);
	n = number(handle(f), text);
	assert_true(n > 100);
	for (int64_t i = 1; i <= n; i++) {
		snprintf(text, sizeof(text),
		    "UPDATE %s SET %s = (SELECT CAST(substr(%s, 1, %d) || "
		    "CASE substr(%s, %d, 1) WHEN x'21' THEN x'20' "
		    "ELSE x'21' END || substr(%s, %d) AS BLOB) FROM kept)",
		    table, column, column, (int)i - 1, column, (int)i, column,
		    (int)i + 1);
		sql(f, text);
		if (page_of(f, e) != ERR_CORRUPT)
			fail_msg("byte %d of a %s", (int)i, column);
	}
	snprintf(text, sizeof(text), "UPDATE %s SET %s = (SELECT %s FROM kept)",
	    table, column, column);
	sql(f, text);
	assert_ok(page_of(f, e));
	sql(f, "DROP TABLE kept");
}

static void a_wrong_byte_in_a_chunk_is_corruption(void **state)
{
	struct fixture *f = *state;
	struct engine_segment s = { .n = 5 };
	struct execution e;
	struct buf raw;

	f->options.durability = STORE_NORMAL;
	open_store(f);
	e = stored(f, 8);
	each_byte_matters(f, &e, "chunks", "block");

	/* Plain: no frame of zstd with a sum of its own. */
	buf_init(&raw, 1000);
	for (uint64_t i = 0; i < s.n; i++) {
		struct chunk c = { .index = i,
			.attempt = 1,
			.content = "thirty bytes of text in chunks",
			.content_len = 30 };

		chunk_pack(&raw, &c, 0);
	}
	s.payload = raw.data;
	s.payload_len = s.raw_len = raw.len;
	assert_ok(eng()->begin(f->w));
	assert_ok(eng()->segment_put(f->w, &e, &s));
	assert_ok(eng()->commit(f->w));
	each_byte_matters(f, &e, "segments", "payload");
	/* Whole, and another's. */
	sql(f, "UPDATE segments SET n = 4");
	assert_int_equal(page_of(f, &e), ERR_CORRUPT);
	buf_fini(&raw);
}

static enum err any_segment(void *arg, const struct engine_seen_segment *s)
{
	(void)arg;
	(void)s;
	return OK;
}

static void a_look_at_keys_out_of_order_ends(void **state)
{
	const struct engine_seen to = { .on_segment = any_segment };
	/* The key of execution 1's segment at 20, as it lies in a cell. */
	static const uint8_t key[] = { 0x88, 0x80, 0x80, 20 };
	struct fixture *f = *state;
	struct engine_segment s = {
		.n = 1, .payload = "any", .payload_len = 3, .raw_len = 3
	};
	struct execution e;
	char *data;
	size_t len, n = 0;

	open_store(f);
	e = stored(f, 1);
	assert_int_equal(e.row, 1);
	assert_ok(eng()->begin(f->w));
	for (s.first = 0; s.first < 40; s.first++)
		assert_ok(eng()->segment_put(f->w, &e, &s));
	assert_ok(eng()->commit(f->w));
	close_store(f);
	data = slurp(f->path, &len);
	for (size_t i = 0; i + sizeof(key) < len; i++)
		if (memcmp(data + i, key, sizeof(key)) == 0) {
			data[i + 3] = 2;
			n++;
		}
	assert_int_equal(n, 1);
	write_file(f->path, data, len);
	free(data);
	open_store(f);
	assert_int_equal(
	    eng()->seen_segments(f->w, 1, 0, 1, 1 << 20, &to), ERR_CORRUPT);
}

static void a_page_of_noise_in_the_file_is_corruption(void **state)
{
	struct fixture *f = *state;
	struct engine_db *db = NULL;
	struct why why;
	size_t len;
	char *data;

	open_store(f);
	stored(f, 1000);
	close_store(f);
	data = slurp(f->path, &len);
	memset(data + 4096, 0x5a, len - 4096);
	write_file(f->path, data, len);
	free(data);
	assert_int_equal(eng()->open(&f->options, &db, &why), ERR_CORRUPT);
	assert_null(db);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void free_pages_are_given_back(void **state)
{
	struct fixture *f = *state;
	int64_t pages, after;
	bool left = true;

	f->options.durability = STORE_NORMAL;
	open_store(f);
	for (int i = 0; i < 200; i++)
		stored(f, 1000);
	pages = number(handle(f), "PRAGMA page_count");
	assert_true(pages > 1500);
	sql(f, "DELETE FROM chunks");
	/* The least each time: it ends, and never takes more than there is. */
	for (int64_t i = 0; left; i++) {
		assert_true(i < pages);
		assert_ok(eng()->shrink(f->w, 0, &left));
	}
	after = number(handle(f), "PRAGMA page_count");
	assert_true(after < pages / 2);
	assert_true(number(handle(f), "PRAGMA freelist_count") >= 256);
	assert_ok(eng()->shrink(f->w, 1000, &left));
	assert_false(left);
	assert_int_equal(number(handle(f), "PRAGMA page_count"), after);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_question_has_its_text),
		T(no_hot_question_scans_a_table),
		T(the_start_walks_only_the_index_of_what_lives),
		T(a_live_chunk_of_thirty_bytes_takes_at_most_46),
		T(a_new_store_is_its_owners_alone_and_set_up_safely),
		T(a_reader_cannot_write),
		T(a_url_may_name_the_engine),
		T(a_place_that_is_not_fit_is_named),
		T(a_text_file_is_refused_untouched),
		T(anothers_database_is_refused_untouched),
		T(a_newer_store_is_refused_untouched),
		T(the_wal_of_a_refused_store_is_left_alone),
		T(a_file_of_two_names_is_refused),
		T(a_first_open_that_failed_leaves_nothing),
		T(a_file_that_is_taken_away_stops_the_writer),
		T(an_empty_file_becomes_a_store),
		T(a_first_open_that_fell_midway_is_gone_on_with),
		T(two_names_of_one_file_meet_at_one_lock),
		T(a_killed_writer_loses_nothing_it_committed),
		T(a_full_disk_fails_the_commit_and_nothing_else),
		T(a_long_log_of_changes_is_given_back_at_rest),
		T(damaged_rows_are_corruption_not_a_crash),
		T(a_wrong_byte_in_a_chunk_is_corruption),
		T(a_look_at_keys_out_of_order_ends),
		T(a_page_of_noise_in_the_file_is_corruption),
		T(free_pages_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
