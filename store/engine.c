#include "store/engine.h"

#include <stddef.h>

#include "store/sqlite.h"

typedef const struct engine *engine_fn(void);

/* Every driver there is, in the order in which they are asked. */
static engine_fn *const engines[] = { sqlite_engine };

enum err engine_find(
    const char *url, const struct engine **ret, struct why *why)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		const struct engine *engine = engines[i]();

		if (engine->accepts(url)) {
			*ret = engine;
			return OK;
		}
	}
	err_why(why,
	    "no engine for the store \"%.200s\"; give a path or sqlite:PATH",
	    url);
	return ERR_INPUT;
}
