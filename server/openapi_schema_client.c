/* The objects that those who run and read take and get. */
#include "server/openapi_internal.h"

#define STATUS "queued|streaming|completed|failed|cancelled"

#define END                      \
	{                        \
		NULL, NULL, NULL \
	}
#define MEMBERS(name) static const struct openapi_member name[]

/* What a creation and a stored prompt share. */
#define SETTINGS                                                               \
	{ "model?", "string?",                                                 \
		"nothing: the default; a model's name; upstream/model" },      \
	    { "max_output_tokens?", "integer 1..2147483647?", NULL },          \
	    { "max_tokens?", "integer 1..2147483647?",                         \
		    "the same as max_output_tokens" },                         \
	    { "max_completion_tokens?", "integer 1..2147483647?",              \
		    "the same as max_output_tokens" },                         \
	    { "temperature?", "number 0..2?", NULL },                          \
	    { "top_p?", "number 0..1?", NULL },                                \
	    { "presence_penalty?", "number -2..2?", NULL },                    \
	    { "frequency_penalty?", "number -2..2?", NULL },                   \
	    { "stop?", "string or []string?", "up to 8 of them" },             \
	    { "seed?", "integer?", NULL }, { "tools?", "[]Tool?", NULL },      \
	    { "tool_choice?", "string or object?",                             \
		    "none, auto, required, or the function" },                 \
	    { "parallel_tool_calls?", "boolean?", NULL },                      \
	    { "response_format?", "ResponseFormat?", NULL },                   \
	    { "reasoning_effort?", "none|minimal|low|medium|high|xhigh|max?",  \
		    NULL },                                                    \
	    { "stream?", "boolean?", "false: the upstream answers at once" },  \
	    { "metadata?", "object?", "the client's own; kept as it is" },     \
	    { "extra?", "object?", "more members of the upstream's request" }, \
	    { "on_interrupt?", "fail|restart|continue|auto?",                  \
		    "what is done when an answer breaks off half-way" },       \
	{                                                                      \
		"retry?", "Retry?", NULL                                       \
	}

MEMBERS(new_execution) = {
	{ "prompt?", "string?",
	    "a text; exactly one of prompt, messages, promptId" },
	{ "system?", "string?", "goes before prompt or messages" },
	{ "messages?", "[]Message?", NULL },
	{ "promptId?", "string?", "a stored prompt: name or name@3" },
	{ "prompt_id?", "string?", "the same as promptId" },
	{ "inputs?", "object?", "the variables of the stored prompt" },
	{ "useRag?", "boolean?", "false: this server keeps no documents" },
	{ "use_rag?", "boolean?", "the same as useRag" },
	{ "owner?", "string?", "an admin key may make it another's" },
	SETTINGS,
	END,
};

MEMBERS(message) = {
	{ "role", "system|developer|user|assistant|tool", NULL },
	{ "content?", "string or []Part?",
	    "absent only beside tool_calls of the assistant's" },
	{ "name?", "string", NULL },
	{ "tool_calls?", "[]object", "as the assistant asked" },
	{ "tool_call_id?", "string", "which one a tool's message answers" },
	END,
};

MEMBERS(part) = {
	{ "type", "text|image_url", NULL },
	{ "text?", "string", "of a text" },
	{ "image_url?", "object", "of an image: url, detail" },
	END,
};

MEMBERS(tool) = {
	{ "type", "string", "function" },
	{ "function", "object", "name, description, parameters, strict" },
	END,
};

MEMBERS(response_format) = {
	{ "type", "text|json_object|json_schema", NULL },
	{ "json_schema?", "object", "beside json_schema: name, schema" },
	END,
};

MEMBERS(retry) = {
	{ "attempts?", "integer 1..10", "of one target" },
	{ "base_ms?", "integer 0..60000", "the first pause, at most" },
	{ "max_ms?", "integer 0..60000", "a pause at most" },
	END,
};

MEMBERS(started) = {
	{ "execution_id", "id", NULL },
	{ "status", STATUS, NULL },
	{ "created_at?", "time", "absent where it was there already" },
	{ "url", "uri", "the execution" },
	END,
};

#define EXECUTION                                                            \
	{ "execution_id", "id", NULL }, { "status", STATUS, NULL },          \
	    { "owner", "string", NULL },                                     \
	    { "model", "string?", "as asked for" },                          \
	    { "target", "string?", "upstream/model that served" },           \
	    { "prompt", "string?", "name@version of a stored prompt" },      \
	    { "created_at", "time", NULL }, { "started_at", "time?", NULL }, \
	    { "first_chunk_at", "time?", NULL },                             \
	    { "finished_at", "time?", NULL },                                \
	    { "total_chunks", "integer 0..", NULL },                         \
	    { "attempts", "integer 0..", NULL },                             \
	    { "error_code", "string?", NULL },                               \
	{                                                                    \
		"payload_deleted_at?", "time",                               \
		    "since then request and chunks are gone"                 \
	}

MEMBERS(execution_head) = { EXECUTION, END };

MEMBERS(execution) = {
	EXECUTION,
	{ "request", "object?", "as it was understood" },
	{ "metadata", "Metadata", NULL },
	END,
};

MEMBERS(executions) = {
	{ "executions", "[]ExecutionHead", "the newest first" },
	{ "next", "id?", "for after; null: there is no more" },
	END,
};

MEMBERS(metadata) = {
	{ "model?", "string", "as the upstream names it" },
	{ "target?", "string", NULL },
	{ "provider?", "string", NULL },
	{ "upstream_id?", "string", NULL },
	{ "finish_reason?", "string?", NULL },
	{ "native_finish_reason?", "string", "in the upstream's words" },
	{ "usage?", "TokenUsage", "summed over the attempts" },
	{ "usage_source?", "provider|estimated|mixed", NULL },
	{ "cost_usd?", "number", "summed; absent: nobody knows" },
	{ "cost_source?", "provider|prices|mixed|none",
	    "mixed: from both, or of some attempt it is not known" },
	{ "tokens_used?", "integer 0..", NULL },
	{ "error?", "ExecutionError", NULL },
	{ "warnings?", "[]any", "what was left out of the request" },
	{ "attempts?", "[]Attempt", NULL },
	{ "timings?", "Timings", NULL },
	{ "simulated?", "boolean", "no model was asked" },
	END,
};

MEMBERS(token_usage) = {
	{ "input_tokens", "integer 0..", NULL },
	{ "output_tokens", "integer 0..", NULL },
	{ "total_tokens", "integer 0..", NULL },
	{ "reasoning_tokens?", "integer 0..", NULL },
	{ "cached_input_tokens?", "integer 0..", NULL },
	{ "cache_write_tokens?", "integer 0..", NULL },
	END,
};

MEMBERS(execution_error) = {
	{ "code", "string", NULL },
	{ "message", "string", NULL },
	{ "status?", "integer", "HTTP, of the upstream" },
	{ "retryable", "boolean", NULL },
	{ "retry_after_ms?", "integer 0..", NULL },
	{ "provider_code?", "string", NULL },
	END,
};

MEMBERS(attempt) = {
	{ "attempt?", "integer 1..", "absent: nothing was sent" },
	{ "target", "string?", NULL },
	{ "status", STATUS, NULL },
	{ "error_code?", "string", NULL },
	{ "message?", "string", NULL },
	{ "http_status?", "integer", NULL },
	{ "started_at?", "time", NULL },
	{ "duration_ms?", "integer 0..", NULL },
	END,
};

MEMBERS(timings) = {
	{ "queued_ms?", "integer 0..", NULL },
	{ "connect_ms?", "integer 0..", NULL },
	{ "first_token_ms?", "integer 0..", NULL },
	{ "total_ms?", "integer 0..", NULL },
	{ "upstream_total_ms?", "integer 0..", "as the upstream says" },
	{ "upstream_load_ms?", "integer 0..", "the model's" },
	{ "upstream_prompt_ms?", "integer 0..", NULL },
	{ "upstream_output_ms?", "integer 0..", NULL },
	END,
};

#define PAGE_HEAD                                                             \
	{ "execution_id", "id", NULL }, { "status", STATUS, NULL },           \
	    { "completed", "boolean",                                         \
		    "it has ended, in whatever way, and this is all of it" }, \
	{                                                                     \
		"total_chunks", "integer 0..", NULL                           \
	}
#define PAGE_FOOT                                                  \
	{ "next_index", "integer 0..", "for the next fromIndex" }, \
	    { "attempt", "integer 0..", NULL },                    \
	    { "metadata", "Metadata", "whole once completed" },    \
	{                                                          \
		"retry_after_ms", "integer 0..",                   \
		    "there will hardly be news before"             \
	}

MEMBERS(page) = {
	PAGE_HEAD,
	{ "chunks", "[]Chunk", NULL },
	PAGE_FOOT,
	END,
};

MEMBERS(chunk) = {
	{ "index", "integer 0..", NULL },
	{ "content", "string", "empty where a kind has none" },
	{ "timestamp", "time", NULL },
	{ "metadata", "ChunkMetadata", NULL },
	END,
};

MEMBERS(chunk_metadata) = {
	{ "kind",
	    "text|reasoning|tool_call|tool_start|tool_result|tool_error|source|"
	    "reset|error|end",
	    NULL },
	{ "attempt?", "integer 2..", "unless it is the first one's" },
	END,
};

MEMBERS(poll) = {
	{ "execution_id?", "string", NULL },
	{ "executionId?", "string", "the same as execution_id" },
	{ "fromIndex?", "integer 0..", NULL },
	{ "from_index?", "integer 0..", "the same as fromIndex" },
	END,
};

MEMBERS(polls) = {
	{ "executions", "[]Poll", "1 to 100" },
	{ "wait_ms?", "integer 0..3600000",
	    "holds the answer until one has news" },
	{ "waitMs?", "integer 0..3600000", "the same as wait_ms" },
	{ "limit?", "integer 1..10000", "so many chunks of each" },
	END,
};

MEMBERS(pages) = {
	{ "executions", "[](Page or PollError)", "in order" },
	END,
};

MEMBERS(poll_error) = {
	{ "execution_id", "string", "as it was sent" },
	{ "error", "Problem", NULL },
	END,
};

MEMBERS(ids) = {
	{ "ids", "[]id", "1 to 1000" },
	END,
};

MEMBERS(export_line) = {
	EXECUTION,
	{ "request", "object?", "as it was understood" },
	{ "metadata", "Metadata", NULL },
	{ "idempotency_key", "string?", NULL },
	{ "request_hash", "string?", "SHA-256 of what was sent, hex" },
	{ "payload_deleted?", "boolean", "true: request and chunks are gone" },
	{ "chunks", "[]Chunk", NULL },
	{ "text", "string", "the text chunks behind the last reset" },
	{ "chunk_attempts", "[][]integer",
	    "[index, attempt] where one begins" },
	{ "deleted?", "boolean", "true: gone meanwhile; not whole" },
	END,
};

MEMBERS(imported) = {
	{ "imported", "integer 0..", NULL },
	{ "existed", "integer 0..", NULL },
	{ "refused", "integer 0..", NULL },
	{ "lines", "[]ImportedLine", NULL },
	END,
};

MEMBERS(imported_line) = {
	{ "line", "integer 1..", NULL },
	{ "execution_id", "id?", NULL },
	{ "result", "imported|existed|refused", NULL },
	{ "why?", "string", NULL },
	END,
};

MEMBERS(ticket) = {
	{ "ticket", "string", NULL },
	{ "expires_at", "time", NULL },
	{ "url", "uri", "the stream, with the ticket" },
	END,
};

MEMBERS(cancelled) = {
	{ "execution_id", "id", NULL },
	{ "status", STATUS, NULL },
	{ "cancelled", "boolean", NULL },
	END,
};

MEMBERS(new_prompt) = {
	{ "template?", "string", "a text with {{variables}}; or messages" },
	{ "system?", "string?", NULL },
	{ "messages?", "[]Message?", NULL },
	{ "parameters?", "object", "settings may stand in here, too" },
	SETTINGS,
	END,
};

#define PROMPT                                                          \
	{ "name", "string", NULL }, { "version", "integer 1..", NULL }, \
	{                                                               \
		"created_at", "time", NULL                              \
	}

MEMBERS(prompt_head) = { PROMPT, END };
MEMBERS(prompt) = { PROMPT, { "body", "object", NULL }, END };
MEMBERS(prompts) = {
	{ "prompts", "[]PromptHead", NULL },
	{ "next", "string?", "for after; null: there is no more" },
	END,
};

MEMBERS(stream) = {
	{ "name", "string", NULL },
	{ "content_type", "string", "of its messages; JSON: they are values" },
	{ "next_offset", "string", "where the next message comes" },
	{ "messages", "integer 0..", "a fork's: with its source's" },
	{ "closed", "boolean", "nothing is appended any more" },
	{ "created_at", "time", NULL },
	{ "ttl_seconds", "integer 0..?", "after its last use" },
	{ "expires_at", "time?", "by either; later with each use" },
	{ "forked_from", "string?", "its source's name" },
	END,
};
MEMBERS(streams) = {
	{ "streams", "[]Stream", NULL },
	{ "next", "string?", "for after; null: there is no more" },
	END,
};

static const struct openapi_schema schemas[] = {
	{ "NewExecution", "what to run", new_execution, true },
	{ "Message", "a message of a conversation", message, true },
	{ "Part", "a part of a message", part, true },
	{ "Tool", "a function that the model may ask for", tool, true },
	{ "ResponseFormat", "what the answer must be", response_format, false },
	{ "Retry", "how often, how soon", retry, true },
	{ "Started", "an execution that goes on from here", started, false },
	{ "ExecutionHead", "an execution without what was asked",
	    execution_head, false },
	{ "Execution", "an execution without its chunks", execution, false },
	{ "Executions", "a page of executions", executions, false },
	{ "Metadata", "how it went; {} until it has ended", metadata, false },
	{ "TokenUsage", "tokens", token_usage, false },
	{ "ExecutionError", "why it has no whole answer", execution_error,
	    false },
	{ "Attempt", "one try at one target", attempt, false },
	{ "Timings", "from the creation on", timings, false },
	{ "Page", "chunks of one execution", page, false },
	{ "Chunk", "a piece of the answer; never changes", chunk, false },
	{ "ChunkMetadata", "its kind, and what belongs to that", chunk_metadata,
	    false },
	{ "Poll", "one execution, from an index on", poll, true },
	{ "Polls", "executions to ask for", polls, true },
	{ "Pages", "an answer for each", pages, false },
	{ "PollError", "why there is no page", poll_error, false },
	{ "Ids", "executions by their ids", ids, true },
	{ "ExportLine", "an execution with all there is", export_line, false },
	{ "Imported", "what became of the lines", imported, false },
	{ "ImportedLine", "what became of one", imported_line, false },
	{ "Ticket", "what opens one stream or socket once, for 30 s", ticket,
	    false },
	{ "Cancelled", "how it stands", cancelled, false },
	{ "NewPrompt", "the next version of a prompt", new_prompt, true },
	{ "PromptHead", "a version of a prompt", prompt_head, false },
	{ "Prompt", "a version of a prompt with what it says", prompt, false },
	{ "Prompts", "a page of prompts, by name", prompts, false },
	{ "Stream", "a log that clients append to", stream, false },
	{ "Streams", "a page of streams, by name", streams, false },
};

const struct openapi_schema *openapi_schema_client(size_t *ret_n)
{
	*ret_n = sizeof(schemas) / sizeof(schemas[0]);
	return schemas;
}
