#include "server/http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define LEVEL 4
#define GZIP_WINDOW (15 + 16)

struct http_gzip {
	z_stream z;
};

void http_gzip_free(struct http_gzip *z)
{
	if (z == NULL)
		return;
	deflateEnd(&z->z);
	free(z);
}

static struct http_gzip *gzip_new(void)
{
	struct http_gzip *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	if (deflateInit2(&z->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
		Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

enum err http_gzip(
    struct http_gzip **z, const char *data, size_t len, struct buf *out)
{
	struct http_gzip *g = *z == NULL ? gzip_new() : *z;
	size_t room;
	char *dst;

	if (g == NULL)
		return ERR_NOMEM;
	*z = g;
	if (len > UINT32_MAX / 2)
		return ERR_LIMIT;
	(void)deflateReset(&g->z);
	room = deflateBound(&g->z, len);
	dst = buf_room(out, room);
	if (dst == NULL)
		return buf_state(out);
	/* zlib's next_in is const only where ZLIB_CONST says so. */
	g->z.next_in = (Bytef *)(uintptr_t)data;
	g->z.avail_in = (uInt)len;
	g->z.next_out = (Bytef *)dst;
	g->z.avail_out = (uInt)room;
	if (deflate(&g->z, Z_FINISH) != Z_STREAM_END)
		return ERR_LIMIT;
	out->len += room - g->z.avail_out;
	return OK;
}

/* The weight in "gzip;q=0.5", 1 when none is given; only 0 or not counts. */
static bool has_weight(const char *s, const char *end)
{
	const char *q = memchr(s, ';', (size_t)(end - s));

	while (q != NULL) {
		q++;
		while (q < end && (*q == ' ' || *q == '\t'))
			q++;
		if (end - q >= 2 && (*q == 'q' || *q == 'Q') && q[1] == '=') {
			for (q += 2; q < end; q++)
				if (*q >= '1' && *q <= '9')
					return true;
			return false;
		}
		q = memchr(q, ';', (size_t)(end - q));
	}
	return true;
}

bool http_gzip_wanted(const char *accept)
{
	bool any = false;

	while (accept != NULL && *accept != '\0') {
		const char *end = strchrnul(accept, ',');
		const char *s = accept + strspn(accept, " \t");
		size_t len = strcspn(s, ",; \t");

		if (len == 4 && strncasecmp(s, "gzip", 4) == 0)
			return has_weight(s, end);
		if (len == 1 && *s == '*')
			any = has_weight(s, end);
		accept = *end == ',' ? end + 1 : end;
	}
	return any;
}

bool http_gzip_fits(const char *content_type)
{
	size_t len;

	if (content_type == NULL)
		return false;
	len = strcspn(content_type, "; ");
	if (strncasecmp(content_type, "text/", 5) == 0)
		return true;
	for (const char *s = content_type; s + 3 < content_type + len; s++)
		if (strncasecmp(s, "json", 4) == 0 ||
		    strncasecmp(s, "script", 6) == 0 ||
		    strncasecmp(s, "+xml", 4) == 0)
			return true;
	return false;
}
