#include "server/upstream_wire.h"

#include <stdio.h>
#include <string.h>

#include "server/upstream_voice.h"

#define HEAD_MAX_BYTES 1024

enum err upstream_wire_init(struct upstream_wire *w, const struct id *id)
{
	char text[ID_TEXT];

	id_text(id, text);
	snprintf(w->id, sizeof(w->id), "chatcmpl-%s", text);
	buf_init(&w->head, HEAD_MAX_BYTES);
	buf_init(&w->said, UPSTREAM_SAID_BYTES);
	w->number = 0;
	if (w->voice->head != NULL)
		w->voice->head(w);
	return buf_state(&w->head);
}

void upstream_wire_fini(struct upstream_wire *w)
{
	buf_fini(&w->head);
	buf_fini(&w->said);
}

void upstream_wire_begin(struct upstream_wire *w, struct buf *b)
{
	static const char *const thoughts[] = { UPSTREAM_THOUGHT,
		UPSTREAM_SECOND_THOUGHT };

	w->voice->start(w, b);
	for (size_t i = 0; w->thinks && i < 2; i++)
		w->voice->think(w, b, thoughts[i], strlen(thoughts[i]));
	w->voice->open(w, b);
}

void upstream_wire_token(
    struct upstream_wire *w, struct buf *b, const char *token, size_t len)
{
	w->voice->token(w, b, token, len);
}

void upstream_wire_end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	w->voice->end(w, b, finish, tokens);
}

void upstream_wire_garbage(struct upstream_wire *w, struct buf *b)
{
	w->voice->garbage(w, b);
}

void upstream_wire_broken(struct upstream_wire *w, struct buf *b)
{
	w->voice->broken(w, b);
}

void upstream_wire_whole(struct upstream_wire *w, struct buf *b,
    const char *text, size_t len, const char *finish, int64_t tokens)
{
	w->voice->whole(w, b, text, len, finish, tokens);
}

static bool is_gateway(int status)
{
	return status == 502 || status == 504 ||
	       (status >= 520 && status != 529);
}

const char *upstream_wire_error_type(int status)
{
	return is_gateway(status) ? "text/html" : "application/json";
}

void upstream_wire_error(const struct upstream_voice *voice, struct buf *b,
    int status, const char *message)
{
	if (is_gateway(status))
		buf_printf(b,
		    "<html>\r\n<head><title>%d Simulated Gateway</title>"
		    "</head>\r\n<body><center><h1>%d</h1></center></body>\r\n"
		    "</html>\r\n",
		    status, status);
	else
		voice->error(b, status, message);
}
