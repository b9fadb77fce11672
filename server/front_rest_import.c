/*
 * REST: lines of an export come back (NDJSON). A thread of the import's own
 * reads them and waits for the writer; it goes on when the client has gone.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/actor.h"
#include "server/call.h"
#include "server/front_handlers.h"
#include "server/service_internal.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/base/utf8.h"
#include "store/importer.h"
#include "store/writer_wait.h"

#define MAX_LINES 1000
#define ANSWER_MAX_BYTES ((size_t)4 << 20)
/* Two names a mapping, and what is between. */
#define OWNERS_BYTES (IMPORT_MAX_OWNERS * 2 * KEY_NAME_BYTES)

/* An import under way. Its thread's, then the loop's. */
struct import_job {
	struct http_mail back;
	struct service *service;
	struct http_loop *loop;
	uint64_t number;
	char *lines;
	size_t len;
	bool dry_run, maps;
	struct import_owners owners;
	uint64_t counts[IMPORTER_FATES];
	struct audit audit;
	struct buf answer; /* what is told of each line */
	enum err result;
	struct why why;
};

static void job_free(struct import_job *j)
{
	if (!j)
		return;
	free(j->lines);
	buf_fini(&j->answer);
	free(j);
}

/* --- on its thread --- */

static void on_told(void *arg, const struct importer_told *t)
{
	struct import_job *j = arg;
	char id[ID_TEXT];
	struct buf why;

	j->counts[t->fate]++;
	jsonout_object(&j->answer);
	jsonout_member_int(&j->answer, "line", (int64_t)t->line);
	if (t->has_id)
		id_text(&t->id, id);
	jsonout_member(&j->answer, "execution_id", t->has_id ? id : NULL);
	jsonout_member(&j->answer, "result", importer_fate_name(t->fate));
	if (t->fate == IMPORTER_REFUSED) {
		/* It may name what the line says, cut anywhere. */
		buf_init(&why, 4 * sizeof(t->why));
		utf8_repair(&why, t->why.text, strlen(t->why.text));
		jsonout_key(&j->answer, "why");
		jsonout_string(&j->answer, why.data, why.len);
		buf_fini(&why);
	}
	jsonout_object_end(&j->answer);
}

static enum err take_lines(struct import_job *j, struct importer *m)
{
	const char *at = j->lines, *end = at + j->len;
	uint64_t number = 0;
	enum err e = OK;

	while (e == OK && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		if (atomic_load(&j->service->draining))
			e = ERR_STOPPED;
		else if (++number && len > 0)
			e = importer_line(m, number, at, len, &j->why);
		at += len + 1;
	}
	return e == OK ? importer_finish(m, &j->why) : e;
}

static enum err import(struct import_job *j)
{
	const struct importer_options o = { .store = j->service->o.store,
		.dry_run = j->dry_run,
		.owners = j->maps ? &j->owners : NULL,
		.audit = &j->audit,
		.stop = &j->service->draining,
		.on_told = on_told,
		.arg = j };
	struct importer *m = NULL;
	enum err e = importer_open(&o, &m);

	if (e == OK)
		e = take_lines(j, m);
	importer_close(m);
	return e == OK ? buf_state(&j->answer) : e;
}

static void answer(struct import_job *j, struct call *call)
{
	struct buf body;

	if (j->result != OK) {
		call_fail_err(call, j->result, &j->why);
		return;
	}
	buf_init(&body, ANSWER_MAX_BYTES + 256);
	jsonout_object(&body);
	for (int f = 0; f < IMPORTER_FATES; f++)
		jsonout_member_int(&body,
		    importer_fate_name((enum importer_fate)f),
		    (int64_t)j->counts[f]);
	jsonout_key(&body, "lines");
	jsonout_array(&body);
	buf_add(&body, j->answer.data, j->answer.len);
	jsonout_array_end(&body);
	jsonout_object_end(&body);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &body);
}

static void on_back(struct http_loop *loop, struct http_mail *m)
{
	struct import_job *j =
	    (struct import_job *)((char *)m -
				  offsetof(struct import_job, back));
	struct http_exchange *x = http_exchange_find(loop, j->number);
	struct call *call = x ? http_exchange_get(x) : NULL;

	if (call)
		answer(j, call);
	job_free(j);
}

/*
 * What was imported is in the audit already; this adds what was not. That it
 * cannot be told takes nothing from the import.
 */
static void tell(struct import_job *j)
{
	struct writer_waiting w = { .write = { .kind = WRITE_AUDIT,
					.audit = &j->audit } };
	enum err e;

	(void)snprintf(j->audit.detail, sizeof(j->audit.detail),
	    "{\"imported\":%llu,\"existed\":%llu,\"refused\":%llu}",
	    (unsigned long long)j->counts[IMPORTER_IMPORTED],
	    (unsigned long long)j->counts[IMPORTER_EXISTED],
	    (unsigned long long)j->counts[IMPORTER_REFUSED]);
	e = writer_wait(j->service->o.store, &w);
	if (e != OK)
		log_warn(
		    "import", "not in the audit", "reason=%s", err_name(e));
}

static void *run(void *arg)
{
	struct import_job *j = arg;
	struct service *s = j->service;

	j->result = import(j);
	if (j->counts[IMPORTER_IMPORTED] > 0 && !j->dry_run)
		tell(j);
	if (!j->dry_run)
		log_info("import", "done",
		    "imported=%llu existed=%llu refused=%llu result=%s",
		    (unsigned long long)j->counts[IMPORTER_IMPORTED],
		    (unsigned long long)j->counts[IMPORTER_EXISTED],
		    (unsigned long long)j->counts[IMPORTER_REFUSED],
		    err_name(j->result));
	j->back.fn = on_back;
	atomic_store(&s->importing, false);
	if (service_post(s, j->loop, &j->back) != OK)
		job_free(j);
	/* Last: the service may go from here on. */
	service_write_end(s);
	return NULL;
}

/* --- on the loop --- */

/* NDJSON, or JSON as which a single line may pass. */
static bool type_is_fit(struct call *call)
{
	static const char ndjson[] = "application/x-ndjson";
	const char *type = http_header(call->x, "Content-Type");

	return (type && strncasecmp(type, ndjson, sizeof(ndjson) - 1) == 0) ||
	       call_wants_json(call) == OK;
}

static size_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	size_t n = 0;

	for (const char *at = text; at < end; n++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		at = stop ? stop + 1 : end;
	}
	return n;
}

/* Fails: answered already. */
static enum err read_query(struct call *call, struct import_job *j)
{
	char owners[OWNERS_BYTES] = "";
	struct why why;

	if (call_bool(call, "dry_run", &j->dry_run) != OK ||
	    call_text(call, "owner", owners, sizeof(owners)) != OK)
		return ERR_INPUT;
	j->maps = owners[0] != '\0';
	if (!j->maps || import_owners_parse(owners, &j->owners, &why) == OK)
		return OK;
	call_refuse(call, PROBLEM_INVALID_ARGUMENT, "owner", "%s", why.text);
	return ERR_INPUT;
}

/* The exchange may go while the thread reads. Fails: answered already. */
static enum err copy_body(struct call *call, struct import_job *j)
{
	const char *text = http_body(call->x, &j->len);

	if (count_lines(text, j->len) > MAX_LINES) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, NULL,
		    "at most %d lines a request; send the rest in the next",
		    MAX_LINES);
		return ERR_INPUT;
	}
	j->lines = malloc(j->len + 1);
	if (!j->lines) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return ERR_NOMEM;
	}
	if (j->len > 0)
		memcpy(j->lines, text, j->len);
	return OK;
}

static enum err start(struct import_job *j, struct service *s)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (pthread_attr_init(&attr) != 0)
		return ERR_NOMEM;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	service_write_begin(s);
	rc = pthread_create(&thread, &attr, run, j);
	(void)pthread_attr_destroy(&attr);
	if (rc == 0)
		return OK;
	service_write_end(s);
	return ERR_NOMEM;
}

void front_rest_import(struct call *call)
{
	struct service *s = call->service;
	struct import_job *j;

	if (!type_is_fit(call))
		return;
	if (atomic_load(&s->draining)) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&j->answer, ANSWER_MAX_BYTES);
	j->service = s;
	j->loop = call->loop;
	j->number = call->number;
	actor_audit(&call->who, "import", NULL, &j->audit);
	if (read_query(call, j) != OK || copy_body(call, j) != OK) {
		job_free(j);
		return;
	}
	/* Others wait for their turn: the writer has more to do. */
	if (atomic_exchange(&s->importing, true)) {
		call_fail_err(call, ERR_BUSY, NULL);
		job_free(j);
		return;
	}
	if (start(j, s) != OK) {
		atomic_store(&s->importing, false);
		call_fail_err(call, ERR_NOMEM, NULL);
		job_free(j);
	}
}
