/* What is to be removed. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/when.h"

/* What next holds, in hexadecimal. */
struct place {
	uint8_t rule[8]; /* of the same choice */
	uint8_t now_ms[8];
	struct id position, count_edge, bytes_edge, operation;
};
_Static_assert(sizeof(struct place) == 80, "no holes");

static void put_number(uint8_t *dst, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		dst[i] = (uint8_t)v;
}

static uint64_t get_number(const uint8_t *src)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | src[i];
	return v;
}

/* Tells one choice from another; it guards nothing from anybody. */
static uint64_t rule_hash(const struct retention_rule *r)
{
	uint64_t h = 1469598103934665603u; /* FNV-1a */
	char text[KEY_NAME_BYTES + 200];

	(void)snprintf(text, sizeof(text), "%u %lld %lld %lld %lld %lld %d %s",
	    r->statuses, (long long)r->since_ms, (long long)r->until_ms,
	    (long long)r->age_ms, (long long)r->bytes, (long long)r->count,
	    r->payload_only, r->owner);
	for (const char *c = text; *c; c++)
		h = (h ^ (uint8_t)*c) * 1099511628211u;
	return h;
}

void body_prune_next(struct buf *b, const struct body_prune *ask,
    const struct retention_mark *mark)
{
	struct place at = { .position = mark->position,
		.count_edge = mark->count_edge,
		.bytes_edge = mark->bytes_edge,
		.operation = ask->operation };
	const uint8_t *bytes = (const uint8_t *)&at;

	put_number(at.rule, rule_hash(&ask->rule));
	put_number(at.now_ms, (uint64_t)mark->now_ms);
	for (size_t i = 0; i < sizeof(at); i++)
		buf_printf(b, "%02x", bytes[i]);
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static enum err read_next(
    const json_t *root, struct body_prune *ret, struct problem *p)
{
	static const char *const names[] = { "next", NULL };
	const char *text = NULL;
	struct place at;
	uint8_t *bytes = (uint8_t *)&at;

	if (body_text(root, names, &text, p) != OK)
		return ERR_INPUT;
	if (!text)
		return OK;
	if (strlen(text) != 2 * sizeof(at))
		goto refuse;
	for (size_t i = 0; i < sizeof(at); i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			goto refuse;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	if (get_number(at.rule) != rule_hash(&ret->rule))
		goto refuse;
	ret->mark = (struct retention_mark){
		.now_ms = (int64_t)get_number(at.now_ms),
		.position = at.position,
		.count_edge = at.count_edge,
		.bytes_edge = at.bytes_edge,
	};
	ret->operation = at.operation;
	ret->goes_on = true;
	return OK;
refuse:
	return body_refuse(p, "next",
	    "next must be that of the last answer to the same request");
}

static enum err read_bool(
    const json_t *root, const char *name, bool *ret, struct problem *p)
{
	const char *const names[] = { name, NULL };
	const json_t *v = body_member(root, names);

	if (!v)
		return OK;
	if (!json_is_boolean(v))
		return body_refuse(p, name, "%s must be true or false", name);
	*ret = json_is_true(v);
	return OK;
}

static enum err read_status(
    const json_t *v, struct retention_rule *rule, struct problem *p)
{
	enum execution_status s;

	if (!json_is_string(v) ||
	    execution_status_parse(json_string_value(v), &s) != OK ||
	    !execution_ended(s))
		return body_refuse(p, "status",
		    "status must be completed, failed or cancelled, or a list "
		    "of them: what has not ended is never removed");
	rule->statuses |= 1u << (unsigned)s;
	return OK;
}

static enum err read_statuses(
    const json_t *root, struct retention_rule *rule, struct problem *p)
{
	static const char *const names[] = { "status", NULL };
	const json_t *v = body_member(root, names), *one;
	enum err e = OK;
	size_t i;

	if (!v)
		return OK;
	if (!json_is_array(v))
		return read_status(v, rule, p);
	if (json_array_size(v) == 0)
		return body_refuse(p, "status", "status is an empty list");
	json_array_foreach(v, i, one) if (e == OK) e =
	    read_status(one, rule, p);
	return e;
}

static enum err read_when(
    const json_t *root, const char *name, int64_t *ret, struct problem *p)
{
	const char *const names[] = { name, NULL };
	const json_t *v = body_member(root, names);
	int64_t ms = 0;

	if (!v)
		return OK;
	if (json_is_integer(v) && json_integer_value(v) > 0)
		ms = json_integer_value(v);
	else if (!json_is_string(v) ||
		 strlen(json_string_value(v)) != json_string_length(v) ||
		 when_parse(json_string_value(v), &ms) != OK || ms == 0)
		return body_refuse(p, name,
		    "%s must be a time like 2026-01-02T03:04:05Z, or "
		    "milliseconds since 1970",
		    name);
	*ret = ms;
	return OK;
}

static enum err read_limits(
    const json_t *root, struct retention_rule *rule, struct problem *p)
{
	static const char *const older[] = { "older_than_ms", NULL };
	static const char *const last[] = { "keep_last", NULL };
	static const char *const bytes[] = { "keep_bytes", NULL };
	const int64_t most = (int64_t)1 << 53;
	enum err e;

	rule->age_ms = rule->bytes = rule->count = RETENTION_NO_LIMIT;
	rule->per_owner = true;
	rule->all_limits = true;
	e = body_int(root, older, 0, most, &rule->age_ms, p);
	if (e == OK)
		e = body_int(root, last, 0, most, &rule->count, p);
	if (e == OK)
		e = body_int(root, bytes, 0, most, &rule->bytes, p);
	return e;
}

static enum err read_rule(
    const json_t *root, struct retention_rule *rule, struct problem *p)
{
	static const char *const owners[] = { "owner", NULL };
	const char *owner = NULL;
	bool all = false;
	enum err e;

	e = read_statuses(root, rule, p);
	if (e == OK)
		e = body_text(root, owners, &owner, p);
	if (e == OK && owner &&
	    (!*owner || strlen(owner) >= sizeof(rule->owner)))
		e = body_refuse(p, "owner", "owner must be of 1 to %zu bytes",
		    sizeof(rule->owner) - 1);
	if (e == OK && owner)
		(void)snprintf(rule->owner, sizeof(rule->owner), "%s", owner);
	if (e == OK)
		e = read_when(root, "since", &rule->since_ms, p);
	if (e == OK)
		e = read_when(root, "until", &rule->until_ms, p);
	if (e == OK)
		e = read_limits(root, rule, p);
	if (e == OK)
		e = read_bool(root, "all", &all, p);
	if (e == OK && !all && !rule->statuses && !owner && !rule->since_ms &&
	    !rule->until_ms && rule->age_ms < 0 && rule->count < 0 &&
	    rule->bytes < 0)
		e = body_refuse(p, "all",
		    "nothing was chosen: say status, owner, since, until, "
		    "older_than_ms, keep_last, keep_bytes or ids, or "
		    "\"all\":true");
	return e;
}

static enum err read_list(
    const json_t *root, struct id *ret, size_t *ret_n, struct problem *p)
{
	const json_t *list = json_object_get(root, "ids"), *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 ||
	    json_array_size(list) > BODY_MAX_IDS)
		return body_refuse(
		    p, "ids", "ids must be a list of 1 to %d", BODY_MAX_IDS);
	json_array_foreach(list, i, one)
	{
		if (!json_is_string(one) ||
		    id_parse(json_string_value(one), json_string_length(one),
			&ret[i]) != OK)
			return body_refuse(
			    p, "ids", "ids[%zu] is no execution_id", i);
	}
	*ret_n = json_array_size(list);
	return OK;
}

static enum err read_ids(
    const json_t *root, struct body_prune *ret, struct problem *p)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		if (strcmp(key, "ids") != 0 && strcmp(key, "dry_run") != 0 &&
		    strcmp(key, "payload_only") != 0 &&
		    strcmp(key, "note") != 0)
			return body_refuse(
			    p, key, "%s does not go with ids", key);
	}
	return read_list(root, ret->id, &ret->n, p);
}

/* It is shown to people: no line of it may look like another. */
static enum err read_note(
    const json_t *root, struct body_prune *ret, struct problem *p)
{
	static const char *const names[] = { "note", NULL };
	const char *text = NULL;

	if (body_text(root, names, &text, p) != OK)
		return ERR_INPUT;
	if (!text)
		return OK;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return body_refuse(
			    p, "note", "note has control characters");
	if (strlen(text) >= sizeof(ret->note))
		return body_refuse(p, "note", "note is of at most %d bytes",
		    BODY_NOTE_BYTES - 1);
	memcpy(ret->note, text, strlen(text) + 1);
	return OK;
}

enum err body_ids(const char *text, size_t len, struct id *ret, size_t *ret_n,
    struct problem *p)
{
	static const char *const known[] = { "ids" };
	json_t *root = NULL;
	enum err e;

	e = body_parse(text, len, &root, p);
	if (e == OK)
		e = body_only(root, "", known, 1, p);
	if (e == OK)
		e = read_list(root, ret, ret_n, p);
	json_decref(root);
	return e;
}

enum err body_prune(
    const char *text, size_t len, struct body_prune *ret, struct problem *p)
{
	static const char *const known[] = { "ids", "status", "owner", "since",
		"until", "older_than_ms", "keep_last", "keep_bytes", "all",
		"payload_only", "dry_run", "limit", "list", "next", "note" };
	static const char *const limits[] = { "limit", NULL };
	int64_t limit = BODY_MAX_IDS;
	json_t *root = NULL;
	enum err e;

	memset(ret, 0, sizeof(*ret));
	e = body_parse(text, len, &root, p);
	if (e == OK)
		e = body_only(
		    root, "", known, sizeof(known) / sizeof(known[0]), p);
	if (e == OK)
		e = read_bool(root, "dry_run", &ret->dry_run, p);
	if (e == OK)
		e = read_bool(root, "list", &ret->list, p);
	if (e == OK && ret->list && !ret->dry_run)
		e = body_refuse(p, "list", "list goes with dry_run");
	if (e == OK)
		e = read_bool(root, "payload_only", &ret->rule.payload_only, p);
	if (e == OK)
		e = read_note(root, ret, p);
	if (e == OK && json_object_get(root, "ids")) {
		e = read_ids(root, ret, p);
		goto out;
	}
	if (e == OK)
		e = body_int(root, limits, 1, BODY_MAX_IDS, &limit, p);
	ret->limit = (uint32_t)limit;
	if (e == OK)
		e = read_rule(root, &ret->rule, p);
	if (e == OK)
		e = read_next(root, ret, p);
out:
	json_decref(root);
	return e;
}
