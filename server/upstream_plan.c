#include "server/upstream_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 10000000
#define MAX_RATE 1e6
#define MAX_SIZE 65536
#define MAX_WAIT_MS 600000
#define MAX_VALUE_BYTES 32

static const char *const faults[] = {
	[UPSTREAM_FINE] = "fine",
	[UPSTREAM_STATUS] = "status",
	[UPSTREAM_CUT] = "cut",
	[UPSTREAM_STALL] = "stall",
	[UPSTREAM_GARBAGE] = "garbage",
	[UPSTREAM_NO_END] = "no-end",
	[UPSTREAM_ERROR] = "error",
	[UPSTREAM_SPLIT] = "split",
	[UPSTREAM_SILENT] = "silent",
	[UPSTREAM_PINGS] = "pings",
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Models that are not called after a fault. */
static const char *const models[] = { "sim", "sim-fast", "sim-slow" };
#define MODELS (sizeof(models) / sizeof(models[0]))

static const struct {
	double rate;
	int64_t first_ms;
} slow = { .rate = 4, .first_ms = 2000 };

void upstream_defaults(struct upstream_options *o)
{
	*o = (struct upstream_options){
		.tokens = -1,
		.rate = -1,
		.size = -1,
		.first_ms = -1,
		.after = -1,
		.status = -1,
		.fault_share = -1,
		.seed = 1,
	};
}

enum err upstream_fault_parse(
    const char *name, enum upstream_fault *ret, struct why *why)
{
	char list[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < FAULTS; i++) {
		if (strcmp(name, faults[i]) == 0) {
			*ret = (enum upstream_fault)i;
			return OK;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", i > 0 ? ", " : "", faults[i]);
	}
	err_why(why, "unknown fault \"%.32s\": one of %s", name, list);
	return ERR_INPUT;
}

static bool in(double v, double from, double to)
{
	return v >= from && v <= to;
}

/* Refuse what would overflow, or take more memory than a request may. */
static enum err plan_check(const struct upstream_plan *p, struct why *why)
{
	const char *wrong = NULL;

	if (p->tokens < -1 || p->tokens > MAX_TOKENS)
		wrong = "tokens must be from 0 to 10000000";
	else if (!in(p->rate, 0, MAX_RATE))
		wrong = "rate must be from 0 to 1000000 tokens a second";
	else if (p->size != -1 && (p->size < 1 || p->size > MAX_SIZE))
		wrong = "size must be from 1 to 65536 bytes";
	else if (p->first_ms < 0 || p->first_ms > MAX_WAIT_MS)
		wrong = "first_ms must be from 0 to 600000";
	else if (p->after < 0 || p->after > MAX_TOKENS)
		wrong = "after must be from 0 to 10000000";
	else if (p->status < 400 || p->status > 599)
		wrong = "status must be from 400 to 599";
	else if (!in(p->fault_share, 0, 1))
		wrong = "fault_share must be from 0 to 1";
	if (wrong == NULL)
		return OK;
	err_why(why, "%s", wrong);
	return ERR_INPUT;
}

enum err upstream_plan_init(
    struct upstream_plan *p, const struct upstream_options *o, struct why *why)
{
	*p = (struct upstream_plan){
		.model = "sim",
		.tokens = o->tokens < 0 ? -1 : o->tokens,
		.rate = o->rate < 0 ? 40 : o->rate,
		.size = o->size < 0 ? -1 : o->size,
		.first_ms = o->first_ms < 0 ? 50 : o->first_ms,
		.fault = o->fault,
		.after = o->after < 0 ? 3 : o->after,
		.status = o->status < 0 ? 500 : o->status,
		.fault_share = o->fault_share < 0 ? 1 : o->fault_share,
		.seed = o->seed,
		.stamp = o->stamp,
	};
	return plan_check(p, why);
}

static enum err parse_int(const char *value, int64_t *ret)
{
	char *end;
	long long v = strtoll(value, &end, 10);

	if (end == value || *end != '\0')
		return ERR_INPUT;
	*ret = v;
	return OK;
}

static enum err parse_double(const char *value, double *ret)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end != '\0')
		return ERR_INPUT;
	*ret = v;
	return OK;
}

static enum err plan_set(struct upstream_plan *p, const char *name,
    const char *value, struct why *why)
{
	int64_t number = 0;
	enum err e;

	if (strcmp(name, "fault") == 0)
		return upstream_fault_parse(value, &p->fault, why);
	if (strcmp(name, "tokens") == 0) {
		e = parse_int(value, &p->tokens);
	} else if (strcmp(name, "rate") == 0) {
		e = parse_double(value, &p->rate);
	} else if (strcmp(name, "size") == 0) {
		e = parse_int(value, &p->size);
	} else if (strcmp(name, "first_ms") == 0) {
		e = parse_int(value, &p->first_ms);
	} else if (strcmp(name, "after") == 0) {
		e = parse_int(value, &p->after);
	} else if (strcmp(name, "status") == 0) {
		e = parse_int(value, &p->status);
	} else if (strcmp(name, "fault_share") == 0) {
		e = parse_double(value, &p->fault_share);
	} else if (strcmp(name, "seed") == 0) {
		e = parse_int(value, &number);
		p->seed = (uint64_t)number;
	} else if (strcmp(name, "stamp") == 0) {
		e = parse_int(value, &number);
		p->stamp = number != 0;
	} else {
		err_why(why, "unknown setting \"%.32s\"", name);
		return ERR_INPUT;
	}
	if (e != OK)
		err_why(why, "%s=%.32s is not a number", name, value);
	return e;
}

enum err upstream_plan_query(
    struct upstream_plan *p, const char *query, struct why *why)
{
	struct upstream_plan changed = *p;
	char name[MAX_VALUE_BYTES], value[MAX_VALUE_BYTES];
	enum err e = OK;

	while (e == OK && *query != '\0') {
		size_t len = strcspn(query, "&");
		size_t name_len = strcspn(query, "=&");
		size_t value_len = len - name_len;

		if (value_len > 0)
			value_len--;
		if (name_len >= sizeof(name) || value_len >= sizeof(value)) {
			err_why(why, "unknown setting \"%.32s\"", query);
			return ERR_INPUT;
		}
		snprintf(name, sizeof(name), "%.*s", (int)name_len, query);
		snprintf(value, sizeof(value), "%.*s", (int)value_len,
		    query + len - value_len);
		e = plan_set(&changed, name, value, why);
		query += len;
		if (*query == '&')
			query++;
	}
	if (e == OK)
		e = plan_check(&changed, why);
	if (e == OK)
		*p = changed;
	return e;
}

bool upstream_plan_model_name(unsigned i, char dst[UPSTREAM_MODEL_BYTES])
{
	if (i < MODELS)
		snprintf(dst, UPSTREAM_MODEL_BYTES, "%s", models[i]);
	else if (i - MODELS + 1 < FAULTS) /* without "fine" */
		snprintf(dst, UPSTREAM_MODEL_BYTES, "sim-%s",
		    faults[i - MODELS + 1]);
	else
		return false;
	return true;
}

enum err upstream_plan_model(
    struct upstream_plan *p, const char *model, struct why *why)
{
	struct upstream_plan changed = *p;
	size_t len = strcspn(model, "?");
	char name[UPSTREAM_MODEL_BYTES];
	unsigned i;
	enum err e;

	for (i = 0; upstream_plan_model_name(i, name); i++)
		if (strlen(name) == len && memcmp(name, model, len) == 0)
			break;
	if (!upstream_plan_model_name(i, changed.model)) {
		err_why(why,
		    "The model `%.64s` does not exist: this is a simulation, "
		    "GET /v1/models lists what it plays.",
		    model);
		return ERR_NOT_FOUND;
	}
	if (i == 1) {
		changed.rate = 0;
		changed.first_ms = 0;
	} else if (i == 2) {
		changed.rate = slow.rate;
		changed.first_ms = slow.first_ms;
	} else if (i >= MODELS) {
		changed.fault = (enum upstream_fault)(i - MODELS + 1);
	}
	e = upstream_plan_query(
	    &changed, model[len] == '?' ? model + len + 1 : "", why);
	if (e == OK)
		*p = changed;
	return e;
}

uint64_t upstream_plan_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a + (b + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void upstream_plan_draw(struct upstream_plan *p, uint64_t number)
{
	double drawn =
	    (double)(upstream_plan_mix(p->seed, number) >> 11) * 0x1p-53;

	if (drawn >= p->fault_share)
		p->fault = UPSTREAM_FINE;
}
