#include "server/cmd/client_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/output.h"

static enum err status_err(long status)
{
	switch (status) {
	case 401:
	case 403: return ERR_DENIED;
	case 404:
	case 410: return ERR_NOT_FOUND;
	case 409:
	case 412: return ERR_CONFLICT;
	case 408:
	case 504: return ERR_TIMEOUT;
	case 425:
	case 429:
	case 502:
	case 503:
	case 507: return ERR_LIMIT;
	default: return status >= 400 && status < 500 ? ERR_INPUT : ERR_IO;
	}
}

static const char *hint(long status)
{
	if (status == 401)
		return "; set SPOOL_KEY, or give --key-file";
	if (status == 403)
		return "; another key may";
	if (status == 421)
		return "; start the server with --allow-host";
	return "";
}

/* "chat%2F1" as it was typed: what printable letters were encoded as is undone. */
static void decode(const char *text, size_t len, char *dst, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < room; i++) {
		char hex[3] = "";
		long letter;

		if (text[i] == '%' && i + 2 < len) {
			memcpy(hex, text + i + 1, 2);
			letter = strtol(hex, NULL, 16);
			if (letter > 0x20 && letter < 0x7f) {
				dst[n++] = (char)letter;
				i += 2;
				continue;
			}
		}
		dst[n++] = text[i];
	}
	dst[n] = '\0';
}

/* What a path without an answer asked for: "/v1/keys/019a…/rotate". */
static bool missing(const char *path, struct why *why)
{
	static const struct {
		const char *prefix, *noun, *rest;
	} rooms[] = {
		{ "/v1/executions/", "execution", ", or it is not yours" },
		{ "/v1/keys/", "key", ": \"spool keys ls\" lists their ids" },
		{ "/v1/stream/", "stream",
		    ": \"spool streams ls\" lists yours" },
		{ "/v1/prompts/", "prompt",
		    ", or no such version of it: \"spool prompts ls\" lists "
		    "them" },
	};

	char name[300];

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		size_t len = strlen(rooms[i].prefix);

		if (strncmp(path, rooms[i].prefix, len) != 0)
			continue;
		path += len;
		decode(path, strcspn(path, "/?"), name, sizeof(name));
		err_why(why, "there is no %s \"%s\"%s", rooms[i].noun, name,
		    rooms[i].rest);
		return true;
	}
	return false;
}

/* "execution 019a…: it was deleted at …" */
static bool gone(const char *path, const char *detail, struct why *why)
{
	static const char room[] = "/v1/executions/";

	if (strncmp(path, room, sizeof(room) - 1) != 0)
		return false;
	path += sizeof(room) - 1;
	err_why(
	    why, "execution %.*s: %s", (int)strcspn(path, "/?"), path, detail);
	return true;
}

static void problem(const char *url, const char *path, long status,
    const json_t *body, struct why *why)
{
	const char *title = client_member(body, "title");
	const char *detail = client_member(body, "detail");
	const char *code = client_member(body, "code");

	if (strcmp(code, "no_route") == 0 ||
	    (status == 404 && !*title && !*detail)) {
		err_why(why,
		    "%s does not know %s (status 404): is SPOOL_URL right?",
		    url, path);
		return;
	}
	if (!*title && !*detail) {
		err_why(why, "%s answered with status %ld%s", url, status,
		    hint(status));
		return;
	}
	if (strcmp(code, "not_found") == 0 && missing(path, why))
		return;
	if (strcmp(code, "gone") == 0 && gone(path, detail, why))
		return;
	err_why(why, "%s%s%s%s%s", *detail ? detail : title, *code ? " (" : "",
	    code, *code ? ")" : "", hint(status));
}

enum err client_reply_read(const char *url, const char *path, long status,
    const struct buf *body, json_t **ret, struct why *why)
{
	json_error_t error;
	json_t *json = NULL;
	enum err err = OK;

	if (body->len)
		json = json_loadb(body->data, body->len,
		    JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (status < 200 || status > 299) {
		problem(url, path, status, json, why);
		err = status_err(status);
	} else if (!json && body->len) {
		err_why(why,
		    "%s answered with something that is not JSON: is it a "
		    "spool server?",
		    url);
		err = ERR_IO;
	} else {
		*ret = json;
		json = NULL;
	}
	json_decref(json);
	return err;
}

const char *client_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* ["run","read"] as "run,read". */
static bool show_words(const json_t *list, char *dst, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	for (size_t i = 0; i < json_array_size(list) && used < room; i++)
		used += (size_t)snprintf(dst + used, room - used, "%s%s",
		    i ? "," : "", json_string_value(json_array_get(list, i)));
	return json_array_size(list) > 0;
}

void client_show(const json_t *value, char *dst, size_t room)
{
	char *text;

	dst[0] = '\0';
	if (json_is_array(value) && show_words(value, dst, room))
		return;
	if (!value || json_is_null(value))
		return;
	if (json_is_string(value)) {
		snprintf(dst, room, "%s", json_string_value(value));
		return;
	}
	text = json_dumps(
	    value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	snprintf(dst, room, "%s", text ? text : "");
	free(text);
}

void client_print(const json_t *value)
{
	json_dumpf(value, stdout,
	    JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	putchar('\n');
}
