#include "store/execution.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

static const char *const status_names[EXECUTION_STATUSES] = {
	[EXECUTION_QUEUED] = "queued",
	[EXECUTION_STREAMING] = "streaming",
	[EXECUTION_COMPLETED] = "completed",
	[EXECUTION_FAILED] = "failed",
	[EXECUTION_CANCELLED] = "cancelled",
};

const char *execution_status_name(enum execution_status s)
{
	ASSERT((unsigned)s < EXECUTION_STATUSES);
	return status_names[s];
}

enum err execution_status_parse(const char *name, enum execution_status *ret)
{
	for (unsigned i = 0; i < EXECUTION_STATUSES; i++)
		if (strcmp(name, status_names[i]) == 0) {
			*ret = (enum execution_status)i;
			return OK;
		}
	return ERR_INPUT;
}

bool execution_ended(enum execution_status s)
{
	return s >= EXECUTION_COMPLETED;
}

bool execution_may_move(enum execution_status from, enum execution_status to)
{
	return to > from && !execution_ended(from);
}

struct execution *execution_new(void)
{
	return calloc(1, sizeof(struct execution));
}

void execution_fini(struct execution *e)
{
	free(e->owner);
	free(e->model);
	free(e->target);
	free(e->prompt);
	free(e->request);
	free(e->metadata);
	free(e->note);
	free(e->error_code);
	free(e->idempotency_key);
	*e = (struct execution){ 0 };
}

void execution_free(struct execution *e)
{
	if (e == NULL)
		return;
	execution_fini(e);
	free(e);
}

/* Duplicate ${len} bytes and a NUL into *${dst}; NULL stays NULL. */
static bool copy_text(char **dst, const char *src, size_t len)
{
	*dst = NULL;
	if (src == NULL)
		return true;
	*dst = malloc(len + 1);
	if (*dst == NULL)
		return false;
	memcpy(*dst, src, len);
	(*dst)[len] = '\0';
	return true;
}

static bool copy_string(char **dst, const char *src)
{
	return copy_text(dst, src, src == NULL ? 0 : strlen(src));
}

struct execution *execution_copy(const struct execution *e)
{
	struct execution *c = execution_new();

	if (c == NULL)
		return NULL;
	*c = *e;
	c->owner = c->model = c->target = c->prompt = NULL;
	c->request = c->metadata = c->error_code = c->idempotency_key = NULL;
	c->note = NULL;
	if (copy_string(&c->owner, e->owner) &&
	    copy_string(&c->model, e->model) &&
	    copy_string(&c->target, e->target) &&
	    copy_string(&c->prompt, e->prompt) &&
	    copy_text(&c->request, e->request, e->request_len) &&
	    copy_text(&c->metadata, e->metadata, e->metadata_len) &&
	    copy_text(&c->note, e->note, e->note_len) &&
	    copy_string(&c->error_code, e->error_code) &&
	    copy_string(&c->idempotency_key, e->idempotency_key))
		return c;
	execution_free(c);
	return NULL;
}
