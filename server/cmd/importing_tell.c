/* What an import tells: each line's fate, how far it is, how it ended. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "server/cmd/importing.h"
#include "server/cmd/output.h"
#include "store/base/clock.h"
#include "store/base/id.h"

#define PROGRESS_MS 200

static void hide_bar(struct importing *x)
{
	if (x->bar)
		fputs("\r\033[K", stderr);
	x->bar = false;
}

static void show_bar(struct importing *x)
{
	int64_t now = clock_mono_ms();

	if (!isatty(STDERR_FILENO) || now - x->bar_ms < PROGRESS_MS)
		return;
	x->bar_ms = now;
	x->bar = true;
	fprintf(stderr,
	    "\r\033[K%" PRIu64 " lines, %.1f MB: %" PRIu64 " imported, %" PRIu64
	    " existed, %" PRIu64 " refused",
	    x->n, (double)x->bytes / 1e6, x->counts[IMPORTER_IMPORTED],
	    x->counts[IMPORTER_EXISTED], x->counts[IMPORTER_REFUSED]);
}

static void tell_json(const struct importing_place *p, const char *id,
    const char *result, const char *why)
{
	json_t *line = json_pack("{s:s, s:I, s:I, s:s?, s:s}", "file", p->file,
	    "line", (json_int_t)p->line, "byte", (json_int_t)p->byte,
	    "execution_id", *id ? id : NULL, "result", result);

	/* What cannot be said in JSON is left out. */
	if (*why)
		(void)json_object_set_new(line, "why", json_string(why));
	if (line)
		client_print(line);
	json_decref(line);
}

void importing_tell(struct importing *x, uint64_t n, enum importer_fate fate,
    const char *id, const char *why)
{
	const struct importing_place *p = &x->places[n % IMPORTING_PLACES];

	x->counts[fate]++;
	if (output_json()) {
		tell_json(p, id, importer_fate_name(fate), why);
	} else if (fate == IMPORTER_REFUSED) {
		hide_bar(x);
		fprintf(stderr,
		    "%s line %" PRIu64 " (byte %" PRIu64 ")%s%s: ", p->file,
		    p->line, p->byte, *id ? " " : "", id);
		output_text(stderr, why, strlen(why));
		fputc('\n', stderr);
	}
	show_bar(x);
}

void importing_told(void *arg, const struct importer_told *t)
{
	char id[ID_TEXT] = "";

	if (t->has_id)
		id_text(&t->id, id);
	importing_tell(arg, t->line, t->fate, id,
	    t->fate == IMPORTER_REFUSED ? t->why.text : "");
}

void importing_tell_end(struct importing *x)
{
	static const char *const names[] = { "imported", "existed", "refused" };
	json_t *done;

	hide_bar(x);
	fprintf(stderr,
	    "%s%" PRIu64 " imported, %" PRIu64 " existed, %" PRIu64
	    " refused\n",
	    x->dry_run ? "would be: " : "", x->counts[0], x->counts[1],
	    x->counts[2]);
	if (!output_json())
		return;
	done = json_pack("{s:{s:I, s:I, s:I, s:b}}", "done", names[0],
	    (json_int_t)x->counts[0], names[1], (json_int_t)x->counts[1],
	    names[2], (json_int_t)x->counts[2], "dry_run", (int)x->dry_run);
	client_print(done);
	json_decref(done);
}
