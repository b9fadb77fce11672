/* The objects of callables, and of what went wrong. */
#include "server/openapi_internal.h"

#define END                      \
	{                        \
		NULL, NULL, NULL \
	}
#define MEMBERS(name) static const struct openapi_member name[]

MEMBERS(call_execute) = { { "data", "NewExecution", NULL }, END };
MEMBERS(call_started) = { { "result", "CallStartedResult", NULL }, END };
MEMBERS(call_started_result) = {
	{ "execution_id", "id", NULL },
	{ "status", "streaming|completed|failed|cancelled", NULL },
	{ "message", "string", NULL },
	END,
};
MEMBERS(call_answer) = { { "result", "CallAnswerResult", NULL }, END };
MEMBERS(call_answer_result) = {
	{ "output", "string", "all of the text" },
	{ "tokensUsed", "integer 0..", NULL },
	{ "cost", "number?", "US dollars" },
	{ "execution_id", "id", NULL },
	{ "status", "string", "completed" },
	{ "metadata?", "Metadata", NULL },
	END,
};
MEMBERS(call_poll) = { { "data", "CallPollData", NULL }, END };
MEMBERS(call_poll_data) = {
	{ "executionId?", "string", NULL },
	{ "execution_id?", "string", "the same as executionId" },
	{ "fromIndex?", "integer 0..?", NULL },
	{ "from_index?", "integer 0..?", "the same as fromIndex" },
	{ "wait_ms?", "integer 0..3600000?",
	    "holds the answer until there is news" },
	{ "waitMs?", "integer 0..3600000?", "the same as wait_ms" },
	{ "limit?", "integer 1..10000?", "so many chunks at most" },
	END,
};
MEMBERS(call_page) = { { "result", "Page", NULL }, END };
MEMBERS(call_cancel) = { { "data", "CallCancelData", NULL }, END };
MEMBERS(call_cancel_data) = {
	{ "executionId?", "string", NULL },
	{ "execution_id?", "string", "the same as executionId" },
	END,
};
MEMBERS(call_cancelled) = { { "result", "Cancelled", NULL }, END };

MEMBERS(problem) = {
	{ "type", "uri", NULL },
	{ "title", "string", NULL },
	{ "status", "integer 400..599", NULL },
	{ "detail", "string", NULL },
	{ "instance?", "uri", NULL },
	{ "code", "string", "never changes its meaning" },
	{ "retryable", "boolean", "trying again may help" },
	{ "field?", "string", "which part of the request" },
	{ "execution_id?", "id", NULL },
	{ "execution_error?", "string", NULL },
	{ "deleted_at?", "time?", "of what is gone" },
	{ "payload_only?", "boolean", "gone are only request and chunks" },
	{ "retry_after_ms?", "integer 0..", NULL },
	END,
};
MEMBERS(call_problem) = { { "error", "CallError", NULL }, END };
MEMBERS(call_error) = {
	{ "status", "string", "INVALID_ARGUMENT, NOT_FOUND …" },
	{ "message", "string", NULL },
	{ "details", "CallErrorDetails", NULL },
	END,
};
MEMBERS(call_error_details) = {
	{ "code", "string", "as in Problem" },
	{ "retryable", "boolean", NULL },
	{ "field?", "string", NULL },
	{ "execution_id?", "id", NULL },
	{ "execution_error?", "string", NULL },
	{ "deleted_at?", "time?", NULL },
	{ "payload_only?", "boolean", NULL },
	{ "retry_after_ms?", "integer 0..", NULL },
	END,
};

static const struct openapi_schema schemas[] = {
	{ "CallExecute", "a callable's request", call_execute, true },
	{ "CallStarted", "a callable's answer", call_started, false },
	{ "CallStartedResult", "what to poll for", call_started_result, false },
	{ "CallAnswer", "a callable's answer", call_answer, false },
	{ "CallAnswerResult", "the whole answer", call_answer_result, false },
	{ "CallPoll", "a callable's request", call_poll, true },
	{ "CallPollData", "one execution, from an index on", call_poll_data,
	    false },
	{ "CallPage", "a callable's answer", call_page, false },
	{ "CallCancel", "a callable's request", call_cancel, true },
	{ "CallCancelData", "one execution", call_cancel_data, false },
	{ "CallCancelled", "a callable's answer", call_cancelled, false },
	{ "Problem", "what went wrong (RFC 9457)", problem, false },
	{ "CallProblem", "what went wrong, for a callable", call_problem,
	    false },
	{ "CallError", "what went wrong", call_error, false },
	{ "CallErrorDetails", "for programs", call_error_details, false },
};

const struct openapi_schema *openapi_schema_call(size_t *ret_n)
{
	*ret_n = sizeof(schemas) / sizeof(schemas[0]);
	return schemas;
}
