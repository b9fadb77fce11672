/*
 * The part that all dialects share: is the body a stream or not, where do its
 * frames begin and end, which of them are errors, how does it end.
 */
#include "worker/dialect.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "worker/driver.h"
#include "worker/error_class.h"
#include "worker/json_in.h"
#include "worker/parse_ndjson.h"
#include "worker/parse_sse.h"
#include "worker/results.h"
#include "worker/vectors.h"

enum mode {
	MODE_STREAM,
	MODE_WHOLE,   /* 2xx, application/json */
	MODE_VECTORS, /* the same, of embeddings */
	MODE_REFUSED, /* not 2xx: the body says why */
	MODE_PAGE,    /* 2xx, text/html: somebody else answered */
};

struct decoder {
	const struct dialect *dialect;
	enum mode mode;
	size_t embeddings; /* MODE_VECTORS: so many are expected */
	struct answer answer;
	union {
		struct parse_sse sse;
		struct parse_ndjson ndjson;
	} stream;	 /* by the dialect's framing */
	struct buf body; /* MODE_WHOLE, MODE_VECTORS, MODE_REFUSED */
	int status;
	char *retry_after, *retry_after_ms, *should_retry, *date;
	alignas(max_align_t) unsigned char state[]; /* the driver's */
};

static struct text trim(struct text t)
{
	const char *const blanks = " \t\r\n";

	while (t.len > 0 && *t.s != '\0' && strchr(blanks, *t.s) != NULL) {
		t.s++;
		t.len--;
	}
	while (t.len > 0 && t.s[t.len - 1] != '\0' &&
	       strchr(blanks, t.s[t.len - 1]) != NULL)
		t.len--;
	return t;
}

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

static void fail(
    struct decoder *d, const json_t *root, struct text raw, bool in_request)
{
	struct error_class_input in = { .root = root,
		.raw = raw,
		.status = d->status,
		.in_request = in_request,
		.retry_after = d->retry_after,
		.retry_after_ms = d->retry_after_ms,
		.should_retry = d->should_retry,
		.date = d->date,
		.now_ms = clock_wall_ms() };
	struct error_class class;

	error_class(&in, &class);
	answer_fail(&d->answer, &class.error);
}

/* One frame that came with the event name ${name}. */
static void on_frame(
    struct decoder *d, const json_t *frame, struct text name, bool whole)
{
	if (error_class_is_error(frame, name)) {
		d->dialect->usage(d->state, frame, &d->answer.usage);
		fail(d, frame, (struct text){ NULL, 0 }, false);
		return;
	}
	d->dialect->frame(&d->answer, d->state, frame, whole);
}

/* A parsed value: a frame, an array of frames, or nothing of interest. */
static void on_value(
    struct decoder *d, const json_t *v, struct text name, bool whole)
{
	const json_t *item;
	size_t i;

	if (json_is_array(v)) {
		json_array_foreach(
		    v, i, item) if (json_is_object(item) && !d->answer.done)
		    on_frame(d, item, name, whole);
	} else if (json_is_object(v)) {
		on_frame(d, v, name, whole);
	}
	/* An event called error is one whatever it holds. */
	if (is(name, "error") && !d->answer.done)
		fail(d, v, (struct text){ NULL, 0 }, false);
}

/* The text of one frame; ${cut}: the stream ended before the frame did. */
static void on_payload(
    struct decoder *d, struct text name, struct text data, bool cut)
{
	json_t *v = NULL;
	enum err err;

	if (d->dialect->framing == DIALECT_SSE && is(trim(data), "[DONE]")) {
		answer_marker(&d->answer);
		return;
	}
	if (d->dialect->quick != NULL && d->answer.started && name.len == 0 &&
	    d->dialect->quick(&d->answer, data))
		return;
	err = json_in_parse(data.s, data.len, &v);
	if (err == OK)
		on_value(d, v, name, false);
	else if (err != ERR_INPUT)
		answer_fail_err(&d->answer, err);
	else if (!cut && is(name, "error"))
		fail(d, NULL, data, false);
	else if (!cut)
		answer_fail_as(&d->answer, ERROR_PROTOCOL, NULL,
		    "the upstream sent an event that is not JSON");
	json_decref(v);
}

static bool on_sse(void *arg, const struct parse_sse_event *e)
{
	struct decoder *d = arg;

	switch (e->kind) {
	case PARSE_SSE_PING:
		if (!e->cut)
			answer_ping(&d->answer);
		break;
	case PARSE_SSE_EVENT: on_payload(d, e->name, e->data, e->cut); break;
	case PARSE_SSE_ERROR:
		on_payload(d, (struct text){ "error", 5 }, e->data, e->cut);
		break;
	}
	return !d->answer.done;
}

static bool on_line(void *arg, struct text line, bool cut)
{
	struct decoder *d = arg;

	on_payload(d, (struct text){ NULL, 0 }, line, cut);
	return !d->answer.done;
}

/* --- the stream, however it is framed --- */

static bool is_ndjson(const struct decoder *d)
{
	return d->dialect->framing == DIALECT_NDJSON;
}

static void stream_init(struct decoder *d)
{
	if (is_ndjson(d))
		parse_ndjson_init(
		    &d->stream.ndjson, DIALECT_MAX_LINE_BYTES, on_line, d);
	else
		parse_sse_init(
		    &d->stream.sse, DIALECT_MAX_LINE_BYTES, on_sse, d);
}

static void stream_fini(struct decoder *d)
{
	if (is_ndjson(d))
		parse_ndjson_fini(&d->stream.ndjson);
	else
		parse_sse_fini(&d->stream.sse);
}

static enum err stream_feed(struct decoder *d, const char *bytes, size_t len)
{
	return is_ndjson(d) ? parse_ndjson_feed(&d->stream.ndjson, bytes, len)
			    : parse_sse_feed(&d->stream.sse, bytes, len);
}

static enum err stream_end(struct decoder *d)
{
	return is_ndjson(d) ? parse_ndjson_end(&d->stream.ndjson)
			    : parse_sse_end(&d->stream.sse);
}

/* --- bodies that are no streams --- */

static struct text body_text(const struct decoder *d)
{
	struct text t = { d->body.data, d->body.len };

	if (t.len >= 3 && memcmp(t.s, "\xef\xbb\xbf", 3) == 0) {
		t.s += 3;
		t.len -= 3;
	}
	return t;
}

static bool has_content(const struct decoder *d, const json_t *v)
{
	const char *member = d->dialect->content_member;

	return member != NULL && json_object_get(v, member) != NULL;
}

/*
 * A line of a stream that was announced as one value. What is no JSON breaks
 * it off: nobody promised lines.
 */
static bool on_whole_line(void *arg, struct text line, bool cut)
{
	struct decoder *d = arg;
	json_t *v = NULL;
	enum err err = json_in_parse(line.s, line.len, &v);

	(void)cut;
	if (err == OK)
		on_value(d, v, (struct text){ NULL, 0 }, false);
	else if (err != ERR_INPUT)
		answer_fail_err(&d->answer, err);
	json_decref(v);
	return err == OK && !d->answer.done;
}

static void on_whole_lines(struct decoder *d, struct text t)
{
	struct parse_ndjson lines;
	enum err err;

	parse_ndjson_init(&lines, DIALECT_MAX_BODY_BYTES, on_whole_line, d);
	err = parse_ndjson_feed(&lines, t.s, t.len);
	if (err == OK)
		err = parse_ndjson_end(&lines);
	if (err != OK)
		answer_fail_err(&d->answer, err);
	answer_eof(&d->answer);
	parse_ndjson_fini(&lines);
}

/* The whole of a body that is no stream has come. */
static void on_whole(struct decoder *d)
{
	struct text t = body_text(d), none = { NULL, 0 };
	const json_t *first;
	json_t *v = NULL;
	enum err err;

	err = json_in_parse(t.s, t.len, &v);
	if (err != OK && err != ERR_INPUT) {
		answer_fail_err(&d->answer, err);
		return;
	}
	first = v;
	for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
		first = json_array_get(v, i);
		if (json_is_object(first))
			break;
	}
	if (v == NULL && is_ndjson(d)) {
		on_whole_lines(d, t);
	} else if (!json_is_object(first)) {
		answer_eof(&d->answer);
	} else if (error_class_is_error(first, none) &&
		   !has_content(d, first)) {
		fail(d, first, none, true);
	} else {
		on_value(d, v, none, true);
		answer_marker(&d->answer);
	}
	json_decref(v);
}

/* The whole of what should be embeddings has come. */
static void on_vectors(struct decoder *d)
{
	struct text t = body_text(d), none = { NULL, 0 };
	struct results_embeddings r;
	json_t *v = NULL;
	enum err err;

	err = results_embeddings(d->dialect, t.s, t.len, &r);
	if (err == OK) {
		if (r.n == d->embeddings)
			vectors_tell(&d->answer, &r);
		else
			answer_fail_as(&d->answer, ERROR_PROTOCOL, NULL,
			    "the upstream sent more or fewer embeddings than "
			    "were asked for");
		results_embeddings_fini(&r);
		return;
	}
	if (err != ERR_UPSTREAM) {
		answer_fail_err(&d->answer, err);
		return;
	}
	err = json_in_parse(t.s, t.len, &v);
	if (err == ERR_INPUT)
		answer_eof(&d->answer);
	else if (err != OK)
		answer_fail_err(&d->answer, err);
	else if (error_class_is_error(v, none))
		fail(d, v, none, true);
	else
		answer_fail_as(&d->answer, ERROR_PROTOCOL, NULL,
		    "the upstream sent no embeddings");
	json_decref(v);
}

/* The upstream refused the request; its body may say why. */
static void on_refused(struct decoder *d)
{
	struct text t = body_text(d), none = { NULL, 0 };
	json_t *v = NULL;
	enum err err;

	err = json_in_parse(t.s, t.len, &v);
	fail(d, err == OK ? v : NULL, none, true);
	json_decref(v);
}

static void on_page(struct decoder *d)
{
	static const char message[] =
	    "a web page came instead of an answer; is base_url right?";
	struct dialect_error e = { .kind = ERROR_PROTOCOL,
		.message = { message, sizeof(message) - 1 },
		.retry_after_ms = -1,
		.in_request = true };

	answer_fail(&d->answer, &e);
}

/* Is ${type}'s media type ${want}? */
static bool is_type(const char *type, const char *want)
{
	size_t n = strlen(want);

	if (type == NULL)
		return false;
	type += strspn(type, " \t");
	return strncasecmp(type, want, n) == 0 &&
	       (type[n] == '\0' || strchr(" \t;", type[n]) != NULL);
}

static enum mode mode_of(const struct dialect_head *head)
{
	if (head->status < 200 || head->status > 299)
		return MODE_REFUSED;
	if (is_type(head->content_type, "text/html"))
		return MODE_PAGE;
	if (head->embeddings > 0)
		return MODE_VECTORS;
	if (is_type(head->content_type, "application/json"))
		return MODE_WHOLE;
	return MODE_STREAM;
}

/* Copy a header that may be absent. False: no memory. */
static bool keep(const char *s, char **ret)
{
	if (s != NULL)
		*ret = strdup(s);
	return s == NULL || *ret != NULL;
}

enum err decoder_new(const struct dialect *dialect,
    const struct dialect_head *head, dialect_sink_fn *sink, void *arg,
    struct decoder **ret)
{
	struct decoder *d;

	d = calloc(1, sizeof(*d) + dialect->state_bytes);
	if (d == NULL)
		return ERR_NOMEM;
	d->dialect = dialect;
	d->mode = mode_of(head);
	d->embeddings = head->embeddings;
	d->status = head->status;
	answer_init(&d->answer, sink, arg);
	stream_init(d);
	buf_init(&d->body, DIALECT_MAX_BODY_BYTES);
	if (!keep(head->retry_after, &d->retry_after) ||
	    !keep(head->retry_after_ms, &d->retry_after_ms) ||
	    !keep(head->should_retry, &d->should_retry) ||
	    !keep(head->date, &d->date)) {
		decoder_free(d);
		return ERR_NOMEM;
	}
	if (head->token != NULL)
		ASSERT(dialect->resume(d->state, head->token));
	*ret = d;
	return OK;
}

void decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	answer_fini(&d->answer);
	stream_fini(d);
	buf_fini(&d->body);
	free(d->retry_after);
	free(d->retry_after_ms);
	free(d->should_retry);
	free(d->date);
	free(d);
}

/* The stream's parser gave up. */
static void on_parser_failed(struct decoder *d, enum err err)
{
	if (err == ERR_LIMIT)
		answer_fail_as(&d->answer, ERROR_PROTOCOL,
		    "upstream_line_too_long",
		    "the upstream sent a line that is longer than we take");
	else
		answer_fail_err(&d->answer, err);
}

void decoder_feed(struct decoder *d, const char *bytes, size_t len)
{
	enum err err;

	if (d->answer.done || len == 0)
		return;
	switch (d->mode) {
	case MODE_STREAM:
		err = stream_feed(d, bytes, len);
		if (err != OK)
			on_parser_failed(d, err);
		break;
	case MODE_WHOLE:
	case MODE_VECTORS:
		buf_add(&d->body, bytes, len);
		if (buf_state(&d->body) != OK)
			answer_fail_err(&d->answer, buf_state(&d->body));
		break;
	case MODE_REFUSED:
		if (len > DIALECT_MAX_ERROR_BYTES - d->body.len)
			len = DIALECT_MAX_ERROR_BYTES - d->body.len;
		buf_add(&d->body, bytes, len);
		/* Its reasons may have no end. */
		if (d->body.len == DIALECT_MAX_ERROR_BYTES)
			on_refused(d);
		break;
	case MODE_PAGE: on_page(d); break;
	}
}

void decoder_end(struct decoder *d, bool clean)
{
	enum err err;

	/* A marker or a reason makes an answer whole, not how it was closed. */
	(void)clean;
	if (d->answer.done)
		return;
	switch (d->mode) {
	case MODE_STREAM:
		err = stream_end(d);
		if (err != OK)
			on_parser_failed(d, err);
		answer_eof(&d->answer);
		break;
	case MODE_WHOLE: on_whole(d); break;
	case MODE_VECTORS: on_vectors(d); break;
	case MODE_REFUSED: on_refused(d); break;
	case MODE_PAGE: on_page(d); break;
	}
}

void decoder_expire(struct decoder *d)
{
	if (!d->answer.done && d->mode == MODE_REFUSED)
		on_refused(d);
}

struct dialect_usage decoder_usage(const struct decoder *d)
{
	return d->answer.usage;
}

bool decoder_token(const struct decoder *d, struct buf *ret)
{
	if (d->dialect->token == NULL)
		return false;
	return d->mode != MODE_STREAM || d->answer.done ||
	       d->dialect->token(d->state, ret);
}

bool decoder_done(const struct decoder *d)
{
	return d->answer.done;
}
