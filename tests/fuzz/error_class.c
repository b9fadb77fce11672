/*
 * Any bytes as a refusal: its headers and its body. It is an error with words,
 * and the wait that it asks for is none or one that can be waited for.
 */
#include "worker/error_class.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The line at *${p}, which is moved behind it; NULL: an empty one. */
static const char *line(char **p)
{
	char *from = *p, *end = strchr(from, '\n');

	*p = end == NULL ? from + strlen(from) : end + 1;
	if (end != NULL)
		*end = '\0';
	return *from == '\0' ? NULL : from;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 0, 200, 400, 401, 404, 429, 500, 503 };
	struct error_class_input in = { .in_request = true,
		.now_ms = INT64_C(1780000000000) };
	char *text = malloc(size + 1), *p = text;
	struct error_class ret;
	json_t *root;

	ASSERT(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	in.status = statuses[size % 8];
	in.retry_after = line(&p);
	in.retry_after_ms = line(&p);
	in.should_retry = line(&p);
	in.date = line(&p);
	root = json_loads(p, JSON_DECODE_ANY, NULL);
	in.root = root;
	if (root == NULL)
		in.raw = (struct text){ p, strlen(p) };
	error_class(&in, &ret);
	ASSERT(ret.error.message.len > 0);
	ASSERT(ret.error.retry_after_ms >= -1);
	ASSERT(dialect_error_name(ret.error.kind) != NULL);
	json_decref(root);
	free(text);
	return 0;
}
