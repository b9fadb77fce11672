/*
 * engine_fixture: a store of its own for each test: a writing and a reading
 * connection, in a directory that goes with it.
 *
 * Used by: engine_test, engine_clean_test, engine_import_test.
 */
#ifndef TESTS_CONTRACT_ENGINE_FIXTURE_H
#define TESTS_CONTRACT_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/log.h"
#include "store/engine.h"

struct fixture {
	char dir[64], url[128];
	struct store_options options;
	const struct engine *engine;
	struct engine_db *w, *r;
};

#define OF(db) ((db)->engine)
#define assert_ok(expr) assert_int_equal((expr), OK)

static inline void open_writer(struct fixture *f)
{
	struct why why = { "" };
	enum err rc = f->engine->open(&f->options, &f->w, &why);

	if (rc != OK)
		fail_msg("open: %s: %s", err_name(rc), why.text);
}

static inline void open_both(struct fixture *f)
{
	open_writer(f);
	assert_ok(f->engine->open_reader(&f->options, &f->r, NULL));
}

static inline void close_both(struct fixture *f)
{
	f->engine->close(f->r);
	f->engine->close(f->w);
	f->r = f->w = NULL;
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/engine_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->url, sizeof(f->url), "%s/store", f->dir);
	f->options.url = f->url;
	f->options.durability = STORE_NORMAL;
	assert_ok(engine_find(f->url, &f->engine, NULL));
	open_both(f);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_both(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

#endif
