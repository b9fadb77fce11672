#include "worker/delta.h"

#include "store/base/jsonout.h"
#include "store/base/utf8.h"

bool delta_is_content(enum event_kind kind)
{
	switch (kind) {
	case EVENT_TEXT:
	case EVENT_REASONING:
	case EVENT_REFUSAL:
	case EVENT_TOOL_START:
	case EVENT_TOOL_DELTA:
	case EVENT_TOOL_END: return true;
	case EVENT_START:
	case EVENT_USAGE:
	case EVENT_FINISH:
	case EVENT_ERROR:
	case EVENT_PING: return false;
	}
	return false;
}

static void put(const struct delta_target *t, enum chunk_kind kind,
    struct text content, struct text meta)
{
	batch_chunk(t->batch, t->id,
	    &(struct chunk){ .attempt = t->attempt,
		.kind = kind,
		.ts_ms = t->ts_ms,
		.content = content.s,
		.content_len = content.len,
		.meta = meta.s,
		.meta_len = meta.len });
}

/* The scratch buffer's object, ended, as a chunk without content. */
static void put_scratch(const struct delta_target *t, enum chunk_kind kind)
{
	jsonout_object_end(t->scratch);
	/* what could not be written must not be half written */
	if (buf_state(t->scratch) != OK)
		t->batch->bytes.failed = buf_state(t->scratch);
	else
		put(t, kind, (struct text){ "", 0 },
		    (struct text){ t->scratch->data, t->scratch->len });
}

/* The next piece of *${rest}, which is shortened by it. */
static struct text piece(struct text *rest)
{
	struct text p = *rest;

	if (p.len > DELTA_MAX_BYTES)
		p.len = utf8_cut(p.s, DELTA_MAX_BYTES);
	rest->s += p.len;
	rest->len -= p.len;
	return p;
}

static void write_text(const struct delta_target *t, struct text rest,
    const char *meta, size_t meta_len)
{
	while (rest.len > 0)
		put(t, CHUNK_TEXT, piece(&rest),
		    (struct text){ meta, meta_len });
}

static void write_reasoning(const struct delta_target *t, struct text rest)
{
	while (rest.len > 0) {
		struct text p = piece(&rest);

		buf_reset(t->scratch);
		jsonout_object(t->scratch);
		jsonout_key(t->scratch, "text");
		jsonout_string(t->scratch, p.s, p.len);
		put_scratch(t, CHUNK_REASONING);
	}
}

/* Begin the object of a tool call's chunk. */
static struct buf *call(
    const struct delta_target *t, const struct event *e, const char *phase)
{
	struct buf *b = t->scratch;

	buf_reset(b);
	jsonout_object(b);
	jsonout_member_int(b, "index", e->index);
	jsonout_member(b, "phase", phase);
	return b;
}

static void string(struct buf *b, const char *key, struct text s)
{
	jsonout_key(b, key);
	jsonout_string(b, s.s == NULL ? "" : s.s, s.len);
}

static void write_call(const struct delta_target *t, const struct event *e)
{
	struct text rest = e->text;
	struct buf *b;

	if (e->kind == EVENT_TOOL_START) {
		b = call(t, e, "start");
		string(b, "id", e->id);
		string(b, "name", e->name);
		put_scratch(t, CHUNK_TOOL_CALL);
	} else if (e->kind == EVENT_TOOL_END) {
		b = call(t, e, "end");
		string(b, "arguments", e->text);
		jsonout_key(b, "valid_json");
		jsonout_bool(b, e->valid_json);
		put_scratch(t, CHUNK_TOOL_CALL);
	} else {
		while (rest.len > 0) {
			b = call(t, e, "delta");
			string(b, "arguments", piece(&rest));
			put_scratch(t, CHUNK_TOOL_CALL);
		}
	}
}

void delta_write(const struct delta_target *t, const struct event *e)
{
	static const char refusal[] = "{\"refusal\":true}";

	switch (e->kind) {
	case EVENT_TEXT: write_text(t, e->text, "", 0); break;
	case EVENT_REFUSAL:
		write_text(t, e->text, refusal, sizeof(refusal) - 1);
		break;
	case EVENT_REASONING: write_reasoning(t, e->text); break;
	case EVENT_TOOL_START:
	case EVENT_TOOL_DELTA:
	case EVENT_TOOL_END: write_call(t, e); break;
	case EVENT_START:
	case EVENT_USAGE:
	case EVENT_FINISH:
	case EVENT_ERROR:
	case EVENT_PING: break;
	}
}
