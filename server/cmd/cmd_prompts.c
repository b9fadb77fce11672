#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/ask.h"
#include "server/cmd/input.h"
#include "server/cmd/output.h"
#include "store/base/buf.h"

#define MAX_TEMPLATE_BYTES ((size_t)1 << 20)

static const struct option_spec set_options[] = {
	{ .name = "system",
	    .letter = 's',
	    .kind = OPTION_STRING,
	    .arg = "TEXT",
	    .group = "Prompt",
	    .help = "instructions that come before the template" },
	{ .name = "model",
	    .letter = 'm',
	    .kind = OPTION_STRING,
	    .arg = "MODEL",
	    .group = "Prompt",
	    .help = "the model, unless the execution names one" },
	{ .name = "as-json",
	    .kind = OPTION_BOOL,
	    .group = "Prompt",
	    .help = "the text is the whole prompt as the API takes it" },
	{ .name = NULL },
};

/* A file, or stdin for "-", as text. */
static enum err read_text(const char *path, struct buf *b, struct why *why)
{
	FILE *f = NULL;
	enum err err;
	char *room;
	size_t n;

	err = input_open(path, &f, why);
	/* The template itself was typed: that is no name of a file. */
	if (err == ERR_NOT_FOUND && strpbrk(path, "{ \n"))
		err = ERR_INPUT;
	if (err == ERR_NOT_FOUND || err == ERR_INPUT)
		err_why(why,
		    "there is no file \"%s\": name one that has the template, "
		    "or write it to stdin",
		    path);
	if (err)
		return err;
	do {
		room = buf_room(b, 16384);
		n = room ? fread(room, 1, 16384, f) : 0;
		b->len += n;
	} while (n);
	err = buf_state(b);
	while (!err && b->len && b->data[b->len - 1] == '\n')
		b->len--; /* echo's, not the template's */
	if (err == ERR_LIMIT) {
		err_why(why, "%s is too long for a prompt", path);
		err = ERR_INPUT;
	} else if (!err && ferror(f)) {
		err_why(why, "cannot read %s: %s", path, strerror(errno));
		err = ERR_IO;
	}
	input_close(f);
	return err;
}

static enum err make_body(const struct option_set *o, const struct buf *text,
    json_t **ret, struct why *why)
{
	const char *system = option_text(o, "system");
	const char *model = option_text(o, "model");
	json_error_t error;
	json_t *body;

	if (option_bool(o, "as-json")) {
		body = json_loadb(text->len ? text->data : "", text->len,
		    JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(body)) {
			err_why(why, "line %d: not a JSON object: %s",
			    error.line, error.text);
			json_decref(body);
			return ERR_INPUT;
		}
	} else {
		body = json_object();
		if (json_object_set_new(body, "template",
			json_stringn(text->len ? text->data : "", text->len))) {
			err_why(why, "the template is not UTF-8");
			json_decref(body);
			return ERR_INPUT;
		}
	}
	if (system)
		json_object_set_new(body, "system", json_string(system));
	if (model)
		json_object_set_new(body, "model", json_string(model));
	*ret = body;
	return OK;
}

static enum cmd_exit run_set(struct cmd *c)
{
	const char *source = c->n_operands > 1 ? c->operands[1] : "-";
	json_t *body = NULL, *answer = NULL;
	struct why why = { "" };
	enum cmd_exit code;
	struct buf text;
	enum err err;

	buf_init(&text, MAX_TEMPLATE_BYTES);
	err = read_text(source, &text, &why);
	if (!err)
		err = make_body(c->options, &text, &body, &why);
	buf_fini(&text);
	if (err)
		return cmd_fail(err, &why);
	code = ask_server(
	    c, CLIENT_PUT, "/v1/prompts/%s", c->operands[0], body, &answer);
	if (code == CMD_OK && output_json()) {
		client_print(answer);
	} else if (code == CMD_OK) {
		char version[32];

		client_show(json_object_get(answer, "version"), version,
		    sizeof(version));
		printf("%s@%s\n", c->operands[0], version);
	}
	json_decref(answer);
	return code;
}

/* All pages as one list. */
static enum cmd_exit list_all(struct cmd *c, json_t *all)
{
	enum cmd_exit code;
	json_t *answer = NULL;
	char after[128] = "";

	do {
		code = *after
			   ? ask_server(c, CLIENT_GET,
				 "/v1/prompts?limit=100&after=%s", after, NULL,
				 &answer)
			   : ask_server(c, CLIENT_GET, "/v1/prompts?limit=100",
				 NULL, NULL, &answer);
		if (code != CMD_OK)
			break;
		json_array_extend(all, json_object_get(answer, "prompts"));
		snprintf(
		    after, sizeof(after), "%s", client_member(answer, "next"));
		json_decref(answer);
		answer = NULL;
	} while (*after);
	return code;
}

static enum cmd_exit run_ls(struct cmd *c)
{
	static const char *const members[] = { "name", "version",
		"created_at" };
	json_t *all = json_array();
	enum cmd_exit code = CMD_FAILED;

	if (all)
		code = list_all(c, all);
	if (code == CMD_OK)
		code = ask_print_list(
		    all, members, sizeof(members) / sizeof(members[0]));
	json_decref(all);
	return code;
}

static enum cmd_exit run_show(struct cmd *c)
{
	char name[160];
	char *at;
	json_t *answer = NULL;
	enum cmd_exit code;

	snprintf(name, sizeof(name), "%s", c->operands[0]);
	at = strchr(name, '@');
	if (at) {
		/* The part behind is digits or the server refuses it. */
		*at = '\0';
		code = strspn(at + 1, "0123456789") == strlen(at + 1) && at[1]
			   ? CMD_OK
			   : CMD_USAGE;
		if (code != CMD_OK)
			cmd_say("write NAME or NAME@VERSION");
	} else {
		code = CMD_OK;
	}
	if (code == CMD_OK) {
		char path[64] = "/v1/prompts/%s";

		if (at)
			snprintf(path, sizeof(path),
			    "/v1/prompts/%%s?version=%.10s", at + 1);
		code = ask_server(c, CLIENT_GET, path, name, NULL, &answer);
	}
	if (code == CMD_OK)
		ask_print_members(answer);
	json_decref(answer);
	return code;
}

static enum cmd_exit run_rm(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(
	    c, CLIENT_DELETE, "/v1/prompts/%s", c->operands[0], NULL, &answer);
	if (code == CMD_OK && output_json() && answer)
		client_print(answer);
	else if (code == CMD_OK)
		fprintf(stderr, "removed all versions of %s\n", c->operands[0]);
	json_decref(answer);
	return code;
}

static const char *const ls_aliases[] = { "list", NULL };
static const char *const rm_aliases[] = { "remove", "delete", NULL };
static const struct command set = {
	.name = "set",
	.summary = "store the next version of a prompt",
	.usage = "[options] NAME [FILE|-]",
	.about = "The text may have {{variables}}: spool exec --prompt-id NAME "
		 "--input VARIABLE=TEXT fills them. Without a FILE it is read "
		 "from stdin.",
	.examples = "echo \"Greet {{name}} in one line.\" | spool prompts set "
		    "greet\n"
		    "spool prompts set review review.txt --system \"Be "
		    "brief.\"\n",
	.options = set_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 2,
	.run = run_set,
};
static const struct command ls = {
	.name = "ls",
	.aliases = ls_aliases,
	.summary = "list prompts with their newest version",
	.usage = "[options]",
	.examples = "spool prompts ls\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run_ls,
};
static const struct command show = {
	.name = "show",
	.summary = "show a prompt, the newest or a named version",
	.usage = "[options] NAME[@VERSION]",
	.examples = "spool prompts show greet\nspool prompts show greet@2\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_show,
};
static const struct command rm = {
	.name = "rm",
	.aliases = rm_aliases,
	.summary = "remove a prompt with all its versions",
	.usage = "[options] NAME",
	.examples = "spool prompts rm greet\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_rm,
};

static const struct command *const subcommands[] = { &set, &ls, &show, &rm,
	NULL };
static const struct command command = {
	.name = "prompts",
	.group = "Administration",
	.summary = "store, list, show and remove prompts",
	.usage = "COMMAND [options]",
	.examples = "echo \"Greet {{name}}.\" | spool prompts set greet\n"
		    "spool exec --prompt-id greet --input name=Ada\n",
	.subcommands = subcommands,
};

const struct command *cmd_prompts(void)
{
	return &command;
}
