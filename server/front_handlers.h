/*
 * front_handlers: the handlers that the route table names. Each ends its call,
 * now or later (call.h). Client-visible behaviour: server/README.md.
 *
 * Used by: route.c.          Thread: the call's loop.
 */
#ifndef SERVER_FRONT_HANDLERS_H
#define SERVER_FRONT_HANDLERS_H

struct call;

/* front_callable.c, front_callable_run.c */
void front_callable_get_chunks(struct call *call);
void front_callable_execute(struct call *call);
void front_callable_execute_prompt(struct call *call);
void front_callable_cancel(struct call *call);

/* front_rest_executions.c */
void front_rest_execution_create(struct call *call);
void front_rest_execution_list(struct call *call);
void front_rest_execution_show(struct call *call);
void front_rest_execution_delete(struct call *call);

/* front_rest.c */
void front_rest_chunks(struct call *call);
void front_rest_text(struct call *call);
void front_rest_cancel(struct call *call);

/* front_sse.c */
void front_sse_events(struct call *call);
void front_sse_ticket(struct call *call);

/* front_openai_chat.c */
void front_openai_chat_create(struct call *call);
void front_openai_chat_show(struct call *call);

/* front_responses.c, front_responses_item.c */
void front_responses_create(struct call *call);
void front_responses_show(struct call *call);
void front_responses_cancel(struct call *call);
void front_responses_delete(struct call *call);
void front_responses_input(struct call *call);

/* front_ui.c */
void front_ui_chat(struct call *call);
void front_ui_stream(struct call *call);

/* front_openai_embeddings.c */
void front_openai_embeddings_create(struct call *call);

/* front_stream.c */
void front_stream_start(struct call *call);

/* front_ws.c */
void front_ws_open(struct call *call);
void front_ws_ticket(struct call *call);

/* front_rest_poll.c, front_rest_export.c */
void front_rest_poll(struct call *call);
void front_rest_export(struct call *call);
void front_rest_export_named(struct call *call);

/* front_rest_import.c */
void front_rest_import(struct call *call);

/* front_rest_usage.c */
void front_rest_usage(struct call *call);

/* front_rest_keys.c */
void front_rest_key_add(struct call *call);
void front_rest_key_list(struct call *call);
void front_rest_key_revoke(struct call *call);
void front_rest_key_rotate(struct call *call);

/* front_rest_prompts.c */
void front_rest_prompt_put(struct call *call);
void front_rest_prompt_list(struct call *call);
void front_rest_prompt_show(struct call *call);
void front_rest_prompt_delete(struct call *call);

/* front_rest_models.c */
void front_rest_model_list(struct call *call);
void front_rest_model_show(struct call *call);

/* front_durable.c, front_durable_read.c */
void front_durable_create(struct call *call);
void front_durable_append(struct call *call);
void front_durable_read(struct call *call);
void front_durable_delete(struct call *call);
void front_durable_list(struct call *call);

/* front_rest_provider_keys.c */
void front_rest_provider_key_put(struct call *call);
void front_rest_provider_key_list(struct call *call);
void front_rest_provider_key_delete(struct call *call);

/* front_ops.c */
void front_ops_healthz(struct call *call);
void front_ops_readyz(struct call *call);
void front_ops_status(struct call *call);
void front_ops_openapi(struct call *call);

/* front_ops_check.c */
void front_ops_check(struct call *call);

/* front_ops_backup.c */
void front_ops_backup(struct call *call);

/* front_ops_prune.c, front_ops_audit.c */
void front_ops_prune(struct call *call);
void front_ops_audit(struct call *call);

#endif
