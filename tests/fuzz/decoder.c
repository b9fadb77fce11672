/*
 * Whole answers: the first byte chooses dialect, status and content type.
 * Every answer has exactly one end, all its text is UTF-8, and cuts change
 * nothing.
 */
#include "worker/dialect.h"

#include "store/base/utf8.h"
#include "tests/fuzz/cuts.h"

struct seen {
	struct buf text;
	unsigned n_terminal, n_start, n_usage, n_calls;
	bool usage_last;
};

static void add(struct seen *seen, struct text t)
{
	ASSERT(t.len == 0 || utf8_valid(t.s, t.len));
	buf_add(&seen->text, t.s, t.len);
	buf_putc(&seen->text, '\x01');
}

static void on_event(void *arg, const struct event *e)
{
	struct seen *seen = arg;

	ASSERT(seen->n_terminal == 0);
	ASSERT(!seen->usage_last || e->kind == EVENT_FINISH ||
	       e->kind == EVENT_ERROR);
	buf_printf(&seen->text, "%d %u ", (int)e->kind, e->index);
	add(seen, e->id);
	add(seen, e->model);
	add(seen, e->provider);
	add(seen, e->text);
	add(seen, e->name);
	add(seen, e->native);
	add(seen, e->error.message);
	add(seen, e->error.code);
	switch (e->kind) {
	case EVENT_START: ASSERT(++seen->n_start == 1); break;
	case EVENT_TEXT:
	case EVENT_REASONING:
	case EVENT_REFUSAL: ASSERT(e->text.len > 0); break;
	case EVENT_TOOL_START: seen->n_calls++; break;
	case EVENT_TOOL_DELTA:
		ASSERT(e->text.len > 0 && seen->n_calls > 0);
		break;
	case EVENT_TOOL_END: ASSERT(e->text.len > 0); break;
	case EVENT_USAGE:
		seen->usage_last = true;
		ASSERT(++seen->n_usage == 1);
		break;
	case EVENT_FINISH: seen->n_terminal++; break;
	case EVENT_ERROR:
		ASSERT(e->error.message.len > 0);
		seen->n_terminal++;
		break;
	case EVENT_PING: break;
	}
}

static enum err feed(void *arg, const char *bytes, size_t len)
{
	decoder_feed(arg, bytes, len);
	return OK;
}

static void run(const struct dialect *dialect, const struct dialect_head *head,
    const uint8_t *data, size_t size, uint64_t seed, struct seen *seen)
{
	struct decoder *d = NULL;

	*seen = (struct seen){ 0 };
	buf_init(&seen->text, 1 << 26);
	ASSERT(decoder_new(dialect, head, on_event, seen, &d) == OK);
	ASSERT(cuts_feed(data, size, seed, 300, feed, d) == OK);
	decoder_end(d, true);
	ASSERT(decoder_done(d) && seen->n_terminal == 1);
	decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "text/event-stream",
		"application/json", NULL, "text/html" };
	static const int statuses[] = { 200, 200, 200, 429 };
	struct dialect_head head = { .retry_after = "3", .streaming = true };
	const char *const *names = dialect_names();
	const struct dialect *dialect;
	struct seen whole, cut;
	size_t n_names = 0;

	if (size == 0)
		return 0;
	while (names[n_names] != NULL)
		n_names++;
	head.content_type = types[data[0] & 3];
	head.status = statuses[data[0] >> 2 & 3];
	dialect = dialect_find(names[(data[0] >> 4) % n_names]);
	run(dialect, &head, data + 1, size - 1, 0, &whole);
	run(dialect, &head, data + 1, size - 1, cuts_seed(data, size), &cut);
	ASSERT(whole.text.len == cut.text.len &&
	       memcmp(whole.text.data, cut.text.data, cut.text.len) == 0);
	buf_fini(&whole.text);
	buf_fini(&cut.text);
	return 0;
}
