#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/cmd/ask.h"
#include "server/cmd/input.h"
#include "server/cmd/output.h"
#include "server/cmd/stream_client.h"
#include "store/stream.h"

#define JSON "application/json"

static const struct option_spec create_options[] = {
	{ .name = "type",
	    .letter = 't',
	    .kind = OPTION_STRING,
	    .arg = "TYPE",
	    .fallback = "text/plain",
	    .group = "Stream",
	    .help = "its Content-Type; application/json: messages are values" },
	{ .name = "ttl",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .group = "Stream",
	    .help = "expires so long after its last use" },
	{ .name = "fork",
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Stream",
	    .help = "begin with the messages of this one, and its type" },
	{ .name = "at",
	    .kind = OPTION_STRING,
	    .arg = "OFFSET",
	    .group = "Stream",
	    .help = "leave that one here; without it at its end" },
	{ .name = NULL },
};
static const struct option_spec read_options[] = {
	{ .name = "from",
	    .kind = OPTION_STRING,
	    .arg = "OFFSET",
	    .fallback = "-1",
	    .group = "Reading",
	    .help = "where to begin; -1: at the start, now: at the end" },
	{ .name = "follow",
	    .letter = 'f',
	    .kind = OPTION_BOOL,
	    .group = "Reading",
	    .help = "wait for what comes, until it is closed" },
	{ .name = "offset",
	    .kind = OPTION_BOOL,
	    .group = "Reading",
	    .help = "say on stderr where to go on, at the end" },
	{ .name = NULL },
};
static const struct option_spec append_options[] = {
	{ .name = "create",
	    .kind = OPTION_BOOL,
	    .group = "Appending",
	    .help = "make the stream if it is not there" },
	{ .name = "type",
	    .letter = 't',
	    .kind = OPTION_STRING,
	    .arg = "TYPE",
	    .fallback = "text/plain",
	    .group = "Appending",
	    .help = "the Content-Type of one that is made" },
	{ .name = "close",
	    .kind = OPTION_BOOL,
	    .group = "Appending",
	    .help = "nothing more will come: close it at the end" },
	{ .name = NULL },
};

static bool is_json(const struct stream_client *s)
{
	size_t n = strlen(JSON);

	return strncasecmp(s->type, JSON, n) == 0 &&
	       (s->type[n] == '\0' || s->type[n] == ';' || s->type[n] == ' ');
}

/* --- ls --- */

static enum cmd_exit list_all(struct cmd *c, json_t *all)
{
	enum cmd_exit code;
	json_t *answer = NULL;
	char after[256] = "";

	do {
		code = ask_server(c, CLIENT_GET, "/v1/streams?after=%s", after,
		    NULL, &answer);
		if (code != CMD_OK)
			break;
		json_array_extend(all, json_object_get(answer, "streams"));
		(void)snprintf(
		    after, sizeof(after), "%s", client_member(answer, "next"));
		json_decref(answer);
		answer = NULL;
	} while (*after);
	return code;
}

static enum cmd_exit run_ls(struct cmd *c)
{
	static const char *const members[] = { "name", "content_type",
		"messages", "closed", "created_at", "expires_at" };
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

/* --- create --- */

static enum cmd_exit run_create(struct cmd *c)
{
	const char *fork = option_text(c->options, "fork");
	const char *at = option_text(c->options, "at");
	int64_t ttl_ms = option_int(c->options, "ttl");
	char from[400], place[128], ttl[64];
	const char *headers[4] = { NULL };
	struct stream_client s;
	struct why why = { "" };
	size_t n = 0;
	enum err err;

	if (at && !fork) {
		cmd_say("--at says where a fork begins: give --fork, too");
		return CMD_USAGE;
	}
	err = stream_client_open(&s, c->options, c->operands[0], &why);
	(void)snprintf(s.type, sizeof(s.type), "%s",
	    fork ? "" : option_text(c->options, "type"));
	(void)snprintf(from, sizeof(from), "Stream-Forked-From: /v1/stream/%s",
	    fork ? fork : "");
	(void)snprintf(
	    place, sizeof(place), "Stream-Fork-Offset: %s", at ? at : "");
	(void)snprintf(ttl, sizeof(ttl), "Stream-TTL: %lld",
	    (long long)((ttl_ms + 999) / 1000));
	if (fork)
		headers[n++] = from;
	if (at)
		headers[n++] = place;
	if (ttl_ms > 0)
		headers[n++] = ttl;
	if (!err)
		err = stream_client_create(&s, headers, &why);
	/* Of what a creation names only the source can be missing. */
	if (err == ERR_NOT_FOUND && fork)
		err_why(&why,
		    "there is no stream \"%s\" to fork: \"spool streams ls\" "
		    "lists yours",
		    fork);
	if (!err)
		printf("%s\n", s.next);
	stream_client_close(&s);
	return err ? cmd_fail(err, &why) : CMD_OK;
}

/* --- read --- */

/* Messages that are JSON are lines. */
static enum err print_page(const struct stream_client *s, struct why *why)
{
	json_t *page, *message;
	size_t i;

	if (s->body.len == 0)
		return OK;
	if (!is_json(s)) {
		if (output_tty())
			output_text(stdout, s->body.data, s->body.len);
		else
			(void)fwrite(s->body.data, 1, s->body.len, stdout);
		(void)fflush(stdout);
		return OK;
	}
	page = json_loadb(s->body.data, s->body.len, JSON_ALLOW_NUL, NULL);
	if (!json_is_array(page)) {
		err_why(why, "the server answered with no array of messages");
		json_decref(page);
		return ERR_IO;
	}
	json_array_foreach(page, i, message) client_print(message);
	json_decref(page);
	(void)fflush(stdout);
	return OK;
}

static enum cmd_exit run_read(struct cmd *c)
{
	bool follow = option_bool(c->options, "follow"), wait = false;
	char at[64];
	struct stream_client s;
	struct why why = { "" };
	enum err err;

	err = stream_client_open(&s, c->options, c->operands[0], &why);
	(void)snprintf(at, sizeof(at), "%s", option_text(c->options, "from"));
	while (!err) {
		err = stream_client_read(&s, at, wait, &why);
		if (!err)
			err = print_page(&s, &why);
		/* As head does: nobody reads any more. */
		if (err || ferror(stdout) || s.closed ||
		    (s.up_to_date && !follow))
			break;
		wait = s.up_to_date;
		memcpy(at, s.next, sizeof(at));
	}
	if (!err && option_bool(c->options, "offset"))
		fprintf(stderr, "%s\n", s.next);
	stream_client_close(&s);
	return err ? cmd_fail(err, &why) : CMD_OK;
}

/* --- append --- */

/* Find out what it is, or make it. */
static enum err find(struct cmd *c, struct stream_client *s, struct why *why)
{
	const char *const none[] = { NULL };
	enum err err = stream_client_read(s, "now", false, why);

	if (err != ERR_NOT_FOUND || !option_bool(c->options, "create"))
		return err;
	(void)snprintf(
	    s->type, sizeof(s->type), "%s", option_text(c->options, "type"));
	return stream_client_create(s, none, why);
}

/* The messages gathered in ${b}, ${n} of them, as one array. */
static enum err append_array(
    struct stream_client *s, struct buf *b, size_t n, struct why *why)
{
	enum err err;

	buf_putc(b, ']');
	err = buf_state(b);
	if (!err && n > 0)
		err = stream_client_append(s, b->data, b->len, false, why);
	buf_reset(b);
	return err;
}

/* A line is a message; blank ones are none. */
static enum err append_lines(
    struct stream_client *s, const char *p, size_t len, struct why *why)
{
	enum err err = OK;
	struct buf b;
	size_t n = 0;

	buf_init(&b, 2 * STREAM_CLIENT_BYTES);
	for (const char *end = p + len; !err && p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t line = (size_t)((nl ? nl : end) - p);

		if (strspn(p, " \t\r") < line) {
			buf_putc(&b, n++ ? ',' : '[');
			buf_add(&b, p, line);
		}
		if (n == STREAM_MAX_BATCH) {
			err = append_array(s, &b, n, why);
			n = 0;
		}
		p += line + (nl != NULL);
	}
	if (!err)
		err = append_array(s, &b, n, why);
	buf_fini(&b);
	return err;
}

/* As much of ${b} as can go now; ${last}: nothing follows. */
static enum err flush(
    struct stream_client *s, struct buf *b, bool last, struct why *why)
{
	const char *nl = b->len ? memrchr(b->data, '\n', b->len) : NULL;
	size_t len = b->len;
	enum err err;

	if (is_json(s)) {
		if (!last)
			len = nl ? (size_t)(nl + 1 - b->data) : 0;
		if (!last && !nl && b->len >= STREAM_CLIENT_BYTES) {
			err_why(why, "a line is longer than %zu bytes",
			    STREAM_CLIENT_BYTES);
			return ERR_INPUT;
		}
		err = len ? append_lines(s, b->data, len, why) : OK;
	} else {
		err = len ? stream_client_append(s, b->data, len, false, why)
			  : OK;
	}
	if (!err)
		buf_drain(b, len);
	return err;
}

/* What comes is appended as it comes, so that a pipe flows. */
static enum err copy(struct stream_client *s, FILE *in, struct why *why)
{
	enum err err = OK;
	struct buf b;
	ssize_t n;

	buf_init(&b, STREAM_CLIENT_BYTES + 1);
	do {
		char *room = buf_room(&b, STREAM_CLIENT_BYTES - b.len);

		if (!room) {
			err = ERR_NOMEM;
			break;
		}
		do
			n = read(fileno(in), room, STREAM_CLIENT_BYTES - b.len);
		while (n < 0 && errno == EINTR);
		if (n < 0) {
			err_why(why, "cannot read: %s", strerror(errno));
			err = ERR_IO;
		} else {
			b.len += (size_t)n;
			buf_putc(&b, '\0');
			b.len -= b.len > 0;
			err = flush(s, &b, n == 0, why);
		}
	} while (!err && n > 0);
	buf_fini(&b);
	return err;
}

static enum cmd_exit run_append(struct cmd *c)
{
	const char *source = c->n_operands > 1 ? c->operands[1] : "-";
	struct stream_client s;
	struct why why = { "" };
	FILE *in = NULL;
	enum err err;

	err = stream_client_open(&s, c->options, c->operands[0], &why);
	if (!err)
		err = input_open(source, &in, &why);
	if (!err)
		err = find(c, &s, &why);
	if (!err && s.closed) {
		err_why(&why, "stream %s is closed", s.name);
		err = ERR_CONFLICT;
	}
	if (!err)
		err = copy(&s, in, &why);
	if (!err && option_bool(c->options, "close"))
		err = stream_client_append(&s, NULL, 0, true, &why);
	if (!err)
		printf("%s\n", s.next);
	input_close(in);
	stream_client_close(&s);
	return err ? cmd_fail(err, &why) : CMD_OK;
}

/* --- rm --- */

static enum cmd_exit run_rm(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code = CMD_OK;

	for (int i = 0; code == CMD_OK && i < c->n_operands; i++) {
		code = ask_server(c, CLIENT_DELETE, "/v1/stream/%s",
		    c->operands[i], NULL, &answer);
		json_decref(answer);
		answer = NULL;
		if (code == CMD_OK)
			fprintf(stderr, "removed %s\n", c->operands[i]);
	}
	return code;
}

static const char *const ls_aliases[] = { "list", NULL };
static const char *const rm_aliases[] = { "remove", "delete", NULL };
static const char *const read_aliases[] = { "cat", "tail", NULL };
static const struct command ls = {
	.name = "ls",
	.aliases = ls_aliases,
	.summary = "list streams",
	.usage = "[options]",
	.examples = "spool streams ls\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run_ls,
};
static const struct command create = {
	.name = "create",
	.summary = "create a stream, or fork one; prints where it ends",
	.usage = "[options] NAME",
	.examples = "spool streams create chat/1 --type application/json\n"
		    "spool streams create chat/2 --fork chat/1\n",
	.options = create_options,
	.uses = CMD_CLIENT,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_create,
};
static const struct command read_stream = {
	.name = "read",
	.aliases = read_aliases,
	.summary = "print what a stream holds, and what comes",
	.usage = "[options] NAME",
	.about = "Messages of JSON are lines. The name executions/ID is an "
		 "execution's: its chunks.",
	.examples = "spool streams read chat/1\n"
		    "spool streams read --follow --from now chat/1\n",
	.options = read_options,
	.uses = CMD_CLIENT,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_read,
};
static const struct command append = {
	.name = "append",
	.summary = "append a file, or stdin as it comes; prints where it ends",
	.usage = "[options] NAME [FILE|-]",
	.about = "Of a stream of JSON each line is a message. What is sent "
		 "again after a cut is appended once.",
	.examples = "date | spool streams append --create log\n"
		    "spool streams append --close chat/1 messages.ndjson\n",
	.options = append_options,
	.uses = CMD_CLIENT,
	.min_operands = 1,
	.max_operands = 2,
	.run = run_append,
};
static const struct command rm = {
	.name = "rm",
	.aliases = rm_aliases,
	.summary = "remove streams; their forks stay",
	.usage = "[options] NAME...",
	.examples = "spool streams rm chat/1\n",
	.uses = CMD_CLIENT,
	.min_operands = 1,
	.max_operands = -1,
	.run = run_rm,
};

static const struct command *const subcommands[] = { &ls, &create, &read_stream,
	&append, &rm, NULL };
static const struct command command = {
	.name = "streams",
	.group = "Administration",
	.summary = "logs of your own: create, append, read, remove",
	.usage = "COMMAND [options]",
	.examples = "echo hello | spool streams append --create greetings\n"
		    "spool streams read greetings\n",
	.subcommands = subcommands,
};

const struct command *cmd_streams(void)
{
	return &command;
}
