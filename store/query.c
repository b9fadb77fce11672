#include "store/query_internal.h"

#include <stdlib.h>

#include "store/store_internal.h"

enum err query_ready(struct query *q)
{
	if (q->db != NULL)
		return OK;
	return q->store->engine->open_reader(&q->store->options, &q->db, NULL);
}

enum err query_settled(struct query *q, enum err rc)
{
	/* After these a connection is only good for closing. */
	if (rc == ERR_IO || rc == ERR_CORRUPT) {
		q->store->engine->close(q->db);
		q->db = NULL;
	}
	return rc;
}

enum err query_open(struct store *store, struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));
	enum err rc;

	if (q == NULL)
		return ERR_NOMEM;
	q->store = store;
	rc = query_ready(q);
	if (rc == OK)
		*ret = q;
	else
		free(q);
	return rc;
}

void query_close(struct query *q)
{
	if (q == NULL)
		return;
	if (q->db != NULL)
		q->store->engine->close(q->db);
	free(q);
}

/*
 * The engine knows the rows of a live log, but its head only memory. What the
 * engine has seen may be newer than what was announced (durable is what comes
 * first), so the head never moves back. ERR_NOT_FOUND: it left memory meanwhile.
 */
static enum err overlay(struct query *q, const struct id *id, struct page *p)
{
	struct tail_head head;
	enum err rc;

	if (execution_ended(p->status))
		return OK;
	rc = tail_head(q->store, id, NULL, &head);
	if (rc != OK)
		return rc;
	/* Its end lies beyond this page: the next one will say so. */
	if (!execution_ended(head.status) && head.status > p->status)
		p->status = head.status;
	if (head.total > p->total)
		p->total = head.total;
	if (p->n > 0 && page_next(p) > p->total)
		p->total = page_next(p);
	p->rate_milli = head.rate_milli;
	return OK;
}

enum err query_page(struct query *q, const struct id *id, const char *owner,
    const struct page_query *pq, struct page *ret)
{
	enum err rc = ERR_NOT_FOUND;

	/* A log may be packed and evicted between the two looks: look again. */
	for (int i = 0; i < 2; i++) {
		rc = tail_page(q->store, id, owner, pq, ret);
		if (rc != ERR_NOT_FOUND)
			return rc;
		rc = query_ready(q);
		if (rc == OK)
			rc = query_settled(q, q->store->engine->chunk_page(
						  q->db, id, owner, pq, ret));
		if (rc != OK)
			return rc;
		rc = overlay(q, id, ret);
		if (rc != ERR_NOT_FOUND)
			return rc;
	}
	/* Not in memory and not ended: created, and announced any moment. */
	return OK;
}

enum err query_execution(struct query *q, const struct id *id,
    const char *owner, struct execution *ret)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(
		    q, q->store->engine->execution_get(q->db, id, owner, ret));
	return rc;
}

enum err query_list(struct query *q, const struct query_filter *f, bool whole,
    struct execution *ret, uint32_t *ret_n)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(q, q->store->engine->execution_list(
					  q->db, f, whole, ret, ret_n));
	return rc;
}

enum err query_usage(struct query *q, const struct tally_filter *f,
    struct tally_row *ret, uint32_t *ret_n)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(
		    q, q->store->engine->usage_list(q->db, f, ret, ret_n));
	return rc;
}

enum err query_gone(struct query *q, const struct id *id, const char *owner,
    struct query_gone *ret)
{
	const struct engine *engine = q->store->engine;
	struct execution_brief b = { 0 };
	int64_t deleted_ms = 0;
	enum err rc = query_ready(q);

	if (rc != OK)
		return rc;
	rc = query_settled(
	    q, engine->tombstone_get(q->db, id, owner, &deleted_ms));
	if (rc == OK)
		*ret = (struct query_gone){ .deleted_ms = deleted_ms };
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = query_settled(q, engine->execution_brief(q->db, id, owner, &b));
	if (rc == OK && b.payload_deleted_ms == 0)
		return ERR_NOT_FOUND;
	if (rc == OK)
		*ret = (struct query_gone){ .deleted_ms = b.payload_deleted_ms,
			.payload_only = true };
	return rc;
}

enum err query_walk(struct query *q, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(
		    q, q->store->engine->execution_walk(q->db, f, ret, ret_n));
	return rc;
}

enum err query_audit(struct query *q, int64_t before, uint32_t limit,
    struct audit_entry *ret, uint32_t *ret_n)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(q, q->store->engine->audit_list(
					  q->db, before, limit, ret, ret_n));
	return rc;
}

enum err query_prompt(struct query *q, const char *owner, const char *name,
    uint32_t version, struct prompt *ret)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(q, q->store->engine->prompt_get(
					  q->db, owner, name, version, ret));
	return rc;
}

enum err query_prompts(struct query *q, const char *owner, const char *after,
    uint32_t limit, struct prompt *ret, uint32_t *ret_n)
{
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(q, q->store->engine->prompt_list(q->db,
					  owner, after, limit, ret, ret_n));
	return rc;
}
