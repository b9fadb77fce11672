#include "worker/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/jsonout.h"
#include "store/base/jsonscan.h"
#include "store/execution.h"
#include "worker/attempts.h"

/*
 * {"attempts":[[number,target,code,message,http_status,started_ms,duration_ms]
 * …],"sums":[input,output,reasoning,cached,cache_write],"cost_pusd":n,
 * "paid_told":0|1,"paid_priced":0|1,"unpaid":0|1,"counted":0|1,"estimated":0|1,"began_ms":n,
 * "token":"…"}
 */

#define N_SUMS 5
#define MAX_TEXT_BYTES ((size_t)4 << 10)

static void put_text(struct buf *b, const char *s)
{
	jsonout_string(b, s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

static void put_item(struct buf *b, const struct attempts_item *item)
{
	jsonout_array(b);
	jsonout_int(b, item->number);
	put_text(b, item->target);
	put_text(b, item->code);
	put_text(b, item->message);
	jsonout_int(b, item->http_status);
	jsonout_int(b, item->started_ms);
	jsonout_int(b, item->duration_ms);
	jsonout_array_end(b);
}

void note_write(struct buf *b, const struct note *n)
{
	const struct attempts *a = n->attempts;

	jsonout_object(b);
	jsonout_key(b, "attempts");
	jsonout_array(b);
	for (uint32_t i = 0; i < a->n; i++)
		put_item(b, &a->item[i]);
	jsonout_array_end(b);
	jsonout_key(b, "sums");
	jsonout_array(b);
	jsonout_int(b, a->sum.input_tokens);
	jsonout_int(b, a->sum.output_tokens);
	jsonout_int(b, a->sum.reasoning_tokens);
	jsonout_int(b, a->sum.cached_input_tokens);
	jsonout_int(b, a->sum.cache_write_tokens);
	jsonout_array_end(b);
	jsonout_member_int(b, "cost_pusd", a->sum.cost_pusd);
	jsonout_member_int(b, "paid_told", a->paid_told);
	jsonout_member_int(b, "paid_priced", a->paid_priced);
	jsonout_member_int(b, "unpaid", a->unpaid);
	jsonout_member_int(b, "counted", a->counted);
	jsonout_member_int(b, "estimated", a->estimated);
	jsonout_member_int(b, "began_ms", n->began_ms);
	if (n->token != NULL)
		jsonout_member(b, "token", n->token);
	jsonout_object_end(b);
}

/* The next element of an array. ERR_NOT_FOUND: there is none. */
static enum err next(struct jsonscan *s, struct jsonscan_slice *ret)
{
	enum err rc = jsonscan_item(s);

	return rc == OK ? jsonscan_value(s, ret) : rc;
}

/* The same, which must be there. */
static enum err must(struct jsonscan *s, struct jsonscan_slice *ret)
{
	enum err rc = next(s, ret);

	return rc == ERR_NOT_FOUND ? ERR_INPUT : rc;
}

static enum err next_int(struct jsonscan *s, int64_t *ret)
{
	struct jsonscan_slice v;
	enum err rc = must(s, &v);

	return rc == OK ? jsonscan_int(v, ret) : rc;
}

static enum err next_text(struct jsonscan *s, struct buf *b)
{
	struct jsonscan_slice v;
	enum err rc = must(s, &v);

	buf_reset(b);
	if (rc == OK)
		rc = jsonscan_text(v, b);
	buf_putc(b, '\0');
	return rc == OK ? buf_state(b) : rc;
}

static const char *or_null(const struct buf *b)
{
	return b->data[0] == '\0' ? NULL : b->data;
}

static enum err read_item(struct jsonscan_slice v, struct attempts *ret)
{
	int64_t number = 0, status = 0, started = 0, duration = 0;
	struct buf target, code, message;
	struct jsonscan s;
	enum err rc;

	buf_init(&target, MAX_TEXT_BYTES);
	buf_init(&code, MAX_TEXT_BYTES);
	buf_init(&message, MAX_TEXT_BYTES);
	jsonscan_init(&s, v.p, v.len);
	rc = jsonscan_open(&s, '[');
	rc = rc == OK ? next_int(&s, &number) : rc;
	rc = rc == OK ? next_text(&s, &target) : rc;
	rc = rc == OK ? next_text(&s, &code) : rc;
	rc = rc == OK ? next_text(&s, &message) : rc;
	rc = rc == OK ? next_int(&s, &status) : rc;
	rc = rc == OK ? next_int(&s, &started) : rc;
	rc = rc == OK ? next_int(&s, &duration) : rc;
	if (rc == OK)
		rc = attempts_add(
		    ret, &(struct attempts_item){ .number = (uint32_t)number,
			     .target = target.data,
			     .status = EXECUTION_FAILED,
			     .code = or_null(&code),
			     .message = or_null(&message),
			     .http_status = (int)status,
			     .started_ms = started,
			     .duration_ms = duration });
	buf_fini(&target);
	buf_fini(&code);
	buf_fini(&message);
	return rc;
}

static enum err read_items(struct jsonscan_slice v, struct attempts *ret)
{
	struct jsonscan_slice item;
	struct jsonscan s;
	enum err rc;

	jsonscan_init(&s, v.p, v.len);
	rc = jsonscan_open(&s, '[');
	while (rc == OK && (rc = next(&s, &item)) == OK)
		rc = read_item(item, ret);
	return rc == ERR_NOT_FOUND ? OK : rc;
}

static enum err read_sums(struct jsonscan_slice v, struct dialect_usage *ret)
{
	int64_t n[N_SUMS] = { 0 };
	struct jsonscan s;
	enum err rc;

	jsonscan_init(&s, v.p, v.len);
	rc = jsonscan_open(&s, '[');
	for (size_t i = 0; rc == OK && i < N_SUMS; i++)
		rc = next_int(&s, &n[i]);
	if (rc != OK)
		return rc;
	ret->input_tokens = n[0];
	ret->output_tokens = n[1];
	ret->reasoning_tokens = n[2];
	ret->cached_input_tokens = n[3];
	ret->cache_write_tokens = n[4];
	return OK;
}

static bool named(struct jsonscan_slice name, const char *word)
{
	return name.len == strlen(word) && memcmp(name.p, word, name.len) == 0;
}

static enum err read_token(struct jsonscan_slice v, struct note *ret)
{
	struct buf b;
	enum err rc;

	buf_init(&b, MAX_TEXT_BYTES);
	rc = jsonscan_text(v, &b);
	buf_putc(&b, '\0');
	if (rc == OK)
		rc = buf_state(&b);
	if (rc == OK) {
		note_fini(ret);
		ret->token = buf_detach(&b, NULL);
	}
	buf_fini(&b);
	return rc;
}

static enum err read_member(
    struct jsonscan_slice name, struct jsonscan_slice v, struct note *ret)
{
	struct attempts *a = ret->attempts;

	if (named(name, "attempts"))
		return read_items(v, a);
	if (named(name, "sums"))
		return read_sums(v, &a->sum);
	if (named(name, "cost_pusd"))
		return jsonscan_int(v, &a->sum.cost_pusd);
	if (named(name, "began_ms"))
		return jsonscan_int(v, &ret->began_ms);
	if (named(name, "token"))
		return read_token(v, ret);
	if (named(name, "counted"))
		a->counted = jsonscan_is(v, "1");
	if (named(name, "estimated"))
		a->estimated = jsonscan_is(v, "1");
	if (named(name, "paid_told"))
		a->paid_told = jsonscan_is(v, "1");
	if (named(name, "paid_priced"))
		a->paid_priced = jsonscan_is(v, "1");
	if (named(name, "unpaid"))
		a->unpaid = jsonscan_is(v, "1");
	return OK;
}

enum err note_read(const char *text, size_t len, struct note *ret)
{
	struct jsonscan_slice name, v;
	struct jsonscan s;
	enum err rc;

	ret->began_ms = 0;
	ret->token = NULL;
	if (text == NULL)
		return OK;
	jsonscan_init(&s, text, len);
	rc = jsonscan_open(&s, '{');
	while (rc == OK && (rc = jsonscan_member(&s, &name)) == OK &&
	       (rc = jsonscan_value(&s, &v)) == OK)
		rc = read_member(name, v, ret);
	if (rc == ERR_NOT_FOUND)
		return OK;
	attempts_fini(ret->attempts);
	note_fini(ret);
	ret->began_ms = 0;
	return rc == ERR_NOMEM ? rc : OK;
}

void note_fini(struct note *n)
{
	free((char *)(uintptr_t)n->token);
	n->token = NULL;
}

bool note_holds(const struct execution *e)
{
	struct attempts attempts;
	struct note n = { .attempts = &attempts };
	bool holds;

	attempts_init(&attempts);
	holds = note_read(e->note, e->note_len, &n) == OK && n.token != NULL;
	attempts_fini(&attempts);
	note_fini(&n);
	return holds;
}

uint32_t note_settled(const struct execution *e)
{
	struct attempts attempts;
	struct note n = { .attempts = &attempts };
	uint32_t last = 0;

	attempts_init(&attempts);
	if (note_read(e->note, e->note_len, &n) == OK)
		last = attempts_last(&attempts);
	attempts_fini(&attempts);
	note_fini(&n);
	return last;
}
