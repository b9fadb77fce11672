#include "worker/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "store/base/utf8.h"

#define MASK "[redacted]"

/* What a secret follows, and the least length of one. */
static const struct {
	const char *prefix;
	size_t min;
	bool at_word; /* not inside a word: "sk-" but not "disk-" */
} secrets[] = {
	{ "sk-", 12, true },
	{ "AIza", 12, true },
	{ "gsk_", 12, true },
	{ "xai-", 12, true },
	{ "hf_", 12, true },
	{ "Bearer ", 8, true },
	{ "key=", 6, false },
	{ "token=", 6, false },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool secret_char(char c)
{
	return isalnum((unsigned char)c) ||
	       (c != '\0' && strchr("-_.~+/=", c) != NULL);
}

/*
 * How many bytes at ${p} are a secret after its prefix; 0: none. Secrets have
 * a digit in them; "Bearer authentication" is none.
 */
static size_t secret(
    const char *p, const char *end, bool in_word, size_t *ret_prefix)
{
	for (size_t i = 0; i < COUNT(secrets); i++) {
		size_t prefix = strlen(secrets[i].prefix), n;
		bool digits = false;

		if ((in_word && secrets[i].at_word) ||
		    (size_t)(end - p) < prefix + secrets[i].min ||
		    strncasecmp(p, secrets[i].prefix, prefix) != 0)
			continue;
		for (n = prefix; p + n < end && secret_char(p[n]); n++)
			digits |= p[n] >= '0' && p[n] <= '9';
		if (digits && n - prefix >= secrets[i].min) {
			*ret_prefix = prefix;
			return n - prefix;
		}
	}
	return 0;
}

void redact_text(struct buf *out, struct text t)
{
	struct buf clean;
	const char *p, *run, *end;
	size_t prefix = 0, n;

	if (t.len == 0)
		return;
	/* Cut late, so that no half of a secret stands at the cut. */
	if (t.len > 2 * REDACT_MAX_BYTES)
		t.len = 2 * REDACT_MAX_BYTES;
	buf_init(&clean, 32 * REDACT_MAX_BYTES);
	for (p = run = t.s, end = t.s + t.len; p < end;) {
		n = secret(
		    p, end, p > t.s && isalnum((unsigned char)p[-1]), &prefix);
		if (n == 0) {
			p++;
			continue;
		}
		buf_add(&clean, run, (size_t)(p - run) + prefix);
		buf_puts(&clean, MASK);
		run = p = p + prefix + n;
	}
	buf_add(&clean, run, (size_t)(end - run));
	if (clean.failed != OK) {
		out->failed = clean.failed;
	} else {
		n = clean.len;
		run = clean.data;
		if (n > REDACT_MAX_BYTES)
			n = utf8_cut(run, REDACT_MAX_BYTES);
		utf8_repair(out, run, n);
	}
	buf_fini(&clean);
}
