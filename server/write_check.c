#include "server/write_check.h"

#include "store/base/jsonout.h"

void write_check_finding(struct buf *b, const struct check_finding *f)
{
	char id[ID_TEXT];

	jsonout_object(b);
	jsonout_key(b, "finding");
	jsonout_object(b);
	jsonout_member(b, "kind", check_kind_name(f->kind));
	if (f->has_id) {
		id_text(&f->id, id);
		jsonout_member(b, "execution_id", id);
	}
	jsonout_member(b, "what", f->what.text);
	jsonout_member(b, "mend", f->mend);
	jsonout_object_end(b);
	jsonout_object_end(b);
	buf_putc(b, '\n');
}

void write_check_counts(
    struct buf *b, const char *name, const struct check *check)
{
	struct check_counts n;

	check_counts(check, &n);
	jsonout_object(b);
	jsonout_key(b, name);
	jsonout_object(b);
	jsonout_member_int(b, "executions", (int64_t)n.executions);
	jsonout_member_int(b, "streams", (int64_t)n.streams);
	jsonout_member_int(b, "chunks", (int64_t)n.chunks);
	jsonout_member_int(b, "segments", (int64_t)n.segments);
	jsonout_member_int(b, "stray_segments", (int64_t)n.stray_segments);
	jsonout_member_int(b, "stray_chunks", (int64_t)n.stray_chunks);
	jsonout_member_int(b, "trash", (int64_t)n.trash);
	jsonout_member_int(b, "tombstones", (int64_t)n.tombstones);
	jsonout_member_int(b, "findings", (int64_t)n.findings);
	jsonout_key(b, "pages_checked");
	jsonout_bool(b, n.pages);
	jsonout_object_end(b);
	jsonout_object_end(b);
	buf_putc(b, '\n');
}
