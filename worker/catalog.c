#include "worker/catalog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/base/utf8.h"
#include "worker/decimal.h"
#include "worker/prices.h"
#include "worker/results.h"
#include "worker/upstreams.h"
#include "worker/worker_models.h"

/* What is known of one upstream's models. */
struct shelf {
	struct results_models listed; /* by id */
	const char *why; /* its list could not be had last; NULL: it could */
	bool asked;	 /* ever */
};

struct catalog {
	const struct upstreams *upstreams;
	struct prices *prices;
	struct shelf *shelf; /* as many as upstreams */
	size_t n;
	pthread_mutex_t lock;	       /* of present alone */
	struct worker_models *present; /* never NULL once made */
};

/* A model of an upstream that is configured, listed or not. */
typedef void each_fn(void *arg, const char *model);

/* Call ${fn} for each model of ${e} that the configuration names. */
static void each_configured(const struct catalog *c,
    const struct upstream_entry *e, each_fn *fn, void *arg)
{
	const struct upstreams_route *route;

	if (e->model != NULL)
		fn(arg, e->model);
	for (size_t i = 0; upstreams_model_at(c->upstreams, i, &route); i++)
		for (size_t k = 0; k < route->n; k++)
			if (route->at[k].upstream == e)
				fn(arg, route->at[k].model);
}

static const struct results_model *find(
    const struct results_models *list, const char *id)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int cmp = strcmp(list->models[mid].id, id);

		if (cmp == 0)
			return &list->models[mid];
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Can it be shown in a line, and be asked for? */
static bool plain(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len == 0 || len > max || !utf8_valid(s, len))
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* --- writing --- */

/* What ${target}, "upstream/model", costs, whoever says so. */
static void write_prices(
    struct buf *b, const struct catalog *c, const char *target)
{
	char text[DECIMAL_TEXT];
	struct price price;

	if (!prices_find(c->prices, target, &price))
		return;
	jsonout_key(b, "pricing");
	jsonout_object(b);
	for (int p = 0; p < N_PRICES; p++) {
		if (price.pusd[p] < 0)
			continue;
		decimal_text(price.pusd[p], 12, text);
		jsonout_member(
		    b, results_price_name((enum results_price)p), text);
	}
	jsonout_object_end(b);
}

static void write_facts(struct buf *b, const struct upstream_entry *e,
    const struct results_model *m)
{
	jsonout_member_int(
	    b, "created", m != NULL && m->created_s > 0 ? m->created_s : 0);
	jsonout_member(
	    b, "owned_by", m != NULL && m->owner != NULL ? m->owner : e->name);
	if (m != NULL && m->name != NULL && strcmp(m->name, m->id) != 0)
		jsonout_member(b, "name", m->name);
	if (m != NULL && m->context_length > 0)
		jsonout_member_int(b, "context_length", m->context_length);
	if (m != NULL && m->max_output_tokens > 0)
		jsonout_member_int(
		    b, "max_output_tokens", m->max_output_tokens);
}

/* "upstream/model"; "": not fit to be shown. */
static void target_text(
    const struct upstreams_target *t, char *dst, size_t room)
{
	dst[0] = '\0';
	if (plain(t->model, CATALOG_MAX_ID_BYTES))
		(void)snprintf(dst, room, "%s/%s", t->upstream->name, t->model);
}

/* An upstream's models, on their way to the list. */
struct writing {
	const struct catalog *c;
	const struct upstream_entry *e;
	const struct shelf *shelf;
	struct worker_models *list;
	bool bare; /* without "upstream/" in front, where that means it */
	size_t n;
};

/* Does ${id} alone mean ${e}'s model of that name? */
static bool means(
    const struct catalog *c, const char *id, const struct upstream_entry *e)
{
	struct upstreams_route route;

	return upstreams_resolve(c->upstreams, id, &route, NULL) == OK &&
	       route.n == 1 && route.at[0].upstream == e &&
	       strcmp(route.at[0].model, id) == 0;
}

static void write_model(struct writing *w, const char *model)
{
	struct upstreams_target target = { w->e, model };
	char full[UPSTREAMS_MAX_NAME + CATALOG_MAX_ID_BYTES + 2];
	struct buf *b;

	target_text(&target, full, sizeof(full));
	if (full[0] == '\0' || (w->bare && !means(w->c, model, w->e)))
		return;
	b = worker_models_begin(w->list, w->bare ? model : full);
	if (b == NULL)
		return;
	write_facts(b, w->e, find(&w->shelf->listed, model));
	write_prices(b, w->c, full);
	jsonout_key(b, "targets");
	jsonout_array(b);
	jsonout_string(b, full, strlen(full));
	jsonout_array_end(b);
	worker_models_end(w->list);
	w->n++;
}

/* Of what is configured, what is not listed; a name that came is not new. */
static void write_configured(void *arg, const char *model)
{
	struct writing *w = arg;
	char id[UPSTREAMS_MAX_NAME + CATALOG_MAX_ID_BYTES + 2];
	const char *known;

	if (find(&w->shelf->listed, model) != NULL)
		return;
	snprintf(id, sizeof(id), "%s%s%s", w->bare ? "" : w->e->name,
	    w->bare ? "" : "/", model);
	for (size_t i = 0; (known = worker_models_name(w->list, i)); i++)
		if (strcmp(known, id) == 0)
			return;
	write_model(w, model);
}

/* Returns how many it has. */
static size_t write_upstream(
    const struct catalog *c, size_t i, bool bare, struct worker_models *list)
{
	struct writing w = { .c = c,
		.e = upstreams_at(c->upstreams, i),
		.shelf = &c->shelf[i],
		.list = list,
		.bare = bare };

	each_configured(c, w.e, write_configured, &w);
	for (size_t k = 0; k < w.shelf->listed.n; k++)
		write_model(&w, w.shelf->listed.models[k].id);
	return w.n;
}

static void write_names(const struct catalog *c, struct worker_models *list)
{
	char full[UPSTREAMS_MAX_NAME + CATALOG_MAX_ID_BYTES + 2];
	const struct upstreams_route *route;
	const char *name;
	struct buf *b;

	for (size_t i = 0;
	     (name = upstreams_model_at(c->upstreams, i, &route)) != NULL;
	     i++) {
		b = worker_models_begin(list, name);
		if (b == NULL)
			return;
		jsonout_member_int(b, "created", 0);
		jsonout_member(b, "owned_by", "spool");
		jsonout_key(b, "targets");
		jsonout_array(b);
		for (size_t k = 0; k < route->n; k++) {
			target_text(&route->at[k], full, sizeof(full));
			if (full[0] != '\0')
				jsonout_string(b, full, strlen(full));
		}
		jsonout_array_end(b);
		worker_models_end(list);
	}
}

static void write_upstreams(
    struct buf *b, const struct catalog *c, const size_t *counts)
{
	const struct upstream_entry *standard = upstreams_default(c->upstreams);

	jsonout_key(b, "upstreams");
	jsonout_array(b);
	for (size_t i = 0; i < c->n; i++) {
		const struct upstream_entry *e = upstreams_at(c->upstreams, i);

		jsonout_object(b);
		jsonout_member(b, "name", e->name);
		jsonout_key(b, "default");
		jsonout_bool(b, e == standard);
		jsonout_member_int(b, "models", (int64_t)counts[i]);
		jsonout_key(b, "listed");
		jsonout_bool(b, c->shelf[i].asked && c->shelf[i].why == NULL);
		if (c->shelf[i].why != NULL)
			jsonout_member(b, "error", c->shelf[i].why);
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
}

/* No list is longer than this. */
static size_t most(const struct catalog *c)
{
	const struct upstreams_route *route;
	size_t n = c->n, bare = 0;

	for (size_t i = 0; upstreams_model_at(c->upstreams, i, &route); i++)
		n += 1 + route->n;
	for (size_t i = 0; i < c->n; i++) {
		n += c->shelf[i].listed.n;
		if (upstreams_at(c->upstreams, i) ==
		    upstreams_default(c->upstreams))
			bare = c->shelf[i].listed.n;
	}
	return 2 * n + bare;
}

enum err catalog_publish(struct catalog *c)
{
	struct worker_models *list = worker_models_new(most(c)), *old;
	size_t *counts = calloc(c->n + 1, sizeof(*counts));
	enum err rc = ERR_NOMEM;

	if (list == NULL || counts == NULL)
		goto out;
	write_names(c, list);
	for (size_t i = 0; i < c->n; i++)
		if (upstreams_at(c->upstreams, i) ==
		    upstreams_default(c->upstreams))
			write_upstream(c, i, true, list);
	for (size_t i = 0; i < c->n; i++)
		counts[i] = write_upstream(c, i, false, list);
	write_upstreams(worker_models_rest(list), c, counts);
	rc = worker_models_seal(list);
	if (rc != OK)
		goto out;
	pthread_mutex_lock(&c->lock);
	old = c->present;
	c->present = list;
	pthread_mutex_unlock(&c->lock);
	list = old;
out:
	worker_models_drop(list);
	free(counts);
	return rc;
}

/* --- filling --- */

static int by_id(const void *a, const void *b)
{
	const struct results_model *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void forget(struct results_model *m)
{
	free(m->id);
	free(m->name);
	free(m->owner);
}

/* What is not fit to be shown goes, and what is beyond the ceiling. */
static void tidy(struct results_models *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct results_model *m = &list->models[i];

		if (n == CATALOG_MAX_MODELS ||
		    !plain(m->id, CATALOG_MAX_ID_BYTES)) {
			forget(m);
			continue;
		}
		if (m->name != NULL && !plain(m->name, CATALOG_MAX_ID_BYTES)) {
			free(m->name);
			m->name = NULL;
		}
		if (m->owner != NULL &&
		    !plain(m->owner, CATALOG_MAX_ID_BYTES)) {
			free(m->owner);
			m->owner = NULL;
		}
		list->models[n++] = *m;
	}
	list->n = n;
	if (n > 0)
		qsort(list->models, n, sizeof(*list->models), by_id);
	for (size_t i = n = 0; i < list->n; i++)
		if (n > 0 && by_id(&list->models[n - 1], &list->models[i]) == 0)
			forget(&list->models[i]);
		else
			list->models[n++] = list->models[i];
	list->n = n;
}

void catalog_put(struct catalog *c, size_t i, struct results_models *list)
{
	struct shelf *s = &c->shelf[i];

	results_models_fini(&s->listed);
	s->listed = *list;
	*list = (struct results_models){ 0 };
	tidy(&s->listed);
	s->why = NULL;
	s->asked = true;
}

void catalog_miss(struct catalog *c, size_t i, const char *why)
{
	c->shelf[i].why = why;
	c->shelf[i].asked = true;
}

struct worker_models *catalog_hold(struct catalog *c)
{
	struct worker_models *m;

	pthread_mutex_lock(&c->lock);
	m = worker_models_share(c->present);
	pthread_mutex_unlock(&c->lock);
	return m;
}

enum err catalog_new(
    const struct upstreams *u, struct prices *prices, struct catalog **ret)
{
	struct catalog *c = calloc(1, sizeof(*c));
	enum err rc = ERR_NOMEM;

	if (c == NULL)
		return ERR_NOMEM;
	ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
	c->upstreams = u;
	c->prices = prices;
	while (upstreams_at(u, c->n) != NULL)
		c->n++;
	c->shelf = calloc(c->n + 1, sizeof(*c->shelf));
	if (c->shelf != NULL)
		rc = catalog_publish(c);
	if (rc == OK)
		*ret = c;
	else
		catalog_free(c);
	return rc;
}

void catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; c->shelf != NULL && i < c->n; i++)
		results_models_fini(&c->shelf[i].listed);
	free(c->shelf);
	worker_models_drop(c->present);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
