#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"
#include "store/engine.h"
#include "store/store_look.h"

#define TURN_PAGES 1000
#define PIECE_BYTES ((size_t)1 << 20)
#define PATH_BYTES 4096

static enum err errno_err(void)
{
	return errno == ENOSPC || errno == EDQUOT ? ERR_FULL
	       : errno == EEXIST		  ? ERR_CONFLICT
	       : errno == ENOENT		  ? ERR_NOT_FOUND
						  : ERR_IO;
}

/* ${path} and ${suffix} in ${dst}. */
static enum err name_of(
    const char *path, const char *suffix, char dst[PATH_BYTES], struct why *why)
{
	if ((size_t)snprintf(dst, PATH_BYTES, "%s%s", path, suffix) <
	    PATH_BYTES)
		return OK;
	err_why(why, "the path is too long");
	return ERR_INPUT;
}

/* Remove what looking at ${path} left beside it. */
static void sweep(const char *path)
{
	static const char *const suffixes[] = { "-wal", "-shm", ".lock" };
	char name[PATH_BYTES];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (name_of(path, suffixes[i], name, NULL) == OK)
			unlink(name);
}

static void on_finding(void *arg, const struct check_finding *f)
{
	struct why *first = arg;

	if (first->text[0] == '\0')
		err_why(
		    first, "%s: %s", check_kind_name(f->kind), f->what.text);
}

/* Every page and every execution of ${path}, which is nobody else's. */
static enum err verify(
    const char *path, const atomic_bool *cancel, struct why *why)
{
	struct why first = { "" };
	const struct check_options o = { .on_finding = on_finding,
		.arg = &first };
	struct check *c = NULL;
	bool done = false;
	enum err rc;

	rc = check_open_alone(path, &o, &c, why);
	while (rc == OK && !done) {
		rc = check_step(c, &done);
		if (rc != OK && why != NULL)
			*why = *check_why(c);
		if (rc == OK && cancel != NULL && atomic_load(cancel)) {
			err_why(why, "it was stopped");
			rc = ERR_STOPPED;
		}
	}
	if (rc == OK && first.text[0] != '\0') {
		err_why(why,
		    "the copy does not pass (%.300s); spool check says more",
		    first.text);
		rc = ERR_CORRUPT;
	}
	check_close(c);
	sweep(path);
	return rc;
}

static enum err sync_path(const char *path, int flags, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	enum err rc = OK;

	if (fd < 0 || fsync(fd) != 0) {
		err_why(why, "sync %.200s: %s", path, strerror(errno));
		rc = ERR_IO;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Make the new name in ${path}'s directory last. */
static enum err sync_directory(const char *path, struct why *why)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_BYTES];

	snprintf(dir, sizeof(dir), "%.*s",
	    slash == NULL   ? 1
	    : slash == path ? 1
			    : (int)(slash - path),
	    slash == NULL ? "." : path);
	return sync_path(dir, O_DIRECTORY, why);
}

/* ${part} under the name ${target}, unless that is taken. */
static enum err name_it(const char *part, const char *target, struct why *why)
{
	enum err rc;

	if (link(part, target) == 0)
		return OK;
	rc = errno_err();
	err_why(why, "%.200s: %s%s", target, strerror(errno),
	    rc == ERR_CONFLICT ? "; a backup never replaces a file" : "");
	return rc;
}

/* Who gave ${name} has never heard of ${part}. */
static void say_name(struct why *why, const char *part, const char *name)
{
	struct why words;
	char *at = why == NULL ? NULL : strstr(why->text, part);

	if (at == NULL)
		return;
	err_why(&words, "%.*s%s%s", (int)(at - why->text), why->text, name,
	    at + strlen(part));
	*why = words;
}

enum err backup_finish(const char *part, const char *target,
    const atomic_bool *cancel, struct why *why)
{
	enum err rc;

	rc = verify(part, cancel, why);
	if (rc != OK)
		say_name(why, part, target);
	if (rc == OK)
		rc = sync_path(part, 0, why);
	if (rc == OK)
		rc = name_it(part, target, why);
	unlink(part);
	if (rc == OK)
		rc = sync_directory(target, why);
	return rc;
}

/* All of the store into ${part}. */
static enum err copy_all(
    struct engine_db *db, const char *part, struct why *why)
{
	struct engine_copy *copy = NULL;
	struct engine_stats now = { 0 };
	bool done = false;
	enum err rc;

	db->engine->stats(db, &now);
	rc = db->engine->copy_begin(
	    db, part, store_reserve(0, now.disk_bytes), &copy);
	while (rc == OK && !done)
		rc = db->engine->copy_step(copy, TURN_PAGES, &done);
	if (rc != OK && why != NULL)
		*why = db->why;
	db->engine->copy_end(copy);
	return rc;
}

static enum err absent(const char *path, struct why *why)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return OK;
	err_why(why,
	    "%.200s is there already; nothing was replaced: take another "
	    "name, or move it away",
	    path);
	return ERR_CONFLICT;
}

enum err backup_alone(const char *url, const char *target, struct why *why)
{
	const struct store_options o = { .url = url };
	const struct engine *engine;
	struct engine_db *db = NULL;
	char part[PATH_BYTES];
	enum err rc;

	rc = engine_find(url, &engine, why);
	if (rc == OK)
		rc = name_of(target, ".part", part, why);
	/* Who has it is said before what is wrong with the target. */
	if (rc == OK)
		rc = engine->open_alone(&o, &db, why);
	if (rc == OK)
		rc = absent(target, why);
	if (rc == OK)
		rc = copy_all(db, part, why);
	if (db != NULL)
		engine->close(db);
	if (rc == OK)
		rc = backup_finish(part, target, NULL, why);
	return rc;
}

/* --- restoring --- */

static enum err copy_bytes(int from, int to, char *piece)
{
	for (;;) {
		ssize_t n = read(from, piece, PIECE_BYTES);

		if (n == 0)
			return OK;
		if (n < 0)
			return ERR_IO;
		for (ssize_t at = 0; at < n;) {
			ssize_t put = write(to, piece + at, (size_t)(n - at));

			if (put < 0)
				return errno_err();
			at += put;
		}
	}
}

/* The bytes of ${from}, which nobody writes, in the new file ${part}. */
static enum err copy_file(const char *from, const char *part, struct why *why)
{
	char *piece = malloc(PIECE_BYTES);
	int in = -1, out = -1;
	struct stat st;
	enum err rc = ERR_NOMEM;

	if (piece == NULL)
		goto out;
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) != 0) {
		rc = errno_err();
		err_why(why, "%.200s: %s", from, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_why(why, "%.200s is not a regular file", from);
		rc = ERR_INPUT;
		goto out;
	}
	out = open(
	    part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0) {
		rc = errno_err();
		err_why(why, "cannot make %.200s: %s%s", part, strerror(errno),
		    rc == ERR_CONFLICT
			? "; a restore that was cut off left it: remove it"
			: "");
		goto out;
	}
	rc = copy_bytes(in, out, piece);
	if (rc == OK && fsync(out) != 0)
		rc = errno_err();
	if (rc != OK) {
		err_why(why, "copy %.200s to beside the new store: %s", from,
		    strerror(errno));
		unlink(part);
	}
out:
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(piece);
	return rc;
}

/* A store that somebody has, or that a crash left, is not all in its file. */
static enum err look_at_source(
    const struct engine *engine, const char *from, struct why *why)
{
	const struct store_options o = { .url = from };
	struct store_look *look = calloc(1, sizeof(*look));
	enum err rc = ERR_NOMEM;

	if (look != NULL)
		rc = engine->look(&o, look, why);
	if (rc == OK && !look->there) {
		err_why(why, "there is no backup %.200s", from);
		rc = ERR_NOT_FOUND;
	} else if (rc == OK &&
		   (look->wal_bytes > 0 || look->holder[0] != '\0')) {
		err_why(why,
		    "%.200s is a store in use, or was not closed well: make a "
		    "backup of it (spool backup) and restore that",
		    from);
		rc = ERR_BUSY;
	}
	free(look);
	return rc;
}

enum err backup_restore(const char *from, const char *url, struct why *why)
{
	const struct store_options o = { .url = url };
	struct store_look *look = calloc(1, sizeof(*look));
	const struct engine *engine;
	char part[PATH_BYTES];
	enum err rc = ERR_NOMEM;

	if (look == NULL)
		goto out;
	rc = engine_find(url, &engine, why);
	if (rc == OK)
		rc = engine->look(&o, look, why);
	if (rc == OK)
		rc = absent(look->path, why);
	if (rc == OK)
		rc = look_at_source(engine, from, why);
	if (rc == OK)
		rc = name_of(look->path, ".part", part, why);
	if (rc == OK)
		rc = copy_file(from, part, why);
	if (rc != OK)
		goto out;
	rc = verify(part, NULL, why);
	if (rc != OK)
		say_name(why, part, from);
	if (rc == OK)
		rc = engine->copy_accept(&o, part, why);
	unlink(part);
	if (rc == OK)
		rc = sync_directory(look->path, why);
out:
	free(look);
	return rc;
}
