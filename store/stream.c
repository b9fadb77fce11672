#include "store/stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The length of a media type without its parameters. */
static size_t bare(const char *type)
{
	size_t n = strcspn(type, ";");

	while (n > 0 && (type[n - 1] == ' ' || type[n - 1] == '\t'))
		n--;
	return n;
}

bool stream_same_type(const char *a, const char *b)
{
	size_t n = bare(a);

	return n == bare(b) && strncasecmp(a, b, n) == 0;
}

bool stream_is_json(const char *type)
{
	return stream_same_type(type, "application/json");
}

bool stream_expired(const struct stream *s, int64_t now_ms)
{
	return s->expires_ms != 0 && s->expires_ms <= now_ms;
}

int64_t stream_renewal(const struct stream *s, int64_t now_ms)
{
	int64_t ms = s->ttl_s * 1000;

	if (s->ttl_s < 0 || s->expires_ms - now_ms >= ms)
		return 0;
	return now_ms + ms + ms / 8;
}

bool stream_same(
    const struct stream *s, const struct stream *wanted, bool any_place)
{
	bool fork = wanted->source[0] != '\0';

	if (strcmp(s->source, wanted->source) != 0 ||
	    s->closed != wanted->closed)
		return false;
	if (!(fork && wanted->type[0] == '\0') &&
	    !stream_same_type(s->type, wanted->type))
		return false;
	/* A fork that asks for no time has its source's. */
	if (!(fork && wanted->ttl_s < 0 && wanted->expires_at[0] == '\0') &&
	    (s->ttl_s != wanted->ttl_s ||
		strcmp(s->expires_at, wanted->expires_at) != 0))
		return false;
	return (any_place || s->fork_at == wanted->fork_at) &&
	       s->fork_sub == wanted->fork_sub;
}

/* Step 7: what the producer's numbers say. */
static enum stream_outcome judge_producer(
    const struct stream_tuple *t, const struct stream_producer *p)
{
	if (!p->known)
		return t->seq == 0 ? STREAM_DONE : STREAM_GAP;
	if (t->epoch < p->epoch)
		return STREAM_FENCED;
	if (t->epoch > p->epoch)
		return t->seq == 0 ? STREAM_DONE : STREAM_NEW_EPOCH;
	if (t->seq <= p->seq)
		return STREAM_DUPLICATE;
	return t->seq == p->seq + 1 ? STREAM_DONE : STREAM_GAP;
}

static bool closed_by(const struct stream *s, const struct stream_tuple *t)
{
	return s->closer.producer[0] != '\0' &&
	       strcmp(s->closer.producer, t->producer) == 0 &&
	       s->closer.epoch == t->epoch && s->closer.seq == t->seq;
}

static enum stream_outcome judge_closed(
    const struct stream *s, const struct stream_append *a)
{
	bool produced = a->tuple.producer[0] != '\0';

	if ((!a->has_body && !produced) ||
	    (produced && closed_by(s, &a->tuple)))
		return STREAM_DUPLICATE;
	return STREAM_CLOSED;
}

static enum stream_outcome judge_body(
    const struct stream *s, const struct stream_append *a)
{
	if (!a->has_body || !stream_is_json(s->type))
		return STREAM_DONE;
	if (!a->body.is_json)
		return STREAM_NOT_JSON;
	return a->body.n_json == 0 ? STREAM_NO_MESSAGE : STREAM_DONE;
}

enum stream_outcome stream_judge(const struct stream *s,
    const struct stream_append *a, const struct stream_producer *p)
{
	enum stream_outcome o = STREAM_DONE;

	if (s->deleted_ms != 0)
		return STREAM_GONE;
	if (s->closed)
		return judge_closed(s, a);
	if (a->has_body && !stream_same_type(s->type, a->type))
		return STREAM_OTHER_TYPE;
	if (a->tuple.producer[0] != '\0')
		o = judge_producer(&a->tuple, p);
	/* What came before came with its Stream-Seq, too. */
	if (o == STREAM_DONE && a->seq[0] != '\0' && s->seq[0] != '\0' &&
	    strcmp(a->seq, s->seq) <= 0)
		o = STREAM_OUT_OF_ORDER;
	return o == STREAM_DONE ? judge_body(s, a) : o;
}

uint32_t stream_count(const struct stream_body *body, const char *type)
{
	if (stream_is_json(type))
		return body->n_json;
	return body->len > 0;
}

void stream_offset(uint64_t place, char dst[STREAM_OFFSET_TEXT])
{
	(void)snprintf(dst, STREAM_OFFSET_TEXT, "0000000000000000_%016llu",
	    (unsigned long long)(place % 10000000000000000u));
}

/* Digits up to ${end}, which must come; too large a number is UINT64_MAX. */
static const char *digits(const char *p, char end, uint64_t *ret)
{
	const char *from = p;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		v = v > UINT64_MAX / 100 ? UINT64_MAX
					 : v * 10 + (uint64_t)(*p - '0');
	if (p == from || *p != end)
		return NULL;
	*ret = v;
	return p;
}

enum err stream_offset_parse(const char *text, uint64_t *ret)
{
	uint64_t turn, place;
	const char *p = digits(text, '_', &turn);

	if (p == NULL || digits(p + 1, '\0', &place) == NULL)
		return ERR_INPUT;
	*ret = turn > 0 || place > STREAM_MAX_MESSAGES ? UINT64_MAX : place;
	return OK;
}

static bool part_valid(const char *p, size_t len)
{
	return len > 0 && !(len == 1 && p[0] == '.') &&
	       !(len == 2 && p[0] == '.' && p[1] == '.');
}

bool stream_name_valid(const char *name)
{
	size_t len = strlen(name), part;

	if (len >= STREAM_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] < '!' || name[i] > '~' ||
		    strchr("\"%?#&\\", name[i]) != NULL)
			return false;
	for (;; name += part + 1) {
		part = strcspn(name, "/");
		if (!part_valid(name, part))
			return false;
		if (name[part] == '\0')
			return true;
	}
}
