/*
 * route: THE table of what can be asked: method, pattern, front, scope, handler
 * and one line that says what it does.
 *
 * A pattern's segments are literal or {name}. Callable routes are also found
 * under the base path and under /{project}/{region}.
 *
 * Used by: service (finds), front_ops (/openapi.json).
 * Thread: any; constant.
 */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/front.h"
#include "server/http.h"
#include "store/base/buf.h"
#include "store/base/err.h"

struct call;

#define ROUTE_MAX_ARGS 2

enum route_cost {
	ROUTE_FREE,   /* no limit */
	ROUTE_READ,   /* a token */
	ROUTE_CREATE, /* a token, and refused while draining */
};

/* What may stand for the key (ticket.h). */
enum route_ticket {
	ROUTE_NO_TICKET,
	ROUTE_TICKET_EXECUTION,
	ROUTE_TICKET_SOCKET,
};

struct route {
	enum http_method method;
	const char *pattern;
	const struct front *front;
	unsigned scope; /* KEY_… any of; 0: no key needed */
	enum route_cost cost;
	void (*handle)(struct call *call);
	const char *what;
	/* What its query may name: "limit after"; NULL: any is passed over. */
	const char *query;
	enum route_ticket ticket;
	bool deep; /* its one argument is all that is left of the path */
};

/* What stood for {name}, in order; lent from the path. */
struct route_args {
	struct {
		const char *text;
		size_t len;
	} arg[ROUTE_MAX_ARGS];
	size_t n;
};

/* The table; *${ret_n} long. */
const struct route *route_table(size_t *ret_n);

/*
 * The route for ${method} (HEAD finds GET) and ${path}; ${base_path} may be "".
 * Fails: ERR_NOT_FOUND; ERR_DENIED when the path knows other methods, which
 * are then in ${allow} ("GET, POST").
 */
MUST_CHECK enum err route_find(enum http_method method, const char *path,
    const char *base_path, const struct route **ret, struct route_args *args,
    char *allow, size_t allow_room);

/* The front in whose form an unknown path is refused. */
const struct front *route_front_of(enum http_method method, const char *path);

/* "POST /execute, …": the names near ${path}, for the words of a 404. */
void route_names(const char *path, char *dst, size_t room);

/*
 * Does ${query} ("a=1&b") name only what ${r} knows? Otherwise ERR_INPUT: the
 * name is in ${ret_name} (cut to ${room}), and what may have been meant, or
 * what is known, in ${ret_hint}.
 */
MUST_CHECK enum err route_check_query(const struct route *r, const char *query,
    char *ret_name, size_t room, char *ret_hint, size_t hint_room);

#endif
