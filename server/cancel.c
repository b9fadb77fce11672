#include "server/cancel.h"

#include "server/reader.h"
#include "server/service_internal.h"
#include "store/base/jsonout.h"
#include "worker/worker.h"

/* A worker settles a cancel in its next turn and a commit. */
#define WAIT_MS 2000

struct cancel {
	struct reader reader;
	bool asked;
	void (*on_done)(struct call *call, const struct id *id,
	    enum execution_status status);
};

static void drop(void *state)
{
	struct cancel *c = state;

	reader_close(&c->reader);
}

static void on_page(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct cancel *c = (struct cancel *)r;
	struct call *call = r->call;
	struct worker *w;
	struct id id = r->id;

	if (e != OK) {
		call_fail_err(call, e, why);
		return;
	}
	if (c->asked || execution_ended(page->status)) {
		c->on_done(call, &id, page->status);
		return;
	}
	w = service_worker(call->service);
	if (!w) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return;
	}
	e = worker_cancel(w, &id);
	service_worker_done(call->service);
	if (e != OK) {
		call_fail_err(call, e, NULL);
		return;
	}
	c->asked = true;
	reader_read(r, READER_THE_END, WAIT_MS);
}

void cancel_start(struct call *call, const struct id *id,
    void (*on_done)(
	struct call *call, const struct id *id, enum execution_status status))
{
	struct cancel *c = call_state(call, sizeof(*c), drop);

	if (!c) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(&c->reader, call, id, on_page);
	/* Only the status is wanted: an empty page from beyond any end. */
	c->reader.q.from = INT64_MAX;
	c->reader.q.limit = 1;
	c->on_done = on_done;
	reader_read(&c->reader, READER_NOW, 0);
}

void cancel_left(struct service *s, const struct id *id)
{
	struct worker *w = service_worker(s);

	if (!w)
		return;
	(void)!worker_cancel(w, id);
	service_worker_done(s);
}

void cancel_write(
    struct buf *b, const struct id *id, enum execution_status status)
{
	char text[ID_TEXT];

	id_text(id, text);
	jsonout_object(b);
	jsonout_member(b, "execution_id", text);
	jsonout_member(b, "status", execution_status_name(status));
	jsonout_key(b, "cancelled");
	jsonout_bool(b, status == EXECUTION_CANCELLED);
	jsonout_object_end(b);
}
