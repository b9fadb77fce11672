#include "server/cmd/output.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static const char *const color_words[] = { "auto", "always", "never", NULL };

static const struct option_spec table[] = {
	{ .name = "color",
	    .kind = OPTION_ENUM,
	    .arg = "WHEN",
	    .words = color_words,
	    .fallback = "auto",
	    .group = "Output",
	    .help = "auto: on a terminal, unless NO_COLOR is set",
	    .env = "SPOOL_COLOR" },
	{ .name = "help",
	    .letter = 'h',
	    .kind = OPTION_BOOL,
	    .group = "Output",
	    .help = "this text" },
	{ .name = NULL },
};

static const struct option_spec json_table[] = {
	{ .name = "json",
	    .kind = OPTION_BOOL,
	    .fallback = "false",
	    .group = "Output",
	    .help = "JSON for scripts; one object a line where many come" },
	{ .name = NULL },
};

static const char *const escapes[] = {
	[OUTPUT_PLAIN] = "\033[0m",
	[OUTPUT_BOLD] = "\033[1m",
	[OUTPUT_DIM] = "\033[2m",
	[OUTPUT_RED] = "\033[31m",
};

static bool json, color[2], tty[2]; /* of stdout, stderr */

const struct option_spec *output_table(void)
{
	return table;
}

const struct option_spec *output_json_table(void)
{
	return json_table;
}

static bool set(const char *variable)
{
	const char *text = getenv(variable);

	return text && *text;
}

void output_setup(const struct option_set *options)
{
	const char *when = option_text(options, "color");
	const char *term = getenv("TERM");
	bool able = !set("NO_COLOR") && term && strcmp(term, "dumb") != 0;

	json = option_has(options, "json") && option_bool(options, "json");
	for (int i = 0; i < 2; i++) {
		tty[i] = isatty(i ? STDERR_FILENO : STDOUT_FILENO);
		color[i] = strcmp(when, "always") == 0 ||
			   (strcmp(when, "auto") == 0 && able && tty[i]);
	}
}

bool output_json(void)
{
	return json;
}

bool output_tty(void)
{
	return tty[0];
}

void output_style(FILE *f, enum output_style style)
{
	if (color[f == stderr])
		fputs(escapes[style], f);
}

void output_text(FILE *f, const char *s, size_t len)
{
	if (!tty[f == stderr]) {
		fwrite(s, 1, len, f);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else if (c == 0xc2 && i + 1 < len &&
			 (unsigned char)s[i + 1] < 0xa0) /* C1, as UTF-8 */
			fprintf(f, "\\x%02x", (unsigned char)s[++i]);
		else
			fputc(c, f);
	}
}

/* --- tables --- */

void output_rows_add(struct output_rows *rows, const char *const *cells)
{
	struct output_table_row *row;

	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 32;

		row = realloc(rows->row, cap * sizeof(*row));
		if (!row) {
			rows->failed = true;
			return;
		}
		rows->row = row;
		rows->cap = cap;
	}
	row = &rows->row[rows->n++];
	memset(row, 0, sizeof(*row));
	for (size_t i = 0; i < rows->n_columns; i++) {
		row->cell[i] = strdup(cells[i] ? cells[i] : "");
		if (!row->cell[i])
			rows->failed = true;
	}
}

/*
 * The columns that a terminal needs for ${text}; a control character is shown
 * as four (see output_text()), what is no UTF-8 is counted a byte each.
 */
static size_t columns(const char *text)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	mbstate_t state = { 0 };
	size_t width = 0, left = strlen(text), n;
	wchar_t c;

	for (; left > 0; text += n, left -= n) {
		n = mbrtowc(&c, text, left, &state);
		if (n == (size_t)-1 || n == (size_t)-2) {
			memset(&state, 0, sizeof(state));
			n = 1;
			width++;
		} else {
			width += wcwidth(c) >= 0	  ? (size_t)wcwidth(c)
				 : c == '\n' || c == '\t' ? 1
							  : 4;
		}
	}
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return width;
}

static void put_cell(const char *text, size_t width, bool last)
{
	size_t len = text ? strlen(text) : 0, n, shown;

	for (size_t i = 0; i < len; i += n) {
		n = strcspn(text + i, "\n\t");
		output_text(stdout, text + i, n);
		/* A line and a tab part rows and cells. */
		if (i + n < len) {
			putchar(' ');
			n++;
		}
	}
	if (last) {
		putchar('\n');
	} else if (!tty[0]) {
		putchar('\t');
	} else {
		shown = columns(text ? text : "");
		printf("%*s", (int)(width > shown ? width - shown : 0) + 2, "");
	}
}

bool output_rows_print(struct output_rows *rows, const char *const *heading)
{
	size_t *width = rows->width;
	size_t last = rows->n_columns - 1;

	for (size_t c = 0; c < rows->n_columns; c++) {
		if (columns(heading[c]) > width[c])
			width[c] = columns(heading[c]);
		for (size_t i = 0; i < rows->n; i++) {
			const char *text = rows->row[i].cell[c];

			if (text && columns(text) > width[c])
				width[c] = columns(text);
		}
	}
	if (tty[0] && !rows->headed) {
		rows->headed = true;
		output_style(stdout, OUTPUT_BOLD);
		for (size_t c = 0; c <= last; c++)
			put_cell(heading[c], width[c], c == last);
		output_style(stdout, OUTPUT_PLAIN);
	}
	for (size_t i = 0; i < rows->n; i++)
		for (size_t c = 0; c <= last; c++) {
			put_cell(rows->row[i].cell[c], width[c], c == last);
			free(rows->row[i].cell[c]);
		}
	free(rows->row);
	rows->row = NULL;
	rows->n = rows->cap = 0;
	return !rows->failed;
}
