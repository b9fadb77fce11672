#include "server/front_ticket.h"

#include "server/call.h"
#include "server/service_internal.h"
#include "server/ticket.h"
#include "server/write_page.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"

#define ANSWER_MAX_BYTES 1024

void front_ticket_answer(struct call *call, const struct id *execution)
{
	char ticket[TICKET_TEXT], text[ID_TEXT];
	struct buf b;
	enum err e;

	e = ticket_make(call->service->tickets, &call->who, execution,
	    clock_mono_ms(), ticket);
	if (e != OK) {
		call_fail_err(call, e, NULL);
		return;
	}
	buf_init(&b, ANSWER_MAX_BYTES);
	jsonout_object(&b);
	jsonout_member(&b, "ticket", ticket);
	jsonout_key(&b, "expires_at");
	write_page_time(&b, clock_wall_ms() + TICKET_MS);
	jsonout_key(&b, "url");
	if (execution) {
		id_text(execution, text);
		buf_printf(
		    &b, "\"/v1/executions/%s/events?ticket=%s\"", text, ticket);
	} else {
		buf_printf(&b, "\"/v1/ws?ticket=%s\"", ticket);
	}
	jsonout_object_end(&b);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 201, &b);
}
