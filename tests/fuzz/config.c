/* Any bytes as a file of settings: refused with its name and line, or taken. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "store/base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing of where it runs. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return clearenv();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64], flag[] = "--config", serve[] = "serve";
	char *argv[] = { serve, flag, name, NULL };
	struct option_set *set = NULL;
	struct config config = { 0 };
	struct why why = { "" };
	int first, fd;
	enum err rc;

	fd = memfd_create("config", MFD_CLOEXEC);
	ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ASSERT(option_set_new(config_tables(), &set) == OK);
	ASSERT(option_take_flags(set, 3, argv, &first, &why) == OK);
	rc = config_load(set, &config, &why);
	ASSERT(rc == OK || why.text[0] != '\0');
	for (size_t i = 0; rc == OK && i < config.n_models; i++)
		ASSERT(config.models[i].n_targets > 0);
	config_fini(&config);
	option_set_free(set);
	close(fd);
	return 0;
}
