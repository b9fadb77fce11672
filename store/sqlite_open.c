#include "store/sqlite_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/base/clock.h"
#include "store/migrate.h"
#include "store/schema.h"
#include "store/sqlite.h"

#define STR2(x) #x
#define STR(x) STR2(x)

/* What makes a new file a store: before the first table, before WAL. */
static const char *const birth[] = {
	"PRAGMA page_size=4096", /* a disk's and the kernel's unit */
	/* so that a shrunken store can give room back piece by piece */
	"PRAGMA auto_vacuum=INCREMENTAL",
	/* by which the next open knows its own file */
	("PRAGMA application_id=" STR(SQLITE_STORE_ID)),
};

/* Every connection's, in order. */
static const char *const both[] = {
	"PRAGMA mmap_size=0",	 /* a disk error must be an error, no SIGBUS */
	"PRAGMA foreign_keys=0", /* none are declared */
	"PRAGMA temp_store=2",	 /* nothing beside the file */
	"PRAGMA trusted_schema=0",
};

static const char *const writers[] = {
	"PRAGMA journal_mode=WAL",
	/* checkpoints are tidy()'s, between commits */
	"PRAGMA wal_autocheckpoint=0",
	/* a WAL that had to grow shrinks again */
	"PRAGMA journal_size_limit=16777216",
	"PRAGMA cache_size=-2000",
	/* what was deleted is not left in the file, whoever built SQLite */
	"PRAGMA secure_delete=1",
};

static const char *const readers[] = {
	"PRAGMA wal_autocheckpoint=0",
	"PRAGMA cache_size=-1000",
	"PRAGMA query_only=1",
};

/* How long a reader waits for the moment in which a WAL is reset, ms. */
#define READER_WAIT_MS 200

#define N(array) (sizeof(array) / sizeof((array)[0]))

bool sqlite_accepts(const char *url)
{
	return strncmp(url, "sqlite:", 7) == 0 || strstr(url, "://") == NULL;
}

static enum err run_all(struct sqlite_db *d, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sqlite3_exec(d->db, list[i], NULL, NULL, NULL) != SQLITE_OK)
			return sqlite_failed(
			    d, sqlite3_extended_errcode(d->db));
	return OK;
}

static enum err harden(struct sqlite_db *d)
{
	const struct {
		int option, value;
	} config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, d->writer ? 0 : 1 },
	};

	sqlite3_extended_result_codes(d->db, 1);
	if (sqlite_sum_teach(d->db) != SQLITE_OK)
		return ERR_NOMEM;
	for (size_t i = 0; i < N(config); i++) {
		int code = sqlite3_db_config(
		    d->db, config[i].option, config[i].value, (int *)NULL);

		if (code != SQLITE_OK)
			return sqlite_failed(d, code);
	}
	sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_busy_timeout(
	    d->db, d->writer ? SQLITE_WRITER_WAIT_MS : READER_WAIT_MS);
	return OK;
}

/* A mistake in any text ends the start, not somebody's request. */
static enum err prepare_all(struct sqlite_db *d)
{
	enum err rc = OK;

	for (int q = 0; rc == OK && q < N_SQL; q++)
		rc = sqlite_prepare(d, q);
	return rc;
}

/* One number, before the statements are there. */
static enum err ask_number(struct sqlite_db *d, enum sqlite_sql q, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	enum err rc = OK;

	if (sqlite3_prepare_v2(d->db, sqlite_sql(q)->text, -1, &s, NULL) ==
		SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		*ret = sqlite3_column_int64(s, 0);
	else
		rc = sqlite_failed(d, sqlite3_extended_errcode(d->db));
	sqlite3_finalize(s);
	return rc;
}

static enum err schema_version(void *arg, uint32_t *ret)
{
	struct sqlite_db *d = arg;
	int64_t n = 0;
	enum err rc;

	rc = ask_number(d, SQL_SCHEMA_THERE, &n);
	if (rc == OK && n > 0)
		rc = ask_number(d, SQL_SCHEMA_VERSION, &n);
	if (rc == OK)
		*ret = (uint32_t)n;
	return rc;
}

static enum err remember(
    struct sqlite_db *d, uint32_t version, const struct schema_file *file)
{
	sqlite3_stmt *s = NULL;
	enum err rc = OK;

	if (sqlite3_prepare_v2(d->db, sqlite_sql(SQL_SCHEMA_APPLIED)->text, -1,
		&s, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 1, version) != SQLITE_OK ||
	    sqlite3_bind_text(s, 2, file->name, -1, SQLITE_STATIC) !=
		SQLITE_OK ||
	    sqlite3_bind_int64(s, 3, clock_wall_ms()) != SQLITE_OK ||
	    sqlite3_step(s) != SQLITE_DONE)
		rc = sqlite_failed(d, sqlite3_extended_errcode(d->db));
	sqlite3_finalize(s);
	return rc;
}

static enum err schema_apply(
    void *arg, uint32_t version, const struct schema_file *file)
{
	const char *const begin[] = { sqlite_sql(SQL_BEGIN)->text };
	const char *const text[] = { file->text };
	const char *const commit[] = { sqlite_sql(SQL_COMMIT)->text };
	struct sqlite_db *d = arg;
	enum err rc;

	rc = run_all(d, begin, 1);
	if (rc == OK)
		rc = run_all(d, text, 1);
	if (rc == OK)
		rc = remember(d, version, file);
	if (rc == OK)
		rc = run_all(d, commit, 1);
	if (!sqlite3_get_autocommit(d->db))
		sqlite3_exec(
		    d->db, sqlite_sql(SQL_ROLLBACK)->text, NULL, NULL, NULL);
	return rc;
}

static enum err on_state(void *arg, sqlite3_stmt *row)
{
	struct sqlite_db *d = arg;
	int64_t last = sqlite3_column_int64(row, 2);

	d->next_execution = sqlite3_column_int64(row, 0);
	d->next_seq = sqlite3_column_int64(row, 1);
	if (last < sqlite3_column_int64(row, 3))
		last = sqlite3_column_int64(row, 3);
	if (d->next_execution <= last)
		d->next_execution = last + 1;
	return OK;
}

static enum err on_last_block(void *arg, sqlite3_stmt *row)
{
	struct sqlite_db *d = arg;
	int64_t next =
	    sqlite3_column_int64(row, 0) + sqlite3_column_int64(row, 1);

	if (d->next_seq < next)
		d->next_seq = next;
	return OK;
}

/* Where the numbers go on. */
static enum err read_state(struct sqlite_db *d)
{
	enum err rc;

	rc = sqlite_one(d, SQL_STATE_GET, SQL_NOTHING, on_state, d);
	if (rc == ERR_NOT_FOUND)
		return sqlite_corrupt(d, "the table state is empty");
	if (rc != OK)
		return rc;
	rc = sqlite_one(d, SQL_CHUNK_LAST, SQL_NOTHING, on_last_block, d);
	return rc == ERR_NOT_FOUND ? OK : rc;
}

static enum err set_up_writer(
    struct sqlite_db *d, const struct store_options *options, bool fresh)
{
	const char *const sync[] = { options->durability == STORE_NORMAL
					 ? "PRAGMA synchronous=NORMAL"
					 : "PRAGMA synchronous=FULL" };
	const struct migrate_driver driver = {
		.version = schema_version, .apply = schema_apply, .arg = d
	};
	enum err rc;

	rc = harden(d);
	if (rc == OK)
		rc = run_all(d, both, N(both));
	if (rc == OK)
		rc = run_all(d, sync, 1);
	if (rc == OK && fresh)
		rc = run_all(d, birth, N(birth));
	if (rc == OK)
		rc = run_all(d, writers, N(writers));
	if (rc == OK)
		rc = migrate_run(
		    schema_files, "schema/sqlite/", &driver, &d->base.why);
	if (rc == OK)
		rc = prepare_all(d);
	if (rc == OK)
		rc = read_state(d);
	return rc;
}

static enum err set_up_reader(struct sqlite_db *d)
{
	enum err rc = harden(d);

	if (rc == OK)
		rc = run_all(d, both, N(both));
	if (rc == OK)
		rc = run_all(d, readers, N(readers));
	return rc;
}

/* Tables of another time are not asked today's questions. */
static enum err check_version(struct sqlite_db *d)
{
	uint32_t version = 0;
	size_t newest = 0;
	enum err rc;

	while (schema_files[newest].name != NULL)
		newest++;
	rc = schema_version(d, &version);
	if (rc != OK || version == newest)
		return rc;
	err_why(&d->base.why,
	    "%s has tables of version %u, this spool's are %zu: %s", d->path,
	    version, newest,
	    version > newest ? "take a newer spool"
			     : "start the server once, it brings them up to "
			       "date");
	return ERR_VERSION;
}

static struct sqlite_db *connection_new(bool writer)
{
	struct sqlite_db *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->base.engine = sqlite_engine();
	d->writer = writer;
	d->lock_fd = -1;
	buf_init(&d->block, SQLITE_SEGMENT_MAX_BYTES);
	return d;
}

static void disconnect(struct sqlite_db *d)
{
	for (int q = 0; q < N_SQL; q++)
		sqlite3_finalize(d->stmt[q]);
	/* A refused or broken file keeps its log, for who can read it. */
	if (d->db != NULL && !d->sound && sqlite_wal_bytes(d) > 0)
		sqlite3_db_config(
		    d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	sqlite3_close(d->db);
}

static void connection_free(struct sqlite_db *d)
{
	if (d == NULL)
		return;
	disconnect(d);
	buf_fini(&d->block);
	ZSTD_freeDCtx(d->unzip);
	free(d->path);
	free(d);
}

static enum err connect(struct sqlite_db *d)
{
	int code = sqlite3_open_v2(d->path, &d->db,
	    (d->writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
		SQLITE_OPEN_NOMUTEX,
	    NULL);

	return code == SQLITE_OK ? OK : sqlite_failed(d, code);
}

/* Is there nothing in the file yet (made now, or at a first open that fell)? */
static enum err is_fresh(struct sqlite_db *d, bool *ret)
{
	int64_t pages = 0;
	enum err rc = ask_number(d, SQL_PAGES, &pages);

	if (rc == OK)
		*ret = pages == 0;
	return rc;
}

/* Sync the log as it is. */
static int sync_log(struct sqlite_db *d)
{
	sqlite3_file *log = NULL;
	int code = sqlite3_file_control(
	    d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (code != SQLITE_OK || log == NULL || log->pMethods == NULL)
		return code;
	return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

/*
 * What a process that died had written but not synced is read back whole: the
 * kernel still has it. Before anybody sees it the disk must have it, too.
 * Copied back, not only synced: after a sync that failed the kernel takes the
 * log's pages for clean, and what follows them in the log would be lost too.
 */
static enum err make_durable(struct sqlite_db *d)
{
	int code = sqlite3_wal_checkpoint_v2(
	    d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	/* No room to copy, or a stranger who looks: the log must do. */
	if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY)
		code = sync_log(d);
	return code == SQLITE_OK ? OK : sqlite_failed(d, code);
}

enum err sqlite_open(const struct store_options *options,
    struct engine_db **ret, struct why *why)
{
	struct sqlite_db *d = connection_new(true);
	bool made = false, fresh = false;
	char *path = NULL;
	int lock_fd = -1;
	enum err rc;

	if (d == NULL)
		return ERR_NOMEM;
	rc = sqlite_place_path(options->url, &d->path, &d->base.why);
	if (rc == OK)
		path = strdup(d->path);
	if (rc == OK && path == NULL)
		rc = ERR_NOMEM;
	if (rc == OK)
		rc = sqlite_place_take(d->path, &lock_fd, &made, &d->base.why);
	if (rc == OK)
		rc = connect(d);
	if (rc == OK)
		rc = is_fresh(d, &fresh);
	if (rc == OK)
		rc = set_up_writer(d, options, fresh);
	if (rc == OK && options->durability == STORE_FULL)
		rc = make_durable(d);
	if (rc != OK) {
		if (why != NULL)
			*why = d->base.why;
		/* SQLite lets go of the file first, then the lock. */
		connection_free(d);
		sqlite_place_release(path, lock_fd, made);
		free(path);
		return rc;
	}
	free(path);
	d->lock_fd = lock_fd;
	d->sound = true;
	/* What a killed process had set aside is for its recovery now. */
	if (sqlite_set_aside(&d->base, 0) != OK) {
		/* Room that nobody misses. */
	}
	sqlite3_wal_hook(d->db, sqlite_tidy_committed, d);
	*ret = &d->base;
	return OK;
}

enum err sqlite_open_reader(const struct store_options *options,
    struct engine_db **ret, struct why *why)
{
	struct sqlite_db *d = connection_new(false);
	enum err rc;

	if (d == NULL)
		return ERR_NOMEM;
	rc = sqlite_place_path(options->url, &d->path, &d->base.why);
	if (rc == OK)
		rc = connect(d);
	if (rc == OK)
		rc = set_up_reader(d);
	if (rc != OK) {
		if (why != NULL)
			*why = d->base.why;
		connection_free(d);
		return rc;
	}
	*ret = &d->base;
	return OK;
}

enum err sqlite_open_alone(const struct store_options *options,
    struct engine_db **ret, struct why *why)
{
	struct sqlite_db *d = connection_new(false);
	char *path = NULL;
	int lock_fd = -1;
	enum err rc;

	if (d == NULL)
		return ERR_NOMEM;
	rc = sqlite_place_path(options->url, &d->path, &d->base.why);
	if (rc == OK)
		path = strdup(d->path);
	if (rc == OK && path == NULL)
		rc = ERR_NOMEM;
	if (rc == OK)
		rc = sqlite_place_hold(d->path, &lock_fd, &d->base.why);
	if (rc == OK)
		rc = connect(d);
	if (rc == OK)
		rc = check_version(d);
	if (rc == OK)
		rc = set_up_reader(d);
	if (rc == OK) {
		d->lock_fd = lock_fd;
		*ret = &d->base;
	} else {
		if (why != NULL)
			*why = d->base.why;
		connection_free(d);
		sqlite_place_release(path, lock_fd, false);
	}
	free(path);
	return rc;
}

void sqlite_close(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	char path[PATH_MAX];
	int lock_fd;

	if (d == NULL)
		return;
	if (d->writer && d->sound && sqlite_set_aside(db, 0) != OK) {
		/* The next start finds it and sets it aside anew. */
	}
	snprintf(path, sizeof(path), "%s", d->path);
	lock_fd = d->lock_fd;
	connection_free(d);
	sqlite_place_release(path, lock_fd, false);
}
