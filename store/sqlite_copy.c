#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What must be left beside a copy: the store may be on the same disk. */
#define SPARE_BYTES ((uint64_t)64 << 20)

struct engine_copy {
	struct sqlite_db *from;
	sqlite3 *to;
	sqlite3_backup *backup;
	char *path;
	uint64_t reserve; /* of the store's disk, where it is there; else 0 */
	bool done;
};

/* Nobody reads it before it is whole, and the caller syncs it then. */
static const char *const targets[] = {
	"PRAGMA journal_mode=OFF",
	"PRAGMA synchronous=OFF",
	"PRAGMA cache_size=-1000",
};

/* Are they on one disk? What cannot be told is taken for it. */
static bool on_same_disk(const struct sqlite_db *d, int fd)
{
	struct stat store, copy;

	return fstat(fd, &copy) != 0 || stat(d->path, &store) != 0 ||
	       store.st_dev == copy.st_dev;
}

/* *${reserve} becomes 0 on another disk than the store's. */
static enum err make_file(
    struct sqlite_db *d, const char *path, uint64_t *reserve)
{
	uint64_t left, spare;
	struct engine_stats now;
	struct statvfs fs;
	int fd = open(
	    path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		err_why(&d->base.why, "cannot make %.200s: %s", path,
		    strerror(errno));
		return errno == EEXIST	 ? ERR_CONFLICT
		       : errno == ENOSPC ? ERR_FULL
					 : ERR_INPUT;
	}
	if (!on_same_disk(d, fd))
		*reserve = 0;
	spare = *reserve > SPARE_BYTES ? *reserve : SPARE_BYTES;
	sqlite_stats(&d->base, &now);
	left = fstatvfs(fd, &fs) != 0 ? UINT64_MAX
				      : (uint64_t)fs.f_bavail * fs.f_frsize;
	close(fd);
	if (left >= spare && left - spare >= now.db_bytes + now.wal_bytes)
		return OK;
	err_why(&d->base.why,
	    "%.200s: no room for a copy of %llu MiB with %llu MiB to spare",
	    path, (unsigned long long)(now.db_bytes >> 20) + 1,
	    (unsigned long long)(spare >> 20));
	unlink(path);
	return ERR_FULL;
}

/* What was free at the beginning others may have taken. */
static enum err keep_reserve(struct engine_copy *c)
{
	struct engine_stats now = { 0 };

	if (c->reserve == 0)
		return OK;
	sqlite_aside_stats(c->from, &now);
	if (now.disk_bytes == 0 || now.free_bytes >= c->reserve)
		return OK;
	err_why(&c->from->base.why,
	    "less than the reserve of %llu MiB is free on the store's disk",
	    (unsigned long long)(c->reserve >> 20));
	return ERR_FULL;
}

/* What went wrong over there; the store itself is well. */
static enum err failed_there(struct engine_copy *c, int code)
{
	err_why(&c->from->base.why, "copying to %.200s: %s (%d)", c->path,
	    sqlite3_errstr(code), code);
	switch (code & 0xff) {
	case SQLITE_NOMEM: return ERR_NOMEM;
	case SQLITE_FULL: return ERR_FULL;
	default: return ERR_IO;
	}
}

enum err sqlite_copy_begin(struct engine_db *db, const char *path,
    uint64_t reserve, struct engine_copy **ret)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct engine_copy *c = calloc(1, sizeof(*c));
	enum err rc = ERR_NOMEM;
	int code;

	if (c == NULL)
		return ERR_NOMEM;
	c->from = d;
	c->reserve = reserve;
	rc = make_file(d, path, &c->reserve);
	if (rc != OK)
		goto out;
	/* From here on the file is ours to remove. */
	c->path = strdup(path);
	if (c->path == NULL) {
		unlink(path);
		rc = ERR_NOMEM;
		goto out;
	}
	code = sqlite3_open_v2(
	    path, &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	for (size_t i = 0;
	     code == SQLITE_OK && i < sizeof(targets) / sizeof(targets[0]); i++)
		code = sqlite3_exec(c->to, targets[i], NULL, NULL, NULL);
	if (code == SQLITE_OK) {
		c->backup = sqlite3_backup_init(c->to, "main", d->db, "main");
		if (c->backup == NULL)
			code = sqlite3_errcode(c->to);
	}
	if (code != SQLITE_OK) {
		rc = failed_there(c, code);
		goto out;
	}
	*ret = c;
	c = NULL;
out:
	sqlite_copy_end(c);
	return rc;
}

enum err sqlite_copy_step(struct engine_copy *c, int pages, bool *ret_done)
{
	enum err rc = keep_reserve(c);
	int code;

	if (rc != OK)
		return rc;
	code = sqlite3_backup_step(c->backup, pages);
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return ERR_BUSY;
	if (code == SQLITE_DONE) {
		code = sqlite3_backup_finish(c->backup);
		c->backup = NULL;
		if (code == SQLITE_OK)
			code = sqlite3_close(c->to);
		c->to = code == SQLITE_OK ? NULL : c->to;
		c->done = code == SQLITE_OK;
	}
	if (code != SQLITE_OK)
		return failed_there(c, code);
	*ret_done = c->done;
	return OK;
}

void sqlite_copy_end(struct engine_copy *c)
{
	if (c == NULL)
		return;
	if (c->backup != NULL)
		sqlite3_backup_finish(c->backup);
	sqlite3_close(c->to);
	if (c->path != NULL && !c->done)
		unlink(c->path);
	free(c->path);
	free(c);
}

enum err sqlite_copy_accept(
    const struct store_options *options, const char *from, struct why *why)
{
	char *path = NULL;
	int lock_fd = -1;
	enum err rc;

	rc = sqlite_place_path(options->url, &path, why);
	if (rc != OK)
		return rc;
	rc = sqlite_place_reserve(path, &lock_fd, why);
	/* link() never overwrites. */
	if (rc == OK && link(from, path) != 0) {
		err_why(why, "%.200s: %s", path, strerror(errno));
		rc = errno == EEXIST ? ERR_CONFLICT : ERR_IO;
	}
	sqlite_place_release(path, lock_fd, false);
	free(path);
	return rc;
}
