#include "server/cmd/ask.h"

#include <stdlib.h>
#include <string.h>

#include "server/cmd/output.h"

#define CELL_BYTES 200

static enum err ask(struct cmd *c, struct client_call *call, const char *path,
    const char *name, json_t **ret, struct why *why)
{
	struct client *client = NULL;
	struct buf b;
	enum err err;

	buf_init(&b, 4096);
	client_path(&b, path, name);
	buf_putc(&b, '\0');
	err = buf_state(&b);
	if (!err)
		err = client_open(c->options, &client, why);
	if (!err) {
		call->path = b.data;
		err = client_call(client, call, ret, why);
	}
	client_close(client);
	buf_fini(&b);
	return err;
}

enum err ask_try(struct cmd *c, enum client_method method, const char *path,
    const char *name, json_t *body, json_t **ret, struct why *why)
{
	struct client_call call = { .method = method };
	char *text = NULL;
	enum err err = OK;

	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		err = text ? OK : ERR_NOMEM;
		call.body = text;
	}
	json_decref(body);
	if (!err)
		err = ask(c, &call, path, name, ret, why);
	free(text);
	return err;
}

enum cmd_exit ask_server(struct cmd *c, enum client_method method,
    const char *path, const char *name, json_t *body, json_t **ret)
{
	struct why why = { "" };
	enum err err = ask_try(c, method, path, name, body, ret, &why);

	return err ? cmd_fail(err, &why) : CMD_OK;
}

enum cmd_exit ask_fail(const char *id, enum err err, const struct why *why)
{
	enum cmd_exit code = cmd_fail(err, why);
	json_t *line;

	if (!output_json())
		return code;
	line = json_pack("{s:s, s:s, s:i, s:s}", "execution_id", id, "result",
	    "failed", "exit_code", (int)code, "why",
	    why->text[0] ? why->text : err_name(err));
	client_print(line);
	json_decref(line);
	return code;
}

void ask_print_members(json_t *object)
{
	static const char *const heading[] = { "name", "value" };
	struct output_rows rows = { .n_columns = 2 };
	char text[4096];
	void *at;

	if (output_json()) {
		client_print(object);
		return;
	}
	for (at = json_object_iter(object); at;
	     at = json_object_iter_next(object, at)) {
		const char *const cells[] = { json_object_iter_key(at), text };

		client_show(json_object_iter_value(at), text, sizeof(text));
		output_rows_add(&rows, cells);
	}
	if (!output_rows_print(&rows, heading))
		cmd_say("not everything could be shown: no memory");
}

enum cmd_exit ask_print_list(
    const json_t *list, const char *const *members, size_t n)
{
	struct output_rows rows = { .n_columns = n };
	char text[OUTPUT_MAX_COLUMNS][CELL_BYTES];
	const char *cells[OUTPUT_MAX_COLUMNS];

	if (!json_is_array(list)) {
		cmd_say("the server's answer has no list in it");
		return CMD_FAILED;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (output_json()) {
			client_print(one);
			continue;
		}
		for (size_t k = 0; k < n; k++) {
			client_show(json_object_get(one, members[k]), text[k],
			    CELL_BYTES);
			cells[k] = text[k];
		}
		output_rows_add(&rows, cells);
	}
	if (!output_json() && !output_rows_print(&rows, members))
		return CMD_FAILED;
	return CMD_OK;
}
