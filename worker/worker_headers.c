#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "worker/worker.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What HTTP and the dialects say themselves. */
static const char *const ours[] = { "host", "content-length", "content-type",
	"content-encoding", "transfer-encoding", "te", "trailer", "connection",
	"keep-alive", "upgrade", "expect", "accept", "accept-encoding", "range",
	"user-agent", "anthropic-version" };
static const char *const keys[] = { "authorization", "proxy-authorization",
	"x-api-key", "x-goog-api-key" };

/* ${name} is the ${len} bytes before a colon. */
static bool is_one_of(
    const char *const *names, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len &&
		    strncasecmp(names[i], name, len) == 0)
			return true;
	return false;
}

/* A token of RFC 9110 section 5.6.2. */
static bool name_ok(const char *name, size_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') ||
			(c != '\0' && strchr(marks, c) != NULL)))
			return false;
	}
	return len > 0;
}

/* Something between blanks, all of it visible ASCII. */
static bool value_ok(const char *value, size_t len)
{
	bool something = false;

	for (size_t i = 0; i < len; i++) {
		if (value[i] < ' ' || value[i] > '~')
			return false;
		something |= value[i] != ' ';
	}
	return something;
}

/* Is there a line of that name before ${end}? */
static bool is_there(
    const char *lines, const char *end, const char *name, size_t len)
{
	for (const char *p = lines; p < end; p = strchr(p, '\n') + 1)
		if (strcspn(p, ":") == len && strncasecmp(p, name, len) == 0)
			return true;
	return false;
}

static enum err check_line(
    const char *lines, const char *line, size_t len, struct why *why)
{
	const char *colon = memchr(line, ':', len);
	size_t n = colon != NULL ? (size_t)(colon - line) : 0;
	const char *wrong = NULL;

	/* No value is repeated here: it may be a secret. */
	if (colon == NULL || !name_ok(line, n)) {
		err_why(why, "a header must be written as Name: value");
		return ERR_INPUT;
	}
	if (is_one_of(keys, COUNT(keys), line, n))
		wrong = "carries the key: use key, key_file or key_env";
	else if (is_one_of(ours, COUNT(ours), line, n))
		wrong = "is spool's own to say";
	else if (!value_ok(colon + 1, len - n - 1))
		wrong = "has no value, or one with characters that no header "
			"has";
	else if (is_there(lines, line, line, n))
		wrong = "is given twice";
	if (wrong == NULL)
		return OK;
	err_why(why, "header %.*s %s", (int)(n < 64 ? n : 64), line, wrong);
	return ERR_INPUT;
}

enum err worker_headers_check(const char *lines, struct why *why)
{
	const char *line = lines, *end;
	enum err e = OK;
	size_t n = 0;

	if (strlen(lines) > WORKER_MAX_HEADER_BYTES) {
		err_why(why, "its headers have more than %d bytes",
		    WORKER_MAX_HEADER_BYTES);
		return ERR_INPUT;
	}
	while (e == OK && *line != '\0') {
		end = strchr(line, '\n');
		if (end == NULL) {
			err_why(why, "a header must end its line");
			return ERR_INPUT;
		}
		if (++n > WORKER_MAX_HEADERS) {
			err_why(why, "it has more than %d headers",
			    WORKER_MAX_HEADERS);
			return ERR_INPUT;
		}
		e = check_line(lines, line, (size_t)(end - line), why);
		line = end + 1;
	}
	return e;
}
