#include "server/cmd/holder.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_look.h"

enum err holder_check(
    struct client *c, const struct option_set *options, struct why *why)
{
	struct client_call call = { .method = CLIENT_GET,
		.path = "/v1/status" };
	const char *db = option_text(options, "db");
	struct store_look *look;
	json_t *status = NULL;
	const char *there;
	long long here = 0;
	enum err err;

	if (option_origin(options, "db") == OPTION_FROM_DEFAULT)
		return OK;
	look = malloc(sizeof(*look));
	if (!look)
		return ERR_NOMEM;
	err = client_call(c, &call, &status, why);
	if (!err)
		err = store_look(db, look, why);
	there = err ? "" : client_member(status, "lock");
	/*
	 * The lock decides who has it; it names one opening, where pids are the
	 * same in every container. Who has left, or does not say, is nobody else.
	 */
	if (!err && look->held && there[0] &&
	    sscanf(look->holder, "pid %lld ", &here) == 1 &&
	    strcmp(look->holder, there) != 0) {
		err_why(why,
		    "%s has another store: pid %lld has %s; give that "
		    "server's --url",
		    client_url(c), here, db);
		err = ERR_CONFLICT;
	}
	json_decref(status);
	free(look);
	return err;
}
