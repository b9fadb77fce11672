/*
 * prices_file: a file of prices, in one of two forms:
 *
 *  {"usd_per_million_tokens":{"openai/gpt-5.1":{"prompt":1.25,
 *   "completion":10,"input_cache_read":0.125}, …}}
 *      dollars for a million tokens, as providers' pages have them; request,
 *      image and web_search for one. prompt and completion must be there.
 *  {"data":[{"id":"openai/gpt-5.1","pricing":{"prompt":"0.00000125", …}}, …]}
 *      as OpenRouter's list of models: dollars for one token, as text. Models
 *      whose prices vary, or are not there, are passed over.
 *
 * Used by: prices.          Thread: any.
 */
#ifndef WORKER_PRICES_FILE_H
#define WORKER_PRICES_FILE_H

#include "store/base/err.h"
#include "worker/results.h"

/* A larger file is refused. */
#define PRICES_FILE_MAX_BYTES RESULTS_MAX_BYTES

/*
 * Gives: *${ret} for results_models_fini(). Fails: ERR_INPUT (${why} begins with
 * the path), ERR_NOMEM.
 */
MUST_CHECK enum err prices_file_read(
    const char *path, struct results_models *ret, struct why *why);

#endif
