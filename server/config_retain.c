#include <stdio.h>
#include <string.h>

#include "server/config_internal.h"
#include "server/suggest.h"

enum retain_key {
	RETAIN_OWNER,
	RETAIN_STATUS,
	RETAIN_AGE,
	RETAIN_BYTES,
	RETAIN_COUNT,
	RETAIN_PAYLOAD
};
static const char *const keys[] = { [RETAIN_OWNER] = "owner",
	[RETAIN_STATUS] = "status",
	[RETAIN_AGE] = "age",
	[RETAIN_BYTES] = "bytes",
	[RETAIN_COUNT] = "count",
	[RETAIN_PAYLOAD] = "payload_only" };
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))
_Static_assert(N_KEYS == CONFIG_RETAIN_KEYS, "a place for each key");

static const struct retention_rule no_limits = { .age_ms = RETENTION_NO_LIMIT,
	.bytes = RETENTION_NO_LIMIT,
	.count = RETENTION_NO_LIMIT };

enum err config_retain_add(
    struct config *c, const char *name, const char *where, struct why *why)
{
	struct config_retain *r;
	size_t len = strlen(name);

	if (len == 0 || len >= sizeof(r->name) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len) {
		err_why(why,
		    "\"%s\" cannot name a [retain]: use a-z, 0-9, _ and -, "
		    "32 at most",
		    name);
		return ERR_INPUT;
	}
	for (size_t i = 0; i < c->n_retains; i++)
		if (strcmp(c->retains[i].name, name) == 0) {
			err_why(why,
			    "[retain %s] is there twice; the first is at %s",
			    name, c->retains[i].where);
			return ERR_INPUT;
		}
	if (c->n_retains == CONFIG_MAX_RETAINS) {
		err_why(why, "more than %d [retain]s", CONFIG_MAX_RETAINS);
		return ERR_INPUT;
	}
	r = &c->retains[c->n_retains++];
	*r = (struct config_retain){ .rule = no_limits };
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->where, sizeof(r->where), "%s", where);
	return OK;
}

/* "failed, cancelled" */
static enum err read_statuses(const char *value, unsigned *ret, struct why *why)
{
	unsigned statuses = 0;

	while (*value) {
		size_t len = strcspn(value, ", \t");
		enum execution_status s;
		char word[16];

		snprintf(word, sizeof(word), "%.*s", (int)len, value);
		if (len >= sizeof(word) ||
		    (len && execution_status_parse(word, &s) != OK)) {
			err_why(why,
			    "status: \"%.*s\" is none: write completed, "
			    "failed, cancelled",
			    (int)len, value);
			return ERR_INPUT;
		}
		if (len && !execution_ended(s)) {
			err_why(why,
			    "status: what is %s has not ended, and is never "
			    "removed",
			    word);
			return ERR_INPUT;
		}
		if (len)
			statuses |= 1u << (unsigned)s;
		value += len;
		value += strspn(value, ", \t");
	}
	*ret = statuses;
	return OK;
}

static enum err read_limit(
    enum retain_key key, const char *value, int64_t *ret, struct why *why)
{
	struct why detail = { "" };
	int64_t n = 0;
	enum err err;

	if (key == RETAIN_AGE)
		err = option_parse_duration(value, &n, &detail);
	else if (key == RETAIN_BYTES)
		err = option_parse_size(value, &n, &detail);
	else
		err = option_parse_int(value, &n, &detail);
	if (err == OK && n < 1) {
		err_why(&detail, "it must be above 0");
		err = ERR_INPUT;
	}
	if (err)
		err_why(why, "%s: %s", keys[key], detail.text);
	else
		*ret = n;
	return err;
}

static enum err take(struct config_retain *r, enum retain_key key,
    const char *value, struct why *why)
{
	switch (key) {
	case RETAIN_OWNER:
		if (strlen(value) >= sizeof(r->rule.owner)) {
			err_why(why, "owner: 1 to %zu bytes",
			    sizeof(r->rule.owner) - 1);
			return ERR_INPUT;
		}
		snprintf(r->rule.owner, sizeof(r->rule.owner), "%s", value);
		return OK;
	case RETAIN_STATUS: return read_statuses(value, &r->rule.statuses, why);
	case RETAIN_AGE: return read_limit(key, value, &r->rule.age_ms, why);
	case RETAIN_BYTES: return read_limit(key, value, &r->rule.bytes, why);
	case RETAIN_COUNT: return read_limit(key, value, &r->rule.count, why);
	case RETAIN_PAYLOAD:
		return option_parse_bool(value, &r->rule.payload_only, why);
	}
	return ERR_INPUT;
}

enum err config_retain_line(
    struct config *c, const char *key, const char *value, struct why *why)
{
	struct config_retain *r = &c->retains[c->n_retains - 1];
	const char *near;

	for (unsigned i = 0; i < N_KEYS; i++) {
		if (strcmp(key, keys[i]) != 0)
			continue;
		if (r->said[i][0]) {
			err_why(why, "\"%s\" is given twice", key);
			return ERR_INPUT;
		}
		if (!*value || strlen(value) >= sizeof(r->said[i])) {
			err_why(why, "%s: 1 to %zu bytes", key,
			    sizeof(r->said[i]) - 1);
			return ERR_INPUT;
		}
		snprintf(r->said[i], sizeof(r->said[i]), "%s", value);
		return take(r, (enum retain_key)i, value, why);
	}
	near = suggest_nearest(key, keys, N_KEYS);
	err_why(why, "unknown key \"%s\" in [retain %s]%s%s%s", key, r->name,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return ERR_INPUT;
}

enum err config_retain_check(const struct config *c, struct why *why)
{
	for (size_t i = 0; i < c->n_retains; i++) {
		const struct config_retain *r = &c->retains[i];

		if (r->said[RETAIN_AGE][0] || r->said[RETAIN_BYTES][0] ||
		    r->said[RETAIN_COUNT][0])
			continue;
		err_why(why,
		    "%s: [retain %s] would keep everything: give age, bytes "
		    "or count",
		    r->where, r->name);
		return ERR_INPUT;
	}
	return OK;
}

const char *config_retain_key(size_t i)
{
	return i < N_KEYS ? keys[i] : NULL;
}

size_t config_rules(const struct config *c, struct retention_rule *ret)
{
	size_t n = 0;

	if (c->retain_age_ms || c->retain_bytes || c->retain_count) {
		ret[n] = no_limits;
		if (c->retain_age_ms)
			ret[n].age_ms = c->retain_age_ms;
		if (c->retain_bytes)
			ret[n].bytes = c->retain_bytes;
		if (c->retain_count)
			ret[n].count = c->retain_count;
		n++;
	}
	for (size_t i = 0; i < c->n_retains; i++)
		ret[n++] = c->retains[i].rule;
	return n;
}
