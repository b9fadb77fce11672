/*
 * Operators: a backup while the server runs. The writer copies a little between
 * commits; a thread of the backup's own waits for it, verifies the copy, names
 * it, and answers. It goes on when the client has gone.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/call.h"
#include "server/front_handlers.h"
#include "server/service_internal.h"
#include "store/backup.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/writer.h"
#include "store/writer_wait.h"

#define PATH_BYTES 4096

/* A backup under way. Its thread's, then the loop's. */
struct backup {
	struct write write; /* first: on_copied gets it back */
	struct http_mail back;
	struct service *service;
	struct http_loop *loop;
	uint64_t number;
	char target[PATH_BYTES], part[PATH_BYTES];
	int64_t bytes, begun_ms;
	enum err result;
	struct why why;
	struct audit audit;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool copied; /* guarded by lock */
};

static void backup_free(struct backup *b)
{
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
	free(b);
}

static void on_copied(struct write *w)
{
	struct backup *b = (struct backup *)w;

	pthread_mutex_lock(&b->lock);
	b->copied = true;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static enum err copy(struct backup *b)
{
	struct service *s = b->service;
	struct stat st;
	enum err e;

	if (mkdir(s->o.backup_dir, 0700) != 0 && errno != EEXIST) {
		err_why(&b->why, "make %.200s: %s", s->o.backup_dir,
		    strerror(errno));
		return ERR_IO;
	}
	if (lstat(b->target, &st) == 0) {
		err_why(&b->why, "there is a backup %.200s; none is replaced",
		    b->target);
		return ERR_CONFLICT;
	}
	/* What an earlier process did not finish. */
	(void)unlink(b->part);
	b->write.kind = WRITE_COPY;
	b->write.mail.bytes = sizeof(*b);
	b->write.on_done = on_copied;
	b->write.u.copy.path = b->part;
	b->write.u.copy.cancel = &s->draining;
	e = writer_post(s->o.store, &b->write);
	if (e != OK)
		return e;
	pthread_mutex_lock(&b->lock);
	while (!b->copied)
		pthread_cond_wait(&b->changed, &b->lock);
	pthread_mutex_unlock(&b->lock);
	b->why = b->write.why;
	return b->write.result;
}

static void answer(struct backup *b, struct call *call)
{
	struct buf body;

	/* It is the copy that failed, not the store. */
	if (b->result == ERR_IO || b->result == ERR_CORRUPT) {
		call_refuse(call, PROBLEM_STORAGE_ERROR, NULL,
		    "no backup was made: %s", b->why.text);
		return;
	}
	if (b->result == ERR_FULL) {
		call_refuse(call, PROBLEM_STORAGE_FULL, NULL,
		    "no backup was made: %s", b->why.text);
		return;
	}
	if (b->result != OK) {
		call_fail_err(call, b->result, &b->why);
		return;
	}
	buf_init(&body, 2 * PATH_BYTES);
	jsonout_object(&body);
	jsonout_member(&body, "path", b->target);
	jsonout_member_int(&body, "bytes", b->bytes);
	jsonout_object_end(&body);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 201, &body);
}

static void on_back(struct http_loop *loop, struct http_mail *m)
{
	struct backup *b =
	    (struct backup *)((char *)m - offsetof(struct backup, back));
	struct http_exchange *x = http_exchange_find(loop, b->number);
	struct call *call = x ? http_exchange_get(x) : NULL;

	if (call)
		answer(b, call);
	backup_free(b);
}

static void log_end(const struct backup *b)
{
	if (b->result == OK)
		log_info("backup", "made", "path=%s bytes=%lld ms=%lld",
		    b->target, (long long)b->bytes,
		    (long long)(clock_mono_ms() - b->begun_ms));
	else
		log_warn("backup", "not made", "path=%s reason=%s detail=%s",
		    b->target, err_name(b->result), b->why.text);
}

/* That it cannot be told takes nothing from the backup. */
static void tell(struct backup *b)
{
	struct writer_waiting w = { .write = { .kind = WRITE_AUDIT,
					.audit = &b->audit } };
	enum err e;

	(void)snprintf(b->audit.detail, sizeof(b->audit.detail),
	    "{\"bytes\":%lld}", (long long)b->bytes);
	e = writer_wait(b->service->o.store, &w);
	if (e != OK)
		log_warn(
		    "backup", "not in the audit", "reason=%s", err_name(e));
}

static void *run(void *arg)
{
	struct backup *b = arg;
	struct service *s = b->service;
	struct stat st;

	b->result = copy(b);
	if (b->result == OK)
		b->result =
		    backup_finish(b->part, b->target, &s->draining, &b->why);
	if (b->result == OK && stat(b->target, &st) == 0)
		b->bytes = (int64_t)st.st_size;
	if (b->result == OK)
		tell(b);
	log_end(b);
	b->back.fn = on_back;
	atomic_store(&s->backing_up, false);
	if (service_post(s, b->loop, &b->back) != OK)
		backup_free(b);
	/* Last: the service may go from here on. */
	service_write_end(s);
	return NULL;
}

/* What is said of it, or spool-TIME.db. Fails: answered already. */
static enum err read_name(struct call *call, char name[BODY_BACKUP_BYTES])
{
	char now[CLOCK_TEXT];
	struct problem p;
	const char *text;
	size_t len;

	text = http_body(call->x, &len);
	if (body_backup(text, len, name, &p) != OK) {
		call_fail(call, &p);
		return ERR_INPUT;
	}
	if (name[0])
		return OK;
	clock_text(clock_wall_ms(), now);
	for (char *c = now; *c; c++)
		*c = *c == ':' || *c == '.' ? '-' : *c;
	(void)snprintf(name, BODY_BACKUP_BYTES, "spool-%s.db", now);
	return OK;
}

static enum err start(struct backup *b, struct service *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (pthread_attr_init(&attr) != 0)
		return ERR_NOMEM;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	service_write_begin(s);
	rc = pthread_create(&thread, &attr, run, b);
	(void)pthread_attr_destroy(&attr);
	if (rc == 0)
		return OK;
	service_write_end(s);
	return ERR_NOMEM;
}

void front_ops_backup(struct call *call)
{
	struct service *s = call->service;
	char name[BODY_BACKUP_BYTES];
	struct backup *b;

	if (read_name(call, name) != OK)
		return;
	if (atomic_load(&s->draining)) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return;
	}
	if (atomic_exchange(&s->backing_up, true)) {
		call_refuse(call, PROBLEM_CONFLICT, NULL,
		    "another backup is under way");
		return;
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		atomic_store(&s->backing_up, false);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->service = s;
	b->loop = call->loop;
	b->number = call->number;
	b->begun_ms = clock_mono_ms();
	actor_audit(&call->who, "backup", name, &b->audit);
	(void)snprintf(
	    b->target, sizeof(b->target), "%.3900s/%s", s->o.backup_dir, name);
	(void)snprintf(b->part, sizeof(b->part), "%.3900s/.%s.part",
	    s->o.backup_dir, name);
	if (start(b, s) != OK) {
		atomic_store(&s->backing_up, false);
		backup_free(b);
		call_fail_err(call, ERR_NOMEM, NULL);
	}
}
