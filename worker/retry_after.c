#include "worker/retry_after.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "worker/decimal.h"
#include "worker/json_in.h"

#define LONGEST_MS (INT64_MAX / 1000 * 1000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool all_digits(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return len > 0;
}

/* Decimal text to milliseconds, rounded up, never negative. */
static bool delay(const char *s, size_t len, int scale, int64_t *ret)
{
	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	if (!decimal_parse(s, len, scale, DECIMAL_UP, ret)) {
		/* It may be a number that passes 64 bits: for ever, then. */
		if (!all_digits(s, len))
			return false;
		*ret = LONGEST_MS;
	}
	if (*ret < 0)
		*ret = 0;
	return true;
}

/* Read an HTTP date (RFC 9110 section 5.6.7) in any of its three forms. */
static bool http_date(const char *s, int64_t *ret_ms)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y" };

	for (size_t i = 0; i < COUNT(forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(s, forms[i], &tm);

		if (end != NULL && *end == '\0') {
			*ret_ms = (int64_t)timegm(&tm) * 1000;
			return true;
		}
	}
	return false;
}

static bool header_delay(const struct error_class_input *in, int64_t *ret)
{
	int64_t then, now = in->now_ms;

	if (!in->in_request)
		return false;
	if (in->retry_after_ms != NULL &&
	    delay(in->retry_after_ms, strlen(in->retry_after_ms), 0, ret))
		return true;
	if (in->retry_after == NULL)
		return false;
	if (delay(in->retry_after, strlen(in->retry_after), 3, ret))
		return true;
	if (!http_date(in->retry_after, &then))
		return false;
	if (in->date != NULL && !http_date(in->date, &now))
		now = in->now_ms;
	*ret = then > now ? then - now : 0;
	return true;
}

static bool seconds(const json_t *v, int64_t *ret)
{
	struct text t = json_in_text(v);
	char text[40];

	if (t.len > 0)
		return delay(t.s, t.len, 3, ret);
	if (!json_is_number(v))
		return false;
	snprintf(text, sizeof(text), "%.15g", json_number_value(v));
	return delay(text, strlen(text), 3, ret);
}

int64_t retry_after_find(const struct error_class_input *in, const json_t *e)
{
	const json_t *detail;
	int64_t ms = -1;
	size_t i;

	if (header_delay(in, &ms))
		return ms;
	json_array_foreach(json_object_get(e, "details"), i, detail)
	{
		struct text t = json_in_member(detail, "retryDelay");

		if (t.len > 1 && t.s[t.len - 1] == 's' &&
		    delay(t.s, t.len - 1, 3, &ms))
			return ms;
	}
	if (seconds(json_object_get(
			json_object_get(e, "availability"), "retry_after"),
		&ms))
		return ms;
	return -1;
}
