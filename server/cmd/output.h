/*
 * output: how commands print: tables for people, lines for scripts, text that
 * came from a model, colours where they are wanted.
 *
 * Used by: the commands.     Thread: the main one.
 * Promises: data goes to stdout, everything else to stderr. Text from outside
 * cannot command the terminal: on one, its control characters are shown.
 */
#ifndef SERVER_CMD_OUTPUT_H
#define SERVER_CMD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "server/option.h"

/* --color, and --json. */
const struct option_spec *output_table(void);
const struct option_spec *output_json_table(void);

/* Once, before anything is printed. */
void output_setup(const struct option_set *options);

/* Is --json wanted? Is stdout a terminal? */
bool output_json(void);
bool output_tty(void);

/* Print text from outside to ${f}. */
void output_text(FILE *f, const char *s, size_t len);

enum output_style { OUTPUT_PLAIN, OUTPUT_BOLD, OUTPUT_DIM, OUTPUT_RED };
/* Begin (and with OUTPUT_PLAIN end) a style on ${f}, where colours are. */
void output_style(FILE *f, enum output_style style);

#define OUTPUT_MAX_COLUMNS 12
struct output_table_row {
	char *cell[OUTPUT_MAX_COLUMNS];
};

/*
 * A table: on a terminal a heading and columns in line; elsewhere the bare
 * cells with tabs between. Cells are copied; NULL is empty. Memory that ran out
 * drops rows and output_rows_print() says so. A long table may be printed in
 * parts: the heading comes once, and columns do not become narrower.
 */
struct output_rows {
	size_t n_columns, n, cap;
	struct output_table_row *row;
	size_t width[OUTPUT_MAX_COLUMNS];
	bool headed, failed;
};
void output_rows_add(struct output_rows *rows, const char *const *cells);
/* False when rows were dropped. Frees them. */
bool output_rows_print(struct output_rows *rows, const char *const *heading);

#endif
