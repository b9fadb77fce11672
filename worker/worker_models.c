#include "worker/worker_models.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"
#include "store/base/jsonout.h"

/* Room behind the entries, for what is said of upstreams. */
#define REST_BYTES ((size_t)256 << 10)

/* Where an entry's name (in ids) and its object (in text) are. */
struct place {
	size_t id, at, len;
};

struct worker_models {
	atomic_uint shares; /* of the catalog, and of those who look at it */
	struct buf text, ids;
	struct place *place;
	size_t n, max;
	bool full;
	char tag[20];
};

struct worker_models *worker_models_new(size_t n)
{
	struct worker_models *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	atomic_init(&m->shares, 1);
	buf_init(&m->text, WORKER_MODELS_MAX_BYTES + REST_BYTES);
	buf_init(&m->ids, WORKER_MODELS_MAX_BYTES);
	m->max = n;
	m->place = calloc(n + 1, sizeof(*m->place));
	if (m->place == NULL) {
		worker_models_drop(m);
		return NULL;
	}
	jsonout_object(&m->text);
	jsonout_member(&m->text, "object", "list");
	jsonout_key(&m->text, "data");
	jsonout_array(&m->text);
	return m;
}

struct buf *worker_models_begin(struct worker_models *m, const char *id)
{
	struct place *p = &m->place[m->n];

	if (m->n == m->max || m->text.len > WORKER_MODELS_MAX_BYTES / 2) {
		m->full = true;
		return NULL;
	}
	p->id = m->ids.len;
	buf_add(&m->ids, id, strlen(id) + 1);
	p->at = m->text.len;
	jsonout_object(&m->text);
	jsonout_member(&m->text, "id", id);
	jsonout_member(&m->text, "object", "model");
	return &m->text;
}

void worker_models_end(struct worker_models *m)
{
	struct place *p = &m->place[m->n++];

	jsonout_object_end(&m->text);
	if (buf_state(&m->text) != OK)
		return;
	p->at += m->text.data[p->at] == ',';
	p->len = m->text.len - p->at;
}

struct buf *worker_models_rest(struct worker_models *m)
{
	jsonout_array_end(&m->text);
	if (m->full) {
		jsonout_key(&m->text, "truncated");
		jsonout_bool(&m->text, true);
	}
	return &m->text;
}

enum err worker_models_seal(struct worker_models *m)
{
	uint8_t sum[DIGEST_BYTES];
	enum err rc = buf_state(&m->ids);

	jsonout_object_end(&m->text);
	if (rc == OK)
		rc = buf_state(&m->text);
	if (rc != OK)
		return rc;
	digest_sha256(m->text.data, m->text.len, sum);
	for (size_t i = 0; i < (sizeof(m->tag) - 1) / 2; i++)
		snprintf(m->tag + 2 * i, 3, "%02x", sum[i]);
	return OK;
}

struct worker_models *worker_models_share(struct worker_models *m)
{
	atomic_fetch_add(&m->shares, 1);
	return m;
}

void worker_models_drop(struct worker_models *m)
{
	if (m == NULL || atomic_fetch_sub(&m->shares, 1) > 1)
		return;
	buf_fini(&m->text);
	buf_fini(&m->ids);
	free(m->place);
	free(m);
}

const char *worker_models_text(const struct worker_models *m, size_t *ret_len)
{
	*ret_len = m->text.len;
	return m->text.data;
}

const char *worker_models_tag(const struct worker_models *m)
{
	return m->tag;
}

const char *worker_models_name(const struct worker_models *m, size_t i)
{
	return i < m->n ? m->ids.data + m->place[i].id : NULL;
}

const char *worker_models_entry(
    const struct worker_models *m, size_t i, size_t *ret_len)
{
	*ret_len = m->place[i].len;
	return m->text.data + m->place[i].at;
}
