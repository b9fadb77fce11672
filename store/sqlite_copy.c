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
	bool done;
};

/* Nobody reads it before it is whole, and the caller syncs it then. */
static const char *const targets[] = {
	"PRAGMA journal_mode=OFF",
	"PRAGMA synchronous=OFF",
	"PRAGMA cache_size=-1000",
};

static enum err make_file(struct sqlite_db *d, const char *path)
{
	struct engine_stats now;
	struct statvfs fs;
	int fd = open(
	    path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		err_why(&d->base.why, "make %.200s: %s", path, strerror(errno));
		return errno == EEXIST	 ? ERR_CONFLICT
		       : errno == ENOSPC ? ERR_FULL
					 : ERR_INPUT;
	}
	sqlite_stats(&d->base, &now);
	if (fstatvfs(fd, &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize <
		now.db_bytes + now.wal_bytes + SPARE_BYTES) {
		err_why(&d->base.why,
		    "%.200s: no room for a copy of %llu MiB and some to spare",
		    path, (unsigned long long)(now.db_bytes >> 20) + 1);
		close(fd);
		unlink(path);
		return ERR_FULL;
	}
	close(fd);
	return OK;
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

enum err sqlite_copy_begin(
    struct engine_db *db, const char *path, struct engine_copy **ret)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct engine_copy *c = calloc(1, sizeof(*c));
	enum err rc = ERR_NOMEM;
	int code;

	if (c == NULL)
		return ERR_NOMEM;
	c->from = d;
	rc = make_file(d, path);
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
	int code = sqlite3_backup_step(c->backup, pages);

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
