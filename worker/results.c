#include "worker/results.h"

#include <stdlib.h>

#include "worker/decimal.h"
#include "worker/driver.h"
#include "worker/json_in.h"

const char *results_price_name(enum results_price p)
{
	switch (p) {
	case PRICE_PROMPT: return "prompt";
	case PRICE_COMPLETION: return "completion";
	case PRICE_REQUEST: return "request";
	case PRICE_IMAGE: return "image";
	case PRICE_INPUT_CACHE_READ: return "input_cache_read";
	case PRICE_INPUT_CACHE_WRITE: return "input_cache_write";
	case PRICE_INTERNAL_REASONING: return "internal_reasoning";
	case PRICE_WEB_SEARCH: return "web_search";
	case N_PRICES: break;
	}
	return "";
}

int64_t results_pusd(const char *s, size_t len)
{
	int64_t v;

	if (!decimal_parse(s, len, 12, DECIMAL_HALF_EVEN, &v) || v < 0)
		return RESULTS_PRICE_UNKNOWN;
	return v;
}

static enum err parse(const char *body, size_t len, json_t **ret)
{
	enum err err;

	if (len > RESULTS_MAX_BYTES)
		return ERR_LIMIT;
	err = json_in_parse(body, len, ret);
	return err == ERR_INPUT ? ERR_UPSTREAM : err;
}

enum err results_models(const struct dialect *d, const char *body, size_t len,
    struct results_models *ret)
{
	struct results_models r = { 0 };
	json_t *root = NULL;
	enum err err;

	err = parse(body, len, &root);
	if (err == OK)
		err = d->models(root, &r);
	if (err == OK)
		*ret = r;
	else
		results_models_fini(&r);
	json_decref(root);
	return err;
}

enum err results_embeddings(const struct dialect *d, const char *body,
    size_t len, struct results_embeddings *ret)
{
	struct results_embeddings r = { 0 };
	json_t *root = NULL;
	enum err err;

	err = parse(body, len, &root);
	if (err == OK)
		err = d->embeddings == NULL ? ERR_UPSTREAM
					    : d->embeddings(root, &r);
	if (err == OK)
		*ret = r;
	else
		results_embeddings_fini(&r);
	json_decref(root);
	return err;
}

enum err results_generation(const struct dialect *d, const char *body,
    size_t len, struct results_generation *ret)
{
	struct results_generation r = { 0 };
	json_t *root = NULL;
	enum err err;

	err = parse(body, len, &root);
	if (err == OK)
		err = d->generation == NULL ? ERR_UPSTREAM
					    : d->generation(root, &r);
	if (err == OK)
		*ret = r;
	else
		results_generation_fini(&r);
	json_decref(root);
	return err;
}

void results_models_fini(struct results_models *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->models[i].id);
		free(r->models[i].name);
		free(r->models[i].owner);
	}
	free(r->models);
	free(r->next);
	*r = (struct results_models){ 0 };
}

void results_embeddings_fini(struct results_embeddings *r)
{
	free(r->values);
	free(r->model);
	*r = (struct results_embeddings){ 0 };
}

void results_generation_fini(struct results_generation *r)
{
	free(r->id);
	free(r->model);
	free(r->provider);
	free(r->finish_reason);
	free(r->native);
	*r = (struct results_generation){ 0 };
}
