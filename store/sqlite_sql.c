#include "store/sqlite_sql.h"

#include "store/base/log.h"

/*
 * The sum of a record: of its columns in this order, but for what only we ask
 * (packed, node, epoch, bytes). Given are those that change, as they will be.
 */
#define EXECUTION_SUM(status, target, started, first_chunk, finished, next, \
    attempts, error, input, output, cached, reasoning, cost, deleted, note, \
    metadata)                                                               \
	"spool_sum(id, public_id, owner, " status ", model, " target        \
	", prompt, created_ms, " started ", " first_chunk ", " finished     \
	", " next ", " attempts ", " error                                  \
	", idempotency_key, request_hash, " input ", " output ", " cached   \
	", " reasoning ", " cost ", " deleted ", " note ", " metadata ")"
#define USED                                                                  \
	"input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", \
	    "cost_pusd"
#define USED_HERE(sum, ...) sum(__VA_ARGS__)
/* Is it still what was written? */
#define EXECUTION_HOLDS                                                     \
	"sum = " USED_HERE(EXECUTION_SUM, "status", "target", "started_ms", \
	    "first_chunk_ms", "finished_ms", "next_index", "attempts",      \
	    "error_code", USED, "payload_deleted_ms", "note", "metadata")
/* What was damaged before stays so. */
#define RENEWED(holds, sum) \
	"sum = CASE WHEN " holds " THEN " sum " ELSE sum END"
#define STARTED_MS "CASE started_ms WHEN 0 THEN ?4 ELSE started_ms END"
#define PACKED_MS "CASE first_chunk_ms WHEN 0 THEN ?4 ELSE first_chunk_ms END"

#define KEY_SUM(revoked)                                          \
	"spool_sum(public_id, label, owner, hint, scopes, hash, " \
	"created_ms, expires_ms, " revoked ")"
#define KEY_HOLDS "sum = " KEY_SUM("revoked_ms")
#define REVOKED_MS "CASE revoked_ms WHEN 0 THEN ?3 ELSE revoked_ms END"
#define PROMPT_HOLDS "sum = spool_sum(owner, name, version, created_ms, body)"
#define REQUEST_HOLDS "sum = spool_sum(execution, request)"

/* As sqlite_read_execution() takes them, plus packed. */
#define COLUMNS                                                             \
	"id, public_id, owner, status, model, target, prompt, created_ms, " \
	"started_ms, first_chunk_ms, finished_ms, next_index, attempts, "   \
	"error_code, idempotency_key, request_hash, packed, bytes, "        \
	"payload_deleted_ms, metadata, " EXECUTION_HOLDS

/* As sqlite_stream.c takes them. */
#define STREAM                                                             \
	"log, public_id, owner, name, type, created_ms, closed, "          \
	"deleted_ms, first_index, next_index, packed, ttl_s, expires_at, " \
	"expires_ms, seq, closer, closer_epoch, closer_seq, source_log, "  \
	"source, fork_at, fork_sub, forks"

/* As of an execution: cancelled, completed, streaming. */
#define STREAM_STATUS \
	"CASE WHEN deleted_ms > 0 THEN 4 WHEN closed THEN 2 ELSE 1 END"

/*
 * Does the execution numbered ${row} have its payload, or is that number a
 * stream's; has the trash it?
 */
#define OWNED(row)                                                \
	"(EXISTS (SELECT 1 FROM executions AS e WHERE "           \
	"e.id = " row " AND e.payload_deleted_ms = 0) OR EXISTS " \
	"(SELECT 1 FROM streams AS st WHERE st.log = " row "))"
/* Not there, but for a reason: dropped soon, or its record is still to come. */
#define TRASHED(row)                                                     \
	"(EXISTS (SELECT 1 FROM trash AS t WHERE t.execution = " row ")" \
	" OR EXISTS (SELECT 1 FROM imports AS i "                        \
	"WHERE i.execution = " row "))"

/* As sqlite_read.c takes them. */
#define BRIEF                                                     \
	"id, public_id, owner, status, created_ms, finished_ms, " \
	"payload_deleted_ms, next_index, bytes, metadata_bytes"

/*
 * ?1 and ?2 the ids between which it lies, ?3 and ?4 the creation times,
 * ?5 how many, ?6 owner, ?7 status.
 */
#define LIST_OF(columns, which, order)                                    \
	{                                                                 \
		.text = "SELECT " columns " FROM executions WHERE " which \
			"public_id > ?1 AND public_id < ?2 "              \
			"AND created_ms >= ?3 AND created_ms < ?4 "       \
			"ORDER BY public_id " order " LIMIT ?5",          \
		.hot = true                                               \
	}
#define LIST(which, order) LIST_OF(COLUMNS, which, order)
/* The sign keeps the planner from walking by status and sorting. */
#define WALK(which, order) LIST_OF(BRIEF, "+status >= 2 AND " which, order)

/* As sqlite_usage.c takes them; a sum of costs may pass 64 bits: two halves. */
#define USAGE_SUMS                                                       \
	"sum(completed), sum(failed), sum(cancelled), sum(attempts), "   \
	"sum(priced), sum(input_tokens), sum(output_tokens), "           \
	"sum(cached_tokens), sum(reasoning_tokens), "                    \
	"sum(cost_pusd / 1000000), sum(cost_pusd % 1000000) FROM usage " \
	"WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR owner = ?3) "

/*
 * ?4 the cursor, ?5 how many. By owner or target it sorts all days of the range:
 * a report, which nobody waits for twice a second.
 */
#define USAGE_BY(key, often)                                                \
	{                                                                   \
		.text =                                                     \
		    "SELECT " key ", " USAGE_SUMS "AND (?4 IS NULL OR " key \
		    " > ?4) GROUP BY " key " ORDER BY " key " LIMIT ?5",    \
		.hot = often                                                \
	}

/* Not known and not known is not known; what nobody believes stays in bounds. */
#define USAGE_SUM(column, most)                                        \
	column " = CASE WHEN excluded." column " IS NULL THEN " column \
	       " ELSE min(coalesce(" column ", 0) + excluded." column  \
	       ", " most ") END"

static const struct sqlite_sql_text texts[] = {
	[SQL_BEGIN] = { "BEGIN IMMEDIATE", .write = true },
	[SQL_BEGIN_READ] = { "BEGIN" },
	[SQL_NODE_JOIN] = { "INSERT INTO nodes (id, epoch) VALUES (?1, 1) "
			    "ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1",
	    .write = true, .hot = true },
	[SQL_NODE_EPOCH] = { "SELECT epoch FROM nodes WHERE id = ?1",
	    .write = true, .hot = true },
	/* Of the few that live: the partial index from end to end, at a start. */
	[SQL_NODE_TAKE] = { "UPDATE executions SET node = ?1, epoch = ?2 "
			    "WHERE id IN (SELECT id FROM executions "
			    "INDEXED BY executions_live "
			    "WHERE (status < 2 OR packed < next_index) "
			    "AND status < 2 AND NOT (node = ?1 AND epoch = ?2) "
			    "LIMIT ?3)",
	    .write = true },
	[SQL_COMMIT] = { "COMMIT" },
	[SQL_ROLLBACK] = { "ROLLBACK" },
	/* These and BEGIN, COMMIT are also asked before the rest is prepared. */
	[SQL_SCHEMA_THERE] = { "SELECT count(*) FROM sqlite_schema "
			       "WHERE type = 'table' "
			       "AND name = 'schema_version'",
	    .write = true },
	[SQL_SCHEMA_VERSION] = { "SELECT coalesce(max(version), 0) "
				 "FROM schema_version",
	    .write = true },
	[SQL_SCHEMA_APPLIED] = { "INSERT INTO schema_version "
				 "(version, name, applied_ms) "
				 "VALUES (?1, ?2, ?3)",
	    .write = true },
	[SQL_PAGES] = { "PRAGMA page_count" },
	[SQL_STATE_GET] = { "SELECT next_execution, next_seq, "
			    "(SELECT max(id) FROM executions), "
			    "(SELECT max(log) FROM streams) "
			    "FROM state WHERE id = 1",
	    .write = true, .hot = true },
	[SQL_STATE_EXECUTION] = { "UPDATE state SET next_execution = ?1 "
				  "WHERE id = 1 AND next_execution < ?1",
	    .write = true, .hot = true },
	[SQL_STATE_SEQ] = { "UPDATE state SET next_seq = ?1 "
			    "WHERE id = 1 AND next_seq < ?1",
	    .write = true, .hot = true },
	[SQL_CHUNK_LAST] = { "SELECT seq, n FROM chunks "
			     "WHERE seq > 0 ORDER BY seq DESC LIMIT 1",
	    .write = true, .hot = true },
	[SQL_EXECUTION_INSERT] = { "INSERT INTO executions (id, public_id, "
				   "owner, status, model, target, prompt, "
				   "created_ms, idempotency_key, request_hash, "
				   "node, epoch, bytes, sum) "
				   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
				   "?9, ?10, ?11, ?12, ?13, "
				   "spool_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
				   "0, 0, 0, 0, 0, NULL, ?9, ?10, NULL, NULL, "
				   "NULL, NULL, NULL, 0, NULL, NULL))",
	    .write = true, .hot = true },
	[SQL_REQUEST_INSERT] = { "INSERT INTO requests (execution, sum, "
				 "request) "
				 "VALUES (?1, spool_sum(?1, ?2), ?2)",
	    .write = true, .hot = true },
	[SQL_EXECUTION_BY_KEY] = { "SELECT id, public_id, status, request_hash "
				   "FROM executions "
				   "WHERE owner = ?1 AND idempotency_key = ?2 "
				   "AND idempotency_key IS NOT NULL",
	    .write = true, .hot = true },
	[SQL_EXECUTION_START] = { "UPDATE executions SET status = 1, "
				  "target = ?2, attempts = ?3, started_ms = "
				  STARTED_MS ", " RENEWED(EXECUTION_HOLDS,
				  USED_HERE(EXECUTION_SUM, "1", "?2",
				  STARTED_MS, "first_chunk_ms", "finished_ms",
				  "next_index", "?3", "error_code", USED,
				  "payload_deleted_ms", "note", "metadata"))
				  " WHERE id = ?1 AND status < 2",
	    .write = true, .hot = true },
	[SQL_EXECUTION_NOTE] = { "UPDATE executions SET note = ?2, "
				 RENEWED(EXECUTION_HOLDS,
				 USED_HERE(EXECUTION_SUM, "status", "target",
				 "started_ms", "first_chunk_ms", "finished_ms",
				 "next_index", "attempts", "error_code", USED,
				 "payload_deleted_ms", "?2", "metadata"))
				 " WHERE id = ?1 AND status < 2",
	    .write = true, .hot = true },
	[SQL_EXECUTION_END] = { "UPDATE executions SET status = ?2, "
				"finished_ms = ?3, first_chunk_ms = ?4, "
				"next_index = ?5, error_code = ?6, "
				"metadata = ?7, note = NULL, "
				"bytes = bytes + ?8, metadata_bytes = ?8, "
				RENEWED(EXECUTION_HOLDS,
				USED_HERE(EXECUTION_SUM, "?2", "target",
				"started_ms", "?4", "?3", "?5", "attempts",
				"?6", USED, "payload_deleted_ms", "NULL", "?7"))
				" WHERE id = ?1 AND status < 2",
	    .write = true, .hot = true },
	[SQL_EXECUTION_DELETE] = { "DELETE FROM executions WHERE id = ?1",
	    .write = true, .hot = true },
	[SQL_PAYLOAD_DELETE] = { "UPDATE executions SET "
				 "payload_deleted_ms = ?2, "
				 "packed = next_index, bytes = metadata_bytes, "
				 RENEWED(EXECUTION_HOLDS,
				 USED_HERE(EXECUTION_SUM, "status", "target",
				 "started_ms", "first_chunk_ms", "finished_ms",
				 "next_index", "attempts", "error_code", USED,
				 "?2", "note", "metadata"))
				 " WHERE id = ?1 AND status >= 2 "
				 "AND payload_deleted_ms = 0",
	    .write = true, .hot = true },
	/* A broken store may say already that it is gone: let it be mended. */
	[SQL_TOMBSTONE_PUT] = { "INSERT OR REPLACE INTO tombstones "
				"(public_id, owner, deleted_ms) "
				"SELECT public_id, owner, ?2 "
				"FROM executions WHERE id = ?1",
	    .write = true, .hot = true },
	[SQL_TOMBSTONE_DELETE] = { "DELETE FROM tombstones "
				   "WHERE public_id = ?1",
	    .write = true, .hot = true },
	/* Both walk one index, so they mean the same ones. */
	[SQL_TOMBSTONES_SETTLE] = { "INSERT OR IGNORE INTO settled (tail) "
				    "SELECT substr(public_id, 9) "
				    "FROM tombstones WHERE deleted_ms < ?1 "
				    "ORDER BY deleted_ms, public_id LIMIT ?2",
	    .write = true, .hot = true },
	[SQL_SETTLED] = { "SELECT 1 FROM settled WHERE tail = substr(?1, 9)",
	    .write = true, .hot = true },
	[SQL_TOMBSTONES_DROP] = { "DELETE FROM tombstones WHERE public_id IN "
				  "(SELECT public_id FROM tombstones "
				  "WHERE deleted_ms < ?1 "
				  "ORDER BY deleted_ms, public_id LIMIT ?2)",
	    .write = true, .hot = true },
	/* It may lie there since its payload alone was deleted. */
	[SQL_TRASH_PUT] = { "INSERT OR IGNORE INTO trash (execution) "
			    "VALUES (?1)",
	    .write = true, .hot = true },
	[SQL_TRASH] = { "SELECT execution FROM trash WHERE execution > ?1 "
			"ORDER BY execution LIMIT 1",
	    .write = true, .hot = true },
	[SQL_TRASH_DELETE] = { "DELETE FROM trash WHERE execution = ?1",
	    .write = true, .hot = true },
	/* The length of a blob is known without reading it. */
	[SQL_SEGMENT_SIZES] = { "SELECT id, length(payload) FROM segments "
				"WHERE id >= ?1 AND id <= ?2 ORDER BY id",
	    .write = true, .hot = true },
	[SQL_AUDIT_PUT] = { "INSERT INTO audit (operation, at_ms, last_ms, "
			    "actor, action, subject, detail, "
			    "executions, chunks, bytes) "
			    "VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
			    "ON CONFLICT (operation) DO UPDATE SET "
			    "last_ms = ?2, executions = executions + ?7, "
			    "chunks = chunks + ?8, bytes = bytes + ?9, "
			    "detail = CASE ?6 WHEN '' THEN detail "
			    "ELSE ?6 END",
	    .write = true, .hot = true },
	[SQL_AUDIT_LAST] = { "SELECT id FROM audit WHERE id > 0 "
			     "ORDER BY id DESC LIMIT 1",
	    .write = true, .hot = true },
	[SQL_AUDIT_DROP] = { "DELETE FROM audit WHERE id <= ?1", .write = true,
	    .hot = true },
	[SQL_REQUEST_DELETE] = { "DELETE FROM requests WHERE execution = ?1",
	    .write = true, .hot = true },
	[SQL_SEGMENTS_DELETE] = { "DELETE FROM segments "
				  "WHERE id >= ?1 AND id <= ?2",
	    .write = true, .hot = true },
	[SQL_CHUNK_APPEND] = { "INSERT INTO chunks (seq, n, block) "
			       "VALUES (?1, ?2, ?3)",
	    .write = true, .hot = true },
	[SQL_CHUNK_OLDEST] = { "SELECT seq, n FROM chunks "
			       "WHERE seq < ?1 ORDER BY seq LIMIT ?2",
	    .write = true, .hot = true },
	[SQL_CHUNK_DROP] = { "DELETE FROM chunks WHERE seq <= ?1",
	    .write = true, .hot = true },
	[SQL_SEGMENT_PUT] = { "INSERT INTO segments (id, n, codec, raw_bytes, "
			      "payload) VALUES (?1, ?2, ?3, ?4, ?5)",
	    .write = true, .hot = true },
	[SQL_EXECUTION_PACKED] = { "UPDATE executions SET packed = ?3, "
				   "next_index = max(next_index, ?3), "
				   "first_chunk_ms = " PACKED_MS ", "
				   "bytes = bytes + ?5, "
				   RENEWED(EXECUTION_HOLDS,
				   USED_HERE(EXECUTION_SUM, "status",
				   "target", "started_ms", PACKED_MS,
				   "finished_ms", "max(next_index, ?3)",
				   "attempts", "error_code", USED,
				   "payload_deleted_ms", "note", "metadata"))
				   " WHERE id = ?1 AND packed = ?2",
	    .write = true, .hot = true },
	[SQL_IMPORT_NOTE] = { "INSERT INTO imports (execution) VALUES (?1)",
	    .write = true, .hot = true },
	[SQL_IMPORT_FORGET] = { "DELETE FROM imports WHERE execution = ?1",
	    .write = true, .hot = true },
	[SQL_IMPORT_FIRST] = { "SELECT execution FROM imports "
			       "WHERE execution > 0 "
			       "ORDER BY execution LIMIT 1",
	    .write = true, .hot = true },
	[SQL_IMPORT_DROP] = { "DELETE FROM segments WHERE id IN "
			      "(SELECT id FROM segments "
			      "WHERE id >= ?1 AND id < ?2 "
			      "ORDER BY id LIMIT ?3)",
	    .write = true, .hot = true },
	[SQL_IMPORT_EXECUTION] = { "INSERT INTO executions (id, public_id, "
				   "owner, status, model, target, prompt, "
				   "created_ms, started_ms, first_chunk_ms, "
				   "finished_ms, next_index, packed, attempts, "
				   "error_code, idempotency_key, "
				   "request_hash, metadata, bytes, "
				   "metadata_bytes, sum) "
				   "VALUES (?1, ?2, "
				   "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
				   "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, "
				   "spool_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
				   "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
				   "NULL, NULL, NULL, NULL, NULL, 0, NULL, "
"?17))",
	    .write = true, .hot = true },
	[SQL_EXECUTION_USED] = { "UPDATE executions SET input_tokens = ?2, "
				 "output_tokens = ?3, cached_tokens = ?4, "
				 "reasoning_tokens = ?5, cost_pusd = ?6, "
				 RENEWED(EXECUTION_HOLDS,
				 EXECUTION_SUM("status", "target",
				 "started_ms", "first_chunk_ms", "finished_ms",
				 "next_index", "attempts", "error_code", "?2",
				 "?3", "?4", "?5", "?6", "payload_deleted_ms",
				 "note", "metadata"))
				 " WHERE id = ?1",
	    .write = true, .hot = true },
	[SQL_USAGE_ADD] = { "INSERT INTO usage (day, owner, target, completed, "
			    "failed, cancelled, attempts, priced, "
			    "input_tokens, output_tokens, cached_tokens, "
			    "reasoning_tokens, cost_pusd) "
			    "SELECT ?2, owner, coalesce(target, ''), "
			    "status = 2, status = 3, status = 4, attempts, "
			    "cost_pusd IS NOT NULL, input_tokens, "
			    "output_tokens, cached_tokens, reasoning_tokens, "
			    "cost_pusd FROM executions WHERE id = ?1 "
			    "ON CONFLICT (day, owner, target) DO UPDATE SET "
			    "completed = completed + excluded.completed, "
			    "failed = failed + excluded.failed, "
			    "cancelled = cancelled + excluded.cancelled, "
			    "attempts = attempts + excluded.attempts, "
			    "priced = priced + excluded.priced, " USAGE_SUM(
				"input_tokens",
				"1000000000000") ", " USAGE_SUM("output_tokens",
				"1000000000000") ", " USAGE_SUM("cached_tokens",
				"1000000000000") ", " USAGE_SUM("reasoning_tokens",
				"1000000000000") ", " USAGE_SUM("cost_pusd",
				"9000000000000000000"),
	    .write = true, .hot = true },
	[SQL_USAGE_BY_DAY] = USAGE_BY("day", true),
	[SQL_USAGE_BY_OWNER] = USAGE_BY("owner", false),
	[SQL_USAGE_BY_TARGET] = USAGE_BY("target", false),
	[SQL_USAGE_IN_ALL] = { "SELECT NULL, " USAGE_SUMS, .hot = true },
	[SQL_KEY_INSERT] = { "INSERT INTO keys (public_id, label, owner, hint, "
			     "scopes, hash, created_ms, expires_ms, "
			     "revoked_ms, sum) "
			     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
			     "spool_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9))",
	    .write = true, .hot = true },
	[SQL_KEY_REVOKE] = { "UPDATE keys SET revoked_ms = " REVOKED_MS ", "
			     RENEWED(KEY_HOLDS, KEY_SUM(REVOKED_MS))
			     " WHERE public_id = ?1 "
			     "AND (?2 IS NULL OR owner = ?2)",
	    .write = true, .hot = true },
	[SQL_KEYS] = { "SELECT public_id, label, owner, hint, scopes, hash, "
		       "created_ms, expires_ms, revoked_ms, " KEY_HOLDS
		       " FROM keys "
		       "ORDER BY id" },
	[SQL_PROVIDER_KEY_PUT] = { "INSERT INTO provider_keys (owner, "
				   "upstream, hint, created_ms, sealed) "
				   "VALUES (?1, ?2, ?3, ?4, ?5) "
				   "ON CONFLICT (owner, upstream) DO UPDATE SET "
				   "hint = excluded.hint, "
				   "created_ms = excluded.created_ms, "
				   "sealed = excluded.sealed",
	    .write = true, .hot = true },
	[SQL_PROVIDER_KEY_DELETE] = { "DELETE FROM provider_keys "
				      "WHERE owner = ?1 AND upstream = ?2",
	    .write = true, .hot = true },
	[SQL_PROVIDER_KEYS] = { "SELECT owner, upstream, hint, created_ms, "
				"sealed FROM provider_keys "
				"ORDER BY owner, upstream" },
	[SQL_PROMPT_INSERT] = { "INSERT INTO prompts (owner, name, version, "
				"created_ms, body, sum) "
				"VALUES (?1, ?2, ?3, ?4, ?5, "
				"spool_sum(?1, ?2, ?3, ?4, ?5))",
	    .write = true, .hot = true },
	[SQL_PROMPT_VERSION] = { "SELECT version FROM prompts "
				 "WHERE owner = ?1 AND name = ?2 "
				 "ORDER BY version DESC LIMIT 1",
	    .write = true, .hot = true },
	[SQL_PROMPT_DELETE] = { "DELETE FROM prompts "
				"WHERE owner = ?1 AND name = ?2",
	    .write = true, .hot = true },
	[SQL_STREAM_INSERT] = { "INSERT INTO streams (log, public_id, owner, "
				"name, type, created_ms, first_index, "
				"next_index, packed, ttl_s, expires_at, "
				"expires_ms, source_log, source, fork_at, "
				"fork_sub) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
				"?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
	    .write = true, .hot = true },
	[SQL_STREAM_GET] = { "SELECT " STREAM " FROM streams "
			     "WHERE owner = ?1 AND name = ?2",
	    .hot = true },
	[SQL_STREAM_AT] = { "SELECT " STREAM " FROM streams WHERE log = ?1",
	    .hot = true },
	[SQL_STREAM_LIST] = { "SELECT " STREAM " FROM streams "
			      "WHERE owner = ?1 AND name > ?2 "
			      "AND deleted_ms = 0 ORDER BY name LIMIT ?3",
	    .hot = true },
	/* As SQL_LIVE_EXECUTIONS. */
	[SQL_STREAM_LIVE] = { "SELECT " STREAM " FROM streams "
			      "INDEXED BY streams_live "
			      "WHERE closed = 0 OR packed < next_index "
			      "ORDER BY log",
	    .write = true },
	[SQL_STREAM_GROWN] = { "UPDATE streams SET closed = ?2, "
			       "next_index = ?3, seq = ?4, closer = ?5, "
			       "closer_epoch = ?6, closer_seq = ?7 "
			       "WHERE log = ?1",
	    .write = true, .hot = true },
	[SQL_STREAM_RENEWED] = { "UPDATE streams SET expires_ms = ?2 "
				 "WHERE log = ?1",
	    .write = true, .hot = true },
	[SQL_STREAM_FORKED] = { "UPDATE streams SET forks = forks + ?2 "
				"WHERE log = ?1",
	    .write = true, .hot = true },
	[SQL_STREAM_HIDE] = { "UPDATE streams SET deleted_ms = ?2, closed = 1, "
			      "next_index = ?3, expires_ms = 0 "
			      "WHERE log = ?1",
	    .write = true, .hot = true },
	[SQL_STREAM_DELETE] = { "DELETE FROM streams WHERE log = ?1",
	    .write = true, .hot = true },
	[SQL_STREAM_EXPIRED] = { "SELECT " STREAM " FROM streams "
				 "WHERE expires_ms > 0 AND expires_ms <= ?1 "
				 "ORDER BY expires_ms LIMIT ?2",
	    .write = true, .hot = true },
	[SQL_STREAM_PACKED] = { "UPDATE streams SET packed = ?3, "
				"next_index = max(next_index, ?3), "
				"bytes = bytes + ?4 "
				"WHERE log = ?1 AND packed = ?2",
	    .write = true, .hot = true },
	/* As SQL_PAGE_HEAD, and where it begins. */
	[SQL_STREAM_HEAD] = { "SELECT log, " STREAM_STATUS ", created_ms, "
			      "next_index, packed, 0, NULL, 0, 1, first_index "
			      "FROM streams WHERE public_id = ?1 "
			      "AND (?2 IS NULL OR owner = ?2)",
	    .hot = true },
	[SQL_PRODUCER_GET] = { "SELECT epoch, seq FROM producers "
			       "WHERE stream = ?1 AND producer = ?2",
	    .write = true, .hot = true },
	[SQL_PRODUCER_PUT] = { "INSERT INTO producers "
			       "(stream, producer, epoch, seq, used) "
			       "VALUES (?1, ?2, ?3, ?4, ?5) "
			       "ON CONFLICT (stream, producer) DO UPDATE SET "
			       "epoch = ?3, seq = ?4, used = ?5",
	    .write = true, .hot = true },
	/* It sorts a thousand at most, when one is new. */
	[SQL_PRODUCERS_TRIM] = { "DELETE FROM producers WHERE stream = ?1 "
				 "AND producer IN (SELECT p.producer "
				 "FROM producers AS p WHERE p.stream = ?1 "
				 "ORDER BY p.used DESC LIMIT -1 OFFSET ?2)",
	    .write = true },
	[SQL_PRODUCERS_DELETE] = { "DELETE FROM producers WHERE stream = ?1",
	    .write = true, .hot = true },
	/* It walks a small partial index from end to end, and says SCAN. */
	[SQL_LIVE_EXECUTIONS] = { "SELECT " COLUMNS ", note FROM executions "
				  "INDEXED BY executions_live "
				  "WHERE status < 2 OR packed < next_index "
				  "ORDER BY id",
	    .write = true },
	[SQL_LIVE_CHUNKS] = { "SELECT seq, n, block FROM chunks ORDER BY seq" },
	[SQL_FREE_PAGES] = { "PRAGMA freelist_count", .write = true },
	/* One row a page: its caller says when it is enough. */
	[SQL_VACUUM_SOME] = { "PRAGMA incremental_vacuum", .write = true },
	[SQL_EXECUTION_GET] = { "SELECT " COLUMNS " FROM executions "
				"WHERE public_id = ?1 "
				"AND (?2 IS NULL OR owner = ?2)",
	    .hot = true },
	[SQL_EXECUTION_BRIEF] = { "SELECT " BRIEF " FROM executions "
				  "WHERE public_id = ?1 "
				  "AND (?2 IS NULL OR owner = ?2)",
	    .hot = true },
	[SQL_TOMBSTONE_GET] = { "SELECT deleted_ms FROM tombstones "
				"WHERE public_id = ?1 "
				"AND (?2 IS NULL OR owner = ?2)",
	    .hot = true },
	[SQL_AUDIT] = { "SELECT id, operation, at_ms, last_ms, actor, action, "
			"subject, detail, executions, chunks, bytes "
			"FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
	    .hot = true },
	[SQL_REQUEST_GET] = { "SELECT request, " REQUEST_HOLDS " FROM requests "
			      "WHERE execution = ?1",
	    .hot = true },
	[SQL_LIST] = LIST("", "DESC"),
	[SQL_LIST_ASC] = LIST("", "ASC"),
	[SQL_LIST_STATUS] = LIST("status = ?7 AND ", "DESC"),
	[SQL_LIST_STATUS_ASC] = LIST("status = ?7 AND ", "ASC"),
	[SQL_LIST_OWNER] = LIST("owner = ?6 AND ", "DESC"),
	[SQL_LIST_OWNER_ASC] = LIST("owner = ?6 AND ", "ASC"),
	[SQL_LIST_OWNER_STATUS] =
	    LIST("owner = ?6 AND status = ?7 AND ", "DESC"),
	[SQL_LIST_OWNER_STATUS_ASC] =
	    LIST("owner = ?6 AND status = ?7 AND ", "ASC"),
	[SQL_WALK] = WALK("", "DESC"),
	[SQL_WALK_ASC] = WALK("", "ASC"),
	[SQL_WALK_STATUS] = WALK("status = ?7 AND ", "DESC"),
	[SQL_WALK_STATUS_ASC] = WALK("status = ?7 AND ", "ASC"),
	[SQL_WALK_OWNER] = WALK("owner = ?6 AND ", "DESC"),
	[SQL_WALK_OWNER_ASC] = WALK("owner = ?6 AND ", "ASC"),
	[SQL_WALK_OWNER_STATUS] =
	    WALK("owner = ?6 AND status = ?7 AND ", "DESC"),
	[SQL_WALK_OWNER_STATUS_ASC] =
	    WALK("owner = ?6 AND status = ?7 AND ", "ASC"),
	[SQL_PAGE_HEAD] = { "SELECT id, status, created_ms, next_index, "
			    "packed, attempts, metadata, "
			    "payload_deleted_ms, " EXECUTION_HOLDS
			    " FROM executions "
			    "WHERE public_id = ?1 "
			    "AND (?2 IS NULL OR owner = ?2)",
	    .hot = true },
	/* The segment that begins last at or before a place. */
	[SQL_SEGMENT_AT] = { "SELECT id FROM segments "
			     "WHERE id >= ?1 AND id <= ?2 "
			     "ORDER BY id DESC LIMIT 1",
	    .hot = true },
	[SQL_SEGMENTS_FROM] = { "SELECT id, n, codec, raw_bytes, payload "
				"FROM segments WHERE id >= ?1 AND id < ?2 "
				"ORDER BY id",
	    .hot = true },
	[SQL_PROMPT_GET] = { "SELECT owner, name, version, body, created_ms, "
			     PROMPT_HOLDS " FROM prompts WHERE owner = ?1 AND name = ?2 "
			     "AND (?3 = 0 OR version = ?3) "
			     "ORDER BY version DESC LIMIT 1",
	    .hot = true },
	[SQL_PROMPT_LIST] = { "SELECT owner, name, version, body, created_ms, "
			      PROMPT_HOLDS " FROM prompts AS p "
			      "WHERE owner = ?1 AND name > ?2 AND version = "
			      "(SELECT max(version) FROM prompts AS q "
			      "WHERE q.owner = p.owner AND q.name = p.name) "
			      "ORDER BY name LIMIT ?3",
	    .hot = true },
	[SQL_SEEN_EXECUTIONS] = { "SELECT id, public_id, status, created_ms, "
				  "finished_ms, next_index, packed, "
				  "error_code, metadata, EXISTS (SELECT 1 "
				  "FROM requests WHERE execution = id), "
				  "input_tokens, output_tokens, cost_pusd, "
				  "payload_deleted_ms, " EXECUTION_HOLDS
				  ", NULL, 0 FROM executions WHERE id > ?1 "
				  "UNION ALL SELECT log, public_id, " STREAM_STATUS
				  ", created_ms, 0, next_index, packed, "
				  "NULL, NULL, 1, NULL, NULL, NULL, 0, 1, "
				  "name, first_index FROM streams "
				  "WHERE log > ?1 ORDER BY 1 LIMIT ?2",
	    .hot = true },
	/* An id begins with the execution: 24 is SQLITE_INDEX_BITS. */
	[SQL_SEEN_SEGMENTS] = { "SELECT id, n, codec, raw_bytes, payload, " OWNED(
				    "segments.id >> 24") ", " TRASHED("segments.id >> 24") " FROM segments WHERE id >= ?1 AND id <= ?2 "
											   "ORDER BY id",
	    .hot = true },
	[SQL_SEEN_CHUNKS] = { "SELECT seq, n, block FROM chunks "
			      "WHERE seq >= ?1 ORDER BY seq",
	    .hot = true },
	[SQL_SEEN_REQUESTS] = { "SELECT execution, " OWNED(
				    "requests.execution") ", " TRASHED(
				    "requests.execution") ", " REQUEST_HOLDS
				    ", (SELECT public_id FROM executions "
				    "WHERE id = execution), request "
				    "FROM requests WHERE execution > ?1 "
				    "ORDER BY execution LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_KEYS] = { "SELECT id, " KEY_HOLDS ", label FROM keys "
			    "WHERE id > ?1 ORDER BY id LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_PROMPTS] = { "SELECT id, " PROMPT_HOLDS ", name "
			       "FROM prompts WHERE id > ?1 "
			       "ORDER BY id LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_TRASH] = { "SELECT execution, " OWNED(
				 "trash.execution") " FROM trash WHERE execution > ?1 "
						    "ORDER BY execution LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_TOMBSTONES] = { "SELECT public_id, EXISTS (SELECT 1 "
				  "FROM executions AS e "
				  "WHERE e.public_id = tombstones.public_id) "
				  "FROM tombstones WHERE public_id > ?1 "
				  "ORDER BY public_id LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_STREAMS] = { "SELECT log, public_id, name, forks, "
			       "(SELECT count(*) FROM streams AS f WHERE "
			       "f.source_log = streams.log), deleted_ms > 0, "
			       "source_log IS NOT NULL, EXISTS (SELECT 1 "
			       "FROM streams AS o "
			       "WHERE o.log = streams.source_log) "
			       "FROM streams WHERE log > ?1 "
			       "ORDER BY log LIMIT ?2",
	    .hot = true },
	[SQL_SEEN_PRODUCERS] = { "SELECT stream, EXISTS (SELECT 1 "
				 "FROM streams WHERE log = stream) "
				 "FROM producers WHERE stream > ?1 "
				 "GROUP BY stream ORDER BY stream LIMIT ?2",
	    .hot = true },
	[SQL_INTEGRITY] = { "PRAGMA integrity_check(100)" },
	[SQL_INTEGRITY_QUICK] = { "PRAGMA quick_check(100)" },
};
_Static_assert(
    sizeof(texts) / sizeof(texts[0]) == N_SQL, "a question without text");

const struct sqlite_sql_text *sqlite_sql(enum sqlite_sql q)
{
	ASSERT((unsigned)q < N_SQL);
	return &texts[q];
}
