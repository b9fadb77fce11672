#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/base/clock.h"

/*
 * File systems whose locks or shared memory another machine, or a daemon,
 * stands behind: SQLite's WAL is not safe there.
 */
static const struct {
	unsigned long magic;
	const char *name;
} unfit[] = {
	{ 0x6969, "NFS" },
	{ 0x517b, "SMB" },
	{ 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB2" },
	{ 0x01021997, "9p" },
	{ 0x65735546, "FUSE" },
	{ 0x00c36400, "Ceph" },
	{ 0x5346414f, "AFS" },
	{ 0x6b414653, "AFS" },
	{ 0x73757245, "Coda" },
};

enum err sqlite_place_path(const char *url, char **ret, struct why *why)
{
	const char *path = url;
	char *real;

	if (strncmp(path, "sqlite:", 7) == 0) {
		path += 7;
		if (strncmp(path, "//", 2) == 0)
			path += 2;
	}
	if (path[0] == '\0' || path[0] == ':') {
		err_why(why,
		    "the store needs the path of a file, not \"%.200s\"", url);
		return ERR_INPUT;
	}
	/* Two names of one file must meet at one lock. */
	real = realpath(path, NULL);
	if (real == NULL)
		real = strdup(path);
	if (real == NULL)
		return ERR_NOMEM;
	if (strlen(real) + sizeof("-journal") > PATH_MAX) {
		err_why(why, "the store's path is too long");
		free(real);
		return ERR_INPUT;
	}
	*ret = real;
	return OK;
}

/* The directory that ${path} lies in. */
static void directory_of(const char *path, char dst[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(dst, PATH_MAX, "%.*s",
	    slash == NULL   ? 1
	    : slash == path ? 1
			    : (int)(slash - path),
	    slash == NULL ? "." : path);
}

static enum err check_directory(const char *path, struct why *why)
{
	char dir[PATH_MAX];
	struct statfs fs;
	struct stat st;

	directory_of(path, dir);
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		err_why(why, "no directory %.200s for the store; make it first",
		    dir);
		return ERR_INPUT;
	}
	if (access(dir, R_OK | W_OK | X_OK) != 0) {
		err_why(why,
		    "no right to write in %.200s (%s); the store keeps its "
		    "log and lock beside the file",
		    dir, strerror(errno));
		return ERR_INPUT;
	}
	if (statfs(dir, &fs) != 0) {
		err_why(why, "statfs %.200s: %s", dir, strerror(errno));
		return ERR_IO;
	}
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		if ((unsigned long)fs.f_type == unfit[i].magic) {
			err_why(why,
			    "%.200s is on %s, where file locks cannot be "
			    "trusted; put the store on a local disk",
			    dir, unfit[i].name);
			return ERR_INPUT;
		}
	return OK;
}

static enum err check_file(const char *path, bool *ret_exists, struct why *why)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno != ENOENT) {
			err_why(why, "%.200s: %s", path, strerror(errno));
			return ERR_INPUT;
		}
		*ret_exists = false;
		return OK;
	}
	if (!S_ISREG(st.st_mode)) {
		err_why(why, "%.200s is not a regular file", path);
		return ERR_INPUT;
	}
	if (st.st_nlink > 1) {
		err_why(why,
		    "%.200s has %lu names (hard links); each would have a log "
		    "and a lock of its own: leave it one",
		    path, (unsigned long)st.st_nlink);
		return ERR_INPUT;
	}
	if (access(path, R_OK | W_OK) != 0) {
		err_why(why, "no right to read and write %.200s (%s)", path,
		    strerror(errno));
		return ERR_INPUT;
	}
	*ret_exists = true;
	return OK;
}

/*
 * Whose file is it? Read before SQLite opens it: closing a descriptor of the
 * live file would drop SQLite's locks, and SQLite would write into a stranger's.
 */
static enum err check_header(const char *path, struct why *why)
{
	static const char magic[16] = "SQLite format 3";
	static const unsigned char ours[4] = { SQLITE_STORE_ID >> 24 & 0xff,
		SQLITE_STORE_ID >> 16 & 0xff, SQLITE_STORE_ID >> 8 & 0xff,
		SQLITE_STORE_ID & 0xff };
	char head[72];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		err_why(why, "open %.200s: %s", path, strerror(errno));
		return ERR_IO;
	}
	n = pread(fd, head, sizeof(head), 0);
	close(fd);
	if (n < 0) {
		err_why(why, "read %.200s: %s", path, strerror(errno));
		return ERR_IO;
	}
	if (n == 0)
		return OK;
	if (n == (ssize_t)sizeof(head) &&
	    memcmp(head, magic, sizeof(magic)) == 0 &&
	    memcmp(head + 68, ours, sizeof(ours)) == 0)
		return OK;
	err_why(why, "%.200s is not a spool store; it was not touched", path);
	return ERR_CORRUPT;
}

static void lock_path(const char *path, char dst[PATH_MAX])
{
	snprintf(dst, PATH_MAX, "%s.lock", path);
}

static enum err held_by_other(int fd, const char *path, struct why *why)
{
	char text[64] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
	err_why(why, "the store %.200s is in use by %s", path,
	    text[0] != '\0' ? text : "another process");
	return ERR_BUSY;
}

/*
 * Lock the file beside the store. It may have been unlinked between open and
 * lock by one who gave up: then it is another file by now, so try again.
 */
static enum err lock_take(
    const char *path, int *ret_fd, bool *ret_made, struct why *why)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[PATH_MAX];
	bool made;
	int fd;

	lock_path(path, name);
	for (int tries = 0; tries < 10; tries++) {
		made = false;
		fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno == ENOENT) {
			made = true;
			fd = open(name,
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    0600);
			if (fd < 0 && errno == EEXIST)
				continue;
		}
		if (fd < 0) {
			err_why(why, "open %.200s: %s", name, strerror(errno));
			return errno == ENOSPC ? ERR_FULL : ERR_INPUT;
		}
		if (fcntl(fd, F_OFD_SETLK, &all) != 0) {
			enum err rc = held_by_other(fd, path, why);

			close(fd);
			return rc;
		}
		if (sqlite_place_holds(path, fd)) {
			*ret_fd = fd;
			*ret_made = made;
			return OK;
		}
		close(fd);
	}
	err_why(why, "the lock %.200s keeps changing hands", name);
	return ERR_BUSY;
}

static void lock_sign(int fd)
{
	char since[CLOCK_TEXT], text[64];
	int n;

	clock_text(clock_wall_ms(), since);
	n = snprintf(
	    text, sizeof(text), "pid %d since %s\n", (int)getpid(), since);
	/* Only for people: the lock is what counts. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return;
}

static enum err make_file(const char *path, struct why *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		err_why(why, "cannot make %.200s: %s", path, strerror(errno));
		return errno == ENOSPC ? ERR_FULL : ERR_INPUT;
	}
	close(fd);
	return OK;
}

enum err sqlite_place_take(
    const char *path, int *ret_lock_fd, bool *ret_made, struct why *why)
{
	bool exists = false, lock_made = false;
	char name[PATH_MAX];
	enum err rc;
	int fd = -1;

	rc = check_directory(path, why);
	if (rc == OK)
		rc = check_file(path, &exists, why);
	if (rc == OK)
		rc = lock_take(path, &fd, &lock_made, why);
	if (rc != OK)
		return rc;
	/* Again, now that nobody else can make or replace it. */
	rc = check_file(path, &exists, why);
	if (rc == OK)
		rc = exists ? check_header(path, why) : make_file(path, why);
	if (rc != OK) {
		lock_path(path, name);
		if (lock_made)
			unlink(name);
		close(fd);
		return rc;
	}
	lock_sign(fd);
	*ret_lock_fd = fd;
	*ret_made = !exists;
	return OK;
}

enum err sqlite_place_hold(const char *path, int *ret_lock_fd, struct why *why)
{
	bool exists = false, lock_made = false;
	char name[PATH_MAX];
	enum err rc;
	int fd = -1;

	rc = check_directory(path, why);
	if (rc == OK)
		rc = check_file(path, &exists, why);
	if (rc == OK && !exists) {
		err_why(why, "there is no store %.200s", path);
		rc = ERR_NOT_FOUND;
	}
	if (rc == OK)
		rc = lock_take(path, &fd, &lock_made, why);
	if (rc != OK)
		return rc;
	rc = check_header(path, why);
	if (rc != OK) {
		lock_path(path, name);
		if (lock_made)
			unlink(name);
		close(fd);
		return rc;
	}
	lock_sign(fd);
	*ret_lock_fd = fd;
	return OK;
}

enum err sqlite_place_reserve(
    const char *path, int *ret_lock_fd, struct why *why)
{
	static const char *const suffixes[] = { "", "-wal", "-journal",
		"-shm" };
	bool lock_made = false;
	char name[PATH_MAX];
	struct stat st;
	enum err rc;
	int fd = -1;

	rc = check_directory(path, why);
	if (rc == OK)
		rc = lock_take(path, &fd, &lock_made, why);
	/* Another store's log beside it would be taken for its own. */
	for (size_t i = 0;
	     rc == OK && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (lstat(name, &st) == 0) {
			err_why(why,
			    "%.200s is there already; move it away first",
			    name);
			rc = ERR_CONFLICT;
		}
	}
	if (rc == OK) {
		*ret_lock_fd = fd;
		return OK;
	}
	lock_path(path, name);
	if (lock_made)
		unlink(name);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Those that are named in a look; fleeting: gone after a restart. */
static const struct {
	unsigned long magic;
	const char *name;
	bool fleeting;
} known[] = {
	{ 0xef53, "ext4", false },
	{ 0x58465342, "xfs", false },
	{ 0x9123683e, "btrfs", false },
	{ 0x2fc12fc1, "zfs", false },
	{ 0xf2f52010, "f2fs", false },
	{ 0x01021994, "tmpfs", true },
	{ 0x858458f6, "ramfs", true },
	{ 0x794c7630, "overlay", true },
};

static void look_at_place(const char *path, struct store_look *ret)
{
	char dir[PATH_MAX];
	struct statfs fs;

	directory_of(path, dir);
	if (statfs(dir, &fs) != 0)
		return;
	ret->fit = true;
	snprintf(ret->file_system, sizeof(ret->file_system), "type 0x%lx",
	    (unsigned long)fs.f_type);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((unsigned long)fs.f_type == known[i].magic) {
			snprintf(ret->file_system, sizeof(ret->file_system),
			    "%s", known[i].name);
			ret->fleeting = known[i].fleeting;
		}
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		if ((unsigned long)fs.f_type == unfit[i].magic) {
			snprintf(ret->file_system, sizeof(ret->file_system),
			    "%s", unfit[i].name);
			ret->fit = false;
		}
}

/* Who signed the lock; whether it is held is seen by trying. */
static void look_at_lock(const char *path, struct store_look *ret)
{
	char name[PATH_MAX];
	ssize_t n = 0;
	int fd;

	lock_path(path, name);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	n = pread(fd, ret->holder, sizeof(ret->holder) - 1, 0);
	ret->holder[n > 0 ? n : 0] = '\0';
	ret->holder[strcspn(ret->holder, "\n")] = '\0';
	close(fd);
}

enum err sqlite_look(const struct store_options *options,
    struct store_look *ret, struct why *why)
{
	int number = sqlite3_libversion_number();
	char *path = NULL, name[PATH_MAX];
	struct stat st;
	enum err rc;

	rc = sqlite_place_path(options->url, &path, why);
	if (rc != OK)
		return rc;
	snprintf(ret->path, sizeof(ret->path), "%s", path);
	look_at_place(path, ret);
	look_at_lock(path, ret);
	ret->there = stat(path, &st) == 0;
	ret->db_bytes = ret->there ? (uint64_t)st.st_size : 0;
	snprintf(name, sizeof(name), "%s-wal", path);
	ret->wal_bytes = stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
	free(path);
	snprintf(ret->library, sizeof(ret->library), "SQLite %s",
	    sqlite3_libversion());
	if (number >= 3007000 && number < 3051003)
		snprintf(ret->flaw, sizeof(ret->flaw),
		    "it has the WAL-reset bug (fixed in 3.51.3), which needs "
		    "two connections that write; spool has one, so never let "
		    "another program write to the file");
	return OK;
}

bool sqlite_place_holds(const char *path, int lock_fd)
{
	struct stat by_name, by_fd;
	char name[PATH_MAX];

	lock_path(path, name);
	return fstat(lock_fd, &by_fd) == 0 && stat(name, &by_name) == 0 &&
	       by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

void sqlite_place_release(const char *path, int lock_fd, bool made)
{
	static const char *const parts[] = { "", "-wal", "-shm", SQLITE_ASIDE,
		".lock" };
	char name[PATH_MAX];

	if (lock_fd < 0)
		return;
	if (made) {
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			snprintf(name, sizeof(name), "%s%s", path, parts[i]);
			unlink(name);
		}
	} else if (ftruncate(lock_fd, 0) != 0) {
		/* A stale name in an unlocked file misleads nobody. */
	}
	close(lock_fd);
}
