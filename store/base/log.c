#include "store/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

static enum log_level log_threshold = LOG_INFO;
static enum log_format log_style = LOG_LOGFMT;

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_setup(enum log_level level, enum log_format format)
{
	log_threshold = level;
	log_style = format;
}

enum err log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]);
	     i++)
		if (strcmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return OK;
		}
	return ERR_INPUT;
}

bool log_on(enum log_level level)
{
	return level <= log_threshold;
}

/*
 * Copy ${src} so that it cannot end the line or the terminal's patience: bytes
 * outside printable ASCII become \xHH. In JSON, quotes and backslashes too.
 */
static size_t put_clean(char *dst, size_t room, const char *src, bool json)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)src; *p; p++) {
		if (n + 7 > room)
			break;
		if (json && (*p == '"' || *p == '\\')) {
			dst[n++] = '\\';
			dst[n++] = (char)*p;
		} else if (*p < 0x20 || *p >= 0x7f) {
			n += (size_t)snprintf(dst + n, room - n,
			    json ? "\\u%04x" : "\\x%02x", *p);
		} else {
			dst[n++] = (char)*p;
		}
	}
	return n;
}

void log_line(enum log_level level, const char *area, const char *event,
    const char *fmt, ...)
{
	char text[LINE_MAX_BYTES / 2], line[LINE_MAX_BYTES];
	bool json = log_style == LOG_JSON;
	struct timespec now;
	struct tm tm;
	char stamp[32];
	size_t n;
	va_list ap;
	ssize_t rc;

	if (!log_on(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	n = (size_t)snprintf(line, 256,
	    json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"area\":\"%s\","
		   "\"event\":\"%s\",\"detail\":\""
		 : "%s.%03ldZ %s %s %s ",
	    stamp, now.tv_nsec / 1000000, level_names[level], area, event);
	n += put_clean(line + n, sizeof(line) - n - 4, text, json);
	if (json) {
		line[n++] = '"';
		line[n++] = '}';
	}
	line[n++] = '\n';
	rc = write(STDERR_FILENO, line, n);
	(void)rc;
}

void log_panic(const char *file, int line, const char *what)
{
	log_line(LOG_ERROR, "panic", "assertion failed", "at=%s:%d expr=%s",
	    file, line, what);
	abort();
}
