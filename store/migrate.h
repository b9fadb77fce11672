/*
 * migrate: bring a store's schema up to date, whichever engine keeps it.
 *
 * Used by: the engines, at open, under the lock.     Thread: the opener's.
 * Promises: files are applied in the order of their numbers, each once, each in
 * one transaction of the driver; a store of a newer program is not touched.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdint.h>

#include "store/base/err.h"
#include "store/schema.h"

/* How an engine is asked and changed. */
struct migrate_driver {
	/* The number of the last file applied; 0 for a store without schema. */
	enum err (*version)(void *arg, uint32_t *ret);
	/*
	 * In one transaction: run ${file}->text and remember that ${version}
	 * is applied. On failure nothing of it is left.
	 */
	enum err (*apply)(
	    void *arg, uint32_t version, const struct schema_file *file);
	void *arg;
};

/*
 * Apply those of ${files} (ended by a NULL name) that begin with ${prefix}
 * ("schema/sqlite/", then NNNN_) and are not applied. Their numbers count from
 * 1 without gap, else it panics: that is our build's mistake.
 * Fails: ERR_VERSION with ${why}; what the driver fails with.
 */
MUST_CHECK enum err migrate_run(const struct schema_file *files,
    const char *prefix, const struct migrate_driver *driver, struct why *why);

#endif
