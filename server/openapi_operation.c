/* What the routes take and give, and what their queries' names mean. */
#include <string.h>

#include "server/openapi_internal.h"

#define NDJSON "application/x-ndjson"
#define EVENTS "text/event-stream"
#define CREATING "Idempotency-Key X-Provider-Key"
#define ANY "application/octet-stream"
#define STREAM "/v1/stream/{name}"

static const struct openapi_operation operations[] = {
	{ HTTP_POST, "/get_execution_chunks", "CallPoll",
	    "200 CallPage, 200 " EVENTS, NULL },
	{ HTTP_POST, "/get_chunks", "CallPoll", "200 CallPage, 200 " EVENTS,
	    NULL },
	{ HTTP_POST, "/execute_prompt_streaming", "CallExecute",
	    "200 CallStarted, 200 " EVENTS, CREATING },
	{ HTTP_POST, "/execute", "CallExecute", "200 CallStarted, 200 " EVENTS,
	    CREATING },
	{ HTTP_POST, "/execute_prompt", "CallExecute", "200 CallAnswer",
	    CREATING },
	{ HTTP_POST, "/cancel_execution", "CallCancel", "200 CallCancelled",
	    NULL },
	{ HTTP_POST, "/cancel", "CallCancel", "200 CallCancelled", NULL },

	{ HTTP_POST, "/v1/executions", "NewExecution",
	    "202 Started, 200 Started", CREATING },
	{ HTTP_GET, "/v1/executions", NULL, "200 Executions", NULL },
	{ HTTP_POST, "/v1/executions/poll", "Polls", "200 Pages", NULL },
	{ HTTP_GET, "/v1/executions/export", NULL, "200 " NDJSON ":ExportLine",
	    NULL },
	{ HTTP_POST, "/v1/executions/export", "Ids",
	    "200 " NDJSON ":ExportLine", NULL },
	{ HTTP_POST, "/v1/executions/import", NDJSON ":ExportLine",
	    "200 Imported", NULL },
	{ HTTP_GET, "/v1/executions/{id}", NULL, "200 Execution", NULL },
	{ HTTP_DELETE, "/v1/executions/{id}", NULL, "204", NULL },
	{ HTTP_GET, "/v1/executions/{id}/chunks", NULL, "200 Page, 304",
	    "If-None-Match" },
	{ HTTP_GET, "/v1/executions/{id}/events", NULL, "200 " EVENTS ", 204",
	    "Last-Event-ID" },
	{ HTTP_POST, "/v1/executions/{id}/tickets", NULL, "201 Ticket", NULL },
	{ HTTP_GET, "/v1/ws", NULL, "101", NULL },
	{ HTTP_POST, "/v1/ws/tickets", NULL, "201 Ticket", NULL },
	{ HTTP_GET, "/v1/executions/{id}/text", NULL, "200 text/plain", NULL },
	{ HTTP_POST, "/v1/executions/{id}/cancel", NULL,
	    "200 Cancelled, 202 Cancelled", NULL },

	{ HTTP_GET, "/v1/models", NULL, "200 Models, 304", "If-None-Match" },
	{ HTTP_GET, "/v1/models/{model}", NULL, "200 Model", NULL },
	{ HTTP_POST, "/v1/chat/completions", "object",
	    "200 object, 200 " EVENTS, "Idempotency-Key" },
	{ HTTP_GET, "/v1/chat/completions/{id}", NULL,
	    "200 object, 200 " EVENTS, "Last-Event-ID" },
	{ HTTP_POST, "/v1/responses", "object", "200 object, 200 " EVENTS,
	    "Idempotency-Key" },
	{ HTTP_GET, "/v1/responses/{id}", NULL, "200 object, 200 " EVENTS,
	    "Last-Event-ID", "stream starting_after wait_ms" },
	{ HTTP_DELETE, "/v1/responses/{id}", NULL, "200 object", NULL },
	{ HTTP_POST, "/v1/responses/{id}/cancel", NULL, "200 object", NULL },
	{ HTTP_GET, "/v1/responses/{id}/input_items", NULL, "200 object", NULL,
	    "limit order after" },
	{ HTTP_POST, "/v1/embeddings", "object", "200 object",
	    "Idempotency-Key" },
	{ HTTP_POST, "/stream", "object", "200 " EVENTS, "Idempotency-Key" },
	{ HTTP_POST, "/api/chat", "object", "200 " EVENTS, "Idempotency-Key" },
	{ HTTP_GET, "/api/chat/{id}/stream", NULL, "200 " EVENTS ", 204",
	    NULL },

	{ HTTP_GET, "/v1/usage", NULL, "200 Usage", NULL },

	{ HTTP_POST, "/v1/keys", "NewKey", "201 KeyMade", NULL },
	{ HTTP_GET, "/v1/keys", NULL, "200 Keys", NULL },
	{ HTTP_DELETE, "/v1/keys/{id}", NULL, "204", NULL },
	{ HTTP_POST, "/v1/keys/{id}/rotate", NULL, "201 KeyMade", NULL },

	{ HTTP_PUT, "/v1/provider-keys/{upstream}", "NewProviderKey",
	    "200 ProviderKey", NULL },
	{ HTTP_GET, "/v1/provider-keys", NULL, "200 ProviderKeys", NULL },
	{ HTTP_DELETE, "/v1/provider-keys/{upstream}", NULL, "204", NULL },

	{ HTTP_PUT, "/v1/prompts/{name}", "NewPrompt", "201 PromptHead", NULL },
	{ HTTP_GET, "/v1/prompts", NULL, "200 Prompts", NULL },
	{ HTTP_GET, "/v1/prompts/{name}", NULL, "200 Prompt", NULL },
	{ HTTP_DELETE, "/v1/prompts/{name}", NULL, "204", NULL },

	{ HTTP_GET, "/v1/streams", NULL, "200 Streams", NULL },
	{ HTTP_PUT, STREAM, ANY "?", "201, 200",
	    "Stream-TTL Stream-Expires-At Stream-Closed Stream-Forked-From "
	    "Stream-Fork-Offset Stream-Fork-Sub-Offset" },
	{ HTTP_POST, STREAM, ANY "?", "204, 200",
	    "Stream-Closed Stream-Seq Producer-Id Producer-Epoch "
	    "Producer-Seq" },
	{ HTTP_GET, STREAM, NULL, "200 " ANY ", 200 " EVENTS ", 204, 304",
	    "If-None-Match", "offset live cursor timeout" },
	{ HTTP_DELETE, STREAM, NULL, "204", NULL },

	{ HTTP_GET, "/healthz", NULL, "200 Health", NULL },
	{ HTTP_GET, "/readyz", NULL, "200 Readiness, 503 Readiness", NULL },
	{ HTTP_GET, "/v1/status", NULL, "200 Status", NULL },
	{ HTTP_GET, "/v1/check", NULL, "200 " NDJSON ":CheckLine", NULL },
	{ HTTP_POST, "/v1/backup", "NewBackup?", "201 Backup", NULL },
	{ HTTP_POST, "/v1/prune", "Prune", "200 Pruned", NULL },
	{ HTTP_GET, "/v1/audit", NULL, "200 Audit", NULL },
	{ HTTP_GET, "/openapi.json", NULL, "200 object", NULL },
};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

const struct openapi_operation *openapi_operation_table(size_t *ret_n)
{
	*ret_n = N_OPERATIONS;
	return operations;
}

const struct openapi_operation *openapi_operation_find(
    enum http_method method, const char *pattern)
{
	for (size_t i = 0; i < N_OPERATIONS; i++)
		if (operations[i].method == method &&
		    strcmp(operations[i].pattern, pattern) == 0)
			return &operations[i];
	return NULL;
}

#define STATUS "queued|streaming|completed|failed|cancelled"

/* Of several with the same name the first that fits. */
static const struct openapi_parameter parameters[] = {
	{ "id", "/executions/", "id", "the execution_id", false },
	{ "id", "/keys/", "id", "the key's id", false },
	{ "id", "/completions/", "string",
	    "the completion's id, or the execution_id", false },
	{ "id", "/responses/", "string",
	    "the response's id, or the execution_id", false },
	{ "id", "/chat/", "string",
	    "the chat's id; with startIndex an execution_id", false },
	{ "name", "/prompts/", "string", "the prompt's name", false },
	{ "upstream", "/provider-keys/", "string", "a configured upstream",
	    false },
	{ "model", "/models/", "string",
	    "its name; slashes in it may be encoded", false },
	{ "name", "/stream/", "string",
	    "the stream's name, which may have slashes; executions/ID is an "
	    "execution's",
	    false },

	{ "status", NULL, STATUS, "only those in this state", false },
	{ "owner", "/import", "string",
	    "make them all this owner's, or OLD=NEW,… those of OLD", false },
	{ "owner", NULL, "string",
	    "only this owner's; other owners' need an admin key", false },
	{ "since", "/usage", "time or integer 0..",
	    "from this day on, UTC; RFC 3339 or milliseconds since 1970",
	    false },
	{ "since", NULL, "time or integer 0..",
	    "created then or later; RFC 3339 or milliseconds since 1970",
	    false },
	{ "until", "/usage", "time or integer 0..",
	    "up to this day, UTC; RFC 3339 or milliseconds since 1970", false },
	{ "until", NULL, "time or integer 0..",
	    "created before; RFC 3339 or milliseconds since 1970", false },
	{ "limit", "/chunks", "integer 1..10000",
	    "so many chunks at most; 1000 unless said", false },
	{ "limit", "/streams", "integer 1..100", "so many at most", false },
	{ "limit", "/responses/", "integer 1..100",
	    "so many at most; 20 unless said", false },
	{ "order", "/responses/", "asc|desc",
	    "the first first, or the last, as unless said", false },
	{ "limit", "/prompts", "integer 1..100", "so many at most", false },
	{ "limit", NULL, "integer 1..1000", "so many at most", false },
	{ "after", "/events", "integer -1..",
	    "the last index that is known: what follows is told", false },
	{ "after", "/executions", "id",
	    "goes on behind this execution_id: what next said, or the last "
	    "line's",
	    false },
	{ "after", "/responses/", "string", "goes on behind this item", false },
	{ "after", NULL, "string", "goes on there: what next said", false },
	{ "before", NULL, "integer 1..", "goes on there: what next said",
	    false },
	{ "stream", NULL, "boolean", "as events", false },
	{ "starting_after", NULL, "integer -1..",
	    "the number of the last event that is known", false },
	{ "startIndex", NULL, "integer 0..", "the first part wanted", false },
	{ "fromIndex", NULL, "integer 0..", "the first index wanted", false },
	{ "from_index", NULL, "integer 0..", "the same as fromIndex", false },
	{ "wait_ms", "/events", "integer 0..",
	    "ends the stream in order after so long; 0: when all that is there "
	    "was told",
	    false },
	{ "wait_ms", NULL, "integer 0..",
	    "holds the answer until there is news, so long at most", false },
	{ "waitMs", NULL, "integer 0..", "the same as wait_ms", false },
	{ "ticket", NULL, "string", "stands for the key, once", false },
	{ "by", NULL, "day|owner|target", "what a row is; day unless said",
	    false },
	{ "version", NULL, "integer 1..", "the newest unless said", false },
	{ "offset", NULL, "string",
	    "what Stream-Next-Offset said; -1: all, now: what is to come",
	    false },
	{ "live", NULL, "long-poll|sse", "waits for news; tells it as events",
	    false },
	{ "cursor", NULL, "string", "what Stream-Cursor said", false },
	{ "timeout", NULL, "integer 0..3600",
	    "seconds that a long-poll waits; 20 unless said", false },
	{ "dry_run", NULL, "boolean", "says what would be, changes nothing",
	    false },
	{ "refresh", NULL, "boolean", "asks the upstreams now", false },
	{ "quick", NULL, "boolean", "leaves out what reads all of the file",
	    false },

	{ "Idempotency-Key", NULL, "string",
	    "the same key and body again: the same execution", true },
	{ "X-Provider-Key", NULL, "string",
	    "a provider's key for this execution alone, KEY or UPSTREAM=KEY; "
	    "never stored",
	    true },
	{ "If-None-Match", NULL, "string",
	    "the ETag of the last answer: 304 unless there is news", true },
	{ "Stream-TTL", NULL, "string",
	    "seconds after its last use until it expires", true },
	{ "Stream-Expires-At", NULL, "time", "when it expires", true },
	{ "Stream-Closed", NULL, "string", "true: nothing is appended any more",
	    true },
	{ "Stream-Forked-From", NULL, "string",
	    "the path of the stream whose messages it begins with", true },
	{ "Stream-Fork-Offset", NULL, "string",
	    "where it leaves that one; at its end unless said", true },
	{ "Stream-Fork-Sub-Offset", NULL, "string",
	    "so many messages, or bytes, of the append there are its, too",
	    true },
	{ "Stream-Seq", NULL, "string",
	    "refused unless it comes after the last one, byte by byte", true },
	{ "Producer-Id", NULL, "string",
	    "who appends; with Producer-Epoch and Producer-Seq it is done once",
	    true },
	{ "Producer-Epoch", NULL, "string", "grows with the producer's starts",
	    true },
	{ "Producer-Seq", NULL, "string", "0, 1, … of this epoch", true },
	{ "Last-Event-ID", NULL, "string",
	    "what an EventSource that reconnects sends: as after", true },
};

const struct openapi_parameter *openapi_operation_parameter(
    const char *name, size_t len, const char *pattern)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]);
	     i++) {
		const struct openapi_parameter *p = &parameters[i];

		if (strlen(p->name) == len && memcmp(p->name, name, len) == 0 &&
		    (!p->at || strstr(pattern, p->at)))
			return p;
	}
	return NULL;
}
