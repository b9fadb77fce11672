#include "store/sqlite_internal.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/base/clock.h"

/* A frame of the WAL is a page and 24 bytes. */
#define FRAME_BYTES (4096 + 24)

/* Copy back once this much is new in the WAL; insist once it is this long. */
#define COPY_FRAMES ((4 << 20) / FRAME_BYTES)
#define COPY_FRAMES_TRASHED (COPY_FRAMES / 4)
#define INSIST_MS 100
#define RESTART_FRAMES ((32 << 20) / FRAME_BYTES)
/* A longer one is given back when nothing was written since the last look. */
#define REST_BYTES ((uint64_t)4 << 20)

/*
 * Pages are given back once this many are free, and a quarter of the file, until
 * it is a fifth: live rows come and go, and want them again. After something
 * was deleted a twentieth is enough, and a hundredth stays.
 */
#define FREE_PAGES 1024
#define KEEP_PAGES 256

int sqlite_tidy_committed(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct sqlite_db *d = arg;

	(void)db;
	(void)name;
	/* Shorter than before: it began again from its start. */
	if (frames < d->wal_frames)
		d->wal_copied = 0;
	d->wal_frames = frames;
	return SQLITE_OK;
}

static enum err on_number(void *arg, sqlite3_stmt *row)
{
	int64_t *n = arg;

	*n = sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_tidy(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	bool rest =
	    d->wal_frames == d->wal_tidied && sqlite_wal_bytes(d) > REST_BYTES;
	bool insist = rest || d->wal_frames >= RESTART_FRAMES;
	int in_log = 0, copied = 0, enough = COPY_FRAMES, code;

	d->wal_tidied = d->wal_frames;
	/* What deletes writes much: copied back in smaller parts. */
	if (d->trashed || d->shrinking)
		enough = COPY_FRAMES_TRASHED;
	if (!rest && !d->copy_all && d->wal_frames - d->wal_copied < enough)
		return OK;
	/*
	 * PASSIVE waits for nobody. TRUNCATE waits for readers, who hold a
	 * snapshot for a page at most; those that come while all is copied
	 * do not hold it up.
	 */
	sqlite3_busy_timeout(d->db, insist ? INSIST_MS : 0);
	code = sqlite3_wal_checkpoint_v2(d->db, NULL,
	    insist ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
	    &in_log, &copied);
	sqlite3_busy_timeout(d->db, SQLITE_WRITER_WAIT_MS);
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		return sqlite_failed(d, sqlite3_extended_errcode(d->db));
	if (copied >= 0)
		d->wal_copied = copied;
	if (in_log >= 0)
		d->wal_frames = d->wal_tidied = in_log;
	if (code == SQLITE_OK && copied == in_log)
		d->copy_all = false;
	return OK;
}

struct giving {
	int64_t until_ns, left; /* how many pages to go */
};

static enum err on_given(void *arg, sqlite3_stmt *row)
{
	struct giving *g = arg;

	(void)row;
	g->left--;
	return g->left <= 0 || clock_mono_ns() >= g->until_ns ? SQLITE_ENOUGH
							      : OK;
}

/* Is there something to give back, and how many pages stay? */
static bool too_large(
    struct sqlite_db *d, int64_t unused, int64_t pages, int64_t *ret_keep)
{
	int64_t most = pages / (d->trashed ? 20 : 4);
	int64_t keep = pages / (d->trashed ? 100 : 5);

	if (keep < KEEP_PAGES)
		keep = KEEP_PAGES;
	*ret_keep = keep;
	if (d->shrinking)
		return unused > keep;
	return unused >= FREE_PAGES && unused >= most && unused > keep;
}

enum err sqlite_shrink(struct engine_db *db, int ms, bool *ret_left)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct giving g = { .until_ns = clock_mono_ns() + ms * 1000000LL };
	int64_t unused = 0, pages = 0, keep = 0;
	enum err rc;

	rc = sqlite_one(d, SQL_FREE_PAGES, SQL_NOTHING, on_number, &unused);
	if (rc == OK)
		rc = sqlite_one(d, SQL_PAGES, SQL_NOTHING, on_number, &pages);
	if (rc != OK)
		return rc;
	d->shrinking = too_large(d, unused, pages, &keep);
	if (!d->shrinking) {
		d->trashed = false;
		*ret_left = false;
		return OK;
	}
	g.left = unused - keep;
	rc = sqlite_begin(db);
	if (rc != OK)
		return rc;
	rc = sqlite_each(d, SQL_VACUUM_SOME, SQL_NOTHING, on_given, &g);
	if (rc == OK)
		rc = sqlite_commit(db);
	else
		sqlite_rollback(db);
	if (rc == OK)
		*ret_left = d->shrinking = g.left > 0;
	/* The file itself gets shorter when all of the WAL is copied back. */
	if (rc == OK && !d->shrinking)
		d->copy_all = true;
	return rc;
}

static uint64_t size_of(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat st;

	/* By name: a descriptor of the live file must never be closed. */
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t sqlite_wal_bytes(const struct sqlite_db *d)
{
	return size_of(d->path, "-wal");
}

void sqlite_stats(struct engine_db *db, struct engine_stats *ret)
{
	const struct sqlite_db *d = (const struct sqlite_db *)db;

	ret->db_bytes = size_of(d->path, "");
	ret->wal_bytes = sqlite_wal_bytes(d);
	ret->free_bytes = ret->disk_bytes = 0;
	sqlite_aside_stats(d, ret);
}
