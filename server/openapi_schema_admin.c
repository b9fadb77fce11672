/* The objects that those who look after a server take and get. */
#include "server/openapi_internal.h"

#define END                      \
	{                        \
		NULL, NULL, NULL \
	}
#define MEMBERS(name) static const struct openapi_member name[]

#define SUMS                                                             \
	{ "executions", "integer 0..", NULL },                           \
	    { "completed", "integer 0..", NULL },                        \
	    { "failed", "integer 0..", NULL },                           \
	    { "cancelled", "integer 0..", NULL },                        \
	    { "attempts", "integer 0..", NULL },                         \
	    { "input_tokens", "integer 0..?", "null: nobody has said" }, \
	    { "output_tokens", "integer 0..?", NULL },                   \
	    { "cached_input_tokens", "integer 0..?", NULL },             \
	    { "reasoning_tokens", "integer 0..?", NULL },                \
	    { "cost_usd", "number?", "of those that are priced" },       \
	    { "cost_pusd", "integer?",                                   \
		    "the same, in millionths of a millionth" },          \
	{                                                                \
		"priced", "integer 0..", "whose cost is known"           \
	}

MEMBERS(usage) = {
	{ "by", "day|owner|target", NULL },
	{ "usage", "[]UsageRow", "in the order of their keys" },
	{ "next", "string?", "for after; null: there is no more" },
	{ "total", "UsageSum", "of all pages" },
	END,
};
MEMBERS(usage_row) = {
	{ "day?", "string", "2026-01-02, where by is day" },
	{ "owner?", "string", "where by is owner" },
	{ "target?", "string?", "where by is target" },
	SUMS,
	END,
};
MEMBERS(usage_sum) = { SUMS, END };

MEMBERS(new_key) = {
	{ "label?", "string", "for people" },
	{ "owner?", "string", "the maker's own unless said" },
	{ "scopes", "[]run|read|admin or string", "run,read in a string, too" },
	{ "expires_in_s?", "integer 1..3153600000", "never unless said" },
	END,
};

#define KEY                                                                  \
	{ "id", "id", NULL }, { "label", "string", NULL },                   \
	    { "owner", "string", NULL },                                     \
	    { "hint", "string", "how its secret begins" },                   \
	    { "scopes", "[]run|read|admin", NULL },                          \
	    { "created_at", "time", NULL }, { "expires_at", "time?", NULL }, \
	{                                                                    \
		"revoked_at", "time?", NULL                                  \
	}

MEMBERS(key) = { KEY, END };
MEMBERS(key_made) = { KEY, { "secret", "string", "shown this once" }, END };
MEMBERS(keys) = { { "keys", "[]Key", NULL }, END };

MEMBERS(health) = {
	{ "status", "string", "ok" },
	{ "version", "string", NULL },
	{ "uptime_ms", "integer 0..", NULL },
	END,
};
MEMBERS(readiness) = {
	{ "status", "ready|not ready", NULL },
	{ "checks", "ReadinessChecks", NULL },
	{ "disk?", "Disk", NULL },
	END,
};
MEMBERS(readiness_checks) = {
	{ "store", "ok|failed", NULL },
	{ "accepting", "ok|draining", NULL },
	{ "disk", "ok|low", NULL },
	END,
};
MEMBERS(disk) = {
	{ "free_bytes", "integer 0..", NULL },
	{ "reserve_bytes", "integer 0..", "less is too little for new work" },
	{ "disk_bytes", "integer 0..", NULL },
	{ "low", "boolean", NULL },
	END,
};
MEMBERS(status) = {
	{ "version", "string", NULL },
	{ "pid", "integer", NULL },
	{ "lock", "string", "the name of who has the store" },
	{ "uptime_ms", "integer 0..", NULL },
	{ "draining", "boolean", NULL },
	{ "store", "object", NULL },
	{ "disk?", "Disk", NULL },
	{ "memory", "object", NULL },
	{ "upstreams?", "[]UpstreamState", NULL },
	{ "worker?", "object", NULL },
	{ "retention?", "object", NULL },
	END,
};

MEMBERS(upstream_state) = {
	{ "name", "string", NULL },
	{ "state", "well|rests|probing", "as the circuit has it" },
	{ "failures", "integer 0..", "in a row" },
	{ "rests_ms", "integer 0..", "so long it is passed by" },
	END,
};

MEMBERS(check_line) = {
	{ "finding?", "Finding", NULL },
	{ "progress?", "CheckCounts", "now and then" },
	{ "done?", "CheckCounts", "the last line" },
	END,
};
MEMBERS(finding) = {
	{ "kind", "string", NULL },
	{ "execution_id?", "id", NULL },
	{ "what", "string", NULL },
	{ "mend", "string", NULL },
	END,
};
MEMBERS(check_counts) = {
	{ "executions", "integer 0..", NULL },
	{ "streams", "integer 0..", NULL },
	{ "chunks", "integer 0..", NULL },
	{ "segments", "integer 0..", NULL },
	{ "stray_segments", "integer 0..", NULL },
	{ "stray_chunks", "integer 0..", NULL },
	{ "trash", "integer 0..", "executions that are being dropped" },
	{ "tombstones", "integer 0..", "deletions that are remembered" },
	{ "findings", "integer 0..", NULL },
	{ "pages_checked", "boolean", NULL },
	END,
};

MEMBERS(new_backup) = {
	{ "name?", "string",
	    "of letters, digits and .-_; spool-TIME.db unless said" },
	END,
};
MEMBERS(backup) = {
	{ "path", "string", "on the server" },
	{ "bytes", "integer 0..", NULL },
	END,
};

MEMBERS(prune) = {
	{ "ids?", "[]id", "up to 1000; or what follows" },
	{ "status?",
	    "completed|failed|cancelled or []completed|failed|cancelled",
	    NULL },
	{ "owner?", "string", NULL },
	{ "since?", "time or integer 1..", "created then or later" },
	{ "until?", "time or integer 1..", "created before" },
	{ "older_than_ms?", "integer 0..", "since the end" },
	{ "keep_last?", "integer 0..", "the newest of each owner" },
	{ "keep_bytes?", "integer 0..", "the newest of each owner" },
	{ "all?", "boolean", "needed where nothing is chosen" },
	{ "payload_only?", "boolean", "the records stay" },
	{ "dry_run?", "boolean", "says what would go" },
	{ "limit?", "integer 1..1000", "in this call" },
	{ "list?", "boolean", "beside dry_run: names the ids" },
	{ "next?", "string", "of the last answer: goes on there" },
	{ "note?", "string", "for the audit: up to 400 bytes" },
	END,
};
MEMBERS(pruned) = {
	{ "dry_run", "boolean", NULL },
	{ "payload_only", "boolean", NULL },
	{ "executions", "integer 0..", NULL },
	{ "chunks", "integer 0..", NULL },
	{ "bytes", "integer 0..", NULL },
	{ "absent", "integer 0..", "of the ids" },
	{ "live", "integer 0..", "of the ids, left alone" },
	{ "oldest_created_at", "time?", NULL },
	{ "newest_created_at", "time?", NULL },
	{ "operation", "id?", "as in the audit" },
	{ "more", "boolean", NULL },
	{ "next", "string?", NULL },
	{ "ids?", "[]id", "where list was said" },
	END,
};

MEMBERS(audit) = {
	{ "entries", "[]AuditEntry", "the newest first" },
	{ "next", "integer?", "for before; null: there is no more" },
	END,
};
MEMBERS(audit_entry) = {
	{ "number", "integer 1..", NULL },
	{ "at", "time", NULL },
	{ "last_at", "time", NULL },
	{ "actor", "string",
	    "a key's id and label, retention, serve, offline" },
	{ "action", "string", NULL },
	{ "subject", "string?", NULL },
	{ "executions", "integer 0..", NULL },
	{ "chunks", "integer 0..", NULL },
	{ "bytes", "integer 0..", NULL },
	{ "detail", "object?", NULL },
	{ "operation", "id?", "its batches are one row" },
	END,
};

static const struct openapi_schema schemas[] = {
	{ "Usage", "what executions used", usage, false },
	{ "UsageRow", "a day, an owner or a target", usage_row, false },
	{ "UsageSum", "all of them", usage_sum, false },
	{ "NewKey", "a key to be made", new_key, true },
	{ "Key", "a key, without its secret", key, false },
	{ "KeyMade", "a key with its secret", key_made, false },
	{ "Keys", "all keys", keys, false },
	{ "Health", "the process answers", health, false },
	{ "Readiness", "whether new work is taken", readiness, false },
	{ "ReadinessChecks", "what was looked at", readiness_checks, false },
	{ "Disk", "room for the store", disk, false },
	{ "Status", "counts", status, false },
	{ "UpstreamState", "how an upstream fares", upstream_state, false },
	{ "CheckLine", "one of the three", check_line, false },
	{ "Finding", "what is not as it should be", finding, false },
	{ "CheckCounts", "what was looked at so far", check_counts, false },
	{ "NewBackup", "where it goes", new_backup, true },
	{ "Backup", "where it is", backup, false },
	{ "Prune", "what is to go", prune, true },
	{ "Pruned", "what went, or would", pruned, false },
	{ "Audit", "a page of the audit", audit, false },
	{ "AuditEntry", "what was done", audit_entry, false },
};

const struct openapi_schema *openapi_schema_admin(size_t *ret_n)
{
	*ret_n = sizeof(schemas) / sizeof(schemas[0]);
	return schemas;
}
