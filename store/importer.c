#include "store/importer.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/pack.h"
#include "store/query.h"
#include "store/writer.h"

/* On their way to the writer: this many, and about so many bytes. */
#define AHEAD_JOBS 64
#define AHEAD_BYTES ((size_t)1 << 20)
/* What one weighs in the writer's mailbox at most: workers watch that. */
#define WEIGHT_BYTES ((size_t)1 << 20)
#define WAIT_MS 20
#define MAX_WAIT_MS 30000
/* As often as it is deleted while it is looked at. */
#define MAX_TRIES 5
#define PAGE_CHUNKS 1000
#define PAGE_BYTES ((size_t)256 << 10)

/* A line whose fate is not told yet. */
struct job {
	struct write write; /* first */
	struct importer *importer;
	struct job *next;
	struct importer_told told;
	struct import import;
	bool posted;
	bool done; /* guarded by the importer's lock */
};

struct importer {
	struct importer_options o;
	struct query *query; /* NULL without a store */
	struct pack pack;
	struct job *jobs, **tail; /* oldest first */
	size_t n_jobs, bytes;
	enum err failed;
	struct why failed_why;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

const char *importer_fate_name(enum importer_fate f)
{
	static const char *const names[IMPORTER_FATES] = {
		[IMPORTER_IMPORTED] = "imported",
		[IMPORTER_EXISTED] = "existed",
		[IMPORTER_REFUSED] = "refused",
	};

	ASSERT((unsigned)f < IMPORTER_FATES);
	return names[f];
}

static void on_done(struct write *w)
{
	struct job *j = (struct job *)(void *)w;
	struct importer *m = j->importer;

	pthread_mutex_lock(&m->lock);
	j->done = true;
	pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

static void job_free(struct job *j)
{
	if (j == NULL)
		return;
	import_fini(&j->import);
	free(j);
}

static struct job *job_new(struct importer *m, uint64_t line)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->importer = m;
	j->told.line = line;
	import_init(&j->import);
	return j;
}

static enum err broken(struct importer *m, enum err rc, const struct why *why)
{
	if (m->failed == OK) {
		m->failed = rc;
		m->failed_why = *why;
		if (m->failed_why.text[0] == '\0')
			err_why(
			    &m->failed_why, "the store said %s", err_name(rc));
	}
	return m->failed;
}

/* --- what is there already --- */

/* OK: the chunks are the same. ERR_CONFLICT: they are not. */
static enum err compare_chunks(struct importer *m, const struct import *i)
{
	struct page_query q = { 0, PAGE_CHUNKS, PAGE_BYTES };
	struct page page;
	size_t at = 0;
	enum err rc = OK;

	page_init(&page);
	while (rc == OK && q.from < i->e.next_index) {
		rc = query_page(m->query, &i->e.id, NULL, &q, &page);
		if (rc == OK &&
		    (page.n == 0 || !import_same_chunks(i, &page, &at)))
			rc = ERR_CONFLICT;
		q.from = page_next(&page);
	}
	page_fini(&page);
	return rc;
}

static void refuse(struct job *j, const char *what)
{
	j->told.fate = IMPORTER_REFUSED;
	err_why(&j->told.why, "conflict: it is there already with another %s",
	    what);
}

/* Is it there? ERR_NOT_FOUND, or OK and its fate. */
static enum err look(struct importer *m, struct job *j)
{
	struct execution there = { 0 };
	const char *what;
	enum err rc;

	if (m->query == NULL)
		return ERR_NOT_FOUND;
	rc = query_execution(m->query, &j->import.e.id, NULL, &there);
	/* What was deleted may be brought back. */
	if (rc == ERR_GONE)
		return ERR_NOT_FOUND;
	if (rc != OK)
		return rc;
	j->told.fate = IMPORTER_EXISTED;
	if (there.payload_deleted_ms != 0 &&
	    j->import.e.payload_deleted_ms == 0) {
		j->told.fate = IMPORTER_REFUSED;
		err_why(&j->told.why,
		    "conflict: its request and chunks were deleted here; "
		    "delete the rest of it to bring all back");
	} else if (there.payload_deleted_ms == 0 &&
		   j->import.e.payload_deleted_ms != 0) {
		j->told.fate = IMPORTER_REFUSED;
		err_why(&j->told.why,
		    "conflict: its request and chunks are still there; spool "
		    "prune --payload-only removes them");
	} else if (!import_same_record(&j->import, &there, &what)) {
		refuse(j, what);
	} else if (there.payload_deleted_ms == 0) {
		rc = compare_chunks(m, &j->import);
		if (rc == ERR_CONFLICT) {
			refuse(j, "answer (chunks)");
			rc = OK;
		}
	}
	execution_fini(&there);
	return rc;
}

/* --- to the writer --- */

static enum err post(struct importer *m, struct job *j)
{
	int64_t until = clock_mono_ms() + MAX_WAIT_MS;
	enum err rc;

	j->done = false;
	j->posted = true;
	while ((rc = writer_post(m->o.store, &j->write)) == ERR_LIMIT &&
	       clock_mono_ms() < until) {
		if (m->o.stop != NULL && atomic_load(m->o.stop)) {
			rc = ERR_STOPPED;
			break;
		}
		(void)poll(NULL, 0, WAIT_MS);
	}
	if (rc != OK)
		j->posted = false;
	if (rc == ERR_LIMIT)
		err_why(&j->write.why, "the store has too much to write");
	else if (rc == ERR_STOPPED)
		err_why(&j->write.why, "the store is being closed");
	return rc;
}

static void await(struct importer *m, struct job *j)
{
	pthread_mutex_lock(&m->lock);
	while (j->posted && !j->done)
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

/*
 * The writer said that something of it is there. *${ret_again}: it was, and has
 * been deleted since.
 */
static enum err look_again(struct importer *m, struct job *j, bool *ret_again)
{
	enum err rc;

	if (!j->write.u.import.existed) {
		j->told.fate = IMPORTER_REFUSED;
		err_why(&j->told.why, "conflict: %s", j->write.why.text);
		return OK;
	}
	rc = look(m, j);
	*ret_again = rc == ERR_NOT_FOUND;
	return *ret_again ? OK : rc;
}

/* Its fate, now that the writer has answered. */
static enum err learn(struct importer *m, struct job *j)
{
	bool again = true;
	enum err rc = OK;

	for (int i = 0; rc == OK && again && i < MAX_TRIES; i++) {
		if (i > 0) {
			rc = post(m, j);
			await(m, j);
		}
		again = false;
		if (rc == OK)
			rc = j->write.result;
		if (rc == ERR_CONFLICT)
			rc = look_again(m, j, &again);
	}
	if (rc == OK && again) {
		rc = ERR_BUSY;
		err_why(&j->write.why,
		    "it is stored and deleted by others at the same time");
	}
	return rc;
}

/* --- telling --- */

/* The oldest line's write is done, or it had none. */
static enum err tell(struct importer *m, struct job *j)
{
	enum err rc = j->posted ? learn(m, j) : OK;

	if (rc == OK)
		m->o.on_told(m->o.arg, &j->told);
	else
		rc = broken(m, rc, &j->write.why);
	return rc;
}

static struct job *shift(struct importer *m)
{
	struct job *j = m->jobs;

	m->jobs = j->next;
	if (m->jobs == NULL)
		m->tail = &m->jobs;
	m->n_jobs--;
	m->bytes -= j->write.mail.bytes;
	return j;
}

/* Tell the oldest, once it is known; or, if not ${wait}, when it is. */
static bool tell_oldest(struct importer *m, bool wait)
{
	struct job *j = m->jobs;
	bool known;

	if (j == NULL)
		return false;
	if (wait)
		await(m, j);
	pthread_mutex_lock(&m->lock);
	known = !j->posted || j->done;
	pthread_mutex_unlock(&m->lock);
	if (!known)
		return false;
	j = shift(m);
	/* After a failure others may be stored all the same: say so. */
	if (m->failed == OK || (j->posted && j->write.result == OK))
		if (tell(m, j) != OK) {
			/* Kept in failed. */
		}
	job_free(j);
	return true;
}

static void append(struct importer *m, struct job *j)
{
	*m->tail = j;
	m->tail = &j->next;
	m->n_jobs++;
	m->bytes += j->write.mail.bytes;
}

/* --- a line --- */

static void make_write(struct importer *m, struct job *j)
{
	const struct import *i = &j->import;
	size_t bytes =
	    sizeof(*j) + i->payload.len + i->e.request_len + i->e.metadata_len;

	j->write.kind = WRITE_IMPORT;
	j->write.on_done = on_done;
	j->write.mail.bytes = bytes < WEIGHT_BYTES ? bytes : WEIGHT_BYTES;
	j->write.u.import.import = &j->import;
	j->write.audit = m->o.audit;
}

/* Its fate, or its way to the writer. */
static enum err decide(
    struct importer *m, struct job *j, const char *line, size_t len)
{
	static const struct id none;
	struct importer_told *t = &j->told;
	enum err rc;

	rc = import_read(
	    &j->import, line, len, m->o.owners, clock_wall_ms(), &t->why);
	t->id = j->import.e.id;
	t->has_id = !id_equal(&t->id, &none);
	if (rc == ERR_INPUT) {
		t->fate = IMPORTER_REFUSED;
		return OK;
	}
	if (rc == OK)
		rc = look(m, j);
	if (rc != ERR_NOT_FOUND)
		return rc;
	t->fate = IMPORTER_IMPORTED;
	if (m->o.dry_run)
		return OK;
	rc = import_pack(&j->import, &m->pack);
	/* The payload is all that is stored; a conflict is looked at anew. */
	if (rc == OK) {
		make_write(m, j);
		rc = post(m, j);
	}
	return rc;
}

static enum err make_room(struct importer *m)
{
	while (m->jobs != NULL &&
	       (m->n_jobs >= AHEAD_JOBS || m->bytes >= AHEAD_BYTES))
		tell_oldest(m, true);
	while (tell_oldest(m, false))
		;
	return m->failed;
}

enum err importer_line(struct importer *m, uint64_t number, const char *line,
    size_t len, struct why *why)
{
	struct job *j = NULL;
	enum err rc = make_room(m);

	if (rc == OK) {
		j = job_new(m, number);
		rc = j == NULL ? ERR_NOMEM : decide(m, j, line, len);
		if (rc == OK) {
			append(m, j);
			return OK;
		}
		rc = broken(
		    m, rc, j == NULL ? &(struct why){ "" } : &j->write.why);
	}
	job_free(j);
	*why = m->failed_why;
	return rc;
}

enum err importer_refuse(struct importer *m, uint64_t number,
    const struct why *reason, struct why *why)
{
	enum err rc = make_room(m);
	struct job *j = NULL;

	if (rc == OK) {
		j = job_new(m, number);
		if (j == NULL)
			rc = broken(m, ERR_NOMEM, &(struct why){ "" });
	}
	if (rc != OK) {
		*why = m->failed_why;
		return rc;
	}
	j->told.fate = IMPORTER_REFUSED;
	j->told.why = *reason;
	append(m, j);
	return OK;
}

enum err importer_finish(struct importer *m, struct why *why)
{
	while (tell_oldest(m, true))
		;
	if (m->failed != OK)
		*why = m->failed_why;
	return m->failed;
}

enum err importer_open(
    const struct importer_options *options, struct importer **ret)
{
	struct importer *m = calloc(1, sizeof(*m));
	enum err rc;

	ASSERT(options->store != NULL || options->dry_run);
	if (m == NULL)
		return ERR_NOMEM;
	m->o = *options;
	m->tail = &m->jobs;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	rc = pack_init(&m->pack);
	if (rc == OK && options->store != NULL)
		rc = query_open(options->store, &m->query);
	if (rc == OK)
		*ret = m;
	else
		importer_close(m);
	return rc;
}

void importer_close(struct importer *m)
{
	if (m == NULL)
		return;
	while (tell_oldest(m, true))
		;
	query_close(m->query);
	pack_fini(&m->pack);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->changed);
	free(m);
}
