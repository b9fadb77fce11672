#include "server/suggest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NEVER ((size_t)-1)

/* ASCII only: what is compared are names of options, commands and routes. */
static unsigned char fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned char)(c - 'A' + 'a');
	return c == '_' ? '-' : (unsigned char)c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
	/* Three rows of the table: a swap looks back two of them. */
	size_t row[3][SUGGEST_MAX_WORD + 1];
	size_t *before = row[0], *last = row[1], *now = row[2], *spare;
	size_t na = strlen(a), nb = strlen(b);

	if (na > SUGGEST_MAX_WORD || nb > SUGGEST_MAX_WORD)
		return NEVER;
	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	memset(before, 0, sizeof(row[0]));
	for (size_t i = 1; i <= na; i++) {
		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			now[j] = least(least(last[j] + 1, now[j - 1] + 1),
			    last[j - 1] + !same);
			if (i > 1 && j > 1 &&
			    fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[nb];
}

static bool begins(const char *word, const char *candidate)
{
	size_t i = 0;

	for (; word[i]; i++)
		if (!candidate[i] || fold(word[i]) != fold(candidate[i]))
			return false;
	return i >= 3;
}

const char *suggest_nearest(
    const char *word, const char *const *words, size_t n)
{
	const char *nearest = NULL, *longer = NULL;
	size_t best = NEVER, n_longer = 0;

	for (size_t i = 0; i < n; i++) {
		size_t d, len;

		if (!words[i])
			continue;
		if (begins(word, words[i])) {
			longer = words[i];
			n_longer++;
		}
		d = suggest_distance(word, words[i]);
		len = strlen(words[i]);
		if (len < strlen(word))
			len = strlen(word);
		if (d < best && d * 3 <= len) {
			best = d;
			nearest = words[i];
		}
	}
	if (nearest)
		return nearest;
	return n_longer == 1 ? longer : NULL;
}
