#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/* Run ${f} with stderr in a file and give what it wrote. */
static const char *captured(void (*f)(void))
{
	static char text[1 << 20];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	clock_hold(1767323045678, 1);
	dup2(fileno(file), STDERR_FILENO);
	f();
	dup2(saved, STDERR_FILENO);
	clock_hold(0, -1);
	close(saved);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static void say_one(void)
{
	log_info("run", "ended", "id=%d name=%s", 7, "gr\xc3\xbc\xc3\x9f");
}

static void one_event_is_one_line(void **state)
{
	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	assert_string_equal(captured(say_one),
	    "2026-01-02T03:04:05.678Z info run ended id=7 "
	    "name=gr\xc3\xbc\xc3\x9f\n");
	log_setup(LOG_INFO, LOG_JSON);
	assert_string_equal(captured(say_one),
	    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\","
	    "\"area\":\"run\",\"event\":\"ended\","
	    "\"detail\":\"id=7 name=gr\xc3\xbc\xc3\x9f\"}\n");
}

static void say_levels(void)
{
	log_error("a", "b", "e");
	log_warn("a", "b", "w");
	log_info("a", "b", "i");
	log_debug("a", "b", "d");
}

static void a_level_hides_those_below_it(void **state)
{
	static const char marks[] = "ewid";

	(void)state;
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		const char *text;
		int lines = 0;

		log_setup((enum log_level)level, LOG_LOGFMT);
		text = captured(say_levels);
		for (const char *p = text; (p = strchr(p, '\n')); p++) {
			assert_int_equal(p[-1], marks[lines]);
			lines++;
		}
		assert_int_equal(lines, level + 1);
		assert_true(log_on((enum log_level)level));
	}
}

static void levels_have_names(void **state)
{
	enum log_level level = LOG_WARN;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), OK);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("DEBUG", &level), ERR_INPUT);
	assert_int_equal(log_level_parse("", &level), ERR_INPUT);
	assert_int_equal(level, LOG_DEBUG);
}

static void say_evil(void)
{
	log_info(
	    "a", "b", "x=%s", "1\n2\r3\x1b[31m4\x7f\xc2\x9b\xff\xe2\x82z\"\\");
}

static void what_could_forge_a_line_is_escaped(void **state)
{
	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	assert_non_null(strstr(captured(say_evil),
	    "x=1\\x0a2\\x0d3\\x1b[31m4\\x7f\\xc2\\x9b\\xff\\xe2\\x82z\"\\\n"));
	log_setup(LOG_INFO, LOG_JSON);
	assert_non_null(strstr(captured(say_evil),
	    "x=1\\u000a2\\u000d3\\u001b[31m4\\u007f\\u00c2\\u009b\\u00ff"
	    "\\u00e2\\u0082z\\\"\\\\\"}\n"));
}

static void say_much(void)
{
	char *text = malloc(20001);

	for (int kind = 0; kind < 3; kind++) {
		memset(text, kind == 0 ? 'x' : kind == 1 ? '\n' : '"', 20000);
		text[20000] = '\0';
		log_info("a", "b", "x=%s", text);
	}
	memset(text, 'e', 1000);
	text[1000] = '\0';
	log_info("a", text, "x=%s", "y");
	free(text);
}

static void a_line_is_never_longer_than_8_kib(void **state)
{
	(void)state;
	for (int style = LOG_LOGFMT; style <= LOG_JSON; style++) {
		const char *from, *p;
		int lines = 0;

		log_setup(LOG_INFO, (enum log_format)style);
		from = captured(say_much);
		for (; (p = strchr(from, '\n')); from = p + 1) {
			assert_true(p - from < 8192);
			assert_true(style == LOG_LOGFMT || p[-1] == '}');
			lines++;
		}
		assert_int_equal(lines, 4);
		assert_int_equal(*from, '\0');
	}
}

static void *say_often(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_info("a", "b", "%s", (const char *)arg);
	return NULL;
}

static void say_together(void)
{
	static char x[301], y[301];
	pthread_t a, b;

	memset(x, 'x', 300);
	memset(y, 'y', 300);
	pthread_create(&a, NULL, say_often, x);
	pthread_create(&b, NULL, say_often, y);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

static void lines_of_two_threads_are_not_torn(void **state)
{
	const char *from, *p;
	int lines = 0;

	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	from = captured(say_together);
	for (; (p = strchr(from, '\n')); from = p + 1, lines++) {
		assert_true(p - from > 300);
		assert_int_equal(
		    strspn(p - 300, p[-1] == 'x' ? "x" : "y"), 300);
	}
	assert_int_equal(lines, 400);
}

static void a_broken_assertion_says_where_and_aborts(void **state)
{
	int status, fd[2];
	char text[512];
	ssize_t n;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		dup2(fd[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		ASSERT(1 + 1 == 3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	n = read(fd[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "expr=1 + 1 == 3"));
	assert_non_null(strstr(text, "log_test.c:"));
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_is_one_line),
		cmocka_unit_test(a_level_hides_those_below_it),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(what_could_forge_a_line_is_escaped),
		cmocka_unit_test(a_line_is_never_longer_than_8_kib),
		cmocka_unit_test(lines_of_two_threads_are_not_torn),
		cmocka_unit_test(a_broken_assertion_says_where_and_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
