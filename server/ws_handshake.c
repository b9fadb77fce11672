#include "server/ws_handshake.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "store/base/digest.h"

#define TICKET "spool.ticket."
#define KEY_CHARS 24 /* base64 of 16 bytes, with its two '=' */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz"
			     "0123456789+/";

/* The next element of a list header at *${s}, and its length; NULL: no more. */
static const char *next(const char **s, size_t *ret_len)
{
	const char *from = *s + strspn(*s, " \t,");
	size_t len = strcspn(from, ",");

	*s = from + len;
	while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	*ret_len = len;
	return len > 0 ? from : NULL;
}

static bool lists(const char *list, const char *word)
{
	const char *at;
	size_t len;

	while (list && (at = next(&list, &len)))
		if (len == strlen(word) && strncasecmp(at, word, len) == 0)
			return true;
	return false;
}

static bool is_key(const char *key)
{
	return key && strlen(key) == KEY_CHARS &&
	       strspn(key, base64) == KEY_CHARS - 2 &&
	       strcmp(key + KEY_CHARS - 2, "==") == 0;
}

/* 20 bytes are 28 characters, the last of them '='. */
static void encode(const uint8_t *src, char dst[WS_HANDSHAKE_ACCEPT])
{
	for (size_t i = 0; i < DIGEST_SHA1_BYTES; i += 3) {
		uint32_t v = (uint32_t)src[i] << 16 | (uint32_t)src[i + 1] << 8;

		if (i + 2 < DIGEST_SHA1_BYTES)
			v |= src[i + 2];
		for (int k = 0; k < 4; k++)
			*dst++ = base64[v >> (18 - 6 * k) & 63];
	}
	dst[-1] = '=';
	*dst = '\0';
}

static void accept_key(const char *key, char accept[WS_HANDSHAKE_ACCEPT])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_CHARS + sizeof(guid)];
	uint8_t hash[DIGEST_SHA1_BYTES];

	memcpy(text, key, KEY_CHARS);
	memcpy(text + KEY_CHARS, guid, sizeof(guid));
	digest_sha1(text, sizeof(text) - 1, hash);
	encode(hash, accept);
}

enum err ws_handshake_judge(const struct ws_handshake *h,
    char accept[WS_HANDSHAKE_ACCEPT], struct problem *p)
{
	if (!h->able || !lists(h->upgrade, "websocket") ||
	    !lists(h->connection, "upgrade")) {
		problem_set(p, PROBLEM_UPGRADE_REQUIRED, "Upgrade",
		    "this route is a WebSocket: connect to it by ws:// or "
		    "wss://; a proxy on the way must pass Upgrade and "
		    "Connection on");
		return ERR_INPUT;
	}
	if (!h->version || strcmp(h->version, "13") != 0) {
		problem_set(p, PROBLEM_UPGRADE_REQUIRED,
		    "Sec-WebSocket-Version",
		    "the version of WebSocket spoken here is 13");
		return ERR_INPUT;
	}
	if (!is_key(h->key)) {
		problem_set(p, PROBLEM_INVALID_ARGUMENT, "Sec-WebSocket-Key",
		    "Sec-WebSocket-Key must be 16 random bytes in base64");
		return ERR_INPUT;
	}
	accept_key(h->key, accept);
	return OK;
}

bool ws_handshake_ours(const char *offered)
{
	return lists(offered, WS_HANDSHAKE_PROTOCOL);
}

enum err ws_handshake_ticket(const char *offered, char *dst, size_t room)
{
	size_t skip = strlen(TICKET), len;
	const char *at;

	while (offered && (at = next(&offered, &len))) {
		if (len < skip || strncmp(at, TICKET, skip) != 0)
			continue;
		if (len - skip >= room)
			return ERR_INPUT;
		memcpy(dst, at + skip, len - skip);
		dst[len - skip] = '\0';
		return OK;
	}
	return ERR_NOT_FOUND;
}
