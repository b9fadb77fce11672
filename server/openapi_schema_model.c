/* The objects of what can be asked for: models, their prices, providers' keys. */
#include "server/openapi_internal.h"

#define END                      \
	{                        \
		NULL, NULL, NULL \
	}
#define MEMBERS(name) static const struct openapi_member name[]

MEMBERS(models) = {
	{ "object", "list", NULL },
	{ "data", "[]Model", NULL },
	{ "upstreams", "[]ModelSource", "whose lists are in it" },
	{ "truncated?", "boolean", "there are more than a list may have" },
	END,
};

MEMBERS(model) = {
	{ "id", "string", "what a request may say" },
	{ "object", "model", NULL },
	{ "created", "integer 0..", "s since 1970; 0: nobody has said" },
	{ "owned_by", "string", NULL },
	{ "name?", "string", "for people" },
	{ "context_length?", "integer 0..", "tokens" },
	{ "max_output_tokens?", "integer 0..", NULL },
	{ "pricing?", "Pricing", NULL },
	{ "targets", "[]string", "whom it means, the first asked first" },
	END,
};

MEMBERS(pricing) = {
	{ "prompt?", "string", "of a token" },
	{ "completion?", "string", "of a token" },
	{ "request?", "string", NULL },
	{ "image?", "string", NULL },
	{ "input_cache_read?", "string", "of a token" },
	{ "input_cache_write?", "string", "of a token" },
	{ "internal_reasoning?", "string", "of a token" },
	{ "web_search?", "string", NULL },
	END,
};

MEMBERS(model_source) = {
	{ "name", "string", "the upstream's" },
	{ "default", "boolean", NULL },
	{ "models", "integer 0..", NULL },
	{ "listed", "boolean", "its list is there, and was last time" },
	{ "error?", "string", "why not; its last list is shown" },
	END,
};

MEMBERS(new_provider_key) = {
	{ "key", "string", "the provider's; never told again" },
	{ "owner?", "string", "the caller's own unless an admin says" },
	END,
};

MEMBERS(provider_key) = {
	{ "upstream", "string", NULL },
	{ "owner", "string", NULL },
	{ "hint", "string", "its last four characters" },
	{ "created_at", "time", NULL },
	END,
};

MEMBERS(provider_keys) = {
	{ "provider_keys", "[]ProviderKey", NULL },
	END,
};

static const struct openapi_schema schemas[] = {
	{ "Models", "what can be asked for", models, false },
	{ "Model", "a model, or a name for several", model, false },
	{ "Pricing", "dollars, decimal", pricing, false },
	{ "ModelSource", "an upstream", model_source, false },
	{ "NewProviderKey", "an owner's key for an upstream", new_provider_key,
	    true },
	{ "ProviderKey", "one that is kept, sealed", provider_key, false },
	{ "ProviderKeys", "all that are kept", provider_keys, false },
};

const struct openapi_schema *openapi_schema_model(size_t *ret_n)
{
	*ret_n = sizeof(schemas) / sizeof(schemas[0]);
	return schemas;
}
