#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/ws_handshake.h"

static struct ws_handshake good(void)
{
	return (struct ws_handshake){ .upgrade = "websocket",
		.connection = "Upgrade",
		.key = "dGhlIHNhbXBsZSBub25jZQ==",
		.version = "13",
		.able = true };
}

static void the_key_of_the_rfc_gives_its_answer(void **state)
{
	struct ws_handshake h = good();
	char accept[WS_HANDSHAKE_ACCEPT];
	struct problem p;

	(void)state;
	assert_int_equal(ws_handshake_judge(&h, accept, &p), OK);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	h.upgrade = "h2c , WebSocket";
	h.connection = "keep-alive, upgrade";
	assert_int_equal(ws_handshake_judge(&h, accept, &p), OK);
}

static void what_asks_for_something_else_is_told_what_is_here(void **state)
{
	static const struct {
		size_t member;
		const char *value;
		enum problem_code code;
	} wrong[] = {
#define AT(m) offsetof(struct ws_handshake, m)
		{ AT(upgrade), NULL, PROBLEM_UPGRADE_REQUIRED },
		{ AT(upgrade), "websockets", PROBLEM_UPGRADE_REQUIRED },
		{ AT(connection), NULL, PROBLEM_UPGRADE_REQUIRED },
		{ AT(connection), "close", PROBLEM_UPGRADE_REQUIRED },
		{ AT(version), NULL, PROBLEM_UPGRADE_REQUIRED },
		{ AT(version), "8, 13", PROBLEM_UPGRADE_REQUIRED },
		{ AT(key), NULL, PROBLEM_INVALID_ARGUMENT },
		{ AT(key), "", PROBLEM_INVALID_ARGUMENT },
		{ AT(key),
		    "dGhlIHNhbXBsZSBub25jZQ=", PROBLEM_INVALID_ARGUMENT },
		{ AT(key), "dGhlIHNhbXBsZSBub25jZ\xc3\xbc=",
		    PROBLEM_INVALID_ARGUMENT },
		{ AT(key), "dGhlIHNhbXBsZSBub25jZQaa",
		    PROBLEM_INVALID_ARGUMENT },
#undef AT
	};
	struct problem p;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct ws_handshake h = good();
		char accept[WS_HANDSHAKE_ACCEPT] = "";

		memcpy((char *)&h + wrong[i].member, &wrong[i].value,
		    sizeof(wrong[i].value));
		assert_int_equal(ws_handshake_judge(&h, accept, &p), ERR_INPUT);
		assert_int_equal(p.code, wrong[i].code);
		assert_string_equal(accept, "");
	}
}

static void a_ticket_is_found_among_protocols(void **state)
{
	char text[8];

	(void)state;
	assert_int_equal(ws_handshake_ticket(NULL, text, 8), ERR_NOT_FOUND);
	assert_int_equal(ws_handshake_ticket("", text, 8), ERR_NOT_FOUND);
	assert_int_equal(ws_handshake_ticket("spool.v1, spool.ticke", text, 8),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    ws_handshake_ticket("spool.v1,spool.ticket.st_1234 ", text, 8), OK);
	assert_string_equal(text, "st_1234");
	assert_int_equal(
	    ws_handshake_ticket("spool.ticket.st_12345", text, 8), ERR_INPUT);
	assert_int_equal(ws_handshake_ticket("spool.ticket.", text, 8), OK);
	assert_string_equal(text, "");
	assert_true(ws_handshake_ours("chat , spool.v1"));
	assert_false(ws_handshake_ours("spool.v10"));
	assert_false(ws_handshake_ours(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_of_the_rfc_gives_its_answer),
		cmocka_unit_test(
		    what_asks_for_something_else_is_told_what_is_here),
		cmocka_unit_test(a_ticket_is_found_among_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
