/*
 * log: one event, one line on stderr: "time level area event key=value…".
 *
 * Used by: the owner of a piece of work, once, when it ends.
 * Thread: any; a line is written by one write(2) and never torn.
 * Promises: a line is at most 8 KiB; control characters and bytes that
 * are not UTF-8 are escaped (in JSON also quotes), so one event is one line. Never
 * hand it a prompt, an answer, a key or a header's value.
 */
#ifndef STORE_BASE_LOG_H
#define STORE_BASE_LOG_H

#include <stdbool.h>

#include "store/base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* What is printed from now on. Call before the first thread starts. */
void log_setup(enum log_level level, enum log_format format);

/* The level called ${name}. Fails: ERR_INPUT, *ret untouched. */
MUST_CHECK enum err log_level_parse(const char *name, enum log_level *ret);

/* True when a line of ${level} would be printed. */
bool log_on(enum log_level level);

/*
 * Print one line. ${area} is the file's noun, ${event} a few words that never
 * vary, ${fmt} the "key=value key=value" part; a value that may hold blanks
 * comes last.
 */
void log_line(enum log_level level, const char *area, const char *event,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

#define log_error(area, event, ...) \
	log_line(LOG_ERROR, area, event, __VA_ARGS__)
#define log_warn(area, event, ...) log_line(LOG_WARN, area, event, __VA_ARGS__)
#define log_info(area, event, ...) log_line(LOG_INFO, area, event, __VA_ARGS__)
#define log_debug(area, event, ...)                                    \
	do {                                                           \
		if (log_on(LOG_DEBUG))                                 \
			log_line(LOG_DEBUG, area, event, __VA_ARGS__); \
	} while (0)

/* Our own bug: print where and what, then abort. Stays on in release. */
void log_panic(const char *file, int line, const char *what)
    __attribute__((noreturn));

#define ASSERT(expr) ((expr) ? (void)0 : log_panic(__FILE__, __LINE__, #expr))

#endif
