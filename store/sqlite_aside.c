/*
 * Room set aside: a file beside the store that holds nothing but blocks of the
 * disk. What a filled disk must still take (the ends of what ran) is written
 * into the room that its removal makes. Another program may be quicker; then
 * the writer waits as it does without.
 */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void aside_path(const struct sqlite_db *d, char dst[PATH_MAX])
{
	snprintf(dst, PATH_MAX, "%s" SQLITE_ASIDE, d->path);
}

static enum err cannot(struct sqlite_db *d, const char *name)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	err_why(&d->base.why, "set room aside in %.200s: %s", name,
	    strerror(errno));
	return full ? ERR_FULL : ERR_IO;
}

enum err sqlite_set_aside(struct engine_db *db, uint64_t bytes)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	char name[PATH_MAX];
	enum err rc = OK;
	int fd;

	aside_path(d, name);
	if (bytes == 0)
		return unlink(name) == 0 || errno == ENOENT ? OK
							    : cannot(d, name);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cannot(d, name);
	/* One that a killed process left may have another size. */
	if (ftruncate(fd, (off_t)bytes) != 0 ||
	    fallocate(fd, 0, 0, (off_t)bytes) != 0)
		rc = cannot(d, name);
	close(fd);
	/* Half of it would be room that nobody knows of. */
	if (rc != OK)
		unlink(name);
	return rc;
}

void sqlite_aside_stats(const struct sqlite_db *d, struct engine_stats *ret)
{
	struct statvfs fs;

	/* The file itself may have been removed; that is begin()'s to say. */
	if (statvfs(d->path, &fs) != 0)
		return;
	ret->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	ret->disk_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
}
