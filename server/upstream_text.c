#include "server/upstream_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "store/base/clock.h"
#include "store/base/utf8.h"

#define SENTENCE_WORDS 9
#define MIN_SENTENCES 4
#define MORE_SENTENCES 6 /* 0 to 5 */

static const char *const intro[] = { "This", "is", "a", "simulated",
	"answer:", "no", "model", "was", "asked.", "You", "wrote:" };
#define INTRO ((int64_t)(sizeof(intro) / sizeof(intro[0])))

static const char *const vocabulary[] = { "the", "a", "of", "and", "in", "to",
	"with", "each", "stream", "answer", "café", "naïve", "brook", "über",
	"smörgåsbord", "日本語", "流れ", "한국어", "привет", "λόγος", "données",
	"piñata", "🙂", "👩‍🚀", "🌊🌊", "índice", "reads", "writes",
	"keeps", "carries", "follows", "gathers", "slowly", "again", "from",
	"index", "zero", "one", "many", "words", "water", "stone", "light",
	"\"quoted\"", "ﬁne", "e\xcc\x81t\xc3\xa9" };
#define VOCABULARY (sizeof(vocabulary) / sizeof(vocabulary[0]))

static uint64_t hash_bytes(uint64_t h, const char *s, size_t len)
{
	/* FNV-1a, then mixed: spread is all that is asked of it. */
	h ^= 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
	return upstream_plan_mix(h, len);
}

static bool blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* The first words of the prompt, in quotes, the last with a full stop. */
static void take_echo(struct upstream_text *t, const char *s, size_t len)
{
	const char *end = s + len;
	char *last;

	while (t->n_echo < UPSTREAM_TEXT_ECHO) {
		const char *from;
		size_t n;

		while (s < end && blank(*s))
			s++;
		from = s;
		while (s < end && !blank(*s))
			s++;
		if (s == from)
			break;
		n = (size_t)(s - from);
		if (n > UPSTREAM_TEXT_WORD_BYTES - 10)
			n = utf8_cut(from, UPSTREAM_TEXT_WORD_BYTES - 10);
		snprintf(t->echo[t->n_echo], UPSTREAM_TEXT_WORD_BYTES, "%s%.*s",
		    t->n_echo == 0 ? "“" : "", (int)n, from);
		t->n_echo++;
	}
	if (t->n_echo == 0)
		snprintf(
		    t->echo[t->n_echo++], UPSTREAM_TEXT_WORD_BYTES, "“nothing");
	last = t->echo[t->n_echo - 1];
	len = strlen(last);
	snprintf(last + len, UPSTREAM_TEXT_WORD_BYTES - len, "”.");
}

void upstream_text_init(struct upstream_text *t, const char *prompt, size_t len,
    const struct upstream_plan *plan)
{
	*t = (struct upstream_text){ .size = plan->size, .stamp = plan->stamp };
	t->hash = hash_bytes(plan->seed, prompt, len);
	take_echo(t, prompt, len);
	t->n = plan->tokens;
	if (t->n < 0)
		t->n = INTRO + t->n_echo +
		       (int64_t)(SENTENCE_WORDS *
				 (MIN_SENTENCES + t->hash % MORE_SENTENCES));
}

/* Exactly ${size} bytes, the last of them a blank, none of them escaped. */
static void sized_token(const struct upstream_text *t, int64_t i, struct buf *b)
{
	uint64_t mixed = upstream_plan_mix(t->hash, (uint64_t)i);
	size_t size = (size_t)t->size;
	char *to = buf_room(b, size);

	if (to == NULL)
		return;
	for (size_t k = 0; k < size; k++)
		to[k] = (char)('a' + ((mixed >> (k % 16 * 4)) & 15));
	to[size - 1] = ' ';
	b->len += size;
}

static void word_token(const struct upstream_text *t, int64_t i, struct buf *b)
{
	int64_t body = i - INTRO - t->n_echo;
	const char *word;

	if (i > 0)
		buf_putc(b, ' ');
	if (i < INTRO) {
		buf_puts(b, intro[i]);
		return;
	}
	if (body < 0) {
		buf_puts(b, t->echo[i - INTRO]);
		return;
	}
	word =
	    vocabulary[upstream_plan_mix(t->hash, (uint64_t)body) % VOCABULARY];
	if (body % SENTENCE_WORDS == 0 && *word >= 'a' && *word <= 'z')
		buf_putc(b, (char)(*word++ - 'a' + 'A'));
	buf_puts(b, word);
	if (body % SENTENCE_WORDS == SENTENCE_WORDS - 1)
		buf_putc(b, '.');
}

void upstream_text_token(
    const struct upstream_text *t, int64_t i, struct buf *b)
{
	if (t->stamp)
		buf_printf(b, "%019" PRId64 " ", clock_mono_ns());
	else if (t->size > 0)
		sized_token(t, i, b);
	else
		word_token(t, i, b);
}

bool upstream_text_resume(const struct upstream_text *t, const char *sent,
    size_t len, struct buf *scratch, int64_t *ret_token, size_t *ret_offset)
{
	int64_t i = 0;
	size_t at = 0, part = 0;

	*ret_token = 0;
	*ret_offset = 0;
	while (at < len && i < t->n && part == 0) {
		size_t n;

		buf_reset(scratch);
		upstream_text_token(t, i, scratch);
		if (buf_state(scratch) != OK)
			return false;
		n = len - at < scratch->len ? len - at : scratch->len;
		if (memcmp(sent + at, scratch->data, n) != 0)
			return false;
		at += n;
		if (n < scratch->len)
			part = n;
		else
			i++;
	}
	if (at < len)
		return false;
	*ret_token = i;
	*ret_offset = part;
	return true;
}
