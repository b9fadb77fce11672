#include "server/cmd/importing.h"

#include <stdio.h>
#include <string.h>

#include "store/base/id.h"

/* A request to a server ends with the line that passes one of these. */
#define BATCH_LINES 500
#define BATCH_BYTES ((size_t)1 << 20)
#define WAIT_MS ((int64_t)10 * 60 * 1000)

static enum err take_answer(
    struct importing *x, const json_t *answer, struct why *why)
{
	const json_t *lines = json_object_get(answer, "lines");
	uint64_t first = x->n - x->n_batch;

	if (json_array_size(lines) != x->n_batch) {
		err_why(why, "%s answered with something else than an import",
		    client_url(x->client));
		return ERR_IO;
	}
	for (size_t i = 0; i < x->n_batch; i++) {
		const json_t *line = json_array_get(lines, i);
		const char *result = client_member(line, "result");
		int fate = 0;

		while (fate < IMPORTER_REFUSED &&
		       strcmp(result,
			   importer_fate_name((enum importer_fate)fate)) != 0)
			fate++;
		importing_tell(x, first + 1 + i, (enum importer_fate)fate,
		    client_member(line, "execution_id"),
		    client_member(line, "why"));
	}
	return OK;
}

enum err importing_send(struct importing *x, struct why *why)
{
	struct id id = id_new();
	char key[ID_TEXT];
	struct client_call call = { .method = CLIENT_POST,
		.idempotency_key = key,
		.wait_ms = WAIT_MS };
	json_t *answer = NULL;
	struct buf path;
	enum err err;

	if (x->n_batch == 0)
		return OK;
	/* The same batch again does no harm: existed. */
	id_text(&id, key);
	buf_init(&path, (size_t)64 << 10);
	client_path(&path, "/v1/executions/import?dry_run=%s",
	    x->dry_run ? "true" : "false");
	if (x->owners)
		client_path(&path, "&owner=%s", x->owners);
	buf_putc(&path, '\0');
	buf_putc(&x->batch, '\0');
	err = buf_state(&path);
	if (!err)
		err = buf_state(&x->batch);
	call.path = path.data;
	call.body = x->batch.data;
	if (!err)
		err = client_call(x->client, &call, &answer, why);
	if (!err)
		err = take_answer(x, answer, why);
	json_decref(answer);
	buf_fini(&path);
	buf_reset(&x->batch);
	x->n_batch = 0;
	return err;
}

enum err importing_put(
    struct importing *x, const char *line, size_t len, struct why *why)
{
	enum err err = OK;

	if (memchr(line, '\0', len)) {
		x->n--;
		err = importing_send(x, why);
		x->n++;
		if (!err)
			importing_tell(x, x->n, IMPORTER_REFUSED, "",
			    "there is a NUL in it");
		return err;
	}
	if (x->batch.len + len > IMPORT_LINE_BYTES) {
		x->n--;
		err = importing_send(x, why);
		x->n++;
	}
	buf_add(&x->batch, line, len);
	buf_putc(&x->batch, '\n');
	x->n_batch++;
	if (!err && (x->n_batch == BATCH_LINES || x->batch.len >= BATCH_BYTES))
		err = importing_send(x, why);
	return err;
}
