#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/body.h"

#define USER                                                             \
	"{\"id\":\"1\",\"role\":\"user\",\"parts\":[{\"type\":\"text\"," \
	"\"text\":\"hi\"}]}"
#define HI \
	"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}"

static char *request(const char *text, struct body_ui *ret, struct problem *p)
{
	char *out = NULL, *model = NULL;
	struct body_ui ui = { 0 };
	json_t *root = NULL;
	size_t n;

	if (body_parse(text, strlen(text), &root, p) == OK &&
	    body_ui(root, true, &ui, p) == OK)
		assert_int_equal(
		    body_request(&ui.create, NULL, 0, &out, &n, &model, p), OK);
	json_decref(root);
	*ret = ui;
	body_create_fini(&ui.create);
	free(model);
	return out;
}

static void becomes(const char *text, const char *want)
{
	struct problem p = { 0 };
	struct body_ui ui;
	char *got = request(text, &ui, &p);
	json_t *a, *b;

	if (!got)
		fail_msg("%s: %s", text, p.detail);
	a = json_loads(got, 0, NULL);
	b = json_loads(want, 0, NULL);
	assert_non_null(b);
	if (!json_equal(a, b))
		fail_msg("%s\nbecame %s\nnot %s", text, got, want);
	json_decref(a);
	json_decref(b);
	free(got);
}

static void refused(const char *text, const char *field, const char *word)
{
	struct problem p = { 0 };
	struct body_ui ui;
	char *got = request(text, &ui, &p);

	if (got)
		fail_msg("%s was taken as %s", text, got);
	assert_string_equal(p.field, field);
	if (!strstr(p.detail, word))
		fail_msg("%s: \"%s\" lacks \"%s\"", text, p.detail, word);
}

static void what_was_shown_becomes_what_a_model_reads(void **state)
{
	(void)state;
	becomes("{\"messages\":[" USER "]}",
	    "{\"messages\":[" HI "],\"on_interrupt\":\"fail\",\"reply\":{}}");
	becomes("{\"id\":\"c\",\"trigger\":\"submit-message\",\"messageId\":"
		"null,\"model\":\"m\",\"messages\":["
		"{\"role\":\"system\",\"parts\":[{\"type\":\"text\",\"text\":"
		"\"s\"}]}," USER ","
		"{\"id\":\"2\",\"role\":\"assistant\",\"parts\":["
		"{\"type\":\"step-start\"},"
		"{\"type\":\"reasoning\",\"text\":\"hm\"},"
		"{\"type\":\"text\",\"text\":\"a\"},"
		"{\"type\":\"dynamic-tool\",\"toolName\":\"f\",\"toolCallId\":"
		"\"1\",\"state\":\"output-available\",\"input\":{\"x\":1},"
		"\"output\":\"o\"},"
		"{\"type\":\"tool-g\",\"toolCallId\":\"2\",\"state\":"
		"\"input-available\",\"input\":{}},"
		"{\"type\":\"step-start\"},"
		"{\"type\":\"text\",\"text\":\"b\"},"
		"{\"type\":\"data-x\",\"data\":1},"
		"{\"type\":\"text\",\"text\":\"c\"}]}]}",
	    "{\"model\":\"m\",\"messages\":["
	    "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"s\"}]}," HI ","
	    "{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{"
	    "\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{\\\"x\\\":1}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"o\"},"
	    "{\"role\":\"assistant\",\"content\":\"bc\"}],"
	    "\"on_interrupt\":\"fail\","
	    "\"reply\":{\"chat\":\"c\",\"message\":\"2\"}}");
}

static void what_cannot_be_said_is_refused_by_its_place(void **state)
{
	(void)state;
	refused("{}", "messages", "UI message");
	refused("{\"messages\":[{\"role\":\"tool\",\"parts\":[]}]}",
	    "messages[0]", "role");
	refused("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
	    "messages[0]", "parts");
	refused("{\"messages\":[{\"role\":\"user\",\"parts\":[{\"type\":"
		"\"file\",\"mediaType\":\"audio/wav\",\"url\":\"data:,\"}]}]}",
	    "messages[0].parts[0]", "only images");
	refused("{\"messages\":[{\"role\":\"user\",\"parts\":[{\"type\":"
		"\"text\"}]}]}",
	    "messages[0].parts[0]", "lacks");
	refused("{\"messages\":[{\"role\":\"assistant\",\"parts\":[{\"type\":"
		"\"tool-f\",\"state\":\"output-available\"}]}]}",
	    "messages[0].parts[0]", "toolCallId");
	refused("{\"messages\":[" USER "],\"on_interrupt\":\"auto\"}",
	    "on_interrupt", "withdraw");
	refused("{\"messages\":[" USER "],\"on_disconnect\":1}",
	    "on_disconnect", "cancel");
	refused("{\"messages\":[" USER "],\"id\":5}", "id", "string");
	refused("{\"messages\":[" USER "],\"bogus\":5}", "bogus", "not known");
}

static void what_is_told_later_is_read_back(void **state)
{
	struct problem p = { 0 };
	struct body_ui ui, again;
	char *got = request(
	    "{\"id\":\"c\",\"on_disconnect\":\"cancel\",\"messages\":[" USER
	    "]}",
	    &ui, &p);

	(void)state;
	assert_non_null(got);
	assert_true(ui.cancel_if_gone);
	body_ui_reply(got, strlen(got), &again);
	assert_string_equal(again.chat, "c");
	assert_string_equal(again.message, "");
	free(got);
	body_ui_reply(NULL, 0, &again);
	assert_string_equal(again.chat, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_shown_becomes_what_a_model_reads),
		cmocka_unit_test(what_cannot_be_said_is_refused_by_its_place),
		cmocka_unit_test(what_is_told_later_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
