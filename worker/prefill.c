#include "worker/prefill.h"

#include <stdio.h>
#include <string.h>

#include "store/base/jsonout.h"
#include "worker/scan.h"

static const char vllm[] =
    "\"continue_final_message\":true,\"add_generation_prompt\":false";

bool prefill_parse(const char *name, enum prefill *ret)
{
	static const char *const names[] = {
		[PREFILL_NO] = "no",
		[PREFILL_YES] = "yes",
		[PREFILL_TRIMMED] = "trimmed",
		[PREFILL_VLLM] = "vllm",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*ret = (enum prefill)i;
			return true;
		}
	return false;
}

static bool is(const struct scan_value *v, const char *text)
{
	return v->len == strlen(text) && memcmp(v->s, text, v->len) == 0;
}

bool prefill_possible(const char *request, size_t len)
{
	struct scan_value messages, key, m, role;
	bool last_is_ours = true;
	size_t at = 0;

	if (request == NULL ||
	    !scan_member(request, len, "messages", &messages))
		return false;
	/* A grammar, or the choice of a tool, would begin anew. */
	if (scan_member(request, len, "tools", &m) ||
	    scan_member(request, len, "response_format", &m))
		return false;
	/* Whoever prefills already has a partial answer that is not ours. */
	while (scan_each(messages.s, messages.len, &at, &key, &m))
		last_is_ours = scan_member(m.s, m.len, "role", &role) &&
			       is(&role, "\"assistant\"");
	return !last_is_ours;
}

static int64_t number(const struct scan_value *v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->len && v->s[i] >= '0' && v->s[i] <= '9'; i++)
		n = n < INT64_MAX / 20 ? n * 10 + (v->s[i] - '0') : n;
	return n;
}

size_t prefill_len(enum prefill how, const struct buf *text)
{
	size_t len = text->len;

	while (how == PREFILL_TRIMMED && len > 0 &&
	       memchr(" \t\r\n", text->data[len - 1], 4) != NULL)
		len--;
	return len;
}

/* The messages and, behind them, the partial answer. */
static void messages(
    struct buf *b, const struct scan_value *v, const char *text, size_t len)
{
	buf_add(b, v->s, v->len - 1);
	buf_puts(b, ",{\"role\":\"assistant\",\"content\":\"");
	jsonout_escape(b, text, len);
	buf_puts(b, "\"}]");
}

static void extra(struct buf *b, const struct scan_value *v)
{
	buf_puts(b, "{");
	buf_puts(b, vllm);
	if (v->len > 2)
		buf_putc(b, ',');
	buf_add(b, v->s + 1, v->len - 1);
}

void prefill_write(struct buf *b, enum prefill how, const char *request,
    size_t len, const struct buf *text, int64_t tokens)
{
	bool first = true, had_extra = false;
	struct scan_value key, v;
	size_t at = 0;
	int64_t left;

	buf_putc(b, '{');
	while (scan_each(request, len, &at, &key, &v)) {
		buf_puts(b, first ? "\"" : ",\"");
		buf_add(b, key.s, key.len);
		buf_puts(b, "\":");
		first = false;
		if (is(&key, "messages") && v.len >= 2) {
			messages(b, &v, text->data, prefill_len(how, text));
		} else if (is(&key, "max_output_tokens")) {
			left = number(&v) - tokens;
			buf_printf(b, "%lld", (long long)(left > 0 ? left : 1));
		} else if (is(&key, "extra") && how == PREFILL_VLLM &&
			   v.len >= 2) {
			extra(b, &v);
			had_extra = true;
		} else {
			buf_add(b, v.s, v.len);
		}
	}
	if (how == PREFILL_VLLM && !had_extra)
		buf_printf(b, ",\"extra\":{%s}", vllm);
	buf_putc(b, '}');
}
