#include "store/sqlite.h"

#include "store/sqlite_internal.h"

static const struct engine sqlite = {
	.name = "sqlite",
	.accepts = sqlite_accepts,
	.look = sqlite_look,
	.open = sqlite_open,
	.open_reader = sqlite_open_reader,
	.open_alone = sqlite_open_alone,
	.close = sqlite_close,
	.node_join = sqlite_node_join,
	.node_renew = sqlite_node_renew,
	.node_take = sqlite_node_take,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.execution_insert = sqlite_execution_insert,
	.execution_by_key = sqlite_execution_by_key,
	.execution_start = sqlite_execution_start,
	.execution_end = sqlite_execution_end,
	.execution_delete = sqlite_execution_delete,
	.chunk_append = sqlite_chunk_append,
	.segment_put = sqlite_segment_put,
	.import_begin = sqlite_import_begin,
	.import_segment = sqlite_import_segment,
	.import_finish = sqlite_import_finish,
	.import_drop = sqlite_import_drop,
	.chunks_drop = sqlite_chunks_drop,
	.key_insert = sqlite_key_insert,
	.key_revoke = sqlite_key_revoke,
	.prompt_insert = sqlite_prompt_insert,
	.prompt_delete = sqlite_prompt_delete,
	.tidy = sqlite_tidy,
	.set_aside = sqlite_set_aside,
	.live_load = sqlite_live_load,
	.keys_load = sqlite_keys_load,
	.execution_get = sqlite_execution_get,
	.execution_list = sqlite_execution_list,
	.chunk_page = sqlite_chunk_page,
	.usage_list = sqlite_usage_list,
	.prompt_get = sqlite_prompt_get,
	.prompt_list = sqlite_prompt_list,
	.stats = sqlite_stats,
	.copy_begin = sqlite_copy_begin,
	.copy_step = sqlite_copy_step,
	.copy_end = sqlite_copy_end,
	.copy_accept = sqlite_copy_accept,
	.seen_executions = sqlite_seen_executions,
	.seen_segments = sqlite_seen_segments,
	.seen_chunks = sqlite_seen_chunks,
	.seen_files = sqlite_seen_files,
};

const struct engine *sqlite_engine(void)
{
	return &sqlite;
}
