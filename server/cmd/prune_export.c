#include "server/cmd/prune_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/export_file.h"
#include "server/cmd/import_file.h"
#include "store/import.h"

/* Each line begins so, then the id. */
static const char head[] = "{\"execution_id\":\"";
#define HEAD_BYTES (sizeof(head) - 1 + ID_TEXT - 1)

struct prune_export {
	const volatile sig_atomic_t *interrupted;
	struct export_file *file; /* while it is written */
	struct export_at at;
	char line[HEAD_BYTES]; /* the beginning of the one that comes in */
	size_t n_line;
	struct import_file *in; /* while it is read */
	char path[4096];
	enum err err;
	struct why why;
};

static enum err nonsense(const char *path, struct why *why)
{
	err_why(why, "%s: a line is no exported execution", path);
	return ERR_IO;
}

/* The id that a line begins with. */
static enum err line_id(const struct prune_export *x, struct id *ret)
{
	if (x->n_line < HEAD_BYTES ||
	    memcmp(x->line, head, sizeof(head) - 1) != 0)
		return ERR_INPUT;
	return id_parse(x->line + sizeof(head) - 1, ID_TEXT - 1, ret);
}

/* Bytes of a line, without its end. */
static void add_head(struct prune_export *x, const char *data, size_t len)
{
	size_t room = HEAD_BYTES - x->n_line;

	memcpy(x->line + x->n_line, data, len < room ? len : room);
	x->n_line += len < room ? len : room;
}

static bool on_data(const char *data, size_t len, void *arg)
{
	struct prune_export *x = arg;

	x->err = *x->interrupted
		     ? ERR_CANCELLED
		     : export_file_write(x->file, data, len, &x->why);
	while (len && !x->err) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		struct id id;

		add_head(x, data, n);
		data += end ? n + 1 : n;
		len -= end ? n + 1 : n;
		if (!end)
			continue;
		if (line_id(x, &id) != OK) {
			x->err = nonsense("the export", &x->why);
			break;
		}
		id_text(&id, x->at.after);
		x->at.lines++;
		x->n_line = 0;
		x->err = export_file_line(x->file, &x->at, &x->why);
	}
	return x->err == OK;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static enum err begin(struct prune_export *x, struct why *why)
{
	const struct export_options eo = { .path = x->path,
		.gzip = ends_with(x->path, ".gz"),
		.never_force = true,
		.fresh = true,
		.typed = "prune",
		.query = "" };

	return export_file_open(&eo, &x->at, &x->file, why);
}

/* The file begins with the first that was chosen. */
static enum err fill(struct prune_export *x, struct pruner *p, struct why *why)
{
	struct id ids[PRUNER_IDS];
	bool done = false;
	enum err err = OK;
	size_t n;

	while (!err && !done) {
		err = pruner_list(p, ids, &n, &done, why);
		if (!err && n > 0 && !x->file)
			err = begin(x, why);
		if (!err && n > 0)
			err = pruner_export(p, ids, n, on_data, x, why);
		if (x->err) {
			*why = x->why;
			err = x->err;
		} else if (!err && x->n_line) {
			err_why(why, "the export ends within a line");
			err = ERR_IO;
		}
		if (!err && *x->interrupted)
			err = ERR_CANCELLED;
	}
	return err;
}

/* What was written, whole, to be read again. */
static enum err finish(struct prune_export *x, struct why *why)
{
	enum err err = export_file_finish(x->file, why);

	export_file_close(x->file);
	x->file = NULL;
	if (err)
		return err;
	return import_file_open(x->path, IMPORT_LINE_ALONE_BYTES, &x->in, why);
}

enum err prune_export_make(struct pruner *p, const char *path,
    const volatile sig_atomic_t *interrupted, struct prune_export **ret,
    struct why *why)
{
	struct prune_export *x = calloc(1, sizeof(*x));
	enum err err;

	if (!x)
		return ERR_NOMEM;
	x->interrupted = interrupted;
	snprintf(x->path, sizeof(x->path), "%s", path);
	err = fill(x, p, why);
	if (!err && x->file)
		err = finish(x, why);
	if (err == ERR_CANCELLED)
		err_why(why, "interrupted: nothing was removed");
	if (!err) {
		*ret = x;
		x = NULL;
	}
	prune_export_free(x);
	return err;
}

int64_t prune_export_lines(const struct prune_export *x)
{
	return x->at.lines;
}

enum err prune_export_read(
    struct prune_export *x, struct id *ret, size_t *ret_n, struct why *why)
{
	const char *line;
	size_t len, n = 0;
	enum err err = OK;

	while (x->in && n < PRUNER_IDS) {
		struct why reason = { "" };

		err = import_file_line(x->in, &line, &len, &reason);
		if (err == ERR_NOT_FOUND)
			break;
		if (err) {
			err_why(why, "cannot read %s again: %.200s", x->path,
			    reason.text);
			return ERR_IO;
		}
		x->n_line = 0;
		add_head(x, line, len);
		if (line_id(x, &ret[n++]) != OK)
			return nonsense(x->path, why);
	}
	*ret_n = n;
	return OK;
}

void prune_export_free(struct prune_export *x)
{
	if (!x)
		return;
	export_file_close(x->file);
	import_file_close(x->in);
	free(x);
}
