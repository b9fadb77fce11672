/*
 * Two walks. First each limit is measured from the newest on: its edge is the
 * newest execution that it does not keep. Then all are judged from the oldest
 * on, and are gone behind us; the walk ends where no rule can reach.
 */
#include "store/retention.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

/* Creation and the stamp in the id, by which walks go, may differ by this. */
#define SLACK_MS ((int64_t)120000)
/* Places for the edges of owners; when most are taken, all are forgotten. */
#define OWNERS 8192

enum measured { MEASURED_NOT, MEASURED_YES };

/* The newest execution that is behind; zeroes: none is. */
struct edge {
	enum measured state;
	struct id id;
};

struct owner_edge {
	bool used;
	char owner[KEY_NAME_BYTES];
	struct edge edge;
};

/* An edge that is looked for, and what was seen so far. */
struct measuring {
	bool active;
	bool bytes; /* else: count */
	size_t rule;
	bool of_owner; /* only this one's */
	char owner[KEY_NAME_BYTES];
	bool has_after;
	struct id after;
	uint64_t seen;
};

struct retention {
	struct retention_rule rules[RETENTION_MAX_RULES];
	struct edge count[RETENTION_MAX_RULES], bytes[RETENTION_MAX_RULES];
	size_t n;
	int64_t now_ms;
	struct measuring m;
	struct owner_edge owners[OWNERS];
	size_t n_owners;
	struct execution_brief seen[RETENTION_BATCH]; /* while measuring */
	/* While judging: those from at on are still to come. */
	struct execution_brief page[RETENTION_BATCH];
	uint32_t at, n_page;
	bool last_page;
	struct id position;
	bool has_position, moved;
};

static const struct id nothing;

static bool is_nothing(const struct id *id)
{
	return id_equal(id, &nothing);
}

/* Is ${id} at the edge or older? */
static bool behind(const struct edge *edge, const struct id *id)
{
	return !is_nothing(&edge->id) &&
	       memcmp(id->byte, edge->id.byte, sizeof(id->byte)) <= 0;
}

static bool about(const struct retention *r, const struct retention_rule *rule,
    const struct execution_brief *e)
{
	/* It was live when the look began. */
	if (e->finished_ms > r->now_ms)
		return false;
	if (rule->owner[0] != '\0' && strcmp(rule->owner, e->owner) != 0)
		return false;
	if (rule->statuses != 0 &&
	    (rule->statuses & 1u << (unsigned)e->status) == 0)
		return false;
	if (rule->since_ms > 0 && e->created_ms < rule->since_ms)
		return false;
	return rule->until_ms <= 0 || e->created_ms < rule->until_ms;
}

/* --- the questions that the walks ask --- */

/* The one status of a mask, or -1. */
static int only_status(unsigned statuses)
{
	for (int i = 0; i < EXECUTION_STATUSES; i++)
		if (statuses == 1u << (unsigned)i)
			return i;
	return -1;
}

static int64_t earlier(int64_t a, int64_t b)
{
	if (a <= 0 || b <= 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

static void ask(const struct retention *r, const struct retention_rule *rule,
    struct query_filter *f)
{
	*f = (struct query_filter){
		.owner = rule->owner[0] != '\0' ? rule->owner : NULL,
		.status = only_status(rule->statuses),
		.since_ms = rule->since_ms,
		.until_ms = earlier(rule->until_ms, r->now_ms + 1),
		.limit = RETENTION_BATCH,
	};
}

/* What all rules are about, or more. */
static void ask_all(const struct retention *r, struct query_filter *f)
{
	ask(r, &r->rules[0], f);
	for (size_t i = 1; i < r->n; i++) {
		if (strcmp(r->rules[i].owner, r->rules[0].owner) != 0)
			f->owner = NULL;
		if (r->rules[i].statuses != r->rules[0].statuses)
			f->status = -1;
		if (r->rules[i].since_ms != r->rules[0].since_ms)
			f->since_ms = 0;
		if (r->rules[i].until_ms != r->rules[0].until_ms)
			f->until_ms = r->now_ms + 1;
	}
}

/* --- measuring --- */

/* The edge of ${owner}'s count; not measured, when it is new here. */
static struct edge *owner_edge(struct retention *r, const char *owner)
{
	uint64_t h = 1469598103934665603u; /* FNV-1a */
	struct owner_edge *o;

	for (const char *c = owner; *c != '\0'; c++)
		h = (h ^ (uint8_t)*c) * 1099511628211u;
	for (h >>= 20;; h++) {
		o = &r->owners[h % OWNERS];
		if (!o->used)
			break;
		if (strcmp(o->owner, owner) == 0)
			return &o->edge;
	}
	if (r->n_owners == OWNERS * 3 / 4) {
		memset(r->owners, 0, sizeof(r->owners));
		r->n_owners = 0;
		o = &r->owners[h % OWNERS];
	}
	memcpy(o->owner, owner, strlen(owner) + 1);
	o->used = true;
	r->n_owners++;
	return &o->edge;
}

/* ${owner} NULL: of all that the rule is about. */
static void begin_measuring(
    struct retention *r, size_t rule, bool bytes, const char *owner)
{
	r->m =
	    (struct measuring){ .active = true, .bytes = bytes, .rule = rule };
	if (owner == NULL)
		return;
	r->m.of_owner = true;
	memcpy(r->m.owner, owner, strlen(owner) + 1);
}

/* Choose what has to be measured before anything can be judged. */
static bool choose_measuring(struct retention *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct retention_rule *rule = &r->rules[i];

		if (rule->count >= 0 && !rule->per_owner &&
		    r->count[i].state == MEASURED_NOT) {
			begin_measuring(r, i, false, NULL);
			return true;
		}
		if (rule->bytes >= 0 && r->bytes[i].state == MEASURED_NOT) {
			begin_measuring(r, i, true, NULL);
			return true;
		}
	}
	return false;
}

static void end_measuring(struct retention *r, const struct id *id)
{
	struct measuring *m = &r->m;
	struct edge *edge = m->bytes	  ? &r->bytes[m->rule]
			    : m->of_owner ? owner_edge(r, m->owner)
					  : &r->count[m->rule];

	*edge = (struct edge){ MEASURED_YES, *id };
	m->active = false;
}

/* Does ${e} lie behind what the limit keeps? It is counted. */
static bool passes(struct measuring *m, const struct retention_rule *rule,
    const struct execution_brief *e)
{
	m->seen += m->bytes ? e->bytes : 1;
	return m->seen > (uint64_t)(m->bytes ? rule->bytes : rule->count);
}

/* How many rows may be needed: no page is read for one row of it. */
static uint32_t wanted(
    const struct measuring *m, const struct retention_rule *rule)
{
	uint64_t left = (uint64_t)rule->count - m->seen + 1;

	return m->bytes || left > RETENTION_BATCH ? RETENTION_BATCH
						  : (uint32_t)left;
}

/* One page further to the older ones. */
static enum err measure(
    struct retention *r, retention_walk_fn *walk, void *arg, uint32_t *rows)
{
	struct measuring *m = &r->m;
	const struct retention_rule *rule = &r->rules[m->rule];
	struct query_filter f;
	uint32_t n = 0;
	enum err rc;

	ask(r, rule, &f);
	f.limit = wanted(m, rule);
	if (m->of_owner)
		f.owner = m->owner;
	f.after = m->has_after ? &m->after : NULL;
	rc = walk(arg, &f, r->seen, &n);
	if (rc != OK)
		return rc;
	*rows += n;
	for (uint32_t i = 0; i < n; i++) {
		const struct execution_brief *e = &r->seen[i];

		if (about(r, rule, e) && passes(m, rule, e)) {
			end_measuring(r, &e->id);
			return OK;
		}
	}
	if (n < f.limit) {
		end_measuring(r, &nothing);
		return OK;
	}
	m->after = r->seen[n - 1].id;
	m->has_after = true;
	return OK;
}

/* --- judging --- */

static bool has_limits(const struct retention_rule *rule)
{
	return rule->age_ms >= 0 || rule->count >= 0 || rule->bytes >= 0;
}

/*
 * Is ${e} beyond ${rule}? ERR_BUSY: an owner's edge must be measured first, and
 * that has begun.
 */
static enum err beyond(
    struct retention *r, size_t i, const struct execution_brief *e, bool *ret)
{
	const struct retention_rule *rule = &r->rules[i];
	unsigned n = 0, passed = 0;

	if (rule->age_ms >= 0) {
		n++;
		passed += e->finished_ms <= r->now_ms - rule->age_ms;
	}
	if (rule->bytes >= 0) {
		n++;
		passed += behind(&r->bytes[i], &e->id);
	}
	/* An owner is not measured for what other limits decide. */
	if (rule->count >= 0 && (rule->all_limits ? passed == n : !passed)) {
		const struct edge *edge = &r->count[i];

		n++;
		if (rule->per_owner)
			edge = owner_edge(r, e->owner);
		if (edge->state == MEASURED_NOT) {
			begin_measuring(r, i, false, e->owner);
			return ERR_BUSY;
		}
		passed += behind(edge, &e->id);
	}
	*ret = rule->all_limits ? passed == n : passed > 0;
	return OK;
}

/* As beyond(): what all rules together say. */
static enum err judge(struct retention *r, const struct execution_brief *e,
    bool *ret_whole, bool *ret_payload)
{
	enum err rc = OK;

	*ret_whole = *ret_payload = false;
	for (size_t i = 0; rc == OK && i < r->n && !*ret_whole; i++) {
		bool is = false;

		if (about(r, &r->rules[i], e))
			rc = beyond(r, i, e, &is);
		if (is && r->rules[i].payload_only)
			*ret_payload = e->payload_deleted_ms == 0;
		else if (is)
			*ret_whole = true;
	}
	return rc;
}

/* Can nothing from ${e} on be beyond ${rule}? Then the walk may end. */
static bool out_of_reach(
    const struct retention *r, size_t i, const struct execution_brief *e)
{
	const struct retention_rule *rule = &r->rules[i];
	unsigned n = 0, out = 0;

	if (!has_limits(rule))
		return !rule->all_limits;
	if (rule->age_ms >= 0) {
		n++;
		out += e->created_ms > r->now_ms - rule->age_ms + SLACK_MS;
	}
	if (rule->bytes >= 0) {
		n++;
		out += !behind(&r->bytes[i], &e->id);
	}
	if (rule->count >= 0) {
		n++;
		out += !rule->per_owner && !behind(&r->count[i], &e->id);
	}
	return rule->all_limits ? out > 0 : out == n;
}

static bool at_the_end(
    const struct retention *r, const struct execution_brief *e)
{
	for (size_t i = 0; i < r->n; i++)
		if (!out_of_reach(r, i, e))
			return false;
	return true;
}

static void take(
    struct retention_batch *b, const struct execution_brief *e, bool whole)
{
	if (whole)
		b->whole[b->n_whole++] = e->id;
	else
		b->payload[b->n_payload++] = e->id;
	b->chunks += e->payload_deleted_ms == 0 ? e->chunks : 0;
	b->bytes += e->bytes - (whole ? 0 : e->record_bytes);
	b->oldest_ms = earlier(b->oldest_ms, e->created_ms);
	if (e->created_ms > b->newest_ms)
		b->newest_ms = e->created_ms;
}

/* The next page, of newer ones. */
static enum err turn_page(
    struct retention *r, retention_walk_fn *walk, void *arg, uint32_t *rows)
{
	struct query_filter f;
	uint32_t n = 0;
	enum err rc;

	ask_all(r, &f);
	f.oldest_first = true;
	f.after = r->has_position ? &r->position : NULL;
	rc = walk(arg, &f, r->page, &n);
	if (rc != OK)
		return rc;
	*rows += n;
	r->at = 0;
	r->n_page = n;
	r->last_page = n < f.limit;
	return OK;
}

/* Judge what is left of the page, as far as the batch and the edges go. */
static void collect(
    struct retention *r, uint32_t max, struct retention_batch *b)
{
	for (; r->at < r->n_page; r->at++) {
		const struct execution_brief *e = &r->page[r->at];
		bool whole, payload;

		if (b->n_whole + b->n_payload == max)
			return;
		if (at_the_end(r, e)) {
			b->done = true;
			return;
		}
		if (judge(r, e, &whole, &payload) != OK)
			return;
		if (whole || payload)
			take(b, e, whole);
		r->position = e->id;
		r->has_position = r->moved = true;
	}
	b->done = r->last_page;
}

/* --- the look --- */

enum err retention_new(const struct retention_rule *rules, size_t n,
    int64_t now_ms, const struct retention_mark *from, struct retention **ret)
{
	struct retention *r;

	if (n == 0 || n > RETENTION_MAX_RULES || (from != NULL && n != 1))
		return ERR_INPUT;
	for (size_t i = 0; n > 1 && i < n; i++)
		if (rules[i].per_owner)
			return ERR_INPUT;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	memcpy(r->rules, rules, n * sizeof(rules[0]));
	r->n = n;
	r->now_ms = now_ms;
	if (from != NULL) {
		r->now_ms = from->now_ms;
		r->position = from->position;
		r->has_position = true;
		r->count[0] = (struct edge){ MEASURED_YES, from->count_edge };
		r->bytes[0] = (struct edge){ MEASURED_YES, from->bytes_edge };
	}
	*ret = r;
	return OK;
}

void retention_free(struct retention *r)
{
	free(r);
}

enum err retention_step(struct retention *r, retention_walk_fn *walk, void *arg,
    uint32_t max, struct retention_batch *batch)
{
	uint32_t rows = 0;
	enum err rc = OK;

	ASSERT(max > 0 && max <= RETENTION_BATCH);
	batch->n_whole = batch->n_payload = 0;
	batch->chunks = batch->bytes = 0;
	batch->oldest_ms = batch->newest_ms = 0;
	batch->done = false;
	while (rc == OK && rows < RETENTION_ROWS && !batch->done &&
	       batch->n_whole + batch->n_payload < max) {
		uint32_t before = rows;

		if (r->m.active || choose_measuring(r))
			rc = measure(r, walk, arg, &rows);
		else if (r->at == r->n_page && !r->last_page)
			rc = turn_page(r, walk, arg, &rows);
		else
			collect(r, max, batch);
		/* A turn without rows is one, too. */
		if (rows == before)
			rows++;
	}
	return rc;
}

enum err retention_walk(void *arg, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n)
{
	return query_walk(arg, f, ret, ret_n);
}

bool retention_mark(const struct retention *r, struct retention_mark *ret)
{
	if (!r->moved)
		return false;
	*ret = (struct retention_mark){ .now_ms = r->now_ms,
		.position = r->position,
		.count_edge = r->count[0].id,
		.bytes_edge = r->bytes[0].id };
	return true;
}
