#include "server/cmd/export_file.h"

#define ZLIB_CONST /* deflate() does not write to next_in */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "store/base/clock.h"

/* A mark is made at the first line's end behind these. */
#define MARK_BYTES (INT64_C(8) << 20)
#define MARK_MS 2000
#define DEFLATE_BYTES ((size_t)64 << 10)

struct export_file {
	char *path, *part, *cursor, *fresh_cursor; /* NULL: stdout */
	char *typed, *query;
	FILE *out;
	bool gzip, resumed, deflating;
	z_stream z;
	unsigned char *deflated; /* DEFLATE_BYTES */
	int64_t bytes;		 /* given, by this try */
	int64_t mark_bytes, mark_ms;
};

static enum err failed(struct why *why, const char *path)
{
	err_why(why, "cannot write %s: %s", path ? path : "to stdout",
	    strerror(errno));
	return ERR_IO;
}

static const char *name_of(const struct export_file *f)
{
	return f->path ? f->part : NULL;
}

/* --- compressing --- */

static enum err put(
    struct export_file *f, const void *data, size_t len, struct why *why)
{
	if (len && fwrite(data, 1, len, f->out) != len)
		return failed(why, name_of(f));
	return OK;
}

static enum err deflate_start(struct export_file *f)
{
	f->deflated = malloc(DEFLATE_BYTES);
	if (!f->deflated ||
	    deflateInit2(&f->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return ERR_NOMEM;
	f->deflating = true;
	return OK;
}

static enum err deflate_put(struct export_file *f, const char *data, size_t len,
    int flush, struct why *why)
{
	enum err err = OK;
	int rc;

	f->z.next_in = (const Bytef *)data;
	f->z.avail_in = (uInt)len;
	do {
		f->z.next_out = f->deflated;
		f->z.avail_out = (uInt)DEFLATE_BYTES;
		rc = deflate(&f->z, flush);
		err = put(f, f->deflated, DEFLATE_BYTES - f->z.avail_out, why);
	} while (!err && f->z.avail_out == 0 && rc != Z_STREAM_END);
	return err;
}

/* End the member, if anything is in it or it is the file's only one. */
static enum err deflate_end(struct export_file *f, bool only, struct why *why)
{
	enum err err;

	if (!f->gzip || (f->z.total_in == 0 && !only))
		return OK;
	err = deflate_put(f, NULL, 0, Z_FINISH, why);
	if (!err && deflateReset(&f->z) != Z_OK)
		err = ERR_NOMEM;
	return err;
}

enum err export_file_write(
    struct export_file *f, const char *data, size_t len, struct why *why)
{
	enum err err = OK;

	f->bytes += (int64_t)len;
	if (!f->gzip)
		return put(f, data, len, why);
	while (len && !err) {
		size_t n = len < DEFLATE_BYTES ? len : DEFLATE_BYTES;

		err = deflate_put(f, data, n, Z_NO_FLUSH, why);
		data += n;
		len -= n;
	}
	return err;
}

/* --- the cursor --- */

static enum err sync_file(FILE *file, const char *path, struct why *why)
{
	if (fflush(file) == EOF || fsync(fileno(file)))
		return failed(why, path);
	return OK;
}

static enum err sync_directory(const char *path, struct why *why)
{
	char *copy = strdup(path);
	enum err err = OK;
	int fd;

	if (!copy)
		return ERR_NOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = failed(why, path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

/* ${object} in a file of that name, whole or not at all. */
static enum err write_cursor(
    struct export_file *f, const json_t *object, struct why *why)
{
	enum err err = OK;
	FILE *file = NULL;
	int fd;

	fd = open(f->fresh_cursor, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (!file) {
		err = failed(why, f->fresh_cursor);
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (json_dumpf(object, file, JSON_COMPACT) || fputc('\n', file) == EOF)
		err = failed(why, f->fresh_cursor);
	if (!err)
		err = sync_file(file, f->fresh_cursor, why);
	fclose(file);
	if (!err && rename(f->fresh_cursor, f->cursor))
		err = failed(why, f->cursor);
	return err;
}

/* From here on a later try keeps what was written. */
static enum err mark(
    struct export_file *f, const struct export_at *at, struct why *why)
{
	json_t *object = NULL;
	enum err err;
	off_t size;

	f->mark_bytes = f->bytes;
	f->mark_ms = clock_mono_ms();
	if (!f->path)
		return OK;
	err = deflate_end(f, false, why);
	if (!err)
		err = sync_file(f->out, f->part, why);
	if (err)
		return err;
	size = ftello(f->out);
	if (size < 0)
		return failed(why, f->part);
	object = json_pack("{s:s, s:s, s:b, s:I, s:s, s:s, s:I, s:I}", "typed",
	    f->typed, "query", f->query, "gzip", (int)f->gzip, "bytes",
	    (json_int_t)size, "after", at->after, "safe", at->safe, "lines",
	    (json_int_t)at->lines, "live", (json_int_t)at->live);
	err = object ? write_cursor(f, object, why) : ERR_NOMEM;
	json_decref(object);
	return err;
}

enum err export_file_line(
    struct export_file *f, const struct export_at *at, struct why *why)
{
	if (f->bytes - f->mark_bytes < MARK_BYTES &&
	    clock_mono_ms() - f->mark_ms < MARK_MS)
		return OK;
	return mark(f, at, why);
}

/* --- opening --- */

static void copy_id(char *dst, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	snprintf(dst, ID_TEXT, "%s", text ? text : "");
}

/* Does the earlier try's cursor ask for what is asked now? */
static enum err agree(struct export_file *f, const json_t *object,
    const struct export_options *o, struct why *why)
{
	const char *typed = json_string_value(json_object_get(object, "typed"));
	const char *query = json_string_value(json_object_get(object, "query"));

	if (!typed || !query || !json_object_get(object, "bytes")) {
		err_why(
		    why, "%s makes no sense: --fresh begins anew", f->cursor);
		return ERR_CORRUPT;
	}
	if (strcmp(typed, o->typed) != 0 ||
	    json_is_true(json_object_get(object, "gzip")) != o->gzip) {
		err_why(why,
		    "%s was begun with other options: give the same again, or "
		    "--fresh to begin anew",
		    f->part);
		return ERR_CONFLICT;
	}
	free(f->query);
	f->query = strdup(query);
	return f->query ? OK : ERR_NOMEM;
}

/* Cut off what came behind the last mark. */
static enum err go_on(struct export_file *f, const json_t *object,
    struct export_at *at, struct why *why)
{
	off_t whole =
	    (off_t)json_integer_value(json_object_get(object, "bytes"));
	struct stat st;

	if (fstat(fileno(f->out), &st))
		return failed(why, f->part);
	if (st.st_size < whole) {
		err_why(why, "%s is shorter than it was: --fresh begins anew",
		    f->part);
		return ERR_CORRUPT;
	}
	if (ftruncate(fileno(f->out), whole) || fseeko(f->out, whole, SEEK_SET))
		return failed(why, f->part);
	if (!whole)
		return OK;
	f->resumed = true;
	copy_id(at->after, object, "after");
	copy_id(at->safe, object, "safe");
	at->lines = json_integer_value(json_object_get(object, "lines"));
	at->live = json_integer_value(json_object_get(object, "live"));
	return OK;
}

static enum err open_part(struct export_file *f, struct why *why)
{
	int fd;

	fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    S_IRUSR | S_IWUSR);
	if (fd >= 0)
		f->out = fdopen(fd, "r+");
	if (!f->out) {
		err_why(why, "cannot write %s: %s", f->part, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ERR_INPUT;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err_why(why, "another export writes %s", f->part);
		return ERR_CONFLICT;
	}
	return OK;
}

static enum err open_path(struct export_file *f, const struct export_options *o,
    struct export_at *at, struct why *why)
{
	json_t *object = NULL;
	enum err err;

	if (!o->force && access(f->path, F_OK) == 0) {
		err_why(why, "%s is there already%s", f->path,
		    o->never_force ? "; give another name"
				   : ": --force replaces it");
		return ERR_CONFLICT;
	}
	err = open_part(f, why);
	if (err)
		return err;
	if (!o->fresh)
		object = json_load_file(f->cursor, 0, NULL);
	if (!object && !o->fresh && access(f->cursor, F_OK) == 0)
		object = json_object(); /* unreadable: told as nonsense */
	if (object) {
		err = agree(f, object, o, why);
		if (!err)
			err = go_on(f, object, at, why);
	} else if (ftruncate(fileno(f->out), 0)) {
		err = failed(why, f->part);
	}
	json_decref(object);
	return err ? err : mark(f, at, why);
}

static enum err name_files(struct export_file *f, const char *path)
{
	f->path = strdup(path);
	if (asprintf(&f->part, "%s.part", path) < 0)
		f->part = NULL;
	if (asprintf(&f->cursor, "%s.part.cursor", path) < 0)
		f->cursor = NULL;
	if (asprintf(&f->fresh_cursor, "%s.part.cursor.new", path) < 0)
		f->fresh_cursor = NULL;
	return f->path && f->part && f->cursor && f->fresh_cursor ? OK
								  : ERR_NOMEM;
}

enum err export_file_open(const struct export_options *o, struct export_at *at,
    struct export_file **ret, struct why *why)
{
	struct export_file *f = calloc(1, sizeof(*f));
	enum err err = ERR_NOMEM;

	if (!f)
		return ERR_NOMEM;
	f->gzip = o->gzip;
	f->mark_ms = clock_mono_ms();
	f->typed = strdup(o->typed);
	f->query = strdup(o->query);
	if (!f->typed || !f->query || (f->gzip && deflate_start(f)))
		goto out;
	if (o->path) {
		err = name_files(f, o->path);
		if (!err)
			err = open_path(f, o, at, why);
		if (err)
			goto out;
	} else {
		f->out = stdout;
	}
	*ret = f;
	f = NULL;
	err = OK;
out:
	export_file_close(f);
	return err;
}

const char *export_file_query(const struct export_file *f)
{
	return f->query;
}

bool export_file_resumed(const struct export_file *f)
{
	return f->resumed;
}

int64_t export_file_bytes(const struct export_file *f)
{
	return f->bytes;
}

enum err export_file_finish(struct export_file *f, struct why *why)
{
	enum err err = deflate_end(f, f->bytes == 0 && !f->resumed, why);

	if (!f->path) {
		if (!err && fflush(f->out) == EOF)
			err = failed(why, NULL);
		return err;
	}
	if (!err)
		err = sync_file(f->out, f->part, why);
	/* First the cursor: alone it would stand in the next export's way. */
	if (!err && unlink(f->cursor) && errno != ENOENT)
		err = failed(why, f->cursor);
	if (!err && rename(f->part, f->path))
		err = failed(why, f->path);
	return err ? err : sync_directory(f->path, why);
}

void export_file_close(struct export_file *f)
{
	if (!f)
		return;
	if (f->out && f->out != stdout)
		fclose(f->out);
	if (f->deflating)
		deflateEnd(&f->z);
	free(f->deflated);
	free(f->path);
	free(f->part);
	free(f->cursor);
	free(f->fresh_cursor);
	free(f->typed);
	free(f->query);
	free(f);
}
