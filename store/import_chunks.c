#include "store/import_chunks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/check_live.h"
#include "store/import_internal.h"
#include "store/pack.h"
#include "store/writer.h"

struct reading {
	struct import *to;
	struct jsonscan scan;	  /* of the chunks */
	struct jsonscan attempts; /* of what follows the run at hand */
	bool more_attempts;
	int64_t next_from, next_attempt; /* the run to come */
	uint32_t attempt;
	struct check_end end;
	int64_t now_ms;
	struct buf content, meta;
	struct why *why;
};

#define REFUSE(r, ...) (err_why((r)->why, __VA_ARGS__), ERR_INPUT)

/* --- times --- */

static bool digits(const char *p, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (p[i] - '0');
	}
	*ret = v;
	return true;
}

enum err import_time(struct jsonscan_slice v, int64_t *ret_ms)
{
	static const char form[] = "\"0000-00-00T00:00:00.000Z\"";
	struct tm tm = { 0 }, back;
	int ms;
	time_t s;

	if (v.p == NULL || v.len != sizeof(form) - 1)
		return ERR_INPUT;
	for (size_t i = 0; i < v.len; i++)
		if (form[i] != '0' && v.p[i] != form[i])
			return ERR_INPUT;
	if (!digits(v.p + 1, 4, &tm.tm_year) ||
	    !digits(v.p + 6, 2, &tm.tm_mon) ||
	    !digits(v.p + 9, 2, &tm.tm_mday) ||
	    !digits(v.p + 12, 2, &tm.tm_hour) ||
	    !digits(v.p + 15, 2, &tm.tm_min) ||
	    !digits(v.p + 18, 2, &tm.tm_sec) || !digits(v.p + 21, 3, &ms))
		return ERR_INPUT;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	s = timegm(&back);
	/* timegm() takes the 30th of February for a day in March. */
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min ||
	    back.tm_sec != tm.tm_sec)
		return ERR_INPUT;
	*ret_ms = (int64_t)s * 1000 + ms;
	return OK;
}

bool import_plausible(const struct execution *e, int64_t now_ms, int64_t ms)
{
	return ms >= e->created_ms - IMPORT_SLACK_MS &&
	       ms <= now_ms + IMPORT_SLACK_MS;
}

/* --- attempts: [[index, attempt], …] --- */

static enum err bad_attempts(struct reading *r)
{
	return REFUSE(r, "\"chunk_attempts\" must be [[index,attempt],…], "
			 "indices growing from 0");
}

/* The next run of them, into next_from and next_attempt. */
static enum err next_run(struct reading *r)
{
	int64_t v[2], from = r->next_from;
	struct jsonscan_slice number;
	enum err rc = jsonscan_item(&r->attempts);

	if (rc == ERR_NOT_FOUND) {
		r->more_attempts = false;
		return OK;
	}
	if (rc == OK)
		rc = jsonscan_open(&r->attempts, '[');
	for (int i = 0; rc == OK && i < 2; i++) {
		rc = jsonscan_item(&r->attempts);
		if (rc == OK)
			rc = jsonscan_value(&r->attempts, &number);
		if (rc == OK)
			rc = jsonscan_int(number, &v[i]);
	}
	if (rc != OK || jsonscan_item(&r->attempts) != ERR_NOT_FOUND ||
	    v[0] <= from || v[1] < 1 || v[1] > UINT32_MAX)
		return bad_attempts(r);
	r->next_from = v[0];
	r->next_attempt = v[1];
	return OK;
}

static enum err begin_attempts(struct reading *r, struct jsonscan_slice v)
{
	enum err rc;

	r->attempt = 1;
	if (v.p == NULL)
		return OK;
	jsonscan_init(&r->attempts, v.p, v.len);
	if (jsonscan_open(&r->attempts, '[') != OK)
		return bad_attempts(r);
	r->more_attempts = true;
	r->next_from = r->next_attempt = -1;
	rc = next_run(r);
	if (rc == OK && (!r->more_attempts || r->next_from != 0))
		return bad_attempts(r);
	return rc;
}

/* --- one chunk --- */

static enum err take_kind(
    struct reading *r, struct jsonscan_slice v, struct chunk *c)
{
	for (int k = 0; k < CHUNK_KINDS; k++) {
		const char *name = chunk_kind_name((enum chunk_kind)k);

		if (v.len == strlen(name) + 2 && v.p[0] == '"' &&
		    memcmp(v.p + 1, name, v.len - 2) == 0) {
			c->kind = (enum chunk_kind)k;
			return OK;
		}
	}
	return REFUSE(
	    r, "chunk %llu: its kind is none", (unsigned long long)c->index);
}

/*
 * Behind the kind: "attempt", which a page puts there from the second on and
 * which is not of the stored metadata. It is passed when it is there. Fails:
 * ERR_INPUT, it is another than chunk_attempts says.
 */
static enum err pass_attempt(
    struct reading *r, struct jsonscan *s, const struct chunk *c)
{
	struct jsonscan ahead = *s;
	struct jsonscan_slice name, value;
	int64_t attempt;

	if (jsonscan_member(&ahead, &name) != OK ||
	    !jsonscan_is(name, "attempt") ||
	    jsonscan_value(&ahead, &value) != OK)
		return OK;
	if (jsonscan_int(value, &attempt) != OK || attempt < 2 ||
	    attempt != (int64_t)c->attempt)
		return REFUSE(r,
		    "chunk %llu: its attempt is not what \"chunk_attempts\" "
		    "says",
		    (unsigned long long)c->index);
	*s = ahead;
	return OK;
}

/*
 * {"kind":"text", …}: what follows the kind is what was stored. Put elsewhere,
 * the kind is taken out.
 */
static enum err take_meta(
    struct reading *r, struct jsonscan_slice v, struct chunk *c)
{
	struct jsonscan s = { .text = v.p };
	struct jsonscan_slice name, value;
	bool found = false, first = true;
	const char *from;
	enum err rc;

	jsonscan_into(&s, v);
	rc = jsonscan_open(&s, '{');
	buf_reset(&r->meta);
	buf_putc(&r->meta, '{');
	while (rc == OK) {
		rc = jsonscan_member(&s, &name);
		if (rc != OK)
			break;
		from = name.p - 1;
		rc = jsonscan_value(&s, &value);
		if (rc != OK)
			break;
		if (!found && jsonscan_is(name, "kind")) {
			rc = take_kind(r, value, c);
			if (rc != OK)
				return rc;
			found = true;
			rc = pass_attempt(r, &s, c);
			if (rc != OK)
				return rc;
			if (!first || *s.at != ',')
				continue;
			buf_add(&r->meta, s.at + 1,
			    (size_t)(v.p + v.len - s.at - 1));
			break;
		}
		if (!first)
			buf_putc(&r->meta, ',');
		first = false;
		buf_add(&r->meta, from, (size_t)(value.p + value.len - from));
		if (found)
			continue;
	}
	if (!found)
		return REFUSE(r, "chunk %llu: its metadata has no kind",
		    (unsigned long long)c->index);
	if (rc == ERR_NOT_FOUND)
		buf_putc(&r->meta, '}');
	if (buf_state(&r->meta) != OK)
		return ERR_NOMEM;
	c->meta = r->meta.data;
	c->meta_len = r->meta.len <= 2 ? 0 : r->meta.len;
	return OK;
}

static enum err take_content(
    struct reading *r, struct jsonscan_slice v, struct chunk *c)
{
	enum err rc;

	buf_reset(&r->content);
	rc = jsonscan_text(v, &r->content);
	if (rc == ERR_INPUT)
		return REFUSE(r, "chunk %llu: its content must be a text",
		    (unsigned long long)c->index);
	c->content = r->content.data;
	c->content_len = r->content.len;
	return rc == OK ? OK : ERR_NOMEM;
}

/* The four members of a chunk, each once. */
static enum err find_parts(
    struct reading *r, struct jsonscan_slice part[4], unsigned long long at)
{
	static const char *const names[] = { "index", "content", "timestamp",
		"metadata" };
	struct jsonscan_slice name, value;
	enum err rc = jsonscan_open(&r->scan, '{');
	int k, n = 0;

	while (rc == OK) {
		rc = jsonscan_member(&r->scan, &name);
		if (rc == OK)
			rc = jsonscan_value(&r->scan, &value);
		if (rc != OK)
			break;
		for (k = 0; k < 4 && !jsonscan_is(name, names[k]); k++)
			;
		if (k == 4 || part[k].p != NULL)
			break;
		part[k] = value;
		n++;
	}
	if (rc != ERR_NOT_FOUND || n != 4)
		return REFUSE(r,
		    "chunk %llu must have index, content, timestamp and "
		    "metadata, each once, and nothing else",
		    at);
	return OK;
}

static enum err take_chunk(struct reading *r, struct chunk *c)
{
	struct jsonscan_slice part[4] = { { NULL, 0 } };
	unsigned long long at = c->index;
	int64_t index;
	enum err rc = find_parts(r, part, at);

	if (rc != OK)
		return rc;
	if (jsonscan_int(part[0], &index) != OK || index != (int64_t)c->index)
		return REFUSE(r,
		    "chunk %llu has the index %.*s: indices are dense from 0",
		    at, (int)(part[0].len < 30 ? part[0].len : 30), part[0].p);
	if (import_time(part[2], &c->ts_ms) != OK ||
	    !import_plausible(&r->to->e, r->now_ms, c->ts_ms))
		return REFUSE(
		    r, "chunk %llu: its timestamp is not plausible", at);
	rc = take_content(r, part[1], c);
	if (rc == OK)
		rc = take_meta(r, part[3], c);
	if (rc != OK)
		return rc;
	if (c->content_len + c->meta_len > WRITER_MAX_CHUNK_BYTES)
		return REFUSE(r, "chunk %llu has more than %zu bytes", at,
		    WRITER_MAX_CHUNK_BYTES);
	if (c->kind != CHUNK_TEXT && c->content_len > 0)
		return REFUSE(
		    r, "chunk %llu: only text chunks have content", at);
	return OK;
}

/* --- all chunks --- */

static enum err grow(struct import *i)
{
	size_t room = i->segments_room == 0 ? 8 : i->segments_room * 2;
	struct import_segment *list;

	if (i->n_segments < i->segments_room)
		return OK;
	list = reallocarray(i->segments, room, sizeof(*list));
	if (list == NULL)
		return ERR_NOMEM;
	i->segments = list;
	i->segments_room = room;
	return OK;
}

/* The packed form of ${c} joins the last segment, or begins the next. */
static enum err put_chunk(struct import *i, const struct chunk *c)
{
	size_t at = i->raw.len, len;
	struct import_segment *s;
	enum err rc;

	chunk_pack(&i->raw, c, i->e.created_ms);
	if (buf_state(&i->raw) != OK)
		return ERR_NOMEM;
	len = i->raw.len - at;
	s = i->n_segments > 0 ? &i->segments[i->n_segments - 1] : NULL;
	if (s == NULL || s->raw_len + len > PACK_SEGMENT_BYTES) {
		rc = grow(i);
		if (rc != OK)
			return rc;
		s = &i->segments[i->n_segments++];
		*s = (struct import_segment){ .first = c->index, .raw_at = at };
	}
	s->n++;
	s->raw_len += len;
	return OK;
}

static enum err look_at_place(struct reading *r, const struct chunk *c)
{
	if (c->kind == CHUNK_END)
		check_end_note(&r->end, c);
	if (c->index >= r->to->e.next_index)
		return REFUSE(r, "there are more chunks than \"total_chunks\"");
	return OK;
}

static enum err each_chunk(struct reading *r)
{
	struct chunk c = { .index = 0 };
	enum err rc = jsonscan_open(&r->scan, '[');

	while (rc == OK) {
		rc = jsonscan_item(&r->scan);
		if (rc != OK)
			break;
		while (r->more_attempts && r->next_from == (int64_t)c.index) {
			r->attempt = (uint32_t)r->next_attempt;
			rc = next_run(r);
			if (rc != OK)
				return rc;
		}
		c.attempt = r->attempt;
		rc = take_chunk(r, &c);
		if (rc == OK)
			rc = look_at_place(r, &c);
		if (rc == OK)
			rc = put_chunk(r->to, &c);
		c.index++;
	}
	if (rc == ERR_INPUT && r->scan.wrong != NULL)
		err_why(r->why, "\"chunks\" must be an array of chunks");
	if (rc != ERR_NOT_FOUND)
		return rc;
	if (c.index != r->to->e.next_index)
		return REFUSE(r,
		    "it has %llu chunks, but \"total_chunks\" says %llu",
		    (unsigned long long)c.index,
		    (unsigned long long)r->to->e.next_index);
	return r->more_attempts ? bad_attempts(r) : OK;
}

static enum err judge_end(struct reading *r)
{
	const struct execution *e = &r->to->e;

	if (!r->end.there || r->end.twice || r->end.index != e->next_index - 1)
		return REFUSE(
		    r, "it must have exactly one end, which is its last chunk");
	if (r->end.status != (int)e->status)
		return REFUSE(r,
		    "\"status\" is %s, but its last chunk does not say so (as "
		    "spool writes it: \"status\":\"%s\")",
		    execution_status_name(e->status),
		    execution_status_name(e->status));
	return OK;
}

/* Is ${v} the text chunks behind the last reset, joined? */
static enum err judge_text(struct reading *r, struct jsonscan_slice v)
{
	const char *p = r->to->raw.data, *end = p + r->to->raw.len, *from = p;
	size_t at = 0;
	struct chunk c;
	enum err rc;
	bool same = true;

	if (v.p == NULL)
		return OK;
	rc = take_content(r, v, &(struct chunk){ .index = 0 });
	if (rc != OK)
		return rc == ERR_INPUT ? REFUSE(r, "\"text\" must be a text")
				       : rc;
	while (p < end && chunk_unpack(&p, end, 0, 0, &c) == OK)
		if (c.kind == CHUNK_RESET)
			from = p;
	p = from;
	while (same && p < end && chunk_unpack(&p, end, 0, 0, &c) == OK) {
		if (c.kind != CHUNK_TEXT || c.content_len == 0)
			continue;
		same =
		    c.content_len <= r->content.len - at &&
		    memcmp(r->content.data + at, c.content, c.content_len) == 0;
		at += c.content_len;
	}
	if (!same || at != r->content.len)
		return REFUSE(r, "\"text\" is not what its chunks say");
	return OK;
}

enum err import_chunks(
    struct import *i, const struct import_parts *parts, struct why *why)
{
	struct reading r = { .to = i, .now_ms = parts->now_ms, .why = why };
	enum err rc;

	buf_init(&r.content, IMPORT_LINE_ALONE_BYTES);
	buf_init(&r.meta, IMPORT_LINE_ALONE_BYTES);
	jsonscan_init(&r.scan, parts->chunks.p, parts->chunks.len);
	rc = begin_attempts(&r, parts->attempts);
	if (rc == OK)
		rc = each_chunk(&r);
	if (rc == OK)
		rc = judge_end(&r);
	if (rc == OK)
		rc = judge_text(&r, parts->text);
	buf_fini(&r.content);
	buf_fini(&r.meta);
	return rc;
}
