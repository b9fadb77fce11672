#include "server/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* RFC 3339 in UTC or with an offset; false when it is not. */
static bool read_rfc3339(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	int n = 0, oh = 0, om = 0, ms = 0;
	char sign = 'Z';
	int64_t at;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year,
		&tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
		&n) != 6 ||
	    n == 0)
		return false;
	text += n;
	if (*text == '.') {
		/* Not strtod(): it knows exponents, and a locale's point. */
		for (int unit = 100; *++text >= '0' && *text <= '9'; unit /= 10)
			ms += unit * (*text - '0');
	}
	sign = *text++;
	if (sign == '+' || sign == '-') {
		if (sscanf(text, "%2d:%2d", &oh, &om) != 2 || strlen(text) != 5)
			return false;
	} else if ((sign != 'Z' && sign != 'z') || *text) {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59)
		return false;
	at = (int64_t)timegm(&tm);
	at -= (sign == '-' ? -1 : 1) * (oh * 3600 + om * 60);
	*ret_ms = at * 1000 + ms;
	return *ret_ms >= 0;
}

enum err when_parse(const char *text, int64_t *ret_ms)
{
	long long v;
	char *end;

	if (read_rfc3339(text, ret_ms))
		return OK;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || *end || errno || v < 0)
		return ERR_INPUT;
	*ret_ms = v;
	return OK;
}
