/* WebSockets: the handshake, and tickets for those who can send no header. */
#include "server/call.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/front_ticket.h"
#include "server/service_internal.h"
#include "server/write_page.h"
#include "server/ws.h"
#include "server/ws_handshake.h"

static int status(const struct problem *p)
{
	return problem_kind(p->code)->status;
}

const struct front front_ws = {
	.name = "ws",
	.page = write_page,
	.problem_type = "application/problem+json",
	.problem = problem_json,
	.problem_status = status,
};

void front_ws_open(struct call *call)
{
	struct ws_handshake h = {
		.upgrade = http_header(call->x, "Upgrade"),
		.connection = http_header(call->x, "Connection"),
		.key = http_header(call->x, "Sec-WebSocket-Key"),
		.version = http_header(call->x, "Sec-WebSocket-Version"),
		.able = http_upgradable(call->x),
	};
	const char *offered = http_header(call->x, "Sec-WebSocket-Protocol");
	char accept[WS_HANDSHAKE_ACCEPT];
	struct problem p;

	if (ws_handshake_judge(&h, accept, &p) != OK) {
		if (p.code == PROBLEM_UPGRADE_REQUIRED) {
			http_reply_header(call->x, "Upgrade", "websocket");
			http_reply_header(
			    call->x, "Sec-WebSocket-Version", "13");
		}
		call_fail(call, &p);
		return;
	}
	if (atomic_load(&call->service->draining)) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return;
	}
	http_reply_header(call->x, "Sec-WebSocket-Accept", accept);
	if (ws_handshake_ours(offered))
		http_reply_header(
		    call->x, "Sec-WebSocket-Protocol", WS_HANDSHAKE_PROTOCOL);
	ws_start(call);
}

void front_ws_ticket(struct call *call)
{
	front_ticket_answer(call, NULL);
}
