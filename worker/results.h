/*
 * results: answers that are no chat (lists of models, embeddings, what an
 * answer cost) in one form for all upstreams.
 *
 * Used by: the model list, embeddings, settling costs.     Thread: any; pure.
 * Promises: prices are exact, never by way of a double. Refusals (a status
 * that is not 2xx) are read by a decoder instead.
 */
#ifndef WORKER_RESULTS_H
#define WORKER_RESULTS_H

#include "worker/dialect.h"

/* Bodies above it are not read. */
#define RESULTS_MAX_BYTES DIALECT_MAX_BODY_BYTES

enum results_price {
	PRICE_PROMPT,
	PRICE_COMPLETION,
	PRICE_REQUEST,
	PRICE_IMAGE,
	PRICE_INPUT_CACHE_READ,
	PRICE_INPUT_CACHE_WRITE,
	PRICE_INTERNAL_REASONING,
	PRICE_WEB_SEARCH,
	N_PRICES
};
/* "prompt" … */
const char *results_price_name(enum results_price p);

/* Not in the list; there, but varying or unreadable. Else 1e-12 USD a unit. */
#define RESULTS_PRICE_ABSENT (-2)
#define RESULTS_PRICE_UNKNOWN (-1)

struct results_model {
	char *id;
	char *name;		   /* NULL: not said */
	char *owner;		   /* whose it is; NULL: not said */
	int64_t created_s;	   /* since 1970; -1: not said */
	int64_t context_length;	   /* -1: not said */
	int64_t max_output_tokens; /* -1: not said */
	bool has_prices;
	int64_t price_pusd[N_PRICES];
};

struct results_models {
	struct results_model *models;
	size_t n;
	char *next; /* where the list goes on; NULL: it ends */
};

struct results_embeddings {
	float *values; /* n rows of dims values, in the order of the inputs */
	size_t n, dims;
	char *model;	      /* NULL: not said */
	int64_t input_tokens; /* -1: not said */
};

/* What OpenRouter knows about an answer afterwards. -1, NULL: not said. */
struct results_generation {
	char *id, *model, *provider, *finish_reason, *native;
	double cost_usd;
	int64_t input_tokens, output_tokens;
	int64_t reasoning_tokens, cached_input_tokens;
	int64_t latency_ms, generation_ms;
	int streamed, canceled; /* 1, 0, or -1: not said */
};

/*
 * Read the ${len} bytes of a 2xx body in the dialect ${d}. Gives: *${ret} for
 * its _fini(). Fails: ERR_UPSTREAM (it is no such answer), ERR_LIMIT,
 * ERR_NOMEM.
 */
MUST_CHECK enum err results_models(const struct dialect *d, const char *body,
    size_t len, struct results_models *ret);
MUST_CHECK enum err results_embeddings(const struct dialect *d,
    const char *body, size_t len, struct results_embeddings *ret);
MUST_CHECK enum err results_generation(const struct dialect *d,
    const char *body, size_t len, struct results_generation *ret);

void results_models_fini(struct results_models *r);
void results_embeddings_fini(struct results_embeddings *r);
void results_generation_fini(struct results_generation *r);

/*
 * ${s}, a decimal number of USD, in 1e-12 USD, rounded half to even;
 * RESULTS_PRICE_UNKNOWN when it is negative, no number, or too large.
 */
int64_t results_pusd(const char *s, size_t len);

#endif
