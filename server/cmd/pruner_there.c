/* Removed by the server that has the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/pruner_internal.h"
#include "server/when.h"
#include "store/execution.h"

/* A count goes through everything; the server answers when it has. */
#define WAIT_MS ((int64_t)24 * 3600 * 1000)

static void set_int(json_t *o, const char *name, int64_t v, int64_t least)
{
	if (v >= least)
		json_object_set_new(o, name, json_integer(v));
}

static json_t *rule_json(const struct retention_rule *r)
{
	json_t *o = json_object(), *statuses = json_array();

	for (int i = 0; i < EXECUTION_STATUSES; i++)
		if (r->statuses & 1u << i)
			json_array_append_new(
			    statuses, json_string(execution_status_name(
					  (enum execution_status)i)));
	if (json_array_size(statuses) > 0)
		json_object_set(o, "status", statuses);
	json_decref(statuses);
	if (r->owner[0])
		json_object_set_new(o, "owner", json_string(r->owner));
	set_int(o, "since", r->since_ms, 1);
	set_int(o, "until", r->until_ms, 1);
	set_int(o, "older_than_ms", r->age_ms, 0);
	set_int(o, "keep_last", r->count, 0);
	set_int(o, "keep_bytes", r->bytes, 0);
	/* That something was chosen has been seen to. */
	json_object_set_new(o, "all", json_true());
	return o;
}

static json_t *ids_json(const struct id *ids, size_t n)
{
	json_t *o = json_object(), *list = json_array();
	char text[ID_TEXT];

	for (size_t i = 0; i < n; i++) {
		id_text(&ids[i], text);
		json_array_append_new(list, json_string(text));
	}
	json_object_set_new(o, "ids", list);
	return o;
}

/* Takes ${body}. */
static enum err post(struct pruner *p, const char *path, json_t *body,
    struct client_call *call, json_t **ret, struct why *why)
{
	char *text = json_dumps(body, JSON_COMPACT);
	enum err err = ERR_NOMEM;

	json_decref(body);
	if (text) {
		call->method = CLIENT_POST;
		call->path = path;
		call->body = text;
		err = client_call(p->client, call, ret, why);
	}
	free(text);
	return err;
}

static int64_t number(const json_t *answer, const char *name)
{
	return json_integer_value(json_object_get(answer, name));
}

static void add_answer(struct pruner_sum *sum, const json_t *answer)
{
	int64_t oldest_ms, newest_ms;

	sum->executions += number(answer, "executions");
	sum->chunks += number(answer, "chunks");
	sum->bytes += number(answer, "bytes");
	sum->absent += number(answer, "absent");
	sum->live += number(answer, "live");
	if (when_parse(
		client_member(answer, "oldest_created_at"), &oldest_ms) == OK &&
	    when_parse(
		client_member(answer, "newest_created_at"), &newest_ms) == OK)
		pruner_span(sum, oldest_ms, newest_ms);
}

/* Takes ${body}; one call of POST /v1/prune, added up. Gives: *${ret}. */
static enum err ask(struct pruner *p, json_t *body, struct pruner_sum *sum,
    json_t **ret, struct why *why)
{
	struct client_call call = { .wait_ms = WAIT_MS };
	json_t *answer = NULL;
	enum err err;

	if (p->rule.payload_only)
		json_object_set_new(body, "payload_only", json_true());
	err = post(p, "/v1/prune", body, &call, &answer, why);
	if (err)
		return err;
	if (!json_is_boolean(json_object_get(answer, "more"))) {
		err_why(why, "%s answered with something else than a prune",
		    client_url(p->client));
		json_decref(answer);
		return ERR_IO;
	}
	add_answer(sum, answer);
	*ret = answer;
	return OK;
}

/* The next part of it by the rule; p->next goes on. */
static enum err ask_on(struct pruner *p, bool list, struct pruner_sum *sum,
    json_t **ret, struct why *why)
{
	json_t *body = rule_json(&p->rule);
	enum err err;

	if (p->next[0])
		json_object_set_new(body, "next", json_string(p->next));
	if (list) {
		json_object_set_new(body, "dry_run", json_true());
		json_object_set_new(body, "list", json_true());
	}
	err = ask(p, body, sum, ret, why);
	if (!err)
		snprintf(p->next, sizeof(p->next), "%s",
		    client_member(*ret, "next"));
	return err;
}

enum err pruner_there_count(
    struct pruner *p, struct pruner_sum *ret, struct why *why)
{
	json_t *body = rule_json(&p->rule), *answer = NULL;
	enum err err;

	json_object_set_new(body, "dry_run", json_true());
	err = ask(p, body, ret, &answer, why);
	json_decref(answer);
	return err;
}

enum err pruner_there_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why)
{
	json_t *answer = NULL;
	enum err err;

	err = ask_on(p, false, sum, &answer, why);
	if (!err)
		*ret_done = !p->next[0];
	json_decref(answer);
	return err;
}

enum err pruner_there_list(struct pruner *p, struct id *ret, size_t *ret_n,
    bool *ret_done, struct why *why)
{
	struct pruner_sum unused = { 0 };
	json_t *answer = NULL;
	const json_t *one;
	size_t i, n = 0;
	enum err err;

	err = ask_on(p, true, &unused, &answer, why);
	if (err)
		return err;
	json_array_foreach(json_object_get(answer, "ids"), i, one)
	{
		const char *text = json_string_value(one);

		if (!text || n == PRUNER_IDS ||
		    id_parse(text, strlen(text), &ret[n]) != OK) {
			err_why(why, "%s answered with ids that are none",
			    client_url(p->client));
			err = ERR_IO;
			break;
		}
		n++;
	}
	*ret_n = n;
	*ret_done = !p->next[0];
	if (*ret_done)
		p->next[0] = '\0';
	json_decref(answer);
	return err;
}

enum err pruner_there_erase(struct pruner *p, const struct id *ids, size_t n,
    struct pruner_sum *sum, struct why *why)
{
	json_t *answer = NULL;
	json_t *body = ids_json(ids, n);
	enum err err;

	if (p->note[0])
		json_object_set_new(body, "note", json_string(p->note));
	err = ask(p, body, sum, &answer, why);

	json_decref(answer);
	return err;
}

enum err pruner_there_export(struct pruner *p, const struct id *ids, size_t n,
    bool (*on_data)(const char *data, size_t len, void *arg), void *arg,
    struct why *why)
{
	struct client_call call = { .on_data = on_data, .arg = arg };
	json_t *none = NULL; /* on_data takes the body */
	enum err err;

	err = post(
	    p, "/v1/executions/export", ids_json(ids, n), &call, &none, why);
	json_decref(none);
	return err;
}
