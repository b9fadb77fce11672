#include "server/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const words[] = { "full", "normal", NULL };

static const struct option_spec specs[] = {
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .fallback = "./spool.db",
	    .env = "OPTION_TEST_DB",
	    .key = "store.db" },
	{ .name = "demo",
	    .kind = OPTION_BOOL,
	    .fallback = "false",
	    .env = "OPTION_TEST_DEMO",
	    .key = "worker.demo" },
	{ .name = "loops",
	    .letter = 'n',
	    .kind = OPTION_INT,
	    .fallback = "1",
	    .min = 1,
	    .max = 64,
	    .key = "server.loops" },
	{ .name = "rate", .kind = OPTION_NUMBER, .max = 100 },
	{ .name = "cache",
	    .kind = OPTION_SIZE,
	    .fallback = "32MiB",
	    .min = 1024,
	    .key = "store.cache" },
	{ .name = "drain", .kind = OPTION_DURATION, .fallback = "25s" },
	{ .name = "listen",
	    .kind = OPTION_LIST,
	    .fallback = "a:1",
	    .env = "OPTION_TEST_LISTEN",
	    .key = "server.listen" },
	{ .name = "durability",
	    .kind = OPTION_ENUM,
	    .words = words,
	    .fallback = "full",
	    .key = "store.durability" },
	{ .name = "admin-key",
	    .kind = OPTION_SECRET,
	    .env = "OPTION_TEST_KEY",
	    .key = "server.admin_key" },
	{ .name = NULL },
};
static const struct option_spec *const tables[] = { specs, NULL };

static int begin(void **state)
{
	struct option_set *set;

	unsetenv("OPTION_TEST_DB");
	unsetenv("OPTION_TEST_DEMO");
	unsetenv("OPTION_TEST_LISTEN");
	unsetenv("OPTION_TEST_KEY");
	unsetenv("OPTION_TEST_KEY_FILE");
	if (option_set_new(tables, &set))
		return -1;
	*state = set;
	return 0;
}

static int end(void **state)
{
	option_set_free(*state);
	return 0;
}

#define MAX_ARGS 16

/* Take the flags in ${line}, parted by blanks. Returns the first operand. */
static enum err flags(struct option_set *set, const char *line,
    const char **ret_operand, struct why *why)
{
	static char copy[512];
	char *argv[MAX_ARGS + 1], *rest, *word;
	enum err err;
	int argc = 0, first = -1;

	snprintf(copy, sizeof(copy), "test %s", line);
	for (word = strtok_r(copy, " ", &rest); word && argc < MAX_ARGS;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	why->text[0] = '\0';
	err = option_take_flags(set, argc, argv, &first, why);
	if (!err && ret_operand)
		*ret_operand = argv[first];
	return err;
}

static void refused(struct option_set *set, const char *line, const char *says)
{
	struct why why;

	assert_int_equal(flags(set, line, NULL, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, says));
}

static void defaults_hold_until_something_is_given(void **state)
{
	struct option_set *set = *state;

	assert_string_equal(option_text(set, "db"), "./spool.db");
	assert_false(option_bool(set, "demo"));
	assert_int_equal(option_int(set, "cache"), 32 << 20);
	assert_int_equal(option_int(set, "drain"), 25000);
	assert_string_equal(option_list(set, "listen")[0], "a:1");
	assert_null(option_list(set, "listen")[1]);
	assert_null(option_text(set, "admin-key"));
	assert_int_equal(option_origin(set, "db"), OPTION_FROM_DEFAULT);
	assert_string_equal(option_where(set, "db"), "default");
	assert_string_equal(option_where(set, "admin-key"), "not set");
}

static void flags_of_every_kind_are_taken(void **state)
{
	struct option_set *set = *state;
	const char *operand = "";
	struct why why;

	assert_int_equal(
	    flags(set,
		"-d x.db --demo one --loops=4 --rate 0.5 --cache 1KiB "
		"--listen b:2 --listen c:3,d:4 --durability normal",
		&operand, &why),
	    OK);
	assert_string_equal(option_text(set, "db"), "x.db");
	assert_true(option_bool(set, "demo"));
	assert_int_equal(option_int(set, "loops"), 4);
	assert_true(option_number(set, "rate") == 0.5);
	assert_int_equal(option_int(set, "cache"), 1024);
	assert_string_equal(option_list(set, "listen")[0], "b:2");
	assert_string_equal(option_list(set, "listen")[1], "c:3,d:4");
	assert_null(option_list(set, "listen")[2]);
	assert_string_equal(option_text(set, "durability"), "normal");
	assert_string_equal(operand, "one");
	assert_string_equal(option_where(set, "db"), "flag -d");
	assert_int_equal(flags(set, "--no-demo", NULL, &why), OK);
	assert_false(option_bool(set, "demo"));
}

static void what_follows_two_dashes_is_no_option(void **state)
{
	const char *operand = "";
	struct why why;

	assert_int_equal(flags(*state, "-- --demo", &operand, &why), OK);
	assert_string_equal(operand, "--demo");
	assert_false(option_bool(*state, "demo"));
	assert_int_equal(flags(*state, "-", &operand, &why), OK);
	assert_string_equal(operand, "-");
}

static void a_typo_is_answered_with_what_was_meant(void **state)
{
	refused(*state, "--lisen x:1", "did you mean --listen?");
	refused(*state, "--durabilty=full", "did you mean --durability?");
	refused(*state, "--no-dmeo", "did you mean --no-demo?");
	refused(*state, "--durability ful", "did you mean \"full\"?");
	refused(*state, "--banana", "unknown option --banana");
	refused(*state, "-z", "unknown option -z");
}

static void the_beginning_of_a_name_is_not_the_name(void **state)
{
	refused(*state, "--dura full", "did you mean --durability?");
	refused(*state, "--list x:1", "did you mean --listen?");
	assert_string_equal(option_text(*state, "durability"), "full");
	assert_string_equal(option_list(*state, "listen")[0], "a:1");
}

static void missing_and_needless_values_are_told(void **state)
{
	refused(*state, "--db", "--db wants a value");
	refused(*state, "-d", "-d wants a value");
	refused(*state, "--demo=yes", "--demo takes no value");
}

static void bad_values_name_their_flag(void **state)
{
	refused(*state, "--loops many", "--loops: \"many\" is not a whole");
	refused(*state, "--loops 0", "is not between 1 and 64");
	refused(*state, "--loops 65", "is not between 1 and 64");
	refused(*state, "--loops 1x", "is not a whole number");
	refused(*state, "--loops 99999999999999999999", "not a whole number");
	refused(*state, "--cache 5parsecs", "is not a size");
	refused(*state, "--cache 1", "is too small");
	refused(*state, "--drain 5", "is not a duration");
	refused(*state, "--drain -5s", "is not a duration");
	refused(*state, "--rate nan", "is not a number");
	refused(*state, "--rate 101", "is not between 0 and 100");
	assert_int_equal(option_int(*state, "loops"), 1);
}

static void sizes_and_durations_have_units(void **state)
{
	int64_t v;

	(void)state;
	assert_int_equal(option_parse_size("4096", &v, NULL), OK);
	assert_int_equal(v, 4096);
	assert_int_equal(option_parse_size("2 GiB", &v, NULL), OK);
	assert_true(v == INT64_C(2) << 30);
	assert_int_equal(option_parse_size("8388608TiB", &v, NULL), ERR_INPUT);
	assert_int_equal(option_parse_duration("500ms", &v, NULL), OK);
	assert_int_equal(v, 500);
	assert_int_equal(option_parse_duration("0", &v, NULL), OK);
	assert_int_equal(v, 0);
	assert_int_equal(option_parse_duration("7d", &v, NULL), OK);
	assert_int_equal(v, 7 * 86400 * 1000);
	assert_int_equal(option_parse_duration("", &v, NULL), ERR_INPUT);
	assert_int_equal(option_parse_duration("ms", &v, NULL), ERR_INPUT);
}

static void booleans_have_four_spellings(void **state)
{
	static const char *const yes[] = { "true", "Yes", "ON", "1" };
	bool v;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		v = false;
		assert_int_equal(option_parse_bool(yes[i], &v, NULL), OK);
		assert_true(v);
	}
	assert_int_equal(option_parse_bool("off", &v, NULL), OK);
	assert_false(v);
	assert_int_equal(option_parse_bool("2", &v, NULL), ERR_INPUT);
}

static enum err line(struct option_set *set, const char *section,
    const char *key, const char *value, unsigned number, struct why *why)
{
	return option_take_line(
	    set, section, key, value, "spool.ini", number, why);
}

static void the_stronger_origin_wins_in_any_order(void **state)
{
	struct option_set *set = *state;
	struct why why = { "" };

	setenv("OPTION_TEST_DB", "env.db", 1);
	assert_int_equal(flags(set, "--db flag.db", NULL, &why), OK);
	assert_int_equal(option_take_env(set, &why), OK);
	assert_int_equal(line(set, "store", "db", "file.db", 3, &why), OK);
	assert_string_equal(option_text(set, "db"), "flag.db");
	assert_int_equal(option_origin(set, "db"), OPTION_FROM_FLAG);
}

static void the_environment_beats_the_file(void **state)
{
	struct option_set *set = *state;
	struct why why = { "" };

	setenv("OPTION_TEST_LISTEN", " x:1, y:2 ,", 1);
	assert_int_equal(option_take_env(set, &why), OK);
	assert_int_equal(line(set, "server", "listen", "z:3", 2, &why), OK);
	assert_string_equal(option_list(set, "listen")[0], "x:1");
	assert_string_equal(option_list(set, "listen")[1], "y:2");
	assert_null(option_list(set, "listen")[2]);
	assert_string_equal(
	    option_where(set, "listen"), "environment OPTION_TEST_LISTEN");
}

static void a_weak_value_is_checked_though_it_loses(void **state)
{
	struct option_set *set = *state;
	struct why why = { "" };

	assert_int_equal(flags(set, "--loops 2", NULL, &why), OK);
	assert_int_equal(
	    line(set, "server", "loops", "many", 4, &why), ERR_INPUT);
	assert_int_equal(line(set, "server", "loops", "x", 5, &why), ERR_INPUT);
	assert_int_equal(option_int(set, "loops"), 2);
}

static void an_empty_variable_is_not_set(void **state)
{
	struct why why = { "" };

	setenv("OPTION_TEST_DB", "", 1);
	assert_int_equal(option_take_env(*state, &why), OK);
	assert_string_equal(option_text(*state, "db"), "./spool.db");
}

static void a_bad_variable_is_named(void **state)
{
	struct why why = { "" };

	setenv("OPTION_TEST_DEMO", "perhaps", 1);
	assert_int_equal(option_take_env(*state, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "OPTION_TEST_DEMO"));
}

static void a_list_grows_over_lines_and_others_do_not(void **state)
{
	struct option_set *set = *state;
	struct why why = { "" };

	assert_int_equal(line(set, "server", "listen", "x:1", 2, &why), OK);
	assert_int_equal(line(set, "server", "listen", "y:2", 3, &why), OK);
	assert_string_equal(option_list(set, "listen")[1], "y:2");
	assert_int_equal(line(set, "store", "db", "a", 7, &why), OK);
	assert_int_equal(line(set, "store", "db", "b", 9, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "line 7"));
	assert_int_equal(
	    line(set, "store", "nothing", "b", 9, &why), ERR_NOT_FOUND);
}

static void a_list_has_a_ceiling(void **state)
{
	struct why why = { "" };
	enum err err = OK;

	for (unsigned i = 0; i <= OPTION_MAX_LIST && !err; i++)
		err = line(*state, "server", "listen", "x:1", i + 1, &why);
	assert_int_equal(err, ERR_INPUT);
	assert_non_null(strstr(why.text, "more than 64"));
}

static void a_secret_is_refused_on_the_command_line(void **state)
{
	struct why why;

	refused(*state, "--admin-key sesame", "seen by every user");
	assert_int_equal(
	    flags(*state, "--admin-key=sesame", NULL, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "--admin-key-file"));
	assert_null(strstr(why.text, "sesame"));
	assert_null(option_text(*state, "admin-key"));
}

static void a_secret_comes_from_a_file_or_the_environment(void **state)
{
	struct option_set *set = *state;
	char path[] = "/tmp/option_test_XXXXXX", args[64], shown[32];
	int fd = mkstemp(path);
	struct why why = { "" };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "open sesame\nrest\n", 17), 17);
	close(fd);
	setenv("OPTION_TEST_KEY", "from the environment", 1);
	assert_int_equal(option_take_env(set, &why), OK);
	assert_string_equal(
	    option_text(set, "admin-key"), "from the environment");
	snprintf(args, sizeof(args), "--admin-key-file %s", path);
	assert_int_equal(flags(set, args, NULL, &why), OK);
	assert_string_equal(option_text(set, "admin-key"), "open sesame");
	option_show(set, "admin-key", shown, sizeof(shown));
	assert_string_equal(shown, "(set)");
	unlink(path);
	refused(set, args, "cannot read");
}

static void a_secret_file_in_the_environment_and_the_config_is_read(
    void **state)
{
	struct option_set *set = *state;
	char path[] = "/tmp/option_test_XXXXXX";
	int fd = mkstemp(path);
	struct why why = { "" };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "sesame", 6), 6);
	close(fd);
	assert_int_equal(
	    line(set, "server", "admin_key_file", path, 1, &why), OK);
	assert_string_equal(option_text(set, "admin-key"), "sesame");
	assert_int_equal(
	    line(set, "server", "admin_key", "x", 2, &why), ERR_INPUT);
	setenv("OPTION_TEST_KEY_FILE", path, 1);
	assert_int_equal(option_take_env(set, &why), OK);
	assert_int_equal(option_origin(set, "admin-key"), OPTION_FROM_ENV);
	unlink(path);
}

static void a_secret_file_without_a_secret_is_refused(void **state)
{
	char path[] = "/tmp/option_test_XXXXXX";
	int fd = mkstemp(path);
	struct why why = { "" };
	char *secret = NULL;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(option_read_secret(path, &secret, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "is empty"));
	assert_int_equal(write(fd, "a\0b\n", 4), 4);
	close(fd);
	assert_int_equal(option_read_secret(path, &secret, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "control characters"));
	assert_null(secret);
	unlink(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_hold_until_something_is_given),
		TEST(flags_of_every_kind_are_taken),
		TEST(what_follows_two_dashes_is_no_option),
		TEST(a_typo_is_answered_with_what_was_meant),
		TEST(the_beginning_of_a_name_is_not_the_name),
		TEST(missing_and_needless_values_are_told),
		TEST(bad_values_name_their_flag),
		TEST(sizes_and_durations_have_units),
		TEST(booleans_have_four_spellings),
		TEST(the_stronger_origin_wins_in_any_order),
		TEST(the_environment_beats_the_file),
		TEST(a_weak_value_is_checked_though_it_loses),
		TEST(an_empty_variable_is_not_set),
		TEST(a_bad_variable_is_named),
		TEST(a_list_grows_over_lines_and_others_do_not),
		TEST(a_list_has_a_ceiling),
		TEST(a_secret_is_refused_on_the_command_line),
		TEST(a_secret_comes_from_a_file_or_the_environment),
		TEST(a_secret_file_in_the_environment_and_the_config_is_read),
		TEST(a_secret_file_without_a_secret_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
