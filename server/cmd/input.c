#include "server/cmd/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum err input_open(const char *path, FILE **ret, struct why *why)
{
	struct stat st;
	FILE *f = NULL;
	enum err err = OK;

	if (strcmp(path, "-") == 0) {
		*ret = stdin;
		return OK;
	}
	f = fopen(path, "re");
	if (!f && (errno == ENOENT || errno == ENOTDIR)) {
		err_why(why, "there is no file %s", path);
		err = ERR_NOT_FOUND;
	} else if (!f) {
		err_why(why, "cannot read %s: %s", path, strerror(errno));
		err = ERR_IO;
	} else if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		err_why(why, "%s is a directory, not a file", path);
		err = ERR_INPUT;
	} else {
		*ret = f;
		f = NULL;
	}
	input_close(f);
	return err;
}

void input_close(FILE *f)
{
	if (f && f != stdin)
		fclose(f);
}
