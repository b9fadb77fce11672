#include "worker/prices_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"
#include "worker/decimal.h"
#include "worker/dialect.h"
#include "worker/json_in.h"
#include "worker/results_part.h"

/* All of ${path} into ${b}. */
static enum err load(const char *path, struct buf *b, struct why *why)
{
	FILE *f = fopen(path, "re");
	enum err rc = OK;

	if (f == NULL) {
		err_why(why, "cannot read the prices in %s: %s", path,
		    strerror(errno));
		return ERR_INPUT;
	}
	while (rc == OK && !feof(f) && !ferror(f)) {
		char *room = buf_room(b, 16384);

		rc = buf_state(b);
		if (rc == OK)
			b->len += fread(room, 1, 16384, f);
	}
	if (rc == ERR_LIMIT || ferror(f)) {
		err_why(why, "%s: %s", path,
		    rc == ERR_LIMIT ? "too large for a file of prices"
				    : "cannot be read to its end");
		rc = ERR_INPUT;
	}
	fclose(f);
	return rc;
}

/* A price as a person writes it, of one or of a million. */
static int64_t amount(const json_t *v, bool of_million)
{
	struct text t = json_in_text(v);
	char text[40];
	int64_t pusd;

	if (t.s == NULL && json_is_integer(v))
		t = (struct text){ text,
			(size_t)snprintf(text, sizeof(text), "%lld",
			    (long long)json_integer_value(v)) };
	else if (t.s == NULL && json_is_real(v))
		t = (struct text){ text, (size_t)snprintf(text, sizeof(text),
					     "%.15g", json_real_value(v)) };
	if (!decimal_parse(
		t.s, t.len, of_million ? 6 : 12, DECIMAL_HALF_EVEN, &pusd))
		return RESULTS_PRICE_UNKNOWN;
	return pusd < 0 ? RESULTS_PRICE_UNKNOWN : pusd;
}

static bool find_price(const char *name, enum results_price *ret)
{
	for (int p = 0; p < N_PRICES; p++)
		if (strcmp(name, results_price_name((enum results_price)p)) ==
		    0) {
			*ret = (enum results_price)p;
			return true;
		}
	return false;
}

static bool of_million(enum results_price p)
{
	return p != PRICE_REQUEST && p != PRICE_IMAGE && p != PRICE_WEB_SEARCH;
}

/* One model of the simple form. */
static enum err take(const char *path, const char *id, const json_t *entry,
    struct results_model *m, struct why *why)
{
	enum results_price p;
	const json_t *v;
	const char *name;

	m->id = strdup(id);
	if (m->id == NULL)
		return ERR_NOMEM;
	m->has_prices = true;
	json_object_foreach((json_t *)(uintptr_t)entry, name, v)
	{
		if (!find_price(name, &p)) {
			err_why(why,
			    "%s: \"%.100s\" has \"%.40s\"; known are prompt, "
			    "completion, input_cache_read, input_cache_write, "
			    "internal_reasoning, request, image, web_search",
			    path, id, name);
			return ERR_INPUT;
		}
		m->price_pusd[p] = amount(v, of_million(p));
		if (m->price_pusd[p] < 0) {
			err_why(why,
			    "%s: \"%.100s\": %s is no price in dollars", path,
			    id, name);
			return ERR_INPUT;
		}
	}
	if (m->price_pusd[PRICE_PROMPT] < 0 ||
	    m->price_pusd[PRICE_COMPLETION] < 0) {
		err_why(why, "%s: \"%.100s\" needs prompt and completion", path,
		    id);
		return ERR_INPUT;
	}
	return OK;
}

static enum err take_all(const char *path, json_t *entries,
    struct results_models *ret, struct why *why)
{
	const json_t *entry;
	const char *id;
	enum err rc = OK;

	ret->models =
	    calloc(json_object_size(entries) + 1, sizeof(*ret->models));
	if (ret->models == NULL)
		return ERR_NOMEM;
	json_object_foreach(entries, id, entry)
	{
		if (!json_is_object(entry)) {
			err_why(why, "%s: \"%.100s\" is no object of prices",
			    path, id);
			return ERR_INPUT;
		}
		rc = take(path, id, entry, results_part_model(ret), why);
		if (rc != OK)
			return rc;
	}
	return OK;
}

enum err prices_file_read(
    const char *path, struct results_models *ret, struct why *why)
{
	struct results_models r = { 0 };
	json_t *root = NULL, *simple;
	struct buf b;
	enum err rc;

	buf_init(&b, PRICES_FILE_MAX_BYTES);
	rc = load(path, &b, why);
	if (rc != OK)
		goto out;
	rc = json_in_parse(b.data == NULL ? "" : b.data, b.len, &root);
	simple = json_object_get(root, "usd_per_million_tokens");
	if (rc == OK && json_is_object(simple))
		rc = take_all(path, simple, &r, why);
	else if (rc == OK && json_is_array(json_object_get(root, "data")))
		rc = results_models(dialect_find("openai"), b.data, b.len, &r);
	else if (rc != ERR_NOMEM) {
		err_why(why,
		    "%s: %s; write {\"usd_per_million_tokens\":"
		    "{\"UPSTREAM/MODEL\":{\"prompt\":1.25,\"completion\":10}}}, "
		    "or a list of models as OpenRouter's",
		    path, rc == OK ? "no file of prices" : "not JSON");
		rc = ERR_INPUT;
	}
	if (rc == OK) {
		*ret = r;
		r = (struct results_models){ 0 };
	}
out:
	results_models_fini(&r);
	json_decref(root);
	buf_fini(&b);
	return rc;
}
