/*
 * clock: now, for stamps and for deadlines. Tests may hold it still.
 *
 * Used by: everyone; nobody else calls clock_gettime().     Thread: any.
 */
#ifndef STORE_BASE_CLOCK_H
#define STORE_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970 UTC: for stamps that people read. May jump. */
int64_t clock_wall_ms(void);

/* Milliseconds that only grow: for deadlines. */
int64_t clock_mono_ms(void);

/* Nanoseconds that only grow: for measuring. */
int64_t clock_mono_ns(void);

/*
 * For tests: from now on wall and mono stand at ${wall_ms} and ${mono_ms} until
 * set again; a negative ${mono_ms} lets the real clocks run. Call before
 * threads start, or from the only thread.
 */
void clock_hold(int64_t wall_ms, int64_t mono_ms);

/*
 * RFC 3339 in UTC with milliseconds ("2026-01-02T03:04:05.678Z") of ${wall_ms}
 * into ${dst}, at least CLOCK_TEXT bytes.
 */
#define CLOCK_TEXT 32
void clock_text(int64_t wall_ms, char *dst);

#endif
