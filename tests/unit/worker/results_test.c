#include "worker/results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/decimal.h"

static int64_t pusd(const char *s)
{
	return results_pusd(s, strlen(s));
}

static void prices_are_exact(void **state)
{
	(void)state;
	assert_int_equal(pusd("0"), 0);
	assert_int_equal(pusd("0.000003"), 3000000);
	assert_int_equal(pusd("1.5e-7"), 150000);
	assert_int_equal(pusd("0.00000012345678"), 123457);
	assert_int_equal(pusd("123456789E-9"), 123456789000);
	assert_int_equal(pusd("1"), 1000000000000);
	assert_int_equal(pusd("9223372.036854775807"), INT64_MAX);
}

static void halves_go_to_the_even_side(void **state)
{
	(void)state;
	assert_int_equal(pusd("0.0000000000005"), 0);
	assert_int_equal(pusd("0.0000000000015"), 2);
	assert_int_equal(pusd("0.0000000000025"), 2);
	assert_int_equal(pusd("0.00000000000250001"), 3);
	assert_int_equal(pusd("0.00000000000249999"), 2);
	assert_int_equal(pusd("5e-13"), 0);
	assert_int_equal(pusd("6e-13"), 1);
	assert_int_equal(pusd("9e-14"), 0);
}

static void what_is_no_price_is_unknown(void **state)
{
	static const char *const bad[] = { "-1", "", ".", "e5", "1e", "abc",
		"1 ", "0x10", "inf", "nan", "1e99", "9223372.036854775808",
		"1.2.3" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pusd(bad[i]), RESULTS_PRICE_UNKNOWN);
}

static void delays_round_up(void **state)
{
	int64_t v = 0;

	(void)state;
	assert_true(decimal_parse("0.0001", 6, 3, DECIMAL_UP, &v));
	assert_int_equal(v, 1);
	assert_true(decimal_parse("1e-9", 4, 3, DECIMAL_UP, &v));
	assert_int_equal(v, 1);
	assert_true(decimal_parse("2.000", 5, 3, DECIMAL_UP, &v));
	assert_int_equal(v, 2000);
	assert_true(decimal_parse("-0.5", 4, 3, DECIMAL_UP, &v));
	assert_int_equal(v, -500);
}

static enum err embeddings(const char *body, struct results_embeddings *ret)
{
	return results_embeddings(
	    dialect_find("openai"), body, strlen(body), ret);
}

static void embeddings_come_in_the_order_of_the_inputs(void **state)
{
	struct results_embeddings r;

	(void)state;
	assert_int_equal(
	    embeddings("{\"data\":[{\"index\":1,\"embedding\":[3,4]},"
		       "{\"index\":0,\"embedding\":[1,2.5]}],"
		       "\"model\":\"m\",\"usage\":{\"prompt_tokens\":7}}",
		&r),
	    OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.dims, 2);
	assert_true(r.values[0] == 1 && r.values[1] == 2.5f);
	assert_true(r.values[2] == 3 && r.values[3] == 4);
	assert_string_equal(r.model, "m");
	assert_int_equal(r.input_tokens, 7);
	results_embeddings_fini(&r);
}

static void base64_is_little_endian_floats(void **state)
{
	struct results_embeddings r;

	(void)state;
	assert_int_equal(
	    embeddings("{\"data\":[{\"embedding\":\"AACAPwAAAMA=\"}]}", &r),
	    OK);
	assert_int_equal(r.dims, 2);
	assert_true(r.values[0] == 1 && r.values[1] == -2);
	assert_null(r.model);
	assert_int_equal(r.input_tokens, -1);
	results_embeddings_fini(&r);
}

static void what_is_no_embedding_is_refused(void **state)
{
	static const char *const bad[] = { "[]", "{}", "{", "{\"data\":{}}",
		"{\"data\":[{}]}", "{\"data\":[{\"embedding\":\"AAA\"}]}",
		"{\"data\":[{\"embedding\":\"A*==\"}]}",
		"{\"data\":[{\"embedding\":[1,\"2\"]}]}",
		"{\"data\":[{\"embedding\":[1]},{\"embedding\":[1,2]}]}",
		"{\"data\":[7]}", "{\"error\":{\"message\":\"x\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct results_embeddings r = { .n = 77 };

		assert_int_equal(embeddings(bad[i], &r), ERR_UPSTREAM);
		assert_int_equal(r.n, 77);
	}
}

static void no_inputs_give_no_rows(void **state)
{
	struct results_embeddings r;

	(void)state;
	assert_int_equal(embeddings("{\"data\":[]}", &r), OK);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.dims, 0);
	results_embeddings_fini(&r);
}

static void models_without_an_id_are_dropped(void **state)
{
	static const char body[] =
	    "{\"data\":[{\"id\":\"\",\"name\":\"n\"},{\"id\":\"a\","
	    "\"max_model_len\":8,\"pricing\":{\"prompt\":1e-6,"
	    "\"request\":\"-1\"}},7,{\"id\":\"b\",\"meta\":{\"n_ctx_train\":"
	    "4}}],\"links\":{\"next\":\"u\"}}";
	struct results_models r;

	(void)state;
	assert_int_equal(
	    results_models(dialect_find("openai"), body, sizeof(body) - 1, &r),
	    OK);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.models[0].id, "a");
	assert_int_equal(r.models[0].context_length, 8);
	assert_true(r.models[0].has_prices);
	assert_int_equal(r.models[0].price_pusd[PRICE_PROMPT], 1000000);
	assert_int_equal(
	    r.models[0].price_pusd[PRICE_REQUEST], RESULTS_PRICE_UNKNOWN);
	assert_int_equal(
	    r.models[0].price_pusd[PRICE_IMAGE], RESULTS_PRICE_ABSENT);
	assert_false(r.models[1].has_prices);
	assert_int_equal(r.models[1].context_length, 4);
	assert_string_equal(r.next, "u");
	results_models_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prices_are_exact),
		cmocka_unit_test(halves_go_to_the_even_side),
		cmocka_unit_test(what_is_no_price_is_unknown),
		cmocka_unit_test(delays_round_up),
		cmocka_unit_test(embeddings_come_in_the_order_of_the_inputs),
		cmocka_unit_test(base64_is_little_endian_floats),
		cmocka_unit_test(what_is_no_embedding_is_refused),
		cmocka_unit_test(no_inputs_give_no_rows),
		cmocka_unit_test(models_without_an_id_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
