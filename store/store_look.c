#include "store/store_look.h"

#include "store/base/clock.h"
#include "store/engine.h"

static enum err on_key(void *arg, const struct key *k)
{
	struct store_look *look = arg;

	if ((k->scopes & KEY_ADMIN) && k->revoked_ms == 0 &&
	    (k->expires_ms == 0 || k->expires_ms > clock_wall_ms()))
		look->n_admin_keys++;
	return OK;
}

static enum err look_inside(const struct engine *engine,
    const struct store_options *o, struct store_look *look)
{
	const struct query_filter newest = { .status = -1, .limit = 1 };
	struct execution e = { 0 };
	struct engine_db *db = NULL;
	uint32_t n = 0, damaged = 0;
	enum err rc;

	rc = engine->open_alone(o, &db, &look->opened_why);
	if (rc != OK)
		return rc;
	rc = engine->execution_list(db, &newest, false, &e, &n);
	if (rc == OK && n > 0)
		look->newest_ms = e.created_ms;
	if (rc == OK)
		rc = engine->keys_load(db, look, on_key, &damaged);
	if (rc != OK)
		look->opened_why = db->why;
	execution_fini(&e);
	engine->close(db);
	return rc;
}

enum err store_look(const char *url, struct store_look *ret, struct why *why)
{
	const struct store_options o = { .url = url };
	const struct engine *engine;
	enum err rc;

	*ret = (struct store_look){ .opened = ERR_NOT_FOUND };
	rc = engine_find(url, &engine, why);
	if (rc == OK)
		rc = engine->look(&o, ret, why);
	if (rc == OK && ret->there)
		ret->opened = look_inside(engine, &o, ret);
	ret->held = ret->opened == ERR_BUSY;
	return rc;
}
