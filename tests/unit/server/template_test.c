#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/template.h"

static enum err render(const char *text, struct template_var *vars, size_t n,
    char *dst, struct template_missing *missing)
{
	struct why why;
	struct buf b;
	enum err e;

	buf_init(&b, 4096);
	e = template_render(text, strlen(text), vars, n, &b, missing, &why);
	memcpy(dst, b.data ? b.data : "", b.len);
	dst[b.len] = '\0';
	buf_fini(&b);
	return e;
}

static void names_are_replaced_and_values_left_alone(void **state)
{
	struct template_var vars[] = {
		{ "a", "{{b}}", 5, false },
		{ "b", "B", 1, false },
		{ "user.name-1", "U", 1, false },
	};
	struct template_missing missing = { "", 0 };
	char out[256];
	struct why why;

	(void)state;
	assert_int_equal(render("{{a}} {{ b }}{{\tuser.name-1}} { } }} \\{{a}}",
			     vars, 3, out, &missing),
	    OK);
	assert_string_equal(out, "{{b}} BU { } }} {{a}}");
	assert_int_equal(template_settle(vars, 3, &missing, &why), OK);
}

static void missing_and_unused_names_are_listed_once(void **state)
{
	struct template_var vars[] = { { "z", "", 0, false },
		{ "x", "1", 1, false } };
	struct template_missing missing = { "", 0 };
	char out[256];
	struct why why;

	(void)state;
	assert_int_equal(
	    render("{{x}}{{ab}}{{a}}{{ab}}", vars, 2, out, &missing), OK);
	assert_int_equal(template_settle(vars, 2, &missing, &why), ERR_INPUT);
	assert_string_equal(why.text, "the prompt needs a value for: ab, a");
	missing = (struct template_missing){ "", 0 };
	assert_int_equal(template_settle(vars, 2, &missing, &why), ERR_INPUT);
	assert_string_equal(why.text, "the prompt has no variable called: z");
}

static void braces_that_are_no_variable_are_refused(void **state)
{
	static const char *const bad[] = { "{{", "a {{b", "{{b}", "{{}}",
		"{{a b}}", "{{a!}}", "{{ }}", "{{{a}}}" };
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    template_check(bad[i], strlen(bad[i]), &why), ERR_INPUT);
	assert_int_equal(template_check("{ {a} }", 7, &why), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_replaced_and_values_left_alone),
		cmocka_unit_test(missing_and_unused_names_are_listed_once),
		cmocka_unit_test(braces_that_are_no_variable_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
