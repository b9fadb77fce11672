#include "worker/results_ollama.h"

#include "worker/json_in.h"
#include "worker/results_part.h"
#include "worker/usage.h"

static enum err take_model(const json_t *entry, struct results_model *m)
{
	enum err err = results_part_text(entry, "model", &m->id);

	if (err == OK && m->id == NULL)
		err = results_part_text(entry, "name", &m->id);
	if (err == OK)
		err = results_part_text(entry, "name", &m->name);
	m->context_length =
	    usage_count(json_object_get(entry, "details"), "context_length");
	m->created_s = results_part_time(entry, "modified_at");
	return err;
}

enum err results_ollama_models(const json_t *root, struct results_models *ret)
{
	const json_t *models = json_object_get(root, "models"), *entry;
	enum err err = results_part_models(models, ret);
	size_t i;

	if (err != OK)
		return err;
	json_array_foreach(models, i, entry)
	{
		err = take_model(entry, results_part_model(ret));
		if (err != OK)
			return err;
		results_part_settle(ret);
	}
	return OK;
}

enum err results_ollama_embeddings(
    const json_t *root, struct results_embeddings *ret)
{
	enum err err =
	    results_part_rows(json_object_get(root, "embeddings"), NULL, ret);

	if (err == OK)
		err = results_part_text(root, "model", &ret->model);
	ret->input_tokens = usage_count(root, "prompt_eval_count");
	return err;
}
