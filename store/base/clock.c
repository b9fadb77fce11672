#include "store/base/clock.h"

#include <time.h>

static int64_t held_wall_ms;
static int64_t held_mono_ms = -1;

static int64_t read_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_wall_ms(void)
{
	if (held_mono_ms >= 0)
		return held_wall_ms;
	return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_ms(void)
{
	if (held_mono_ms >= 0)
		return held_mono_ms;
	return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_mono_ns(void)
{
	if (held_mono_ms >= 0)
		return held_mono_ms * 1000000;
	return read_ns(CLOCK_MONOTONIC);
}

void clock_hold(int64_t wall_ms, int64_t mono_ms)
{
	held_wall_ms = wall_ms;
	held_mono_ms = mono_ms;
}

/* ${v} in ${n} digits at *${p}, which moves behind them. */
static void put_digits(char **p, unsigned v, int n)
{
	for (int i = n; i-- > 0; v /= 10)
		(*p)[i] = (char)('0' + v % 10);
	*p += n;
}

void clock_text(int64_t wall_ms, char *dst)
{
	/* The years 0000 to 9999: RFC 3339 has no others. */
	const int64_t low = -62167219200000, high = 253402300799999;
	struct tm tm;
	time_t s;
	int ms;

	if (wall_ms < low)
		wall_ms = low;
	if (wall_ms > high)
		wall_ms = high;
	ms = (int)((wall_ms % 1000 + 1000) % 1000);
	s = (time_t)((wall_ms - ms) / 1000);
	gmtime_r(&s, &tm);
	/* By hand: pages have stamps, and printf() takes a microsecond. */
	put_digits(&dst, (unsigned)(tm.tm_year + 1900), 4);
	*dst++ = '-';
	put_digits(&dst, (unsigned)tm.tm_mon + 1, 2);
	*dst++ = '-';
	put_digits(&dst, (unsigned)tm.tm_mday, 2);
	*dst++ = 'T';
	put_digits(&dst, (unsigned)tm.tm_hour, 2);
	*dst++ = ':';
	put_digits(&dst, (unsigned)tm.tm_min, 2);
	*dst++ = ':';
	put_digits(&dst, (unsigned)tm.tm_sec, 2);
	*dst++ = '.';
	put_digits(&dst, (unsigned)ms, 3);
	*dst++ = 'Z';
	*dst = '\0';
}
