#include "server/http_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "store/base/log.h"

#define MAX_LOOPS 64
#define MAX_LISTENERS 64
#define MAX_CONNECTIONS 20000
/* For the store, upstreams and the log. */
#define RESERVED_FDS 64

static void free_list(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static enum err copy_list(const char *const *list, char ***ret)
{
	size_t n = count(list);
	char **copy;

	if (n == 0)
		return OK;
	copy = calloc(n + 1, sizeof(*copy));
	if (copy == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		copy[i] = strdup(list[i]);
		if (copy[i] == NULL) {
			free_list(copy);
			return ERR_NOMEM;
		}
	}
	*ret = copy;
	return OK;
}

static const char *const *as_const(char **list)
{
	return (const char *const *)list;
}

/* Raise the limit as far as it goes; what connections may have of it. */
static unsigned fds_for_connections(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return MAX_CONNECTIONS;
	if (r.rlim_cur < r.rlim_max) {
		rlim_t before = r.rlim_cur;

		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0)
			r.rlim_cur = before;
	}
	if (r.rlim_cur >= MAX_CONNECTIONS + RESERVED_FDS)
		return MAX_CONNECTIONS;
	return r.rlim_cur > 2 * RESERVED_FDS
		   ? (unsigned)(r.rlim_cur - RESERVED_FDS)
		   : RESERVED_FDS;
}

#define DEFAULT(field, value)            \
	do {                             \
		if ((field) == 0)        \
			(field) = value; \
	} while (0)

static enum err set_options(
    struct http_server *s, const struct http_options *options, struct why *why)
{
	struct http_options *opt = &s->opt;

	*opt = *options;
	DEFAULT(opt->loops, 1);
	DEFAULT(opt->max_header_bytes, 16 << 10);
	DEFAULT(opt->max_uri_bytes, 8 << 10);
	DEFAULT(opt->max_body_bytes, 1 << 20);
	DEFAULT(opt->max_bodies_bytes, 256 << 20);
	if (opt->max_bodies_bytes / 4 < opt->max_body_bytes)
		opt->max_bodies_bytes = 4 * opt->max_body_bytes;
	DEFAULT(opt->header_ms, 10000);
	DEFAULT(opt->body_ms, 30000);
	DEFAULT(opt->idle_ms, 30000);
	DEFAULT(opt->stall_ms, 30000);
	DEFAULT(opt->gzip_bytes, 1024);
	if (opt->max_connections == 0)
		opt->max_connections = fds_for_connections();
	else
		(void)fds_for_connections();
	DEFAULT(opt->max_per_ip, opt->max_connections);
	if (opt->on_request == NULL || opt->loops > MAX_LOOPS ||
	    count(opt->listen) == 0 || count(opt->listen) > MAX_LISTENERS) {
		err_why(why, "there must be 1 to %d addresses and loops",
		    MAX_LISTENERS);
		return ERR_INPUT;
	}
	/* A head must fit into what is read ahead. */
	if (opt->max_uri_bytes > HTTP_READ_AHEAD / 4 ||
	    opt->max_header_bytes > HTTP_READ_AHEAD / 2) {
		err_why(why, "a request's header may not pass %d bytes",
		    HTTP_READ_AHEAD / 2);
		return ERR_INPUT;
	}
	return OK;
}

static enum err copy_strings(
    struct http_server *s, const struct http_options *options)
{
	enum err rc;

	s->addresses = calloc(count(options->listen) + 1, sizeof(char *));
	s->listeners = calloc(count(options->listen), sizeof(*s->listeners));
	if (s->addresses == NULL || s->listeners == NULL)
		return ERR_NOMEM;
	rc = copy_list(options->allow_hosts, &s->hosts);
	if (rc == OK)
		rc = copy_list(options->allow_origins, &s->origins);
	if (rc == OK && options->server_name != NULL) {
		s->name = strdup(options->server_name);
		if (s->name == NULL)
			rc = ERR_NOMEM;
	}
	s->opt.allow_hosts = as_const(s->hosts);
	s->opt.allow_origins = as_const(s->origins);
	s->opt.server_name = s->name;
	s->gate = (struct http_gate){ .hosts = as_const(s->hosts),
		.origins = as_const(s->origins),
		.addresses = as_const(s->addresses) };
	return rc;
}

static enum err make_loops(struct http_server *s)
{
	s->loops = calloc(s->opt.loops, sizeof(*s->loops));
	if (s->loops == NULL)
		return ERR_NOMEM;
	for (unsigned i = 0; i < s->opt.loops; i++) {
		enum err rc = http_loop_init(&s->loops[i], s, i);

		s->n_loops = i + 1;
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* Libevent's own words, at most as warnings, through our log. */
static void on_library_log(int severity, const char *msg)
{
	if (severity >= EVENT_LOG_WARN)
		log_debug("http", "libevent says", "what=%s", msg);
}

static void on_library_fatal(int code)
{
	(void)code;
	log_panic(__FILE__, __LINE__, "libevent gave up");
}

static void set_process(void)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT(evthread_use_pthreads() == 0);
	event_set_log_callback(on_library_log);
	event_set_fatal_callback(on_library_fatal);
}

enum err http_server_start(const struct http_options *options,
    struct http_server **ret, struct why *why)
{
	struct http_server *s = calloc(1, sizeof(*s));
	enum err rc = ERR_NOMEM;

	if (s == NULL)
		goto out;
	set_process();
	rc = set_options(s, options, why);
	if (rc == OK)
		rc = copy_strings(s, options);
	if (rc == OK && s->opt.max_per_ip < s->opt.max_connections)
		rc = http_peers_new(
		    s->opt.max_connections, s->opt.max_per_ip, &s->peers);
	if (rc == OK)
		rc = make_loops(s);
	for (size_t i = 0; rc == OK && options->listen[i] != NULL; i++)
		rc = http_accept_listen(s, options->listen[i], why);
	/* Loop 0, which accepts, last: the others must be there to take. */
	for (unsigned i = s->n_loops; rc == OK && i-- > 0;)
		rc = http_loop_run(&s->loops[i]);
	if (rc != OK)
		goto out;
	*ret = s;
	s = NULL;
out:
	http_server_stop(s);
	return rc;
}

bool http_server_address(
    const struct http_server *s, unsigned i, char *dst, size_t room)
{
	for (unsigned k = 0; s->addresses[k] != NULL; k++) {
		if (k == i) {
			snprintf(dst, room, "%s", s->addresses[k]);
			return true;
		}
	}
	return false;
}

unsigned http_server_loops(const struct http_server *s)
{
	return s->n_loops;
}

struct http_loop *http_server_loop(struct http_server *s, unsigned i)
{
	ASSERT(i < s->n_loops);
	return &s->loops[i];
}

void http_server_drain(struct http_server *s)
{
	atomic_store(&s->draining, true);
	for (unsigned i = 0; i < s->n_loops; i++)
		http_loop_ring(&s->loops[i]);
}

void http_server_stop(struct http_server *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stopping, true);
	for (unsigned i = 0; i < s->n_loops; i++)
		http_loop_ring(&s->loops[i]);
	for (unsigned i = 0; i < s->n_loops; i++)
		http_loop_fini(&s->loops[i]);
	http_peers_free(s->peers);
	free_list(s->hosts);
	free_list(s->origins);
	free_list(s->addresses);
	free(s->listeners);
	free(s->loops);
	free(s->name);
	free(s);
}

static uint64_t sum(const struct http_server *s, enum http_counter which)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->n_loops; i++)
		n += atomic_load_explicit(
		    &s->loops[i].counts[which].n, memory_order_relaxed);
	return n;
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
	/* Ended first: so the difference is never below nothing. */
	uint64_t ended = sum(s, HTTP_N_EXCHANGES_ENDED);

	*ret = (struct http_stats){
		.connections = sum(s, HTTP_N_CONNECTIONS),
		.requests = sum(s, HTTP_N_REQUESTS),
		.refused = sum(s, HTTP_N_REFUSED),
		.timeouts = sum(s, HTTP_N_TIMEOUTS),
		.open = atomic_load(&s->open),
		.exchanges = sum(s, HTTP_N_EXCHANGES_BEGUN) - ended,
		.bytes_in = sum(s, HTTP_N_IN),
		.bytes_out = sum(s, HTTP_N_OUT),
	};
}

bool http_library(char *dst, size_t room)
{
	(void)snprintf(dst, room, "libevent %s", event_get_version());
	return event_get_version_number() >= 0x02010c00;
}
