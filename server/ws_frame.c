#include "server/ws_frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <wslay/wslay.h>

/* A chunk's text in JSON, and what else one turn has to say. */
#define OUT_MAX_BYTES ((size_t)512 << 20)
/* What a message's buffer may keep for the next one. */
#define KEEP_BYTES 4096

struct ws_frame {
	struct ws_frame_options o;
	struct wslay_event_context *wslay;
	const char *in; /* being fed */
	size_t in_len;
	struct buf out, message;
	bool control; /* the frame that is read now is one */
	bool partial; /* a message has begun */
	bool broken;  /* no memory */
};

/* --- what wslay calls --- */

static ssize_t on_recv(struct wslay_event_context *wslay, uint8_t *dst,
    size_t room, int flags, void *arg)
{
	struct ws_frame *f = arg;
	size_t len = f->in_len < room ? f->in_len : room;

	(void)flags;
	if (len == 0) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(dst, f->in, len);
	f->in += len;
	f->in_len -= len;
	return (ssize_t)len;
}

static ssize_t on_send(struct wslay_event_context *wslay, const uint8_t *data,
    size_t len, int flags, void *arg)
{
	struct ws_frame *f = arg;

	(void)wslay;
	(void)flags;
	/* What fails stays failed, and is asked for at the end. */
	buf_add(&f->out, data, len);
	return (ssize_t)len;
}

static void on_frame(struct wslay_event_context *wslay,
    const struct wslay_event_on_frame_recv_start_arg *frame, void *arg)
{
	struct ws_frame *f = arg;

	(void)wslay;
	f->control = wslay_is_ctrl_frame(frame->opcode);
	if (frame->opcode == WSLAY_BINARY_FRAME)
		ws_frame_close(f, WS_FRAME_UNSUPPORTED,
		    "messages are JSON in text frames");
	else if (!f->control)
		f->partial = true;
}

/*
 * wslay sees to it that one frame is not too long; unbuffered, it does not add
 * up those of a message.
 */
static void on_payload(struct wslay_event_context *wslay,
    const struct wslay_event_on_frame_recv_chunk_arg *part, void *arg)
{
	struct ws_frame *f = arg;
	enum err e;

	(void)wslay;
	if (f->control || ws_frame_closed(f))
		return;
	buf_add(&f->message, part->data, part->data_length);
	e = buf_state(&f->message);
	if (e == ERR_LIMIT)
		ws_frame_close(f, WS_FRAME_TOO_BIG, "the message is too large");
	else if (e != OK)
		ws_frame_close(f, WS_FRAME_TRY_LATER, "no memory now");
}

static void on_message(struct wslay_event_context *wslay,
    const struct wslay_event_on_msg_recv_arg *msg, void *arg)
{
	struct ws_frame *f = arg;

	(void)wslay;
	if (wslay_is_ctrl_frame(msg->opcode) || ws_frame_closed(f))
		return;
	f->partial = false;
	f->o.on_text(
	    f->o.arg, f->message.data ? f->message.data : "", f->message.len);
	if (f->message.cap > KEEP_BYTES)
		buf_fini(&f->message);
	else
		buf_reset(&f->message);
}

/* --- ours --- */

enum err ws_frame_new(const struct ws_frame_options *o, struct ws_frame **ret)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.on_frame_recv_start_callback = on_frame,
		.on_frame_recv_chunk_callback = on_payload,
		.on_msg_recv_callback = on_message,
	};
	struct ws_frame *f = calloc(1, sizeof(*f));

	if (!f)
		return ERR_NOMEM;
	f->o = *o;
	buf_init(&f->out, OUT_MAX_BYTES);
	buf_init(&f->message, o->max_message);
	if (wslay_event_context_server_init(&f->wslay, &callbacks, f) != 0) {
		free(f);
		return ERR_NOMEM;
	}
	/* Its own buffering takes a frame's word for its length. */
	wslay_event_config_set_no_buffering(f->wslay, 1);
	wslay_event_config_set_max_recv_msg_length(f->wslay, o->max_message);
	*ret = f;
	return OK;
}

void ws_frame_free(struct ws_frame *f)
{
	if (!f)
		return;
	wslay_event_context_free(f->wslay);
	buf_fini(&f->out);
	buf_fini(&f->message);
	free(f);
}

/* Everything that is queued goes into out. */
static void put_out(struct ws_frame *f)
{
	if (wslay_event_send(f->wslay) != 0)
		f->broken = true;
}

static void queue(
    struct ws_frame *f, enum wslay_opcode opcode, const char *data, size_t len)
{
	struct wslay_event_msg msg = { .opcode = opcode,
		.msg = (const uint8_t *)data,
		.msg_length = len };
	int rc;

	if (ws_frame_closed(f))
		return;
	rc = wslay_event_queue_msg(f->wslay, &msg);
	if (rc != 0 && rc != WSLAY_ERR_NO_MORE_MSG)
		f->broken = true;
	put_out(f);
}

void ws_frame_feed(struct ws_frame *f, const char *data, size_t len)
{
	static const uint8_t close_bare[] = { 0x88, 0 };
	static const uint8_t close_1002[] = { 0x88, 2, 1002 >> 8, 1002 & 255 };
	int rc;

	if (ws_frame_closed(f))
		return;
	f->in = data;
	f->in_len = len;
	rc = wslay_event_recv(f->wslay);
	f->in = NULL;
	f->in_len = 0;
	put_out(f);
	if (rc == 0)
		return;
	/* What is no frame at all wslay closes without saying why. */
	if (rc == WSLAY_ERR_CALLBACK_FAILURE && f->out.len >= 2 &&
	    memcmp(f->out.data + f->out.len - 2, close_bare, 2) == 0) {
		f->out.len -= 2;
		buf_add(&f->out, close_1002, sizeof(close_1002));
	}
	f->broken = true;
}

void ws_frame_text(struct ws_frame *f, const char *text, size_t len)
{
	queue(f, WSLAY_TEXT_FRAME, text, len);
}

void ws_frame_ping(struct ws_frame *f)
{
	queue(f, WSLAY_PING, NULL, 0);
}

void ws_frame_close(
    struct ws_frame *f, enum ws_frame_code code, const char *reason)
{
	int rc;

	if (ws_frame_closed(f))
		return;
	rc = wslay_event_queue_close(
	    f->wslay, (uint16_t)code, (const uint8_t *)reason, strlen(reason));
	if (rc != 0 && rc != WSLAY_ERR_NO_MORE_MSG)
		f->broken = true;
	wslay_event_shutdown_read(f->wslay);
	put_out(f);
}

bool ws_frame_closed(const struct ws_frame *f)
{
	return f->broken || f->out.failed != OK ||
	       wslay_event_get_close_sent(f->wslay) ||
	       !wslay_event_get_read_enabled(f->wslay);
}

struct buf *ws_frame_out(struct ws_frame *f)
{
	return &f->out;
}

bool ws_frame_partial(const struct ws_frame *f)
{
	return f->partial;
}

size_t ws_frame_held(const struct ws_frame *f)
{
	return f->message.cap;
}
