/*
 * Any bytes on a WebSocket: no crash, and the same messages however they are
 * cut; each message through the reader of messages.
 */
#include "server/ws_frame.h"

#include <string.h>

#include "server/body_ws.h"
#include "store/base/log.h"
#include "store/base/utf8.h"

#define MAX_MESSAGE 2048

struct outcome {
	struct ws_frame *f;
	struct buf heard, sent;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void on_text(void *arg, const char *text, size_t len)
{
	struct outcome *o = arg;
	struct body_ws w;
	struct problem p;

	ASSERT(len <= MAX_MESSAGE && utf8_valid(text, len));
	buf_add(&o->heard, text, len);
	buf_putc(&o->heard, '\n');
	if (body_ws(text, len, &w, &p) == OK)
		ASSERT(w.type != BODY_WS_START || w.create.members);
	else
		ASSERT(!w.create.members && !w.query && p.detail[0]);
	ws_frame_text(o->f, w.tag, strlen(w.tag));
	body_ws_fini(&w);
}

static void feed(
    struct outcome *o, const uint8_t *data, size_t len, size_t step)
{
	struct ws_frame_options options = { MAX_MESSAGE, on_text, o };

	buf_init(&o->heard, 1 << 20);
	buf_init(&o->sent, 1 << 20);
	ASSERT(ws_frame_new(&options, &o->f) == OK);
	for (size_t at = 0; at < len && !ws_frame_closed(o->f); at += step) {
		struct buf *out = ws_frame_out(o->f);

		ws_frame_feed(o->f, (const char *)data + at,
		    step < len - at ? step : len - at);
		buf_add(&o->sent, out->data, out->len);
		buf_fini(out);
		ASSERT(ws_frame_held(o->f) <= 2 * MAX_MESSAGE);
	}
}

static void end(struct outcome *o)
{
	ws_frame_free(o->f);
	buf_fini(&o->heard);
	buf_fini(&o->sent);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome whole, cut;

	if (len == 0)
		return 0;
	feed(&whole, data + 1, len - 1, len);
	feed(&cut, data + 1, len - 1, data[0] % 31 + (size_t)1);
	ASSERT(same(&whole.heard, &cut.heard));
	/*
	 * With a Close wslay forgets pongs that wait, and it misses wrong UTF-8
	 * in the reason of one that comes in pieces: no harm is in it.
	 */
	if (!ws_frame_closed(whole.f) && !ws_frame_closed(cut.f))
		ASSERT(same(&whole.sent, &cut.sent));
	end(&whole);
	end(&cut);
	return 0;
}
