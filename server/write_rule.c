#include "server/write_rule.h"

#include <string.h>

#include "store/base/jsonout.h"

static void member_if(struct buf *b, const char *key, int64_t v, int64_t least)
{
	if (v >= least)
		jsonout_member_int(b, key, v);
}

void write_rule_members(struct buf *b, const struct retention_rule *r)
{
	if (r->statuses) {
		jsonout_key(b, "status");
		jsonout_array(b);
		for (int i = 0; i < EXECUTION_STATUSES; i++) {
			const char *name =
			    execution_status_name((enum execution_status)i);

			if (r->statuses & 1u << i)
				jsonout_string(b, name, strlen(name));
		}
		jsonout_array_end(b);
	}
	if (r->owner[0])
		jsonout_member(b, "owner", r->owner);
	member_if(b, "since_ms", r->since_ms, 1);
	member_if(b, "until_ms", r->until_ms, 1);
	member_if(b, "older_than_ms", r->age_ms, 0);
	member_if(b, "keep_last", r->count, 0);
	member_if(b, "keep_bytes", r->bytes, 0);
}
