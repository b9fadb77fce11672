/* Durable Streams: creating, appending, closing, deleting, listing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/call.h"
#include "server/durable.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_job.h"
#include "server/write_page.h"
#include "store/base/jsonout.h"

#define LIST_MAX 100
#define LIST_MAX_BYTES ((size_t)1 << 20)

static int status(const struct problem *p)
{
	return problem_kind(p->code)->status;
}

const struct front front_durable = {
	.name = "durable",
	.page = write_page,
	.problem_type = "application/problem+json",
	.problem = problem_json,
	.problem_status = status,
};

struct durable_job {
	struct write_job job;
	struct durable ask;
	struct audit audit;
};

static void job_drop(struct write_job *job)
{
	struct durable_job *j = (struct durable_job *)job;

	durable_fini(&j->ask);
	free(j);
}

static struct durable_job *job_new(
    struct call *call, void (*done)(struct write_job *job, struct call *call))
{
	struct durable_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return NULL;
	}
	j->job.done = done;
	j->job.drop = job_drop;
	j->job.write.kind = WRITE_STREAM;
	return j;
}

static void job_ask(struct call *call, struct durable_job *j)
{
	j->job.write.u.stream = &j->ask.write;
	j->job.write.mail.bytes = sizeof(*j) + j->ask.write.append.body.len;
	(void)write_job_ask(call, &j->job);
}

/* --- refusals --- */

static void refuse_closed(struct call *call, const struct stream *s)
{
	http_reply_header(call->x, "Stream-Closed", "true");
	durable_next(call, s->total);
	call_refuse(call, PROBLEM_CONFLICT, NULL,
	    "the stream is closed; nothing is appended to it any more");
}

static void refuse_gap(struct call *call, const struct stream_write *sw)
{
	uint64_t expected = sw->producer.known ? sw->producer.seq + 1 : 0;

	durable_number(call, "Producer-Expected-Seq", expected);
	durable_number(call, "Producer-Received-Seq", sw->append.tuple.seq);
	call_refuse(call, PROBLEM_CONFLICT, "Producer-Seq",
	    "the producer's next number is %llu", (unsigned long long)expected);
}

static void refuse_fenced(struct call *call, const struct stream_write *sw)
{
	durable_number(call, "Producer-Epoch", sw->producer.epoch);
	call_refuse(call, PROBLEM_FORBIDDEN, "Producer-Epoch",
	    "the producer has begun epoch %llu meanwhile",
	    (unsigned long long)sw->producer.epoch);
}

static void refuse_order(struct call *call, const struct stream_write *sw)
{
	call_refuse(call, PROBLEM_CONFLICT, "Stream-Seq",
	    "it must come after the last one, %s, byte by byte",
	    sw->stream.seq);
}

static void refuse(struct call *call, const struct stream_write *sw)
{
	static const struct {
		enum problem_code code;
		const char *field, *words;
	} plain[] = {
		[STREAM_NOT_THERE] = { PROBLEM_NOT_FOUND, NULL,
		    "there is no such stream" },
		[STREAM_GONE] = { PROBLEM_GONE, NULL,
		    "it was deleted; only forks of it can be read" },
		[STREAM_TAKEN] = { PROBLEM_CONFLICT, NULL,
		    "there is a stream of this name with other settings, or "
		    "one that was deleted and that forks still read" },
		[STREAM_OTHER_TYPE] = { PROBLEM_CONFLICT, "Content-Type",
		    "it must be that of the stream" },
		[STREAM_NEW_EPOCH] = { PROBLEM_INVALID_ARGUMENT, "Producer-Seq",
		    "an epoch of a producer begins with 0" },
		[STREAM_NOT_JSON] = { PROBLEM_BAD_JSON, NULL,
		    "the stream's messages are JSON; the body is not" },
		[STREAM_NO_MESSAGE] = { PROBLEM_INVALID_ARGUMENT, NULL,
		    "an empty array has no message to append" },
		[STREAM_FULL] = { PROBLEM_CONFLICT, NULL,
		    "the stream has as many messages as one may have "
		    "(10,000,000); go on in another" },
		[STREAM_TOO_MANY] = { PROBLEM_OVERLOADED, NULL,
		    "too many streams are open (50,000); close or delete some" },
		[STREAM_NO_SOURCE] = { PROBLEM_NOT_FOUND, "Stream-Forked-From",
		    "there is no such stream to fork" },
		[STREAM_SOURCE_GONE] = { PROBLEM_CONFLICT, "Stream-Forked-From",
		    "that stream was deleted" },
		[STREAM_BEYOND] = { PROBLEM_INVALID_ARGUMENT,
		    "Stream-Fork-Offset",
		    "the place lies behind the source's end, or the "
		    "sub-offset behind the end of the append there" },
		[STREAM_TOO_DEEP] = { PROBLEM_INVALID_ARGUMENT,
		    "Stream-Forked-From",
		    "it is a fork of a fork of … already, 16 deep" },
	};

	switch (sw->outcome) {
	case STREAM_CLOSED: refuse_closed(call, &sw->stream); return;
	case STREAM_GAP: refuse_gap(call, sw); return;
	case STREAM_FENCED: refuse_fenced(call, sw); return;
	case STREAM_OUT_OF_ORDER: refuse_order(call, sw); return;
	case STREAM_DONE:
	case STREAM_SAME:
	case STREAM_DUPLICATE: call_fail_err(call, ERR_CORRUPT, NULL); return;
	case STREAM_NOT_THERE:
	case STREAM_GONE:
	case STREAM_TAKEN:
	case STREAM_OTHER_TYPE:
	case STREAM_NEW_EPOCH:
	case STREAM_NOT_JSON:
	case STREAM_NO_MESSAGE:
	case STREAM_FULL:
	case STREAM_TOO_MANY:
	case STREAM_NO_SOURCE:
	case STREAM_SOURCE_GONE:
	case STREAM_BEYOND:
	case STREAM_TOO_DEEP: break;
	}
	call_refuse(call, plain[sw->outcome].code, plain[sw->outcome].field,
	    "%s", plain[sw->outcome].words);
}

/* --- PUT --- */

/* Where it is, for clients that follow it. */
static void put_location(struct call *call)
{
	const char *host = http_header(call->x, "Host");
	const char *scheme = http_header(call->x, "X-Forwarded-Proto");
	char text[1024];
	int n;

	if (scheme == NULL || strcmp(scheme, "https") != 0)
		scheme = "http";
	n = snprintf(text, sizeof(text), "%s%s%s%s", host ? scheme : "",
	    host ? "://" : "", host ? host : "", http_path(call->x));
	if (n > 0 && (size_t)n < sizeof(text))
		http_reply_header(call->x, "Location", text);
}

static void create_done(struct write_job *job, struct call *call)
{
	struct stream_write *sw = job->write.u.stream;
	char type[STREAM_TYPE_BYTES];
	struct buf none;

	if (job->write.result != OK) {
		call_fail_err(call, job->write.result, &job->write.why);
		return;
	}
	if (sw->outcome != STREAM_DONE && sw->outcome != STREAM_SAME) {
		refuse(call, sw);
		return;
	}
	if (sw->outcome == STREAM_DONE)
		put_location(call);
	durable_next(call, sw->stream.total);
	if (sw->stream.closed)
		http_reply_header(call->x, "Stream-Closed", "true");
	memcpy(type, sw->stream.type, sizeof(type));
	buf_init(&none, 1);
	call_reply(call, sw->outcome == STREAM_DONE ? 201 : 200, type, &none);
}

void front_durable_create(struct call *call)
{
	struct durable_job *j;

	durable_headers(call);
	j = job_new(call, create_done);
	if (!j)
		return;
	if (durable_create(call, &j->ask) == OK)
		job_ask(call, j);
	else
		job_drop(&j->job);
}

/* --- POST --- */

static void append_done(struct write_job *job, struct call *call)
{
	struct stream_write *sw = job->write.u.stream;
	bool produced = sw->append.tuple.producer[0] != '\0';
	bool fresh = sw->outcome == STREAM_DONE;

	if (job->write.result != OK) {
		call_fail_err(call, job->write.result, &job->write.why);
		return;
	}
	if (!fresh && sw->outcome != STREAM_DUPLICATE) {
		refuse(call, sw);
		return;
	}
	durable_next(call, sw->stream.total);
	if (sw->stream.closed)
		http_reply_header(call->x, "Stream-Closed", "true");
	if (produced) {
		/* One that came before learns how far the producer is. */
		durable_number(call, "Producer-Epoch",
		    fresh ? sw->append.tuple.epoch : sw->producer.epoch);
		durable_number(call, "Producer-Seq",
		    fresh ? sw->append.tuple.seq : sw->producer.seq);
	}
	call_reply_empty(
	    call, fresh && produced && sw->append.has_body ? 200 : 204);
}

void front_durable_append(struct call *call)
{
	struct durable_job *j;

	durable_headers(call);
	j = job_new(call, append_done);
	if (!j)
		return;
	if (durable_append(call, &j->ask) == OK)
		job_ask(call, j);
	else
		job_drop(&j->job);
}

/* --- DELETE --- */

static void delete_done(struct write_job *job, struct call *call)
{
	struct stream_write *sw = job->write.u.stream;

	if (job->write.result != OK)
		call_fail_err(call, job->write.result, &job->write.why);
	else if (sw->outcome == STREAM_DONE)
		call_reply_empty(call, 204);
	else
		refuse(call, sw);
}

void front_durable_delete(struct call *call)
{
	struct durable_job *j;
	struct stream *s;

	durable_headers(call);
	j = job_new(call, delete_done);
	if (!j)
		return;
	s = &j->ask.write.stream;
	j->ask.write.kind = STREAM_DELETE;
	if (durable_own_name(call, s->name) != OK) {
		job_drop(&j->job);
		return;
	}
	memcpy(s->owner, call->who.owner, sizeof(s->owner));
	actor_audit(&call->who, "stream.delete", s->name, &j->audit);
	j->job.write.audit = &j->audit;
	job_ask(call, j);
}

/* --- the list --- */

struct list_job {
	struct read_job job;
	char owner[KEY_NAME_BYTES];
	char after[STREAM_NAME_BYTES], last[STREAM_NAME_BYTES];
	uint32_t limit, n;
	bool more;
	struct stream found[LIST_MAX];
};

static void list_run(struct read_job *job, struct query *q)
{
	struct list_job *j = (struct list_job *)job;

	job->result = query_streams(q, j->owner, j->after, j->limit, j->found,
	    &j->n, j->last, &j->more);
}

static void write_listed(struct buf *b, const struct stream *s)
{
	char next[STREAM_OFFSET_TEXT];

	stream_offset(s->total, next);
	jsonout_object(b);
	jsonout_member(b, "name", s->name);
	jsonout_member(b, "content_type", s->type);
	jsonout_member(b, "next_offset", next);
	jsonout_member_int(b, "messages", (int64_t)s->total);
	jsonout_key(b, "closed");
	jsonout_bool(b, s->closed);
	jsonout_key(b, "created_at");
	write_page_time(b, s->created_ms);
	jsonout_key(b, "ttl_seconds");
	if (s->ttl_s < 0)
		jsonout_null(b);
	else
		jsonout_int(b, s->ttl_s);
	jsonout_key(b, "expires_at");
	if (s->expires_ms == 0)
		jsonout_null(b);
	else
		write_page_time(b, s->expires_ms);
	jsonout_member(
	    b, "forked_from", s->source[0] == '\0' ? NULL : s->source);
	jsonout_object_end(b);
}

static void list_done(struct read_job *job, struct call *call)
{
	struct list_job *j = (struct list_job *)job;
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	buf_init(&b, LIST_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "streams");
	jsonout_array(&b);
	for (uint32_t i = 0; i < j->n; i++)
		write_listed(&b, &j->found[i]);
	jsonout_array_end(&b);
	jsonout_member(&b, "next", j->more ? j->last : NULL);
	jsonout_object_end(&b);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void list_drop(struct read_job *job)
{
	free(job);
}

void front_durable_list(struct call *call)
{
	static const char *const names[] = { "limit", NULL };
	char after[STREAM_NAME_BYTES];
	int64_t limit = LIST_MAX;
	struct list_job *j;

	if (call_text(call, "after", after, sizeof(after)) != OK ||
	    call_number(call, names, 1, LIST_MAX, &limit) != OK)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	memcpy(j->owner, call->who.owner, sizeof(j->owner));
	memcpy(j->after, after, sizeof(after));
	j->limit = (uint32_t)limit;
	j->job.run = list_run;
	j->job.done = list_done;
	j->job.drop = list_drop;
	(void)read_pool_ask(call, &j->job);
}
