#include "server/cmd/import_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/cmd/input.h"
#include "store/base/buf.h"

#define READ_BYTES ((size_t)64 << 10)

struct import_file {
	FILE *in;
	size_t max_line;
	bool begun, gzip, inflating;
	bool between; /* gzip: a member has ended, none has begun */
	bool ended;   /* there is no more to come */
	enum err err; /* why: told behind the last whole line */
	struct why why;
	z_stream z;
	unsigned char *raw; /* READ_BYTES, as read */
	struct buf text;    /* unpacked; [at, …) was not given yet */
	size_t at, searched;
	uint64_t number, byte, next_byte;
};

static void fail(struct import_file *f, enum err err, const char *what)
{
	f->ended = true;
	f->err = err;
	err_why(&f->why, "%s", what);
}

/* --- more bytes --- */

static void take_gzip(struct import_file *f, size_t len)
{
	f->z.next_in = f->raw;
	f->z.avail_in = (uInt)len;
	while (f->z.avail_in > 0 && !f->ended) {
		char *dst = buf_room(&f->text, READ_BYTES);
		int rc;

		if (!dst) {
			fail(f, ERR_NOMEM, "there is not enough memory");
			return;
		}
		f->z.next_out = (unsigned char *)dst;
		f->z.avail_out = (uInt)READ_BYTES;
		f->between = false;
		rc = inflate(&f->z, Z_NO_FLUSH);
		f->text.len += READ_BYTES - f->z.avail_out;
		if (rc == Z_STREAM_END) {
			f->between = true;
			rc = inflateReset(&f->z);
		}
		if (rc == Z_MEM_ERROR)
			fail(f, ERR_NOMEM, "there is not enough memory");
		else if (rc != Z_OK && rc != Z_BUF_ERROR)
			fail(f, ERR_CORRUPT, "its gzip data is broken");
	}
}

/* The first bytes say what it is. */
static void begin(struct import_file *f, size_t len)
{
	f->begun = true;
	f->gzip = len >= 2 && f->raw[0] == 0x1f && f->raw[1] == 0x8b;
	if (!f->gzip)
		return;
	if (inflateInit2(&f->z, 15 + 16) != Z_OK)
		fail(f, ERR_NOMEM, "there is not enough memory");
	else
		f->inflating = true;
}

static void read_more(struct import_file *f)
{
	size_t len = fread(f->raw, 1, READ_BYTES, f->in);

	if (len == 0) {
		if (ferror(f->in))
			fail(f, ERR_IO, strerror(errno));
		else if (f->gzip && !f->between)
			fail(f, ERR_CORRUPT, "its gzip data is cut off");
		f->ended = true;
		return;
	}
	if (!f->begun)
		begin(f, len);
	if (f->gzip && !f->ended)
		take_gzip(f, len);
	else if (!f->gzip)
		buf_add(&f->text, f->raw, len);
	if (buf_state(&f->text) && !f->err)
		fail(f, ERR_NOMEM, "there is not enough memory");
}

/* --- lines --- */

/* The end of the line at hand, NULL while it has not come. */
static const char *find_end(struct import_file *f)
{
	const char *found = NULL;

	if (f->searched < f->text.len)
		found = memchr(f->text.data + f->searched, '\n',
		    f->text.len - f->searched);
	if (!found)
		f->searched = f->text.len;
	return found;
}

static void drain(struct import_file *f)
{
	buf_drain(&f->text, f->at);
	f->searched -= f->at;
	f->at = 0;
}

/* Pass over what is too long, up to the next line. */
static enum err skip_line(struct import_file *f, struct why *why)
{
	const char *end;

	while (!(end = find_end(f)) && !f->ended) {
		f->next_byte += f->text.len - f->at;
		f->at = f->text.len;
		drain(f);
		read_more(f);
	}
	end = end ? end + 1 : f->text.data + f->text.len;
	f->next_byte += (size_t)(end - f->text.data) - f->at;
	f->at = f->searched = (size_t)(end - f->text.data);
	err_why(why, "the line has more than %zu MiB", f->max_line >> 20);
	return ERR_LIMIT;
}

/* A line, maybe empty. */
static enum err any_line(
    struct import_file *f, const char **ret, size_t *ret_len, struct why *why)
{
	const char *end;

	f->byte = f->next_byte;
	f->number++;
	while (!(end = find_end(f)) && !f->ended &&
	       f->text.len - f->at <= f->max_line) {
		drain(f);
		read_more(f);
	}
	if (!end && f->ended) {
		*why = f->why;
		if (f->err || f->at == f->text.len)
			return f->err ? f->err : ERR_NOT_FOUND;
		end = f->text.data + f->text.len;
	}
	if (!end || (size_t)(end - f->text.data) - f->at > f->max_line)
		return skip_line(f, why);
	*ret = f->text.data + f->at;
	*ret_len = (size_t)(end - *ret);
	f->at += *ret_len;
	if (f->at < f->text.len)
		f->at++;
	f->searched = f->at;
	f->next_byte = f->byte + *ret_len + 1;
	return OK;
}

enum err import_file_line(
    struct import_file *f, const char **ret, size_t *ret_len, struct why *why)
{
	enum err err;

	do
		err = any_line(f, ret, ret_len, why);
	while (!err && *ret_len == 0);
	return err;
}

uint64_t import_file_number(const struct import_file *f)
{
	return f->number;
}

uint64_t import_file_byte(const struct import_file *f)
{
	return f->byte;
}

enum err import_file_open(const char *path, size_t max_line_bytes,
    struct import_file **ret, struct why *why)
{
	struct import_file *f = calloc(1, sizeof(*f));
	enum err err = ERR_NOMEM;

	if (!f)
		return ERR_NOMEM;
	f->max_line = max_line_bytes;
	f->next_byte = 1;
	/* A line, the one behind it as far as it was read, and their ends. */
	buf_init(&f->text, max_line_bytes + 1100 * READ_BYTES);
	f->raw = malloc(READ_BYTES);
	if (!f->raw)
		goto out;
	err = input_open(path, &f->in, why);
	if (err)
		goto out;
	*ret = f;
	f = NULL;
	err = OK;
out:
	import_file_close(f);
	return err;
}

void import_file_close(struct import_file *f)
{
	if (!f)
		return;
	input_close(f->in);
	if (f->inflating)
		inflateEnd(&f->z);
	free(f->raw);
	buf_fini(&f->text);
	free(f);
}
