/*
 * A line of an export, checked: first all of it is walked over once, and where
 * each member lies is noted; then they are looked into, in the order in which
 * they are needed.
 */
#include "store/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/jsonscan.h"
#include "store/base/utf8.h"
#include "store/import_chunks.h"
#include "store/import_internal.h"
#include "store/prompt.h"
#include "store/request.h"
#include "store/writer.h"

#define MAX_TARGET_BYTES 1024
#define MAX_CODE_BYTES 256
#define MAX_KEY_BYTES 255
#define MAX_NAME_BYTES 40 /* of a member, in a message */

enum member {
	M_EXECUTION_ID,
	M_STATUS,
	M_OWNER,
	M_MODEL,
	M_TARGET,
	M_PROMPT,
	M_CREATED_AT,
	M_STARTED_AT,
	M_FIRST_CHUNK_AT,
	M_FINISHED_AT,
	M_TOTAL_CHUNKS,
	M_ATTEMPTS,
	M_ERROR_CODE,
	M_IDEMPOTENCY_KEY,
	M_REQUEST_HASH,
	M_REQUEST,
	M_METADATA,
	M_CHUNKS,
	M_TEXT,
	M_CHUNK_ATTEMPTS,
	M_PAYLOAD_DELETED,
	M_PAYLOAD_DELETED_AT,
	M_DELETED,
	N_MEMBERS,
};

static const struct {
	const char *name;
	bool needed;
} members[N_MEMBERS] = {
	[M_EXECUTION_ID] = { "execution_id", true },
	[M_STATUS] = { "status", true },
	[M_OWNER] = { "owner", true },
	[M_MODEL] = { "model", true },
	[M_TARGET] = { "target", false },
	[M_PROMPT] = { "prompt", false },
	[M_CREATED_AT] = { "created_at", true },
	[M_STARTED_AT] = { "started_at", false },
	[M_FIRST_CHUNK_AT] = { "first_chunk_at", false },
	[M_FINISHED_AT] = { "finished_at", true },
	[M_TOTAL_CHUNKS] = { "total_chunks", true },
	[M_ATTEMPTS] = { "attempts", true },
	[M_ERROR_CODE] = { "error_code", false },
	[M_IDEMPOTENCY_KEY] = { "idempotency_key", false },
	[M_REQUEST_HASH] = { "request_hash", false },
	[M_REQUEST] = { "request", true }, /* unless it was deleted */
	[M_METADATA] = { "metadata", true },
	[M_CHUNKS] = { "chunks", true },
	[M_TEXT] = { "text", false },
	[M_CHUNK_ATTEMPTS] = { "chunk_attempts", false },
	[M_PAYLOAD_DELETED] = { "payload_deleted", false },
	[M_PAYLOAD_DELETED_AT] = { "payload_deleted_at", false },
	[M_DELETED] = { "deleted", false },
};

struct reading {
	struct import *to;
	struct jsonscan scan;
	struct jsonscan_slice at[N_MEMBERS];
	int64_t now_ms;
	struct why *why;
};

#define REFUSE(r, ...) (err_why((r)->why, __VA_ARGS__), ERR_INPUT)

/* --- where everything is --- */

static enum err note(struct reading *r, struct jsonscan_slice name)
{
	int cut = (int)(name.len < MAX_NAME_BYTES ? name.len : MAX_NAME_BYTES);
	struct jsonscan_slice value;
	int k = 0;
	enum err rc;

	while (k < N_MEMBERS && !jsonscan_is(name, members[k].name))
		k++;
	rc = jsonscan_value(&r->scan, &value);
	if (rc != OK)
		return rc;
	r->scan.wrong = "";
	if (k == N_MEMBERS)
		return REFUSE(
		    r, "member \"%.*s\" is not one of an export", cut, name.p);
	if (r->at[k].p != NULL)
		return REFUSE(r, "\"%s\" is there twice", members[k].name);
	r->at[k] = value;
	return OK;
}

static enum err walk(struct reading *r, size_t len)
{
	struct jsonscan_slice name;
	enum err rc = jsonscan_open(&r->scan, '{');

	while (rc == OK) {
		rc = jsonscan_member(&r->scan, &name);
		if (rc == OK)
			rc = note(r, name);
	}
	if (rc == ERR_NOT_FOUND)
		rc = jsonscan_end(&r->scan);
	if (rc == ERR_INPUT && r->scan.wrong[0] != '\0')
		err_why(r->why, "byte %zu of %zu: %s",
		    jsonscan_offset(&r->scan) + 1, len, r->scan.wrong);
	return rc;
}

static bool given(const struct reading *r, enum member m)
{
	return r->at[m].p != NULL && !jsonscan_is(r->at[m], "null");
}

/* Is it the line of a record whose request and chunks were deleted? */
static bool is_gone(const struct reading *r)
{
	return given(r, M_PAYLOAD_DELETED) || given(r, M_PAYLOAD_DELETED_AT);
}

/* Then nothing of them may be there. */
static enum err look_at_gone(struct reading *r)
{
	static const struct {
		enum member m;
		const char *empty;
	} empties[] = {
		{ M_CHUNKS, "[]" },
		{ M_TEXT, "\"\"" },
		{ M_CHUNK_ATTEMPTS, "[]" },
	};

	if (!given(r, M_PAYLOAD_DELETED) || !given(r, M_PAYLOAD_DELETED_AT) ||
	    !jsonscan_is(r->at[M_PAYLOAD_DELETED], "true"))
		return REFUSE(r, "\"payload_deleted\" is true and goes with "
				 "\"payload_deleted_at\", or both are absent");
	if (given(r, M_REQUEST))
		return REFUSE(r,
		    "\"request\" is there, but "
		    "\"payload_deleted\" says that it was deleted");
	for (size_t i = 0; i < sizeof(empties) / sizeof(empties[0]); i++)
		if (given(r, empties[i].m) &&
		    !jsonscan_is(r->at[empties[i].m], empties[i].empty))
			return REFUSE(r,
			    "\"%s\" must be %s where \"payload_deleted\" is "
			    "true",
			    members[empties[i].m].name, empties[i].empty);
	return OK;
}

static enum err look_at_all(struct reading *r)
{
	if (given(r, M_DELETED))
		return REFUSE(r, "it was deleted while it was exported: its "
				 "line is not whole");
	for (int k = 0; k < N_MEMBERS; k++)
		if (members[k].needed && !given(r, (enum member)k) &&
		    !(k == M_REQUEST && is_gone(r)))
			return REFUSE(r, "\"%s\" is missing", members[k].name);
	return is_gone(r) ? look_at_gone(r) : OK;
}

/* --- single values --- */

/* A text without NUL of at most ${max} bytes; NULL when it is not given. */
static enum err take_text(
    struct reading *r, enum member m, size_t max, char **ret)
{
	struct buf b;
	char *text;
	size_t len;
	enum err rc = OK;

	if (!given(r, m))
		return OK;
	buf_init(&b, max + 1);
	rc = jsonscan_text(r->at[m], &b);
	if (rc == ERR_LIMIT || (rc == OK && b.len > max))
		rc = REFUSE(
		    r, "\"%s\" is longer than %zu bytes", members[m].name, max);
	else if (rc == ERR_INPUT ||
		 (rc == OK && b.len > 0 && memchr(b.data, '\0', b.len)))
		rc = REFUSE(
		    r, "\"%s\" must be a text without NUL", members[m].name);
	if (rc == OK) {
		text = b.len == 0 ? strdup("") : buf_detach(&b, &len);
		if (text == NULL)
			rc = ERR_NOMEM;
		else
			*ret = text;
	}
	buf_fini(&b);
	return rc;
}

static enum err take_count(
    struct reading *r, enum member m, int64_t max, int64_t *ret)
{
	if (jsonscan_int(r->at[m], ret) != OK || *ret < 0 || *ret > max)
		return REFUSE(r, "\"%s\" must be a number from 0 to %lld",
		    members[m].name, (long long)max);
	return OK;
}

/* As spool writes it; 0 when it is not given. */
static enum err take_time(struct reading *r, enum member m, int64_t *ret)
{
	if (!given(r, m))
		return OK;
	if (import_time(r->at[m], ret) != OK || *ret <= 0)
		return REFUSE(r,
		    "\"%s\" must be a time like \"2026-01-02T03:04:05.678Z\"",
		    members[m].name);
	if (!import_plausible(&r->to->e, r->now_ms, *ret))
		return REFUSE(r,
		    "\"%s\" is not plausible: before its creation "
		    "or in the future",
		    members[m].name);
	return OK;
}

/* A JSON object, as it is. */
static enum err take_object(
    struct reading *r, enum member m, char **ret, size_t *ret_len)
{
	struct jsonscan_slice v = r->at[m];
	char *text;

	if (v.p[0] != '{')
		return REFUSE(r, "\"%s\" must be an object", members[m].name);
	text = strndup(v.p, v.len);
	if (text == NULL)
		return ERR_NOMEM;
	*ret = text;
	*ret_len = v.len;
	return OK;
}

static enum err take_hash(struct reading *r)
{
	uint8_t *hash = r->to->e.request_hash;
	struct jsonscan_slice v = r->at[M_REQUEST_HASH];
	static const char digits[] = "0123456789abcdef";

	if (!given(r, M_REQUEST_HASH))
		return r->to->e.idempotency_key == NULL
			   ? OK
			   : REFUSE(r, "\"request_hash\" is missing, which "
				       "\"idempotency_key\" needs");
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		const char *high, *low;

		if (v.len != 2 * DIGEST_BYTES + 2)
			break;
		high = memchr(digits, v.p[1 + 2 * i], 16);
		low = memchr(digits, v.p[2 + 2 * i], 16);
		if (high == NULL || low == NULL)
			break;
		hash[i] = (uint8_t)((high - digits) << 4 | (low - digits));
		if (i == DIGEST_BYTES - 1)
			return OK;
	}
	return REFUSE(
	    r, "\"request_hash\" must be %d hex digits", 2 * DIGEST_BYTES);
}

/* --- the record --- */

static enum err take_id(struct reading *r)
{
	struct jsonscan_slice v = r->at[M_EXECUTION_ID];
	struct id *id = &r->to->e.id;

	if (v.p == NULL || v.len != ID_TEXT + 1 || v.p[0] != '"' ||
	    id_parse(v.p + 1, ID_TEXT - 1, id) != OK || id->byte[6] >> 4 != 7 ||
	    id->byte[8] >> 6 != 2) {
		memset(id, 0, sizeof(*id));
		return REFUSE(r, "\"execution_id\" must be a UUIDv7");
	}
	return OK;
}

static enum err take_status(struct reading *r)
{
	char name[16];
	struct jsonscan_slice v = r->at[M_STATUS];
	struct execution *e = &r->to->e;

	snprintf(name, sizeof(name), "%.*s", v.len > 2 ? (int)v.len - 2 : 0,
	    v.p + 1);
	if (v.p[0] != '"' || v.len > sizeof(name) ||
	    execution_status_parse(name, &e->status) != OK)
		return REFUSE(r, "\"status\" is none");
	if (!execution_ended(e->status))
		return REFUSE(r,
		    "it had not ended (%s): only ended executions are imported",
		    name);
	return OK;
}

static enum err take_owner(
    struct reading *r, const struct import_owners *owners)
{
	struct execution *e = &r->to->e;
	enum err rc = take_text(r, M_OWNER, KEY_NAME_BYTES - 1, &e->owner);

	if (rc == OK && e->owner[0] == '\0')
		return REFUSE(r, "\"owner\" is empty");
	for (size_t i = 0; rc == OK && owners != NULL && i < owners->n; i++) {
		if (owners->map[i].from[0] != '\0' &&
		    strcmp(owners->map[i].from, e->owner) != 0)
			continue;
		free(e->owner);
		e->owner = strdup(owners->map[i].to);
		return e->owner == NULL ? ERR_NOMEM : OK;
	}
	return rc;
}

/* When the id says it was made: UUIDv7 begins with its milliseconds. */
static int64_t stamp_of(const struct id *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->byte[i];
	return ms;
}

static enum err take_times(struct reading *r)
{
	struct execution *e = &r->to->e;
	int64_t made = stamp_of(&e->id);
	enum err rc;

	/* What it is measured by is not known yet. */
	e->created_ms = made;
	rc = take_time(r, M_CREATED_AT, &e->created_ms);
	/* Lists find it by its id's stamp, which is of the same minute. */
	if (rc == OK && (e->created_ms < made - IMPORT_STAMP_MS ||
			    e->created_ms > made + IMPORT_STAMP_MS))
		rc = REFUSE(r, "\"created_at\" is another time than the one in "
			       "\"execution_id\"");
	if (rc == OK)
		rc = take_time(r, M_STARTED_AT, &e->started_ms);
	if (rc == OK)
		rc = take_time(r, M_FIRST_CHUNK_AT, &e->first_chunk_ms);
	if (rc == OK)
		rc = take_time(r, M_FINISHED_AT, &e->finished_ms);
	if (rc == OK)
		rc = take_time(r, M_PAYLOAD_DELETED_AT, &e->payload_deleted_ms);
	return rc;
}

static enum err take_texts(struct reading *r)
{
	struct execution *e = &r->to->e;
	const struct {
		enum member m;
		size_t max;
		char **to;
	} texts[] = {
		{ M_MODEL, REQUEST_MAX_MODEL_BYTES, &e->model },
		{ M_TARGET, MAX_TARGET_BYTES, &e->target },
		{ M_PROMPT, PROMPT_NAME_BYTES + 16, &e->prompt },
		{ M_ERROR_CODE, MAX_CODE_BYTES, &e->error_code },
		{ M_IDEMPOTENCY_KEY, MAX_KEY_BYTES, &e->idempotency_key },
	};
	enum err rc = OK;

	for (size_t i = 0; rc == OK && i < sizeof(texts) / sizeof(texts[0]);
	     i++)
		rc = take_text(r, texts[i].m, texts[i].max, texts[i].to);
	return rc;
}

/* Do status, error and metadata agree, as spool check wants them to? */
static enum err look_at_error(struct reading *r)
{
	const struct execution *e = &r->to->e;
	char text[MAX_CODE_BYTES + 16];
	int n;

	if (e->status == EXECUTION_FAILED && e->error_code == NULL)
		return REFUSE(r, "it has failed, but has no \"error_code\"");
	if (e->status == EXECUTION_COMPLETED && e->error_code != NULL)
		return REFUSE(r, "it is completed, but has an \"error_code\"");
	if (e->error_code == NULL)
		return OK;
	n = snprintf(text, sizeof(text), "\"code\":\"%.200s\"", e->error_code);
	if (memmem(e->metadata, e->metadata_len, text, (size_t)n) == NULL)
		return REFUSE(r,
		    "\"metadata\" does not say the error that \"error_code\" "
		    "says (as spool writes it: %.100s)",
		    text);
	return OK;
}

static enum err take_record(
    struct reading *r, const struct import_owners *owners)
{
	struct execution *e = &r->to->e;
	int64_t attempts = 0, total = 0;
	enum err rc = take_status(r);

	if (rc == OK)
		rc = take_owner(r, owners);
	if (rc == OK)
		rc = take_texts(r);
	if (rc == OK)
		rc = take_hash(r);
	if (rc == OK)
		rc = take_times(r);
	if (rc == OK)
		rc = take_count(r, M_ATTEMPTS, UINT32_MAX, &attempts);
	if (rc == OK)
		rc = take_count(r, M_TOTAL_CHUNKS, WRITER_MAX_CHUNKS, &total);
	if (rc == OK && is_gone(r) && total == 0)
		rc = REFUSE(r, "\"total_chunks\" is 0: one is the end");
	if (rc == OK && !is_gone(r))
		rc = take_object(r, M_REQUEST, &e->request, &e->request_len);
	if (rc == OK)
		rc = take_object(r, M_METADATA, &e->metadata, &e->metadata_len);
	e->attempts = (uint32_t)attempts;
	e->next_index = (uint64_t)total;
	return rc == OK ? look_at_error(r) : rc;
}

enum err import_read(struct import *ret, const char *line, size_t len,
    const struct import_owners *owners, int64_t now_ms, struct why *why)
{
	struct reading r = { .to = ret, .now_ms = now_ms, .why = why };
	struct import_parts parts;
	enum err rc, named;

	jsonscan_init(&r.scan, line, len);
	rc = walk(&r, len);
	/* Whose line it is helps whoever mends it. */
	if (rc == OK || r.at[M_EXECUTION_ID].p != NULL) {
		struct why first = *why;

		named = take_id(&r);
		if (rc == OK)
			rc = named;
		else
			*why = first;
	}
	if (rc == OK && !utf8_valid(line, len))
		rc = REFUSE(&r, "it is not UTF-8");
	if (rc == OK)
		rc = look_at_all(&r);
	if (rc == OK)
		rc = take_record(&r, owners);
	parts = (struct import_parts){ .chunks = r.at[M_CHUNKS],
		.attempts = r.at[M_CHUNK_ATTEMPTS],
		.text = r.at[M_TEXT],
		.now_ms = now_ms };
	if (!given(&r, M_TEXT))
		parts.text.p = NULL;
	if (!given(&r, M_CHUNK_ATTEMPTS))
		parts.attempts.p = NULL;
	return rc == OK && !is_gone(&r) ? import_chunks(ret, &parts, why) : rc;
}
