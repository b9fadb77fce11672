#include "server/http_gate.h"

#include <string.h>
#include <strings.h>

/* The bytes of "name[:port]" before the port. */
static size_t name_len(const char *host)
{
	const char *colon;

	if (*host == '[') {
		const char *end = strchr(host, ']');

		return end == NULL ? strlen(host) : (size_t)(end + 1 - host);
	}
	colon = strchr(host, ':');
	return colon == NULL ? strlen(host) : (size_t)(colon - host);
}

static bool same_name(const char *host, const char *other)
{
	size_t len = name_len(host);

	return len == name_len(other) && strncasecmp(host, other, len) == 0;
}

static bool is_name(const char *host, const char *name)
{
	size_t len = name_len(host);

	return strlen(name) == len && strncasecmp(host, name, len) == 0;
}

bool http_gate_host(const struct http_gate *gate, const char *host)
{
	/* "This host" to a socket, a way round the list to a browser. */
	if (is_name(host, "0.0.0.0") || is_name(host, "[::]"))
		return false;
	if (is_name(host, "localhost") || is_name(host, "127.0.0.1") ||
	    is_name(host, "[::1]"))
		return true;
	for (size_t i = 0; gate->addresses != NULL && gate->addresses[i]; i++)
		if (same_name(host, gate->addresses[i]))
			return true;
	for (size_t i = 0; gate->hosts != NULL && gate->hosts[i]; i++) {
		const char *allowed = gate->hosts[i];

		if (strcmp(allowed, "*") == 0 ||
		    strcasecmp(allowed, host) == 0 || is_name(host, allowed))
			return true;
	}
	return false;
}

bool http_gate_origin(const struct http_gate *gate, const char *origin)
{
	for (size_t i = 0; gate->origins != NULL && gate->origins[i]; i++)
		if (strcmp(gate->origins[i], "*") == 0 ||
		    strcasecmp(gate->origins[i], origin) == 0)
			return true;
	return false;
}

/* The port's text, or the scheme's own where there is none. */
static const char *port_of(const char *host, const char *usual)
{
	const char *port = host + name_len(host);

	return port[0] == ':' && port[1] != '\0' ? port + 1 : usual;
}

/* Did the page that asks come from where it asks? */
static bool same_origin(const char *origin, const char *host)
{
	const char *usual;

	if (strncasecmp(origin, "http://", 7) == 0) {
		origin += 7;
		usual = "80";
	} else if (strncasecmp(origin, "https://", 8) == 0) {
		origin += 8;
		usual = "443";
	} else {
		return false;
	}
	return same_name(origin, host) &&
	       strcmp(port_of(origin, usual), port_of(host, usual)) == 0;
}

/* Could it do something by being sent alone? */
static bool changes_state(const struct http_gate_question *q)
{
	return q->upgrade || (q->method != HTTP_GET && q->method != HTTP_HEAD &&
				 q->method != HTTP_OPTIONS);
}

enum http_gate_answer http_gate_judge(const struct http_gate *gate,
    const struct http_gate_question *q, bool *ret_cors)
{
	bool same = q->origin != NULL && same_origin(q->origin, q->host);
	bool listed = q->origin != NULL && http_gate_origin(gate, q->origin);
	bool preflight = q->method == HTTP_OPTIONS && q->origin != NULL &&
			 q->asked_method != NULL;

	*ret_cors = listed;
	if (q->host[0] != '\0' && !http_gate_host(gate, q->host))
		return HTTP_GATE_WRONG_HOST;
	if (preflight)
		return listed || same ? HTTP_GATE_PREFLIGHT
				      : HTTP_GATE_CROSS_SITE;
	if (!changes_state(q) || listed || same)
		return HTTP_GATE_PASS;
	if (q->origin != NULL)
		return HTTP_GATE_CROSS_SITE;
	if (q->fetch_site != NULL && strcmp(q->fetch_site, "cross-site") == 0)
		return HTTP_GATE_CROSS_SITE;
	return HTTP_GATE_PASS;
}
