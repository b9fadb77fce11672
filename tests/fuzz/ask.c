/*
 * Any bytes as a creation's body, and what is sent for it: in every dialect,
 * also with a part of the answer to go on from, it is refused with words or it
 * is JSON.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "server/body.h"
#include "store/base/log.h"
#include "worker/dialect.h"
#include "worker/prefill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send(const char *name, const char *request, size_t len)
{
	const struct dialect_target target = { .base_url = "http://a/v1",
		.model = "m",
		.key = "k",
		.is_openai = len % 2 == 0 };
	struct dialect_request out;
	struct why why = { "" };
	json_t *root;

	dialect_request_init(&out);
	if (dialect_build(
		dialect_find(name), request, len, &target, &out, &why) == OK) {
		root = json_loadb(
		    out.body.data, out.body.len, JSON_ALLOW_NUL, NULL);
		ASSERT(json_is_object(root));
		json_decref(root);
	} else {
		ASSERT(why.text[0] != '\0');
	}
	dialect_request_fini(&out);
}

static void send_all(const char *request, size_t len)
{
	static const enum prefill kinds[] = { PREFILL_YES, PREFILL_TRIMMED,
		PREFILL_VLLM };
	struct buf text, longer;

	for (const char *const *name = dialect_names(); *name != NULL; name++)
		send(*name, request, len);
	if (!prefill_possible(request, len))
		return;
	buf_init(&text, 100);
	buf_init(&longer, DIALECT_MAX_BODY_BYTES);
	buf_puts(&text, "so far \"it\" says ");
	prefill_write(&longer, kinds[len % 3], request, len, &text, 4);
	ASSERT(buf_state(&longer) == OK);
	for (const char *const *name = dialect_names(); *name != NULL; name++)
		send(*name, longer.data, longer.len);
	buf_fini(&longer);
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *request = NULL, *model = NULL;
	struct body_create c = { 0 };
	struct problem p = { 0 };
	json_t *root = NULL;
	size_t len = 0;

	if (body_parse((const char *)data, size, &root, &p) != OK)
		return 0;
	if (body_create(root, &c, &p) == OK && c.prompt[0] == '\0' &&
	    body_request(&c, NULL, 0, &request, &len, &model, &p) == OK)
		send_all(request, len);
	body_create_fini(&c);
	free(request);
	free(model);
	json_decref(root);
	return 0;
}
