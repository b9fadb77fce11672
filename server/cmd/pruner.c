#include "server/cmd/pruner.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/cmd/holder.h"
#include "server/cmd/output.h"
#include "server/cmd/pruner_internal.h"

enum err pruner_open(
    const struct pruner_options *o, struct pruner **ret, struct why *why)
{
	const char *db = option_text(o->options, "db");
	bool db_said = option_origin(o->options, "db") != OPTION_FROM_DEFAULT;
	bool url_said = option_origin(o->options, "url") == OPTION_FROM_FLAG;
	struct pruner *p = calloc(1, sizeof(*p));
	enum err err = ERR_NOT_FOUND;

	if (!p)
		return ERR_NOMEM;
	p->rule = *o->rule;
	if (o->note)
		snprintf(p->note, sizeof(p->note), "%s", o->note);
	/* Never another store than the one that was named. */
	if (db_said || !url_said) {
		err = pruner_here_open(p, db, why);
		if ((err == ERR_BUSY || (err == ERR_NOT_FOUND && !db_said)) &&
		    !output_json())
			fprintf(stderr, "%s: asking %s\n", why->text,
			    option_text(o->options, "url"));
		else if (err == ERR_NOT_FOUND && db_said)
			goto out;
	}
	if (err == ERR_BUSY || err == ERR_NOT_FOUND) {
		why->text[0] = '\0';
		err = client_open(o->options, &p->client, why);
		if (!err)
			err = holder_check(p->client, o->options, why);
	}
	if (!err) {
		*ret = p;
		p = NULL;
	}
out:
	pruner_close(p);
	return err;
}

void pruner_close(struct pruner *p)
{
	if (!p)
		return;
	client_close(p->client);
	retention_free(p->look);
	query_close(p->query);
	store_close(p->store);
	free(p);
}

void pruner_span(struct pruner_sum *sum, int64_t oldest_ms, int64_t newest_ms)
{
	if (oldest_ms > 0 &&
	    (sum->oldest_ms == 0 || oldest_ms < sum->oldest_ms))
		sum->oldest_ms = oldest_ms;
	if (newest_ms > sum->newest_ms)
		sum->newest_ms = newest_ms;
}

/* An id says when it was made; of what is removed by its id no more is known. */
static void span_ids(struct pruner_sum *sum, const struct id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t ms = 0;

		for (int k = 0; k < 6; k++)
			ms = ms << 8 | ids[i].byte[k];
		pruner_span(sum, ms, ms);
	}
}

enum err pruner_count(struct pruner *p, struct pruner_sum *ret, struct why *why)
{
	*ret = (struct pruner_sum){ 0 };
	return p->client ? pruner_there_count(p, ret, why)
			 : pruner_here_count(p, ret, why);
}

enum err pruner_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why)
{
	return p->client ? pruner_there_turn(p, sum, ret_done, why)
			 : pruner_here_turn(p, sum, ret_done, why);
}

enum err pruner_list(struct pruner *p, struct id *ret, size_t *ret_n,
    bool *ret_done, struct why *why)
{
	return p->client ? pruner_there_list(p, ret, ret_n, ret_done, why)
			 : pruner_here_list(p, ret, ret_n, ret_done, why);
}

enum err pruner_erase(struct pruner *p, const struct id *ids, size_t n,
    struct pruner_sum *sum, struct why *why)
{
	enum err err = p->client ? pruner_there_erase(p, ids, n, sum, why)
				 : pruner_here_erase(p, ids, n, sum, why);

	if (!err)
		span_ids(sum, ids, n);
	return err;
}

enum err pruner_drop(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why)
{
	if (!p->client)
		return pruner_here_turn(p, sum, ret_done, why);
	*ret_done = true;
	return OK;
}

enum err pruner_export(struct pruner *p, const struct id *ids, size_t n,
    bool (*on_data)(const char *data, size_t len, void *arg), void *arg,
    struct why *why)
{
	return p->client ? pruner_there_export(p, ids, n, on_data, arg, why)
			 : pruner_here_export(p, ids, n, on_data, arg, why);
}
