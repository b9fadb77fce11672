#include "server/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/digest.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
	{ "TiB", INT64_C(1) << 40 },
};

static const struct unit durations[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 60 * 60 * 1000 },
	{ "d", 24 * 60 * 60 * 1000 },
};

enum err option_parse_bool(const char *text, bool *ret, struct why *why)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*ret = true;
			return OK;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*ret = false;
			return OK;
		}
	}
	err_why(why, "\"%s\" is not true or false", text);
	return ERR_INPUT;
}

/* A whole number at the start of ${text}; *${ret_rest} is what follows it. */
static enum err whole(const char *text, int64_t *ret, const char **ret_rest)
{
	const char *digits = text + (*text == '-');
	char *rest;
	long long v;

	if (*digits < '0' || *digits > '9')
		return ERR_INPUT;
	errno = 0;
	v = strtoll(text, &rest, 10);
	if (errno)
		return ERR_INPUT;
	*ret = v;
	*ret_rest = rest;
	return OK;
}

enum err option_parse_int(const char *text, int64_t *ret, struct why *why)
{
	const char *rest;
	int64_t v;

	if (whole(text, &v, &rest) || *rest) {
		err_why(why, "\"%s\" is not a whole number", text);
		return ERR_INPUT;
	}
	*ret = v;
	return OK;
}

enum err option_parse_number(const char *text, double *ret, struct why *why)
{
	char *rest;
	double v;

	errno = 0;
	v = strtod(text, &rest);
	if (errno || rest == text || *rest || !isfinite(v) ||
	    strpbrk(text, "xXpP \t")) {
		err_why(why, "\"%s\" is not a number", text);
		return ERR_INPUT;
	}
	*ret = v;
	return OK;
}

static enum err parse_unit(
    const char *text, const struct unit *units, size_t n, int64_t *ret)
{
	const char *rest;
	int64_t v;

	if (whole(text, &v, &rest) || v < 0)
		return ERR_INPUT;
	while (*rest == ' ')
		rest++;
	if (v == 0 && !*rest) {
		*ret = 0;
		return OK;
	}
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(rest, units[i].name) == 0)
			return __builtin_mul_overflow(v, units[i].factor, ret)
				   ? ERR_INPUT
				   : OK;
	return ERR_INPUT;
}

enum err option_parse_size(const char *text, int64_t *ret, struct why *why)
{
	int64_t v;

	if (parse_unit(text, sizes, sizeof(sizes) / sizeof(sizes[0]), &v)) {
		err_why(why,
		    "\"%s\" is not a size: write bytes, or 16KiB, 64MiB, 1GiB",
		    text);
		return ERR_INPUT;
	}
	*ret = v;
	return OK;
}

enum err option_parse_duration(const char *text, int64_t *ret, struct why *why)
{
	int64_t v;

	if (parse_unit(text, durations,
		sizeof(durations) / sizeof(durations[0]), &v)) {
		err_why(why,
		    "\"%s\" is not a duration: write 500ms, 2s, 5m, 1h or 7d",
		    text);
		return ERR_INPUT;
	}
	*ret = v;
	return OK;
}

/* Cut the end of the line; false when control characters are left. */
static bool one_line(char *s)
{
	s[strcspn(s, "\r\n")] = '\0';
	for (const unsigned char *p = (const unsigned char *)s; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

enum err option_read_secret(const char *path, char **ret, struct why *why)
{
	enum err err = ERR_INPUT;
	char *line = NULL, *shorter;
	FILE *f = NULL;
	size_t len;

	line = calloc(1, OPTION_MAX_VALUE);
	if (!line) {
		err = ERR_NOMEM;
		goto out;
	}
	f = fopen(path, "re");
	if (!f) {
		err_why(why, "cannot read %s: %s", path, strerror(errno));
		goto out;
	}
	/* stdio's own buffer would keep a copy of the secret. */
	setvbuf(f, NULL, _IONBF, 0);
	len = fread(line, 1, OPTION_MAX_VALUE - 1, f);
	if (ferror(f)) {
		err_why(why, "cannot read %s: %s", path, strerror(errno));
		goto out;
	}
	if (len == OPTION_MAX_VALUE - 1) {
		err_why(why, "%s is too long to be a secret", path);
		goto out;
	}
	if (strlen(line) != len || !one_line(line)) {
		err_why(
		    why, "%s has control characters in its first line", path);
		goto out;
	}
	if (!*line) {
		err_why(why, "%s is empty", path);
		goto out;
	}
	shorter = strdup(line);
	if (!shorter) {
		err = ERR_NOMEM;
		goto out;
	}
	*ret = shorter;
	err = OK;
out:
	if (f)
		fclose(f);
	if (line)
		digest_wipe(line, OPTION_MAX_VALUE);
	free(line);
	return err;
}
