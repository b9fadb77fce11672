#include "store/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/utf8.h"

#define LINE_MAX_BYTES 8192
#define HEAD_MAX_BYTES 256

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
 * The bytes at ${p} that may be printed as they are: one of ASCII, or a
 * well-formed code point that is no control character; 0: escape one byte.
 */
static size_t printable(const unsigned char *p, size_t len)
{
	if (*p < 0x80)
		return *p >= 0x20 && *p != 0x7f;
	if (*p == 0xc2 && len >= 2 && p[1] < 0xa0)
		return 0;
	for (size_t n = 2; n <= 4 && n <= len; n++)
		if (utf8_valid((const char *)p, n))
			return n;
	return 0;
}

/*
 * Copy ${src} so that it cannot end the line or the terminal's patience: other
 * bytes become \xHH, in JSON \u00HH, where quotes and backslashes are escaped
 * too.
 */
static size_t put_clean(char *dst, size_t room, const char *src, bool json)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t n = 0, len = strlen(src);

	while (len > 0 && n + 7 <= room) {
		size_t step = printable(p, len);

		if (json && (*p == '"' || *p == '\\'))
			dst[n++] = '\\';
		if (step == 0)
			n += (size_t)snprintf(dst + n, room - n,
			    json ? "\\u%04x" : "\\x%02x", *p);
		memcpy(dst + n, p, step);
		n += step;
		step = step == 0 ? 1 : step;
		p += step;
		len -= step;
	}
	return n;
}

void log_line(enum log_level level, const char *area, const char *event,
    const char *fmt, ...)
{
	char text[LINE_MAX_BYTES / 2], line[LINE_MAX_BYTES];
	bool json = log_style == LOG_JSON;
	char stamp[CLOCK_TEXT];
	size_t n;
	va_list ap;
	ssize_t rc;

	if (!log_on(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clock_text(clock_wall_ms(), stamp);
	n = (size_t)snprintf(line, HEAD_MAX_BYTES,
	    json ? "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\","
		   "\"event\":\"%s\",\"detail\":\""
		 : "%s %s %s %s ",
	    stamp, level_names[level], area, event);
	if (n >= HEAD_MAX_BYTES)
		n = HEAD_MAX_BYTES - 1;
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
