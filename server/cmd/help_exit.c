#include "server/cmd/help_exit.h"

#include "server/cmd/help.h"

static const struct help_exit table[] = {
	{ CMD_OK, "Done." },
	{ CMD_FAILED,
	    "It failed: a file cannot be read or written, something is not "
	    "what it should be. Also: check with findings, doctor with "
	    "something bad, import with lines that were refused." },
	{ CMD_USAGE,
	    "The command line or the configuration is wrong, the config file "
	    "and the key files with it. Trying again is no use." },
	{ CMD_NOT_FOUND,
	    "What was named is not there: an execution, a key, a prompt, a "
	    "store, a backup, a file to read." },
	{ CMD_AUTH, "The key is missing, unknown, or may not do this." },
	{ CMD_CONFLICT,
	    "What is there stands in the way: a file that would be replaced, "
	    "an execution that has not ended." },
	{ CMD_UNAVAILABLE,
	    "No server, or it is full, or another process has the store: try "
	    "again later." },
	{ CMD_EXECUTION_FAILED, "The execution failed." },
	{ CMD_CANCELLED, "The execution was cancelled." },
	{ CMD_TIMEOUT, "It took too long." },
	{ CMD_INTERRUPTED, "Interrupted, by Ctrl-C." },
};

const struct help_exit *help_exit_table(size_t *ret_n)
{
	*ret_n = sizeof(table) / sizeof(table[0]);
	return table;
}

void help_exit_print(FILE *f)
{
	fputs("Exit codes of all commands. They stay as they are: scripts may "
	      "count on them.\n"
	      "Where several things were asked for, it is that of the last "
	      "that failed.\n\n",
	    f);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fprintf(f, "  %-4d ", table[i].code);
		help_wrap(f, table[i].text, 7, 7);
	}
}
