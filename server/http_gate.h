/*
 * http_gate: who may ask: Host and Origin against allow-lists (DNS rebinding,
 * cross-site requests), before anything is routed.
 *
 * Used by: http_conn, http.          Thread: any; pure.
 */
#ifndef SERVER_HTTP_GATE_H
#define SERVER_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http.h"

struct http_gate {
	/* Each NULL-terminated, or NULL; "*" in the first two: any. */
	const char *const *hosts;
	const char *const *origins;
	const char *const *addresses; /* that we listen on, with ports */
};

/* What of a request decides; a NULL is a header that is absent. */
struct http_gate_question {
	enum http_method method;
	bool upgrade;		  /* leaves HTTP: browsers do not ask first */
	const char *host;	  /* "" of HTTP/1.0 without Host */
	const char *origin;	  /* Origin */
	const char *fetch_site;	  /* Sec-Fetch-Site */
	const char *asked_method; /* Access-Control-Request-Method */
};

enum http_gate_answer {
	HTTP_GATE_PASS,
	HTTP_GATE_PREFLIGHT,  /* a CORS preflight that may pass: 204 */
	HTTP_GATE_WRONG_HOST, /* 421 */
	HTTP_GATE_CROSS_SITE, /* 403 */
};

/*
 * Judge ${q}. *${ret_cors} tells whether its origin may read the answer, true
 * only for origins on the list.
 */
enum http_gate_answer http_gate_judge(const struct http_gate *gate,
    const struct http_gate_question *q, bool *ret_cors);

/* True when "name[:port]" is a host that we answer for. */
bool http_gate_host(const struct http_gate *gate, const char *host);

/* True when ${origin} is on the list. */
bool http_gate_origin(const struct http_gate *gate, const char *origin);

#endif
