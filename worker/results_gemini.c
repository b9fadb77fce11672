#include "worker/results_gemini.h"

#include <string.h>

#include "worker/json_in.h"
#include "worker/results_part.h"
#include "worker/usage.h"

/* Of the many that are listed, those that one can do something with here. */
static bool is_useful(const json_t *entry)
{
	const json_t *method;
	size_t i;

	json_array_foreach(
	    json_object_get(entry, "supportedGenerationMethods"), i, method)
	{
		const char *s = json_string_value(method);

		if (s != NULL && (strcmp(s, "generateContent") == 0 ||
				     strcmp(s, "embedContent") == 0))
			return true;
	}
	return false;
}

static enum err take_model(const json_t *entry, struct results_model *m)
{
	static const char prefix[] = "models/";
	enum err err = results_part_text(entry, "name", &m->id);
	size_t n = sizeof(prefix) - 1;

	if (err == OK && m->id != NULL && strncmp(m->id, prefix, n) == 0)
		memmove(m->id, m->id + n, strlen(m->id + n) + 1);
	if (err == OK)
		err = results_part_text(entry, "displayName", &m->name);
	m->context_length = usage_count(entry, "inputTokenLimit");
	m->max_output_tokens = usage_count(entry, "outputTokenLimit");
	return err;
}

enum err results_gemini_models(const json_t *root, struct results_models *ret)
{
	const json_t *models = json_object_get(root, "models"), *entry;
	enum err err = results_part_models(models, ret);
	size_t i;

	if (err != OK)
		return err;
	json_array_foreach(models, i, entry)
	{
		if (!is_useful(entry))
			continue;
		err = take_model(entry, results_part_model(ret));
		if (err != OK)
			return err;
		results_part_settle(ret);
	}
	return results_part_text(root, "nextPageToken", &ret->next);
}

enum err results_gemini_embeddings(
    const json_t *root, struct results_embeddings *ret)
{
	json_t *one = json_object_get(root, "embedding"), *rows;
	const json_t *usage = json_object_get(root, "usageMetadata");
	enum err err;

	ret->input_tokens = usage_count(usage, "promptTokenCount");
	if (one == NULL)
		return results_part_rows(
		    json_object_get(root, "embeddings"), "values", ret);
	rows = json_pack("[O]", one);
	err = rows == NULL ? ERR_NOMEM : results_part_rows(rows, "values", ret);
	json_decref(rows);
	return err;
}
