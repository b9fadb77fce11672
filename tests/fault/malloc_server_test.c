/*
 * What people and clients write, read without memory.
 */
#include "server/body.h"
#include "server/config.h"
#include "tests/fault/try_all.h"

static const char config_text[] =
    "[server]\nlisten = 127.0.0.1:8080, 127.0.0.1:8081\n"
    "[store]\ndurability = full\n[log]\nlevel = info\n"
    "[upstream local]\nbase_url = http://127.0.0.1:11434/v1\nmodel = m\n"
    "[upstream far]\nbase_url = https://example.com/v1\nkey = sk-far\n";

static enum err a_config(void *arg)
{
	char *argv[] = { "test", "--config", arg, "--db", "x.db",
		"--allow-host", "example.com", NULL };
	struct option_set *set = NULL;
	struct config config = { 0 };
	struct why why = { "" };
	int first = 0;
	enum err rc;

	rc = option_set_new(config_tables(), &set);
	if (rc == OK)
		rc = option_take_flags(set, 7, argv, &first, &why);
	if (rc == OK)
		rc = config_load(set, &config, &why);
	config_fini(&config);
	option_set_free(set);
	return rc;
}

static void a_config_is_read_whole_or_not(void **state)
{
	char path[120];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s.ini", url);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(config_text, f);
	fclose(f);
	try_all("a config: ours", SCARCITY_OURS, a_config, path);
	unlink(path);
}

static const char creation[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"be {{kind}}\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}],"
    "\"model\":\"up/m\",\"temperature\":0.5,\"stop\":[\"x\",\"y\"],"
    "\"metadata\":{\"a\":[1,2,{\"b\":null}]}}";
static const char stored_prompt[] =
    "{\"template\":\"be {{kind}} to {{name}}\",\"temperature\":1}";
static const char polls[] =
    "{\"executions\":[{\"execution_id\":"
    "\"019e7044-880c-73be-959d-39e1d7f209b1\",\"fromIndex\":3}],"
    "\"wait_ms\":5}";
static const char new_key[] =
    "{\"label\":\"l\",\"owner\":\"o\",\"scopes\":[\"run\",\"read\"]}";

static enum err a_creation(void *arg)
{
	char *request = NULL, *model = NULL;
	struct body_create c = { 0 };
	json_t *root = NULL;
	struct problem p = { 0 };
	size_t n = 0;
	enum err rc;

	(void)arg;
	rc = body_parse(creation, sizeof(creation) - 1, &root, &p);
	if (rc == OK)
		rc = body_create(root, &c, &p);
	if (rc == OK)
		rc = body_request(&c, NULL, 0, &request, &n, &model, &p);
	if (rc == OK)
		ASSERT(n > 100 && strcmp(model, "up/m") == 0);
	body_create_fini(&c);
	free(request);
	free(model);
	json_decref(root);
	return rc;
}

static enum err a_stored_prompt(void *arg)
{
	static const char use[] =
	    "{\"promptId\":\"p\",\"inputs\":{\"kind\":\"good\",\"name\":"
	    "\"Ada\"}}";
	char *stored = NULL, *request = NULL, *model = NULL;
	struct body_create c = { 0 };
	json_t *root = NULL;
	struct problem p = { 0 };
	size_t len = 0, n = 0;
	enum err rc;

	(void)arg;
	rc = body_prompt(
	    stored_prompt, sizeof(stored_prompt) - 1, &stored, &len, &p);
	if (rc == OK)
		rc = body_parse(use, sizeof(use) - 1, &root, &p);
	if (rc == OK)
		rc = body_create(root, &c, &p);
	if (rc == OK)
		rc = body_request(&c, stored, len, &request, &n, &model, &p);
	if (rc == OK)
		ASSERT(strstr(request, "be good to Ada") != NULL);
	body_create_fini(&c);
	free(stored);
	free(request);
	free(model);
	json_decref(root);
	return rc;
}

static const char chat[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
    "{\"type\":\"text\",\"text\":\"hi\",\"x\":1}]},{\"role\":\"assistant\","
    "\"content\":null,\"refusal\":\"no\"}],\"max_tokens\":5,\"user\":\"u\","
    "\"stop\":\"x\",\"stream_options\":{\"include_usage\":true}}";
static const char ui_messages[] =
    "{\"id\":\"c\",\"model\":\"m\",\"messages\":[{\"role\":\"user\","
    "\"parts\":[{\"type\":\"text\",\"text\":\"hi\"}]},{\"id\":\"2\","
    "\"role\":\"assistant\",\"parts\":[{\"type\":\"step-start\"},"
    "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"tool-f\","
    "\"toolCallId\":\"1\",\"state\":\"output-available\",\"input\":{},"
    "\"output\":{\"x\":1}}]}]}";
static const char question[] =
    "{\"text\":\"hi\",\"orgId\":\"o\",\"conversationContext\":[{\"role\":"
    "\"user\",\"content\":\"before\"}]}";
static const char embeddings[] =
    "{\"model\":\"m\",\"input\":\"hi\",\"dimensions\":5,\"user\":\"u\"}";

/* What clients of other protocols send. */
static enum err foreign_bodies(void *arg)
{
	struct body_embeddings vectors = { 0 };
	struct body_create asked = { 0 };
	struct body_chat c = { 0 };
	struct body_ui ui = { 0 };
	json_t *root[4] = { NULL };
	struct problem p = { 0 };
	enum err rc;

	(void)arg;
	rc = body_parse(chat, sizeof(chat) - 1, &root[0], &p);
	if (rc == OK)
		rc = body_chat(root[0], false, &c, &p);
	if (rc == OK)
		rc = body_parse(
		    ui_messages, sizeof(ui_messages) - 1, &root[1], &p);
	if (rc == OK)
		rc = body_ui(root[1], false, &ui, &p);
	if (rc == OK)
		rc = body_parse(question, sizeof(question) - 1, &root[2], &p);
	if (rc == OK)
		rc = body_question(root[2], false, &asked, &p);
	if (rc == OK)
		rc = body_parse(
		    embeddings, sizeof(embeddings) - 1, &root[3], &p);
	if (rc == OK)
		rc = body_embeddings(root[3], &vectors, &p);
	body_create_fini(&c.create);
	body_create_fini(&ui.create);
	body_create_fini(&asked);
	body_create_fini(&vectors.create);
	for (size_t i = 0; i < 4; i++)
		json_decref(root[i]);
	return rc;
}

static enum err small_bodies(void *arg)
{
	static struct body_poll many;
	struct problem p = { 0 };
	struct key key;
	enum err rc;

	(void)arg;
	rc = body_poll(polls, sizeof(polls) - 1, &many, &p);
	if (rc == OK)
		rc = body_key(new_key, sizeof(new_key) - 1, 0, &key, &p);
	return rc;
}

static void bodies_are_read_whole_or_not(void **state)
{
	static const struct {
		const char *what;
		scenario_fn *run;
	} bodies[] = {
		{ "a creation", a_creation },
		{ "a stored prompt", a_stored_prompt },
		{ "foreign bodies", foreign_bodies },
		{ "small bodies", small_bodies },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		try_all(bodies[i].what, SCARCITY_OURS, bodies[i].run, NULL);
		try_all(bodies[i].what, SCARCITY_JANSSON, bodies[i].run, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_is_read_whole_or_not),
		cmocka_unit_test(bodies_are_read_whole_or_not),
	};

	return TRY_GROUP(tests);
}
