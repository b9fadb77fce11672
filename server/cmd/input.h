/*
 * input: a file that the command line names as what to read.
 *
 * Used by: import_file, cmd_prompts.     Thread: the main one.
 */
#ifndef SERVER_CMD_INPUT_H
#define SERVER_CMD_INPUT_H

#include <stdio.h>

#include "store/base/err.h"

/*
 * ${path} "-": stdin. Gives: *${ret}, for input_close().
 * Fails, with words: ERR_NOT_FOUND; ERR_INPUT, a directory; ERR_IO.
 */
MUST_CHECK enum err input_open(const char *path, FILE **ret, struct why *why);

/* NULL is nothing; stdin stays. */
void input_close(FILE *f);

#endif
