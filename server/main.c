/*
 * main: the table of commands, nothing else.
 */
#include <stddef.h>

#include "server/cmd/cmd.h"

int main(int argc, char **argv)
{
	const struct command *const commands[] = {
		cmd_serve(),
		cmd_upstream(),
		cmd_exec(),
		cmd_tail(),
		cmd_ls(),
		cmd_show(),
		cmd_cancel(),
		cmd_rm(),
		cmd_prompts(),
		cmd_streams(),
		cmd_models(),
		cmd_export(),
		cmd_import(),
		cmd_usage(),
		cmd_keys(),
		cmd_vault(),
		cmd_backup(),
		cmd_restore(),
		cmd_prune(),
		cmd_audit(),
		cmd_check(),
		cmd_doctor(),
		cmd_config(),
		cmd_help(),
		cmd_completion(),
		cmd_version(),
		NULL,
	};

	return cmd_main(commands, argc, argv);
}
