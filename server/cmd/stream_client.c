#include "server/cmd/stream_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PAGE_MAX_BYTES ((size_t)64 << 20)
#define WAIT_MS 25000

enum err stream_client_open(struct stream_client *s,
    const struct option_set *options, const char *name, struct why *why)
{
	*s = (struct stream_client){ .name = name, .producer = id_new() };
	buf_init(&s->body, PAGE_MAX_BYTES);
	return client_open(options, &s->client, why);
}

void stream_client_close(struct stream_client *s)
{
	client_close(s->client);
	buf_fini(&s->body);
}

static bool on_data(const char *data, size_t len, void *arg)
{
	struct stream_client *s = arg;

	buf_add(&s->body, data, len);
	return buf_state(&s->body) == OK;
}

/* The value of the header ${name}, if ${line} is that, into ${dst}. */
static void take(
    const char *line, size_t len, const char *name, char *dst, size_t room)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	(void)snprintf(dst, room, "%.*s", (int)len, line);
}

static void on_header(const char *line, size_t len, void *arg)
{
	struct stream_client *s = arg;
	char word[8] = "";

	/* Another try begins. */
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
		buf_reset(&s->body);
		s->up_to_date = s->closed = false;
	}
	take(line, len, "Content-Type", s->type, sizeof(s->type));
	take(line, len, "Stream-Next-Offset", s->next, sizeof(s->next));
	take(line, len, "Stream-Up-To-Date", word, sizeof(word));
	s->up_to_date = s->up_to_date || strcmp(word, "true") == 0;
	word[0] = '\0';
	take(line, len, "Stream-Closed", word, sizeof(word));
	s->closed = s->closed || strcmp(word, "true") == 0;
}

static enum err call(struct stream_client *s, struct client_call *c,
    const char *query, struct why *why)
{
	struct buf path;
	json_t *none = NULL;
	enum err err;

	buf_init(&path, 4096);
	client_path(&path, "/v1/stream/%s", s->name);
	buf_puts(&path, query);
	buf_putc(&path, '\0');
	err = buf_state(&path);
	c->path = path.data;
	c->on_data = on_data;
	c->on_header = on_header;
	c->arg = s;
	c->again = true;
	if (!err)
		err = client_call(s->client, c, &none, why);
	json_decref(none);
	buf_fini(&path);
	return err;
}

enum err stream_client_read(
    struct stream_client *s, const char *offset, bool wait, struct why *why)
{
	struct client_call c = { .method = CLIENT_GET,
		.wait_ms = wait ? WAIT_MS : 0 };
	struct buf query;
	enum err err;

	buf_init(&query, 512);
	client_path(&query, "?offset=%s", offset);
	buf_puts(&query, wait ? "&live=long-poll" : "");
	buf_putc(&query, '\0');
	err = buf_state(&query);
	if (!err)
		err = call(s, &c, query.data, why);
	buf_fini(&query);
	return err;
}

enum err stream_client_append(struct stream_client *s, const char *data,
    size_t len, bool close, struct why *why)
{
	char id[ID_TEXT], producer[64], seq[48], type[128];
	const char *headers[] = { producer, "Producer-Epoch: 0", seq,
		close ? "Stream-Closed: true" : NULL, NULL };
	struct client_call c = { .method = CLIENT_POST,
		.body = data,
		.body_len = len,
		.type = type,
		.headers = headers };
	enum err err;

	id_text(&s->producer, id);
	(void)snprintf(producer, sizeof(producer), "Producer-Id: %s", id);
	(void)snprintf(
	    seq, sizeof(seq), "Producer-Seq: %llu", (unsigned long long)s->seq);
	/* The answer's head would change it under the call. */
	memcpy(type, s->type, sizeof(type));
	err = call(s, &c, "", why);
	memcpy(s->type, type, sizeof(type));
	if (!err)
		s->seq++;
	return err;
}

enum err stream_client_create(
    struct stream_client *s, const char *const *headers, struct why *why)
{
	char type[128];
	struct client_call c = {
		.method = CLIENT_PUT, .type = type, .headers = headers
	};

	memcpy(type, s->type, sizeof(type));
	return call(s, &c, "", why);
}
