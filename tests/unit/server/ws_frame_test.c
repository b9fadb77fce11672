/* Frames by hand, as RFC 6455 section 5 has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/ws_frame.h"

#define MAX_MESSAGE 1000

struct heard {
	char text[4 * MAX_MESSAGE];
	unsigned n;
	struct ws_frame *f;
	bool echo, close;
};

static void on_text(void *arg, const char *text, size_t len)
{
	struct heard *h = arg;

	assert_in_range(len, 0, MAX_MESSAGE);
	memcpy(h->text, text, len);
	h->text[len] = '\0';
	h->n++;
	if (h->echo)
		ws_frame_text(h->f, text, len);
	if (h->close)
		ws_frame_close(h->f, WS_FRAME_POLICY, "no");
}

static void begin(struct heard *h)
{
	struct ws_frame_options o = { MAX_MESSAGE, on_text, h };

	memset(h, 0, sizeof(*h));
	assert_int_equal(ws_frame_new(&o, &h->f), OK);
}

/* A masked frame of a client's. */
static void put(
    struct buf *b, unsigned char first, const char *payload, size_t len)
{
	static const unsigned char mask[4] = { 1, 0xfe, 3, 0x80 };

	buf_putc(b, (char)first);
	if (len < 126) {
		buf_putc(b, (char)(0x80 | len));
	} else {
		buf_putc(b, (char)(0x80 | 126));
		buf_putc(b, (char)(len >> 8));
		buf_putc(b, (char)len);
	}
	buf_add(b, mask, 4);
	for (size_t i = 0; i < len; i++)
		buf_putc(b, (char)(payload[i] ^ (char)mask[i % 4]));
}

static void say(struct heard *h, unsigned char first, const char *payload)
{
	struct buf b;

	buf_init(&b, 4096);
	put(&b, first, payload, strlen(payload));
	ws_frame_feed(h->f, b.data, b.len);
	buf_fini(&b);
}

/* The close code in what is to be sent last; 0: none. */
static int close_code(struct heard *h)
{
	const struct buf *out = ws_frame_out(h->f);
	const unsigned char *p = (const unsigned char *)out->data;
	size_t at = 0;

	while (at + 2 <= out->len) {
		if (p[at] == 0x88)
			return p[at + 1] < 2 ? 1005
					     : p[at + 2] << 8 | p[at + 3];
		at += 2u + p[at + 1];
	}
	return 0;
}

static void a_message_comes_whole_however_it_is_cut(void **state)
{
	static const char text[] = "{\"type\":\"ping\",\"id\":\"gr\xc3\xbcn\"}";
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	put(&b, 0x01, text, 5);
	put(&b, 0x89, "x", 1);
	put(&b, 0x00, text + 5, 15);
	put(&b, 0x80, text + 20, sizeof(text) - 21);
	for (size_t step = 1; step <= b.len; step++) {
		struct heard h;

		begin(&h);
		for (size_t at = 0; at < b.len; at += step)
			ws_frame_feed(h.f, b.data + at,
			    step < b.len - at ? step : b.len - at);
		assert_int_equal(h.n, 1);
		assert_string_equal(h.text, text);
		assert_false(ws_frame_partial(h.f));
		assert_int_equal(ws_frame_out(h.f)->len, 3);
		assert_memory_equal(ws_frame_out(h.f)->data, "\x8a\x01x", 3);
		ws_frame_free(h.f);
	}
	buf_fini(&b);
}

static void what_is_said_is_one_unmasked_frame(void **state)
{
	struct heard h;

	(void)state;
	begin(&h);
	h.echo = true;
	say(&h, 0x81, "hello");
	assert_memory_equal(ws_frame_out(h.f)->data, "\x81\x05hello", 7);
	buf_reset(ws_frame_out(h.f));
	ws_frame_ping(h.f);
	assert_memory_equal(ws_frame_out(h.f)->data, "\x89\x00", 2);
	assert_false(ws_frame_closed(h.f));
	ws_frame_free(h.f);
}

static void a_breach_is_closed_with_its_code(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int code;
	} breaches[] = {
		{ "\x81\x01x", 3, 1002 },	     /* no mask */
		{ "\x91\x81\0\0\0\0x", 7, 1002 },    /* a reserved bit */
		{ "\x83\x81\0\0\0\0x", 7, 1002 },    /* no such opcode */
		{ "\x80\x81\0\0\0\0x", 7, 1002 },    /* goes on from nothing */
		{ "\x09\x81\0\0\0\0x", 7, 1002 },    /* a ping in pieces */
		{ "\x82\x81\0\0\0\0x", 7, 1003 },    /* binary */
		{ "\x81\x81\0\0\0\0\xff", 7, 1007 }, /* no UTF-8 */
		{ "\x81\xfe\x03\xe9\0\0\0\0x", 9, 1009 }, /* a byte too long */
		{ "\x88\x82\0\0\0\0\x03\xe8", 8, 1000 },  /* good-bye */
		{ "\x88\x80\0\0\0\0", 6, 1005 },	  /* and no more */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
		struct heard h;
		size_t len;

		begin(&h);
		ws_frame_feed(h.f, breaches[i].bytes, breaches[i].len);
		assert_true(ws_frame_closed(h.f));
		assert_int_equal(close_code(&h), breaches[i].code);
		/* Nothing is heard or said afterwards. */
		len = ws_frame_out(h.f)->len;
		say(&h, 0x81, "more");
		ws_frame_text(h.f, "more", 4);
		ws_frame_ping(h.f);
		ws_frame_close(h.f, WS_FRAME_INTERNAL, "again");
		assert_int_equal(h.n, 0);
		assert_int_equal(ws_frame_out(h.f)->len, len);
		ws_frame_free(h.f);
	}
}

static void a_message_in_pieces_has_the_same_ceiling(void **state)
{
	char piece[101];
	struct heard h;

	(void)state;
	memset(piece, 'a', 100);
	piece[100] = '\0';
	begin(&h);
	say(&h, 0x01, piece);
	for (int i = 0; i < 8; i++)
		say(&h, 0x00, piece);
	assert_true(ws_frame_partial(h.f));
	say(&h, 0x80, piece);
	assert_int_equal(h.n, 1);
	say(&h, 0x01, piece);
	for (int i = 0; i < 9; i++)
		say(&h, 0x00, piece);
	assert_false(ws_frame_closed(h.f));
	assert_in_range(ws_frame_held(h.f), MAX_MESSAGE, 2 * MAX_MESSAGE);
	say(&h, 0x00, "b");
	assert_int_equal(close_code(&h), 1009);
	assert_int_equal(h.n, 1);
	ws_frame_free(h.f);
}

static void a_close_out_of_a_message_is_the_last_word(void **state)
{
	struct heard h;
	struct buf b;

	(void)state;
	begin(&h);
	h.close = true;
	buf_init(&b, 4096);
	put(&b, 0x81, "one", 3);
	put(&b, 0x81, "two", 3);
	ws_frame_feed(h.f, b.data, b.len);
	assert_int_equal(h.n, 1);
	assert_int_equal(close_code(&h), 1008);
	ws_frame_free(h.f);
	ws_frame_free(NULL);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_whole_however_it_is_cut),
		cmocka_unit_test(what_is_said_is_one_unmasked_frame),
		cmocka_unit_test(a_breach_is_closed_with_its_code),
		cmocka_unit_test(a_message_in_pieces_has_the_same_ceiling),
		cmocka_unit_test(a_close_out_of_a_message_is_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
