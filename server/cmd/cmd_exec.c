#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/follow.h"
#include "server/cmd/output.h"
#include "store/base/id.h"

#define MAX_PROMPT_BYTES ((size_t)16 << 20)

static const char *const policies[] = { "fail", "restart", "continue", "auto",
	NULL };

static const struct option_spec options[] = {
	{ .name = "model",
	    .letter = 'm',
	    .kind = OPTION_STRING,
	    .arg = "MODEL",
	    .group = "Question",
	    .help = "a name that the server knows, UPSTREAM/MODEL, or MODEL of "
		    "its default upstream; else its default" },
	{ .name = "system",
	    .letter = 's',
	    .kind = OPTION_STRING,
	    .arg = "TEXT",
	    .group = "Question",
	    .help = "instructions that come before the prompt" },
	{ .name = "prompt-id",
	    .letter = 'p',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Question",
	    .help = "a stored prompt (NAME or NAME@VERSION) instead of text" },
	{ .name = "input",
	    .letter = 'i',
	    .kind = OPTION_LIST,
	    .arg = "NAME=TEXT",
	    .group = "Question",
	    .help = "a value for {{NAME}} of the stored prompt; repeatable" },
	{ .name = "max-tokens",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .min = 1,
	    .group = "Question",
	    .help = "the longest answer, in tokens" },
	{ .name = "temperature",
	    .kind = OPTION_NUMBER,
	    .arg = "X",
	    .max = 2,
	    .group = "Question",
	    .help = "0 … 2" },
	{ .name = "on-interrupt",
	    .kind = OPTION_ENUM,
	    .arg = "POLICY",
	    .words = policies,
	    .group = "Question",
	    .help = "when the answer breaks off half-way: fail, restart, "
		    "continue (else fail), auto; else the server's, but into a "
		    "pipe or a file, which takes nothing back, continue" },
	{ .name = "provider-key",
	    .kind = OPTION_SECRET,
	    .arg = "PATH",
	    .group = "Question",
	    .help = "a key of your own for the upstream that is asked, or "
		    "UPSTREAM=KEY; for this execution alone, never stored",
	    .env = "SPOOL_PROVIDER_KEY" },
	{ .name = "detach",
	    .kind = OPTION_BOOL,
	    .group = "Reading",
	    .help = "print the execution's id and leave" },
	{ .name = "follow",
	    .kind = OPTION_BOOL,
	    .fallback = "true",
	    .group = "Reading",
	    .help = "do not read along: as --detach" },
	{ .name = "reasoning",
	    .kind = OPTION_BOOL,
	    .group = "Reading",
	    .help = "show the model's thoughts, on stderr" },
	{ .name = "wait",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .group = "Reading",
	    .help = "leave after this long (exit code 124); the execution goes "
		    "on" },
	{ .name = NULL },
};

/* All of stdin. Gives: *${ret} for free(). */
static enum err read_stdin(char **ret, struct why *why)
{
	struct buf text;
	enum err err = OK;
	char *room;
	ssize_t n;

	buf_init(&text, MAX_PROMPT_BYTES);
	for (;;) {
		room = buf_room(&text, 65536);
		if (!room)
			break;
		n = read(STDIN_FILENO, room, 65536);
		if (n <= 0)
			break;
		text.len += (size_t)n;
	}
	err = buf_state(&text);
	if (err == ERR_LIMIT) {
		err_why(why, "the prompt on stdin is too long");
		err = ERR_INPUT;
	} else if (!err && memchr(text.data, '\0', text.len)) {
		err_why(why, "the prompt on stdin has a NUL in it");
		err = ERR_INPUT;
	} else if (!err) {
		while (text.len && text.data[text.len - 1] == '\n')
			text.len--;
		*ret = strndup(text.data, text.len);
		err = *ret ? OK : ERR_NOMEM;
	}
	buf_fini(&text);
	return err;
}

/* --input a=b … as {"a":"b",…}; NULL without any. */
static enum err inputs(
    const struct option_set *o, json_t **ret, struct why *why)
{
	const char *const *list = option_list(o, "input");
	json_t *all = NULL;

	if (!list[0])
		return OK;
	all = json_object();
	for (size_t i = 0; all && list[i]; i++) {
		const char *equals = strchr(list[i], '=');
		char name[128];

		if (!equals || equals == list[i] ||
		    (size_t)(equals - list[i]) >= sizeof(name)) {
			err_why(why, "--input %s: write NAME=TEXT", list[i]);
			json_decref(all);
			return ERR_INPUT;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(equals - list[i]),
		    list[i]);
		if (json_object_set_new(all, name, json_string(equals + 1))) {
			err_why(why, "--input %s: the text is not UTF-8", name);
			json_decref(all);
			return ERR_INPUT;
		}
	}
	*ret = all;
	return all ? OK : ERR_NOMEM;
}

static void set_text(json_t *body, const char *member, const char *text)
{
	if (text)
		json_object_set_new(body, member, json_string(text));
}

/* Text that went into a pipe cannot be withdrawn. */
static const char *policy(const struct option_set *o)
{
	bool reads = option_bool(o, "follow") && !option_bool(o, "detach");

	if (option_text(o, "on-interrupt"))
		return option_text(o, "on-interrupt");
	return reads && !output_json() && !isatty(STDOUT_FILENO) ? "continue"
								 : NULL;
}

/* What to ask, as POST /v1/executions takes it. */
static enum err make_body(
    const struct option_set *o, const char *prompt, char **ret, struct why *why)
{
	const char *id = option_text(o, "prompt-id");
	const char *system = option_text(o, "system");
	json_t *values = NULL, *body = NULL;
	enum err err;

	err = inputs(o, &values, why);
	if (err)
		return err;
	if (!id == !prompt || (values && !id)) {
		if (id && prompt)
			err_why(why, "give a PROMPT or --prompt-id, not both");
		else if (prompt)
			err_why(why, "--input fills in a stored prompt: name "
				     "it with --prompt-id, without a PROMPT");
		else
			err_why(why, "exec wants a PROMPT (- reads it from "
				     "stdin), or --prompt-id NAME with --input "
				     "NAME=TEXT");
		err = ERR_INPUT;
		goto out;
	}
	body = json_object();
	set_text(body, "model", option_text(o, "model"));
	set_text(body, "on_interrupt", policy(o));
	set_text(body, "system", system);
	set_text(body, "prompt", prompt);
	set_text(body, "prompt_id", id);
	if (values)
		json_object_set(body, "inputs", values);
	if (option_int(o, "max-tokens"))
		json_object_set_new(body, "max_output_tokens",
		    json_integer(option_int(o, "max-tokens")));
	if (option_origin(o, "temperature") != OPTION_FROM_DEFAULT)
		json_object_set_new(body, "temperature",
		    json_real(option_number(o, "temperature")));
	if ((prompt && !json_object_get(body, "prompt")) ||
	    (system && !json_object_get(body, "system"))) {
		err_why(why, "the prompt is not UTF-8");
		err = ERR_INPUT;
		goto out;
	}
	*ret = json_dumps(body, JSON_COMPACT);
	err = *ret ? OK : ERR_NOMEM;
out:
	json_decref(values);
	json_decref(body);
	return err;
}

static enum err create(struct client *client, const struct option_set *o,
    const char *body, json_t **ret, struct why *why)
{
	char key[ID_TEXT];
	struct id id = id_new();
	struct client_call call = { .method = CLIENT_POST,
		.path = "/v1/executions",
		.body = body,
		.idempotency_key = key,
		.provider_key = option_text(o, "provider-key") };

	/* So that asking again after a cut makes no second execution. */
	id_text(&id, key);
	return client_call(client, &call, ret, why);
}

static enum cmd_exit run(struct cmd *c)
{
	const struct option_set *o = c->options;
	char *text = NULL, *body = NULL;
	const char *prompt = c->operands[0];
	struct client *client = NULL;
	struct why why = { "" };
	json_t *made = NULL;
	enum cmd_exit code;
	enum err err = OK;
	const char *id;

	if (prompt && strcmp(prompt, "-") == 0) {
		err = read_stdin(&text, &why);
		prompt = text;
	}
	if (!err)
		err = make_body(o, prompt, &body, &why);
	if (!err)
		err = client_open(o, &client, &why);
	if (!err)
		err = create(client, o, body, &made, &why);
	if (err) {
		code = cmd_fail(err, &why);
		goto out;
	}
	id = client_member(made, "execution_id");
	code = CMD_OK;
	if (!option_bool(o, "detach") && option_bool(o, "follow"))
		code = follow_run(client, id, 0, option_int(o, "wait"),
		    option_bool(o, "reasoning"));
	else if (output_json())
		client_print(made);
	else
		printf("%s\n", id);
out:
	json_decref(made);
	client_close(client);
	free(body);
	free(text);
	return code;
}

static const char *const aliases[] = { "run", "ask", NULL };
static const struct command command = {
	.name = "exec",
	.aliases = aliases,
	.group = "Executions",
	.summary = "run a prompt and read the answer as it comes",
	.usage = "[options] PROMPT|-",
	.about = "The answer goes to stdout, how it ended to stderr. Ctrl-C "
		 "stops reading, not the execution: \"spool tail ID\" reads "
		 "on, \"spool cancel ID\" stops it.",
	.examples = "spool exec \"Why is the sky blue?\"\n"
		    "git diff | spool exec --system \"Review this patch.\" -\n"
		    "spool exec --prompt-id greet --input name=Ada --json\n"
		    "id=$(spool exec --detach \"A long story\"); spool tail "
		    "$id\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.max_operands = 1,
	.run = run,
};

const struct command *cmd_exec(void)
{
	return &command;
}
