#include "server/chats.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"

/* More than executions run at once; places of four, by the name's hash. */
#define SETS 4096
#define WAYS 4

/* The name is kept as the hash of owner and chat: all have the same size. */
struct place {
	uint8_t name[DIGEST_BYTES];
	struct id id;
	uint64_t used; /* when; 0: never */
};

struct chats {
	/* Whenever it is free: no name is twice in a set. */
	pthread_mutex_t lock;
	uint64_t now;
	struct place set[SETS][WAYS];
};

enum err chats_new(struct chats **ret)
{
	struct chats *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return OK;
}

void chats_free(struct chats *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Owners and chats with the same letters in other places are others. */
static void name_of(
    const char *owner, const char *chat, uint8_t ret[DIGEST_BYTES])
{
	uint8_t both[2 * DIGEST_BYTES];

	digest_sha256(owner, strlen(owner), both);
	digest_sha256(chat, strlen(chat), both + DIGEST_BYTES);
	digest_sha256(both, sizeof(both), ret);
}

static struct place *set_of(struct chats *c, const uint8_t name[DIGEST_BYTES])
{
	uint32_t h;

	memcpy(&h, name, sizeof(h));
	return c->set[h % SETS];
}

static bool is_named(const struct place *p, const uint8_t name[DIGEST_BYTES])
{
	return p->used > 0 && memcmp(p->name, name, DIGEST_BYTES) == 0;
}

void chats_put(
    struct chats *c, const char *owner, const char *chat, const struct id *id)
{
	uint8_t name[DIGEST_BYTES];
	struct place *set, *oldest;

	name_of(owner, chat, name);
	pthread_mutex_lock(&c->lock);
	set = oldest = set_of(c, name);
	for (int i = 0; i < WAYS; i++) {
		if (is_named(&set[i], name)) {
			oldest = &set[i];
			break;
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	memcpy(oldest->name, name, DIGEST_BYTES);
	oldest->id = *id;
	oldest->used = ++c->now;
	pthread_mutex_unlock(&c->lock);
}

enum err chats_find(
    struct chats *c, const char *owner, const char *chat, struct id *ret)
{
	uint8_t name[DIGEST_BYTES];
	enum err e = ERR_NOT_FOUND;
	struct place *set;

	name_of(owner, chat, name);
	pthread_mutex_lock(&c->lock);
	set = set_of(c, name);
	for (int i = 0; i < WAYS && e != OK; i++)
		if (is_named(&set[i], name)) {
			*ret = set[i].id;
			e = OK;
		}
	pthread_mutex_unlock(&c->lock);
	return e;
}
