/* Any bytes as a body: refused with words, or a request that reads back. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "server/body.h"
#include "server/front_callable_args.h"
#include "store/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_creation(const char *text, size_t len)
{
	char *request = NULL, *model = NULL;
	struct body_create c = { 0 };
	json_t *root = NULL, *again;
	struct problem p = { 0 };
	size_t n = 0;

	if (body_parse(text, len, &root, &p) != OK) {
		ASSERT(p.detail[0]);
		return;
	}
	if (body_create(root, &c, &p) != OK) {
		ASSERT(p.detail[0]);
	} else if (c.prompt[0] == '\0' &&
		   body_request(&c, NULL, 0, &request, &n, &model, &p) == OK) {
		again = json_loadb(request, n, JSON_ALLOW_NUL, NULL);
		ASSERT(again);
		ASSERT(json_is_array(json_object_get(again, "messages")));
		json_decref(again);
	}
	body_create_fini(&c);
	free(request);
	free(model);
	json_decref(root);
}

/* As OpenAI's and the AI SDK's clients would send it. */
static void as_chat(const char *text, size_t len)
{
	struct body_chat chat = { 0 };
	struct body_ui ui = { 0 };
	struct body_create question = { 0 };
	struct body_embeddings embeddings = { 0 };
	json_t *root = NULL;
	struct problem p = { 0 };

	if (body_parse(text, len, &root, &p) != OK)
		return;
	if (body_chat(root, false, &chat, &p) != OK)
		ASSERT(p.detail[0]);
	if (body_ui(root, true, &ui, &p) != OK)
		ASSERT(p.detail[0]);
	if (body_question(root, true, &question, &p) != OK)
		ASSERT(p.detail[0]);
	if (body_embeddings(root, &embeddings, &p) != OK)
		ASSERT(p.detail[0]);
	body_create_fini(&embeddings.create);
	body_create_fini(&question);
	body_create_fini(&chat.create);
	body_create_fini(&ui.create);
	json_decref(root);
}

/* A response's creation, after an answer that is there. */
static void as_response(const char *text, size_t len)
{
	static const char output[] =
	    "[{\"id\":\"msg_x\",\"type\":\"message\",\"role\":\"assistant\","
	    "\"content\":[{\"type\":\"output_text\",\"text\":\"a\"}]}]";
	struct body_responses r = { 0 };
	json_t *root = NULL, *past = json_object(), *items;
	char *request = NULL, *model = NULL, *echo;
	struct id id = { { 0 } };
	struct body_past needs;
	struct problem p = { 0 };
	size_t n = 0;

	if (!past || body_parse(text, len, &root, &p) != OK ||
	    body_responses_past(root, &needs, &p) != OK)
		goto out;
	for (size_t i = 0; i < needs.n; i++)
		ASSERT(body_responses_note(past, &needs.id[i], text, len,
			   output, sizeof(output) - 1) == OK);
	if (body_responses(root, false, past, &r, &p) != OK) {
		ASSERT(p.detail[0]);
	} else if (body_request(&r.create, NULL, 0, &request, &n, &model, &p) ==
		   OK) {
		echo = body_responses_echo(request, n);
		ASSERT(echo);
		free(echo);
		items = body_responses_items(&id, request, n);
		ASSERT(items);
		json_decref(items);
	}
out:
	body_create_fini(&r.create);
	free(request);
	free(model);
	json_decref(root);
	json_decref(past);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct callable_poll poll;
	static struct body_poll many;
	char backup[BODY_BACKUP_BYTES];
	static struct body_prune removal;
	json_t *args = NULL;
	struct problem p;
	struct key key;
	char *prompt = NULL;
	size_t n;

	as_creation(text, size);
	as_chat(text, size);
	as_response(text, size);
	if (front_callable_args_data(text, size, &args, &p) == OK) {
		(void)!front_callable_args_poll(args, &poll, &p);
		json_decref(args);
	}
	if (body_prompt(text, size, &prompt, &n, &p) == OK)
		free(prompt);
	(void)!body_poll(text, size, &many, &p);
	if (body_prune(text, size, &removal, &p) == OK)
		ASSERT(removal.n > 0 || removal.limit > 0);
	else
		ASSERT(p.detail[0]);
	(void)!body_ids(text, size, removal.id, &removal.n, &p);
	(void)!body_key(text, size, 0, &key, &p);
	(void)!body_backup(text, size, backup, &p);
	return 0;
}
