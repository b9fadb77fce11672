#include "worker/results_anthropic.h"

#include "worker/json_in.h"
#include "worker/results_part.h"
#include "worker/usage.h"

static enum err take_model(const json_t *entry, struct results_model *m)
{
	enum err err = results_part_text(entry, "id", &m->id);

	if (err == OK)
		err = results_part_text(entry, "display_name", &m->name);
	m->context_length = usage_count(entry, "max_input_tokens");
	m->created_s = results_part_time(entry, "created_at");
	m->max_output_tokens = usage_count(entry, "max_tokens");
	return err;
}

enum err results_anthropic_models(
    const json_t *root, struct results_models *ret)
{
	const json_t *data = json_object_get(root, "data"), *entry;
	enum err err = results_part_models(data, ret);
	size_t i;

	if (err != OK)
		return err;
	json_array_foreach(data, i, entry)
	{
		err = take_model(entry, results_part_model(ret));
		if (err != OK)
			return err;
		results_part_settle(ret);
	}
	if (json_is_true(json_object_get(root, "has_more")))
		err = results_part_text(root, "last_id", &ret->next);
	return err;
}
