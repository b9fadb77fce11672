#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"
#include "store/store_look.h"

#define RESERVE_BYTES ((uint64_t)128 << 20) /* twice what a WAL may be */
#define RESERVE_MAX_BYTES ((uint64_t)1 << 30)

#define CACHE_BYTES ((size_t)32 << 20)

static enum err on_key(void *arg, const struct key *k)
{
	struct keyring *ring = arg;
	enum err rc = keyring_reserve(ring, 1);

	if (rc == OK)
		keyring_add(ring, k);
	return rc;
}

static enum err on_provider_key(void *arg, const struct provider_key *k)
{
	struct vault *vault = arg;
	enum err rc = vault_reserve(vault, 1);

	if (rc == OK)
		vault_put(vault, k);
	return rc;
}

/* Take apart what store_open() has put together so far. */
static void demolish(struct store *store)
{
	for (size_t i = 0; i < store->n_unfinished; i++)
		execution_free(store->unfinished[i]);
	free(store->unfinished);
	writer_fini(&store->writer);
	tail_free(store->tail);
	keyring_fini(&store->keyring);
	vault_fini(&store->vault);
	if (store->db != NULL)
		store->engine->close(store->db);
	free(store->url);
	free(store);
}

static enum err build(
    struct store *store, const struct store_options *options, struct why *why)
{
	uint32_t damaged = 0;
	enum err rc;

	keyring_init(&store->keyring);
	vault_init(&store->vault);
	rc = writer_init(&store->writer, store);
	store->url = strdup(options->url);
	store->options.url = store->url;
	store->tail = tail_new(
	    options->cache_bytes == 0 ? CACHE_BYTES : options->cache_bytes);
	if (rc != OK || store->url == NULL || store->tail == NULL)
		return ERR_NOMEM;
	rc = engine_find(store->url, &store->engine, why);
	if (rc == OK)
		rc = store->engine->open(&store->options, &store->db, why);
	if (rc != OK)
		return rc;
	rc = store->engine->keys_load(
	    store->db, &store->keyring, on_key, &damaged);
	if (damaged > 0)
		log_warn("store", "damaged keys open nothing",
		    "n=%u see=\"spool check\"", (unsigned)damaged);
	if (rc == OK)
		rc = store->engine->provider_keys_load(
		    store->db, &store->vault, on_provider_key);
	if (rc != OK && why != NULL)
		*why = store->db->why;
	if (rc == OK)
		rc = store_load(store, why);
	if (rc != OK)
		return rc;
	rc = writer_import_look(&store->writer);
	if (rc != OK) {
		if (why != NULL)
			*why = store->db->why;
		return rc;
	}
	writer_room_look(&store->writer);
	return writer_start(&store->writer);
}

enum err store_open(
    const struct store_options *options, struct store **ret, struct why *why)
{
	struct store *store = calloc(1, sizeof(*store));
	enum err rc;

	if (store == NULL)
		return ERR_NOMEM;
	store->options = *options;
	rc = build(store, options, why);
	if (rc == ERR_NOMEM)
		err_why(why, "there is not enough memory to open the store");
	if (rc != OK)
		demolish(store);
	else
		*ret = store;
	return rc;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	writer_stop(&store->writer);
	demolish(store);
}

void store_weigh(struct store *store)
{
	struct engine_stats now;

	store->engine->stats(store->db, &now);
	atomic_store(&store->wal_bytes, now.wal_bytes);
	atomic_store(&store->db_bytes, now.db_bytes);
	atomic_store(&store->free_bytes, now.free_bytes);
	atomic_store(&store->disk_bytes, now.disk_bytes);
}

void store_fail(struct store *store, enum err rc, const struct why *why)
{
	if (atomic_load(&store->failed) != OK)
		return;
	store->failed_why = *why;
	atomic_store(&store->failed, (int)rc);
	if (store->options.on_failed != NULL)
		store->options.on_failed(store->options.arg, why);
	tail_wake_all(store->tail);
}

enum err store_failed(struct store *store, struct why *why)
{
	enum err rc = (enum err)atomic_load(&store->failed);

	if (rc != OK && why != NULL)
		*why = store->failed_why;
	return rc;
}

enum err store_unfinished(
    struct store *store, struct execution ***ret, size_t *ret_n)
{
	struct execution **list = store->unfinished;

	if (list == NULL)
		list = calloc(1, sizeof(struct execution *));
	if (list == NULL)
		return ERR_NOMEM;
	*ret = list;
	*ret_n = store->n_unfinished;
	store->unfinished = NULL;
	store->n_unfinished = store->unfinished_room = 0;
	return OK;
}

void store_stats(struct store *store, struct store_stats *ret)
{
	*ret = (struct store_stats){
		.commits = atomic_load(&store->commits),
		.chunks = atomic_load(&store->chunks),
		.executions = atomic_load(&store->executions),
		.deleted = atomic_load(&store->deleted),
		.commit_ns_sum = atomic_load(&store->commit_ns_sum),
		.commit_ns_max = atomic_load(&store->commit_ns_max),
		.cleaning = atomic_load(&store->cleaning),
		.open_streams = atomic_load(&store->open_streams),
		.wal_bytes = atomic_load(&store->wal_bytes),
		.db_bytes = atomic_load(&store->db_bytes),
	};
}

void store_holder(struct store *store, char dst[STORE_HOLDER_BYTES])
{
	struct store_look *look = calloc(1, sizeof(*look));

	dst[0] = '\0';
	if (look != NULL &&
	    store->engine->look(&store->options, look, NULL) == OK)
		snprintf(dst, STORE_HOLDER_BYTES, "%s", look->holder);
	free(look);
}

void store_room(struct store *store, struct store_room *ret)
{
	*ret = (struct store_room){
		.low = atomic_load(&store->low) ||
		       atomic_load(&store->full_ms) != 0,
		.free_bytes = atomic_load(&store->free_bytes),
		.disk_bytes = atomic_load(&store->disk_bytes),
		.reserve_bytes = atomic_load(&store->reserve_bytes),
	};
}

uint64_t store_reserve(uint64_t chosen, uint64_t disk_bytes)
{
	uint64_t n = RESERVE_BYTES + disk_bytes / 20;

	if (chosen != 0)
		return chosen;
	if (n > RESERVE_MAX_BYTES)
		n = RESERVE_MAX_BYTES;
	return n < disk_bytes / 4 ? n : disk_bytes / 4;
}
