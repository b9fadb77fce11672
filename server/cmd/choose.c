#include "server/cmd/choose.h"

#include <stdio.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/when.h"
#include "store/base/clock.h"

static const char *const statuses[] = { "queued", "streaming", "completed",
	"failed", "cancelled", NULL };

static const char *const ended[] = { "completed", "failed", "cancelled", NULL };

/* clang-format off */
#define WHICH(words_, which)                                                  \
	{ .name = "status",                                                   \
	    .letter = 's',                                                    \
	    .kind = OPTION_ENUM,                                              \
	    .arg = "STATUS",                                                  \
	    .words = words_,                                                  \
	    .group = "Which",                                                 \
	    .help = which },                                                  \
	{ .name = "owner",                                                    \
	    .letter = 'o',                                                    \
	    .kind = OPTION_STRING,                                            \
	    .arg = "NAME",                                                    \
	    .group = "Which",                                                 \
	    .help = "only those of this owner" },                             \
	{ .name = "since",                                                    \
	    .kind = OPTION_STRING,                                            \
	    .arg = "TIME",                                                    \
	    .group = "Which",                                                 \
	    .help = "created then or later: 2h, 7d, 2026-01-02, "             \
		    "2026-01-02T03:04:05Z" },                                 \
	{ .name = "until",                                                    \
	    .kind = OPTION_STRING,                                            \
	    .arg = "TIME",                                                    \
	    .group = "Which",                                                 \
	    .help = "created before then; written like --since" },            \
	{ .name = NULL }
/* clang-format on */

static const struct option_spec table[] = { WHICH(
    statuses, "only those of this status") };
static const struct option_spec ended_table[] = { WHICH(
    ended, "only those of this status; what has not ended is never removed") };

const struct option_spec *choose_table(void)
{
	return table;
}

const struct option_spec *choose_ended_table(void)
{
	return ended_table;
}

/* "2026-01-02" and nothing behind it. */
static bool is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? !strchr("0123456789", text[i])
				   : text[i] != form[i])
			return false;
	return true;
}

/* Of a form that the server takes, whether the day exists or not? */
static bool is_time(const char *text)
{
	return strspn(text, "0123456789") == strlen(text) ||
	       (strlen(text) > 11 && text[4] == '-' && text[7] == '-' &&
		   strchr("Tt", text[10]));
}

static enum err put_time(const struct option_set *options, const char *name,
    struct buf *b, struct why *why)
{
	const char *text = option_text(options, name);
	struct why unused = { "" };
	int64_t ago_ms;

	if (!text)
		return OK;
	buf_printf(b, "&%s=", name);
	if (*text && is_date(text)) {
		buf_printf(b, "%sT00:00:00Z", text);
	} else if (*text && is_time(text)) {
		client_path(b, "%s", text);
	} else if (option_parse_duration(text, &ago_ms, &unused) == OK) {
		int64_t at = clock_wall_ms() - ago_ms;

		buf_printf(b, "%lld", (long long)(at > 0 ? at : 0));
	} else {
		err_why(why,
		    "--%s: \"%s\" is not a time: write 2h, 7d, 2026-01-02 or "
		    "2026-01-02T03:04:05Z",
		    name, text);
		return ERR_INPUT;
	}
	return OK;
}

enum err choose_time(const struct option_set *options, const char *name,
    int64_t *ret_ms, struct why *why)
{
	const char *text = option_text(options, name);
	struct why unused = { "" };
	char whole[64];
	int64_t ms = 0;

	if (!text)
		return OK;
	snprintf(whole, sizeof(whole), "%s%s", text,
	    is_date(text) ? "T00:00:00Z" : "");
	if (*text && when_parse(whole, &ms) == OK && ms > 0) {
		*ret_ms = ms;
		return OK;
	}
	if (*text && !is_time(text) &&
	    option_parse_duration(text, &ms, &unused) == OK) {
		ms = clock_wall_ms() - ms;
		*ret_ms = ms > 0 ? ms : 1;
		return OK;
	}
	err_why(why,
	    "--%s: \"%s\" is not a time: write 2h, 7d, 2026-01-02 or "
	    "2026-01-02T03:04:05Z",
	    name, text);
	return ERR_INPUT;
}

enum err choose_query(const struct option_set *options, int64_t since_ms,
    struct buf *b, struct why *why)
{
	const char *status = option_has(options, "status")
				 ? option_text(options, "status")
				 : NULL;
	const char *owner = option_text(options, "owner");
	enum err err = OK;

	if (status)
		client_path(b, "&status=%s", status);
	if (owner)
		client_path(b, "&owner=%s", owner);
	if (since_ms > 0)
		buf_printf(b, "&since=%lld", (long long)since_ms);
	else
		err = put_time(options, "since", b, why);
	if (!err)
		err = put_time(options, "until", b, why);
	return err ? err : buf_state(b);
}

void choose_typed(const struct option_set *options, struct buf *b)
{
	for (size_t i = 0; table[i].name; i++) {
		const char *text = option_text(options, table[i].name);

		if (text) {
			buf_printf(b, "--%s ", table[i].name);
			client_path(b, "%s ", text);
		}
	}
}
