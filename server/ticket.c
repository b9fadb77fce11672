#include "server/ticket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"
#include "store/base/log.h"

#define RANDOM_BYTES 24
#define PREFIX "st_"

struct ticket {
	uint8_t hash[DIGEST_BYTES]; /* of its text */
	struct principal who;
	int64_t until_ms; /* mono; 0: spent, or never made */
};

struct tickets {
	pthread_mutex_t lock;
	struct ticket all[TICKET_MAX];
};

enum err ticket_table_new(struct tickets **ret)
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_NOMEM;
	ASSERT(pthread_mutex_init(&t->lock, NULL) == 0);
	*ret = t;
	return OK;
}

void ticket_table_free(struct tickets *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* A place for one more of ${key}; NULL when there is none. */
static struct ticket *place(
    struct tickets *t, const struct id *key, int64_t now_ms)
{
	struct ticket *unused = NULL, *oldest = NULL;
	unsigned mine = 0;

	for (size_t i = 0; i < TICKET_MAX; i++) {
		struct ticket *at = &t->all[i];

		if (at->until_ms <= now_ms) {
			unused = unused ? unused : at;
		} else if (id_equal(&at->who.key, key)) {
			mine++;
			if (!oldest || at->until_ms < oldest->until_ms)
				oldest = at;
		}
	}
	return mine >= TICKET_MAX_PER_KEY ? oldest : unused;
}

/* "st_", the place, and what nobody can guess. */
static void write_text(char text[TICKET_TEXT], size_t place_number)
{
	uint8_t secret[RANDOM_BYTES];
	int n =
	    snprintf(text, TICKET_TEXT, PREFIX "%04x", (unsigned)place_number);

	id_random(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		n += snprintf(text + n, TICKET_TEXT - (size_t)n, "%02x",
		    (unsigned)secret[i]);
	digest_wipe(secret, sizeof(secret));
}

enum err ticket_make(struct tickets *t, const struct principal *who,
    const struct id *execution, int64_t now_ms, char ret[TICKET_TEXT])
{
	struct ticket *at;

	pthread_mutex_lock(&t->lock);
	at = place(t, &who->key, now_ms);
	if (at) {
		write_text(ret, (size_t)(at - t->all));
		digest_sha256(ret, strlen(ret), at->hash);
		at->who = *who;
		at->who.bound = execution != NULL;
		if (execution)
			at->who.execution = *execution;
		at->until_ms = now_ms + TICKET_MS;
	}
	pthread_mutex_unlock(&t->lock);
	return at ? OK : ERR_LIMIT;
}

enum err ticket_take(
    struct tickets *t, const char *text, int64_t now_ms, struct principal *ret)
{
	size_t skip = strlen(PREFIX);
	uint8_t hash[DIGEST_BYTES];
	enum err e = ERR_NOT_FOUND;
	char number[5] = "";
	struct ticket *at;

	if (strlen(text) != TICKET_TEXT - 1 || memcmp(text, PREFIX, skip) != 0)
		return ERR_NOT_FOUND;
	memcpy(number, text + skip, 4);
	digest_sha256(text, strlen(text), hash);
	at = &t->all[strtoul(number, NULL, 16) % TICKET_MAX];
	pthread_mutex_lock(&t->lock);
	if (at->until_ms > now_ms &&
	    digest_equal(at->hash, hash, DIGEST_BYTES)) {
		*ret = at->who;
		at->until_ms = 0;
		e = OK;
	}
	pthread_mutex_unlock(&t->lock);
	return e;
}
