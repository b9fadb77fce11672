#include "store/migrate.h"

#include <string.h>

#include "store/base/log.h"

/* The four digits at the start of a file's own name. */
static uint32_t file_number(const char *name)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++) {
		ASSERT(name[i] >= '0' && name[i] <= '9');
		n = n * 10 + (uint32_t)(name[i] - '0');
	}
	ASSERT(name[4] == '_');
	return n;
}

enum err migrate_run(const struct schema_file *files, const char *prefix,
    const struct migrate_driver *driver, struct why *why)
{
	size_t prefix_len = strlen(prefix);
	uint32_t have, known = 0;
	enum err rc;

	for (const struct schema_file *f = files; f->name != NULL; f++)
		if (strncmp(f->name, prefix, prefix_len) == 0) {
			known++;
			ASSERT(file_number(f->name + prefix_len) == known);
		}
	rc = driver->version(driver->arg, &have);
	if (rc != OK)
		return rc;
	if (have > known) {
		err_why(why,
		    "the store has schema %u, this program knows %u; use a "
		    "newer spool",
		    have, known);
		return ERR_VERSION;
	}
	for (const struct schema_file *f = files; f->name != NULL; f++) {
		uint32_t number;

		if (strncmp(f->name, prefix, prefix_len) != 0)
			continue;
		number = file_number(f->name + prefix_len);
		if (number <= have)
			continue;
		rc = driver->apply(driver->arg, number, f);
		if (rc != OK)
			return rc;
	}
	return OK;
}
