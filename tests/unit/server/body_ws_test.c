#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/body_ws.h"

#define ID "01890000-0000-7000-8000-000000000001"

static enum err parse(const char *text, struct body_ws *w, struct problem *p)
{
	return body_ws(text, strlen(text), w, p);
}

static void each_type_is_read(void **state)
{
	struct body_ws w;
	struct problem p;

	(void)state;
	assert_int_equal(
	    parse("{\"type\":\"start\",\"id\":\"a\\\"b\",\"request\":"
		  "{\"prompt\":\"x\"},\"after\":4,"
		  "\"on_disconnect\":\"cancel\","
		  "\"idempotency_key\":\"k\"}",
		&w, &p),
	    OK);
	assert_int_equal(w.type, BODY_WS_START);
	assert_string_equal(w.tag, "\"a\\\"b\"");
	assert_true(w.follow && w.cancel_if_gone);
	assert_int_equal(w.from, 5);
	assert_string_equal(w.idempotency_key, "k");
	assert_non_null(w.create.members);
	body_ws_fini(&w);
	assert_int_equal(parse("{\"type\":\"subscribe\",\"id\":7,"
			       "\"execution_id\":\"" ID "\",\"from\":3.0}",
			     &w, &p),
	    OK);
	assert_int_equal(w.type, BODY_WS_SUBSCRIBE);
	assert_string_equal(w.tag, "7");
	assert_int_equal(w.from, 3);
	assert_false(w.cancel_if_gone);
	body_ws_fini(&w);
	assert_int_equal(
	    parse("{\"type\":\"cancel\",\"execution_id\":\"" ID "\"}", &w, &p),
	    OK);
	assert_int_equal(w.type, BODY_WS_CANCEL);
	assert_string_equal(w.tag, "");
	body_ws_fini(&w);
	assert_int_equal(parse("{\"query\":\"q\",\"session_id\":\"s\","
			       "\"user\":\"whoever\"}",
			     &w, &p),
	    OK);
	assert_int_equal(w.type, BODY_WS_QUERY);
	assert_string_equal(w.tag, "\"s\"");
	assert_string_equal(w.query, "\"q\"");
	body_ws_fini(&w);
}

/* The hash is of the request alone, as a client sends it compactly. */
static void the_same_request_has_the_hash_of_its_body(void **state)
{
	static const char body[] = "{\"prompt\":\"x\",\"seed\":1}";
	uint8_t hash[DIGEST_BYTES];
	struct body_ws w;
	struct problem p;

	(void)state;
	digest_sha256(body, strlen(body), hash);
	assert_int_equal(
	    parse("{\"request\": {\"prompt\": \"x\", \"seed\": 1}, "
		  "\"type\": \"start\", \"id\": 1}",
		&w, &p),
	    OK);
	assert_memory_equal(w.hash, hash, sizeof(hash));
	body_ws_fini(&w);
}

static void a_refusal_names_the_field_and_keeps_the_tag(void **state)
{
	static const struct {
		const char *text, *field, *tag;
	} wrong[] = {
		{ "{\"type\":\"starts\",\"id\":1}", "type", "1" },
		{ "{\"type\":1,\"id\":1}", "type", "1" },
		{ "{\"type\":\"ping\",\"id\":{}}", "id", "" },
		{ "{\"type\":\"ping\",\"id\":1.5}", "id", "" },
		{ "{\"type\":\"ping\",\"ids\":1}", "ids", "" },
		{ "{\"type\":\"start\",\"id\":1,\"request\":[]}", "request",
		    "1" },
		{ "{\"type\":\"start\",\"id\":1,\"subscribe\":1,\"request\":{}}",
		    "subscribe", "1" },
		{ "{\"type\":\"cancel\",\"id\":1,\"execution_id\":\"x\"}",
		    "execution_id", "1" },
		{ "{\"type\":\"cancel\",\"id\":1,\"execution_id\":\"" ID
		  "\",\"from\":1}",
		    "from", "1" },
		{ "{\"type\":\"subscribe\",\"id\":1,\"execution_id\":\"" ID
		  "\",\"after\":-2}",
		    "after", "1" },
		{ "{\"query\":1,\"session_id\":\"s\"}", "query", "\"s\"" },
	};
	struct problem p;
	struct body_ws w;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i].text, &w, &p), ERR_INPUT);
		assert_string_equal(p.field, wrong[i].field);
		assert_string_equal(w.tag, wrong[i].tag);
		assert_null(w.create.members);
		assert_null(w.query);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_read),
		cmocka_unit_test(the_same_request_has_the_hash_of_its_body),
		cmocka_unit_test(a_refusal_names_the_field_and_keeps_the_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
