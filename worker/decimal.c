#include "worker/decimal.h"

/* Exponents and digits beyond these are no amounts. */
#define MAX_EXPONENT 1000
#define MAX_LEN 256

struct parts {
	const char *digits; /* with the point among them */
	size_t len;
	size_t n_whole; /* digits before the point */
	size_t n_digits;
	int exponent;
	bool negative;
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool exponent_read(const char *p, const char *end, int *ret)
{
	bool negative = p < end && *p == '-';
	int e = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!digit(*p))
			return false;
		if (e < MAX_EXPONENT)
			e = e * 10 + (*p - '0');
	}
	if (e > MAX_EXPONENT)
		e = MAX_EXPONENT;
	*ret = negative ? -e : e;
	return true;
}

static bool split(const char *s, size_t len, struct parts *ret)
{
	const char *p = s, *end = s + len;
	bool point = false;

	*ret = (struct parts){ 0 };
	if (len > MAX_LEN)
		return false;
	if (p < end && (*p == '-' || *p == '+'))
		ret->negative = *p++ == '-';
	ret->digits = p;
	for (; p < end && (digit(*p) || (*p == '.' && !point)); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		ret->n_digits++;
		if (!point)
			ret->n_whole++;
	}
	ret->len = (size_t)(p - ret->digits);
	if (ret->n_digits == 0)
		return false;
	if (p == end)
		return true;
	if (*p != 'e' && *p != 'E')
		return false;
	return exponent_read(p + 1, end, &ret->exponent);
}

bool decimal_parse(const char *s, size_t len, int scale,
    enum decimal_rounding rounding, int64_t *ret)
{
	struct parts n;
	long keep, seen = 0;
	uint64_t v = 0;
	int next = 0; /* the first digit that is dropped */
	bool rest = false;

	if (!split(s, len, &n))
		return false;
	/* So many digits are the integer; the others are rounded away. */
	keep = (long)n.n_whole + n.exponent + scale;
	for (size_t i = 0; i < n.len; i++) {
		int d = n.digits[i] - '0';

		if (n.digits[i] == '.')
			continue;
		if (seen < keep) {
			if (v > (INT64_MAX - (uint64_t)d) / 10)
				return false;
			v = v * 10 + (uint64_t)d;
		} else if (seen == keep) {
			next = d;
		} else if (d != 0) {
			rest = true;
		}
		seen++;
	}
	for (; v != 0 && seen < keep; seen++) {
		if (v > INT64_MAX / 10)
			return false;
		v *= 10;
	}
	if (rounding == DECIMAL_UP
		? next > 0 || rest
		: next > 5 || (next == 5 && (rest || (v & 1) != 0)))
		v++;
	if (v > INT64_MAX)
		return false;
	*ret = n.negative ? -(int64_t)v : (int64_t)v;
	return true;
}

void decimal_text(int64_t v, int scale, char *dst)
{
	char digits[DECIMAL_TEXT]; /* the last one first */
	size_t n = 0, idle = 0;

	for (int i = 0; i <= scale || v > 0; i++, v /= 10) {
		if (i == scale && n > idle)
			digits[n++] = '.';
		else if (i == scale)
			n = idle = 0;
		digits[n++] = (char)('0' + v % 10);
		if (idle + 1 == n && i < scale && v % 10 == 0)
			idle = n;
	}
	while (n > idle)
		*dst++ = digits[--n];
	*dst = '\0';
}
