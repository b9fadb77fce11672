#include "server/cmd/follow.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/output.h"
#include "store/base/clock.h"

#define LONG_POLL_MS 20000
#define PAGE_CHUNKS 1000

/*
 * Ready before the signal comes: a handler may only write. The next words are
 * made in the other place, then shown.
 */
static struct farewell {
	char text[256];
	size_t len;
} farewells[2];
static volatile sig_atomic_t farewell;

struct following {
	const char *id;
	bool reasoning;
	bool ends_line; /* what was printed last was a line's end, or nothing */
};

static void on_interrupt(int number)
{
	const struct farewell *f = &farewells[farewell];
	ssize_t rc = write(STDERR_FILENO, f->text, f->len);

	(void)rc;
	(void)number;
	_exit(CMD_INTERRUPTED);
}

/* All below ${from} has been printed. */
static void set_farewell(const struct following *f, int64_t from)
{
	int other = !farewell;
	struct farewell *next = &farewells[other];
	int len = snprintf(next->text, sizeof(next->text),
	    "%sspool: it goes on without you; read on with: spool tail %s "
	    "--from %lld\n",
	    output_tty() && !f->ends_line ? "\n" : "", f->id, (long long)from);

	next->len = (size_t)len < sizeof(next->text) ? (size_t)len
						     : sizeof(next->text) - 1;
	farewell = other;
}

static void catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

static void note(const char *what, const char *detail)
{
	output_style(stderr, OUTPUT_DIM);
	fprintf(stderr, "\n[%s%s", what, *detail ? ": " : "");
	output_text(stderr, detail, strlen(detail));
	fputs("]\n", stderr);
	output_style(stderr, OUTPUT_PLAIN);
}

static void print_chunk(struct following *f, const json_t *chunk)
{
	const json_t *content = json_object_get(chunk, "content");
	const json_t *meta = json_object_get(chunk, "metadata");
	const char *kind = client_member(meta, "kind");
	size_t len = json_string_length(content);

	if (output_json()) {
		client_print(chunk);
		return;
	}
	if (len) {
		const char *s = json_string_value(content);

		output_text(stdout, s, len);
		f->ends_line = s[len - 1] == '\n';
	}
	if (strcmp(kind, "reset") == 0) {
		fflush(stdout);
		note("what came before is withdrawn; it starts over",
		    client_member(meta, "reason"));
	} else if (strcmp(kind, "tool_call") == 0 &&
		   strcmp(client_member(meta, "phase"), "start") == 0) {
		fflush(stdout);
		note("calls a tool", client_member(meta, "name"));
	} else if (strcmp(kind, "reasoning") == 0 && f->reasoning) {
		const char *text = client_member(meta, "text");

		fflush(stdout);
		output_style(stderr, OUTPUT_DIM);
		output_text(stderr, text, strlen(text));
		output_style(stderr, OUTPUT_PLAIN);
	}
}

static void add_count(const json_t *usage, const char *member,
    const char *words, char *dst, size_t room)
{
	const json_t *n = json_object_get(usage, member);
	size_t used = strlen(dst);

	if (json_is_integer(n))
		snprintf(dst + used, room - used, ", %lld %s",
		    (long long)json_integer_value(n), words);
}

/* What was not sent to the model as it was asked. */
static void print_warnings(const json_t *warnings)
{
	const json_t *w;
	size_t i;

	json_array_foreach(warnings, i, w)
	{
		const char *field = client_member(w, "field");
		const char *message = client_member(w, "message");

		output_style(stderr, OUTPUT_DIM);
		fprintf(stderr, "warning: ");
		output_text(stderr, field, strlen(field));
		fprintf(stderr, ": ");
		output_text(stderr, message, strlen(message));
		output_style(stderr, OUTPUT_PLAIN);
		fputc('\n', stderr);
	}
}

/* One line about the end, and what the program says to its caller. */
static enum cmd_exit print_end(struct following *f, const json_t *page)
{
	const json_t *meta = json_object_get(page, "metadata");
	const json_t *usage = json_object_get(meta, "usage");
	const json_t *error = json_object_get(meta, "error");
	const char *status = client_member(page, "status");
	bool failed = strcmp(status, "failed") == 0;
	char counts[160] = "";

	if (output_json()) {
		json_t *last = json_pack("{s:s, s:O?, s:O?, s:O?, s:O?}",
		    "execution_id", f->id, "status",
		    json_object_get(page, "status"), "total_chunks",
		    json_object_get(page, "total_chunks"), "next_index",
		    json_object_get(page, "next_index"), "metadata", meta);

		client_print(last);
		json_decref(last);
	} else {
		if (!f->ends_line)
			putchar('\n');
		fflush(stdout);
		print_warnings(json_object_get(meta, "warnings"));
		add_count(
		    usage, "input_tokens", "tokens in", counts, sizeof(counts));
		add_count(
		    usage, "output_tokens", "out", counts, sizeof(counts));
		output_style(stderr, failed ? OUTPUT_RED : OUTPUT_DIM);
		fprintf(stderr, "%s%s, %s", status, counts, f->id);
		if (json_is_object(error)) {
			const char *code = client_member(error, "code");
			const char *message = client_member(error, "message");

			fprintf(stderr, ": ");
			output_text(stderr, message, strlen(message));
			fprintf(stderr, " (");
			output_text(stderr, code, strlen(code));
			fprintf(stderr, ")");
		}
		output_style(stderr, OUTPUT_PLAIN);
		fputc('\n', stderr);
	}
	if (failed)
		return CMD_EXECUTION_FAILED;
	return strcmp(status, "cancelled") == 0 ? CMD_CANCELLED : CMD_OK;
}

/* The next page, waiting for it. */
static enum err next_page(struct client *client, const char *id, int64_t from,
    int64_t wait_ms, json_t **ret, struct why *why)
{
	struct client_call call = { .method = CLIENT_GET, .wait_ms = wait_ms };
	struct buf path;
	enum err err;

	buf_init(&path, 1024);
	client_path(&path, "/v1/executions/%s/chunks", id);
	buf_printf(&path, "?fromIndex=%lld&limit=%d&wait_ms=%lld",
	    (long long)from, PAGE_CHUNKS, (long long)wait_ms);
	buf_putc(&path, '\0');
	err = buf_state(&path);
	if (!err) {
		call.path = path.data;
		err = client_call(client, &call, ret, why);
	}
	buf_fini(&path);
	return err;
}

/* Print a page. Returns the index to go on from, or -1 for a page of nonsense. */
static int64_t print_page(struct following *f, const json_t *page, int64_t from)
{
	const json_t *chunks = json_object_get(page, "chunks");
	const json_t *next = json_object_get(page, "next_index");
	const json_t *chunk;
	size_t i;

	if (!json_is_array(chunks) || !json_is_integer(next))
		return -1;
	json_array_foreach(chunks, i, chunk)
	{
		const json_t *index = json_object_get(chunk, "index");

		if (json_integer_value(index) != from + (json_int_t)i)
			return -1;
		print_chunk(f, chunk);
	}
	fflush(stdout);
	return from + (int64_t)json_array_size(chunks);
}

/*
 * As print_page(). Ctrl-C waits until what was printed and what it says about
 * it agree; but not for a reader that takes nothing.
 */
static int64_t print_whole_page(
    struct following *f, const json_t *page, int64_t from)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	sigset_t interrupt, before;

	(void)poll(&out, 1, -1);
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	pthread_sigmask(SIG_BLOCK, &interrupt, &before);
	from = print_page(f, page, from);
	if (from >= 0)
		set_farewell(f, from);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return from;
}

enum cmd_exit follow_run(struct client *client, const char *id, int64_t from,
    int64_t wait_ms, bool reasoning)
{
	struct following f = {
		.id = id, .reasoning = reasoning, .ends_line = true
	};
	int64_t until = clock_mono_ms() + wait_ms;
	struct why why = { "" };
	json_t *page = NULL;
	enum cmd_exit code = CMD_OK;
	enum err err;
	bool done = false;

	set_farewell(&f, from);
	catch_interrupt();
	while (!done) {
		int64_t left = LONG_POLL_MS;

		if (wait_ms) {
			left = until - clock_mono_ms();
			if (left <= 0) {
				const struct farewell *bye =
				    &farewells[farewell];

				fwrite(bye->text, 1, bye->len, stderr);
				return CMD_TIMEOUT;
			}
			left = left > LONG_POLL_MS ? LONG_POLL_MS : left;
		}
		err = next_page(client, id, from, left, &page, &why);
		if (err)
			return cmd_fail(err, &why);
		from = print_whole_page(&f, page, from);
		done = from < 0 ||
		       json_is_true(json_object_get(page, "completed"));
		if (from < 0)
			code = cmd_fail(ERR_IO,
			    &(struct why){ "the server's page of chunks makes "
					   "no sense" });
		else if (done)
			code = print_end(&f, page);
		json_decref(page);
		page = NULL;
		/* Nobody reads it: main() says so. */
		if (ferror(stdout))
			return code ? code : CMD_FAILED;
	}
	return code;
}
