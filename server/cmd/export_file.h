/*
 * export_file: where an export goes: stdout, or a file that appears whole or
 * not at all, and that a later try goes on with.
 *
 * Used by: cmd_export.     Thread: the main one.
 * Promises: FILE is there only once it is complete and on disk. Until then what
 * came is in FILE.part, and FILE.part.cursor says how much of it is whole lines
 * and where to go on; whatever ends the program, the next begins there. Only the
 * owner may read them. With gzip the file is a row of gzip members (RFC 1952),
 * which every gunzip reads as one.
 */
#ifndef SERVER_CMD_EXPORT_FILE_H
#define SERVER_CMD_EXPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"

struct export_file;

/* Where an export stands, as of the last whole line. */
struct export_at {
	char after[ID_TEXT]; /* the last execution seen; "": none */
	/*
	 * All up to here had ended: a later export that begins after it misses
	 * nothing. "": from the start.
	 */
	char safe[ID_TEXT];
	int64_t lines; /* written */
	int64_t live;  /* left out, for they had not ended */
};

struct export_options {
	const char *path; /* NULL: stdout */
	bool gzip;
	bool force;	  /* FILE may be there: it is replaced at the end */
	bool never_force; /* the caller's command has no --force to speak of */
	bool fresh;	  /* forget what an earlier try has left */
	/* How the executions were chosen, as typed: a later try must agree. */
	const char *typed;
	/* And as it was asked, times counted from the first try's start. */
	const char *query;
};

/*
 * Open, and find what an earlier try left: *${at} is then where it stood, else
 * as the caller set it. Fails: ERR_CONFLICT (FILE is there; a try with other
 * options has begun; another process writes), ERR_INPUT (the path),
 * ERR_CORRUPT (what the earlier try left), ERR_IO, ERR_NOMEM.
 */
MUST_CHECK enum err export_file_open(const struct export_options *o,
    struct export_at *at, struct export_file **ret, struct why *why);

/* The first try's query. Lent. */
const char *export_file_query(const struct export_file *f);

/* Did an earlier try leave something? */
bool export_file_resumed(const struct export_file *f);

/* Fails: ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err export_file_write(
    struct export_file *f, const char *data, size_t len, struct why *why);

/* A line has ended; now and then this is made to last. As ${at} says. */
MUST_CHECK enum err export_file_line(
    struct export_file *f, const struct export_at *at, struct why *why);

/* Bytes that were given to export_file_write(), by this try. */
int64_t export_file_bytes(const struct export_file *f);

/* All is written: make it last and give it its name. */
MUST_CHECK enum err export_file_finish(struct export_file *f, struct why *why);

/* What is not finished stays for a later try. NULL is nothing. */
void export_file_close(struct export_file *f);

#endif
