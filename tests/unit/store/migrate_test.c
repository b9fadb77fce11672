#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/migrate.h"

static const struct schema_file files[] = {
	{ "schema/other/0001_a.sql", "other", 5 },
	{ "schema/this/0001_a.sql", "one", 3 },
	{ "schema/this/0002_b.sql", "two", 3 },
	{ "schema/this/0003_c.sql", "three", 5 },
	{ NULL, NULL, 0 },
};

/* A store that remembers what was applied to it. */
struct fake {
	uint32_t version;
	char log[64];
	uint32_t fail_at; /* this version's file fails; 0: none */
	enum err ask;	  /* what asking gives */
};

static enum err on_version(void *arg, uint32_t *ret)
{
	struct fake *f = arg;

	if (f->ask == OK)
		*ret = f->version;
	return f->ask;
}

static enum err on_apply(
    void *arg, uint32_t version, const struct schema_file *file)
{
	struct fake *f = arg;

	if (version == f->fail_at)
		return ERR_FULL;
	assert_int_equal(strlen(file->text), file->len);
	strcat(f->log, file->text);
	strcat(f->log, " ");
	f->version = version;
	return OK;
}

static enum err run(struct fake *f, const char *prefix, struct why *why)
{
	const struct migrate_driver driver = { on_version, on_apply, f };

	return migrate_run(files, prefix, &driver, why);
}

static void a_new_store_gets_all_in_order(void **state)
{
	struct fake f = { 0 };

	(void)state;
	assert_int_equal(run(&f, "schema/this/", NULL), OK);
	assert_string_equal(f.log, "one two three ");
	assert_int_equal(f.version, 3);
}

static void each_is_applied_once(void **state)
{
	struct fake f = { .version = 1 };

	(void)state;
	assert_int_equal(run(&f, "schema/this/", NULL), OK);
	assert_string_equal(f.log, "two three ");
	assert_int_equal(run(&f, "schema/this/", NULL), OK);
	assert_string_equal(f.log, "two three ");
}

static void a_newer_store_is_not_touched(void **state)
{
	struct fake f = { .version = 4 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(run(&f, "schema/this/", &why), ERR_VERSION);
	assert_string_equal(f.log, "");
	assert_non_null(strstr(why.text, "schema 4"));
	assert_non_null(strstr(why.text, "newer spool"));
}

static void a_failure_stops_there_and_the_next_run_goes_on(void **state)
{
	struct fake f = { .fail_at = 2 };

	(void)state;
	assert_int_equal(run(&f, "schema/this/", NULL), ERR_FULL);
	assert_string_equal(f.log, "one ");
	f.fail_at = 0;
	assert_int_equal(run(&f, "schema/this/", NULL), OK);
	assert_string_equal(f.log, "one two three ");
}

static void a_store_that_does_not_answer_is_not_changed(void **state)
{
	struct fake f = { .ask = ERR_CORRUPT };

	(void)state;
	assert_int_equal(run(&f, "schema/this/", NULL), ERR_CORRUPT);
	assert_string_equal(f.log, "");
}

static void anothers_files_are_not_ours(void **state)
{
	struct fake f = { 0 };

	(void)state;
	assert_int_equal(run(&f, "schema/other/", NULL), OK);
	assert_string_equal(f.log, "other ");
}

static void the_embedded_files_are_whole(void **state)
{
	(void)state;
	assert_non_null(schema_files[0].name);
	for (const struct schema_file *f = schema_files; f->name; f++) {
		assert_int_equal(strlen(f->text), f->len);
		assert_int_equal(f->text[f->len - 1], '\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_store_gets_all_in_order),
		cmocka_unit_test(each_is_applied_once),
		cmocka_unit_test(a_newer_store_is_not_touched),
		cmocka_unit_test(
		    a_failure_stops_there_and_the_next_run_goes_on),
		cmocka_unit_test(a_store_that_does_not_answer_is_not_changed),
		cmocka_unit_test(anothers_files_are_not_ours),
		cmocka_unit_test(the_embedded_files_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
