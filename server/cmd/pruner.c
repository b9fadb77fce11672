#include "server/cmd/pruner.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/holder.h"
#include "server/cmd/output.h"
#include "server/when.h"
#include "store/base/clock.h"
#include "store/store.h"
#include "store/store_look.h"
#include "store/writer_wait.h"

/* A count goes through everything; the server answers when it has. */
#define WAIT_MS ((int64_t)24 * 3600 * 1000)
#define NEXT_BYTES 256
/* Between two looks at how far it is. */
#define DROP_MS 20

struct pruner {
	struct retention_rule rule;
	struct client *client; /* NULL: here */
	char next[NEXT_BYTES]; /* where the server goes on; "": the start */

	struct store *store;
	struct query *query;
	struct retention *look; /* of pruner_turn() */
	struct retention_batch batch;
	struct audit audit;
	struct writer_waiting w;
};

/* --- there --- */

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

static void span(struct pruner_sum *sum, int64_t oldest_ms, int64_t newest_ms)
{
	if (oldest_ms > 0 &&
	    (sum->oldest_ms == 0 || oldest_ms < sum->oldest_ms))
		sum->oldest_ms = oldest_ms;
	if (newest_ms > sum->newest_ms)
		sum->newest_ms = newest_ms;
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
		span(sum, oldest_ms, newest_ms);
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

/* --- here --- */

static enum err open_here(const char *db, struct pruner *p, struct why *why)
{
	struct store_options so = { .url = db };
	struct store_look *look = malloc(sizeof(*look));
	enum err err;

	if (!look)
		return ERR_NOMEM;
	/* Opening would make one. */
	err = store_look(db, look, why);
	if (!err && !look->there) {
		err_why(why, "there is no store %s", db);
		err = ERR_NOT_FOUND;
	}
	free(look);
	if (!err)
		err = store_open(&so, &p->store, why);
	if (err)
		return err;
	err = query_open(p->store, &p->query);
	p->audit.operation = id_new();
	snprintf(p->audit.actor, sizeof(p->audit.actor), "offline");
	snprintf(p->audit.action, sizeof(p->audit.action), "%s",
	    p->rule.payload_only ? "prune.payload" : "prune");
	return err;
}

static enum err erase_here(struct pruner *p, struct pruner_sum *sum)
{
	struct write *w = &p->w.write;
	bool payload = p->rule.payload_only;
	enum err err;

	*w = (struct write){ .kind = WRITE_PRUNE, .audit = &p->audit };
	w->u.prune.ids = payload ? p->batch.payload : p->batch.whole;
	w->u.prune.n = payload ? p->batch.n_payload : p->batch.n_whole;
	w->u.prune.payload_only = payload;
	if (w->u.prune.n == 0)
		return OK;
	err = writer_wait(p->store, &p->w);
	sum->executions += (int64_t)w->u.prune.gone.executions;
	sum->chunks += (int64_t)w->u.prune.gone.chunks;
	sum->bytes += (int64_t)w->u.prune.gone.bytes;
	sum->absent += w->u.prune.absent;
	sum->live += w->u.prune.live;
	span(sum, p->batch.oldest_ms, p->batch.newest_ms);
	return err;
}

static enum err count_here(struct pruner *p, struct pruner_sum *sum)
{
	struct retention *look = NULL;
	enum err err;

	err = retention_new(&p->rule, 1, clock_wall_ms(), NULL, &look);
	p->batch.done = false;
	while (!err && !p->batch.done) {
		err = retention_step(
		    look, retention_walk, p->query, RETENTION_BATCH, &p->batch);
		if (err)
			break;
		sum->executions += p->batch.n_whole + p->batch.n_payload;
		sum->chunks += (int64_t)p->batch.chunks;
		sum->bytes += (int64_t)p->batch.bytes;
		span(sum, p->batch.oldest_ms, p->batch.newest_ms);
	}
	retention_free(look);
	return err;
}

/* When all are gone: what they held. A server does that by itself. */
static enum err drop_here(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done)
{
	struct store_stats s;
	struct why why;
	enum err err = store_failed(p->store, &why);

	store_stats(p->store, &s);
	if (!err && s.cleaning)
		(void)poll(NULL, 0, DROP_MS);
	*ret_done = !s.cleaning;
	sum->file_bytes = s.cleaning ? (int64_t)s.db_bytes : 0;
	if (err)
		p->w.write.why = why;
	return err;
}

static enum err turn_here(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done)
{
	enum err err = OK;

	if (p->look && p->batch.done)
		return drop_here(p, sum, ret_done);
	if (!p->look)
		err =
		    retention_new(&p->rule, 1, clock_wall_ms(), NULL, &p->look);
	if (!err)
		err = retention_step(p->look, retention_walk, p->query,
		    RETENTION_BATCH, &p->batch);
	if (!err)
		err = erase_here(p, sum);
	*ret_done = false;
	return err;
}

static void say_here(const struct pruner *p, enum err err, struct why *why)
{
	if (err && !why->text[0])
		err_why(why, "the store: %s",
		    p->w.write.why.text[0] ? p->w.write.why.text
					   : err_name(err));
}

/* --- either --- */

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
	/* Never another store than the one that was named. */
	if (o->there && db_said) {
		err = open_here(db, p, why);
		if (!err) {
			err_why(why,
			    "--export-first asks a server, and no server has "
			    "%s: start one",
			    db);
			err = ERR_STOPPED;
		}
		if (err != ERR_BUSY)
			goto out;
	}
	if (!o->there && (db_said || !url_said)) {
		err = open_here(db, p, why);
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

enum err pruner_count(struct pruner *p, struct pruner_sum *ret, struct why *why)
{
	json_t *body, *answer = NULL;
	enum err err;

	*ret = (struct pruner_sum){ 0 };
	if (!p->client) {
		err = count_here(p, ret);
		say_here(p, err, why);
		return err;
	}
	body = rule_json(&p->rule);
	json_object_set_new(body, "dry_run", json_true());
	err = ask(p, body, ret, &answer, why);
	json_decref(answer);
	return err;
}

enum err pruner_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why)
{
	json_t *answer = NULL;
	enum err err;

	if (!p->client) {
		err = turn_here(p, sum, ret_done);
		say_here(p, err, why);
		return err;
	}
	err = ask_on(p, false, sum, &answer, why);
	if (!err)
		*ret_done = !p->next[0];
	json_decref(answer);
	return err;
}

enum err pruner_list(struct pruner *p, struct id *ret, size_t *ret_n,
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

enum err pruner_erase(struct pruner *p, const struct id *ids, size_t n,
    struct pruner_sum *sum, struct why *why)
{
	json_t *answer = NULL;
	enum err err = ask(p, ids_json(ids, n), sum, &answer, why);

	json_decref(answer);
	return err;
}

enum err pruner_export(struct pruner *p, const struct id *ids, size_t n,
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
