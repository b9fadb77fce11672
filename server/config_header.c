#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_internal.h"
#include "store/base/digest.h"
#include "worker/worker.h"

void config_header_forget(struct config_upstream *u)
{
	if (u->headers)
		digest_wipe(u->headers, strlen(u->headers));
	free(u->headers);
	u->headers = NULL;
}

enum err config_header_add(
    struct config_upstream *u, const char *line, struct why *why)
{
	const char *colon = strchr(line, ':');
	const char *value = colon ? colon + 1 : "";
	char *all = NULL;
	enum err err;

	value += strspn(value, " \t");
	if (asprintf(&all, "%s%.*s: %s\n", u->headers ? u->headers : "",
		colon ? (int)(colon - line) : 0, line, value) < 0)
		return ERR_NOMEM;
	err = worker_headers_check(all, why);
	if (err) {
		digest_wipe(all, strlen(all));
		free(all);
		return err;
	}
	config_header_forget(u);
	u->headers = all;
	return OK;
}

void config_header_names(const struct config_upstream *u,
    void (*take)(const char *name, void *arg), void *arg)
{
	const char *p = u->headers ? u->headers : "";

	for (; *p; p = strchr(p, '\n') + 1) {
		char name[WORKER_MAX_HEADER_BYTES];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, ":"), p);
		take(name, arg);
	}
}
