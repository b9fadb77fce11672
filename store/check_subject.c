#include "store/check_subject.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void PRINTF_LIKE(3, 4)
    doubt(struct check_trouble *t, enum check_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (t->there)
		return;
	t->there = true;
	t->kind = kind;
	va_start(ap, fmt);
	vsnprintf(t->what.text, sizeof(t->what.text), fmt, ap);
	va_end(ap);
}

static bool ended(int64_t status)
{
	return status >= 0 && status < EXECUTION_STATUSES &&
	       execution_ended((enum execution_status)status);
}

/* Does ${e}'s metadata name its error? */
static bool names_error(const struct engine_seen_execution *e)
{
	char text[256];
	int n;

	if (e->error_code == NULL)
		return true;
	n = snprintf(text, sizeof(text), "\"code\":\"%.200s\"", e->error_code);
	return e->metadata != NULL &&
	       memmem(e->metadata, e->metadata_len, text, (size_t)n) != NULL;
}

static void look_at_ended(
    struct check_trouble *t, const struct engine_seen_execution *e)
{
	if (e->finished_ms <= 0)
		doubt(t, CHECK_RECORD, "it has ended, but not at any time");
	if (e->metadata == NULL || e->metadata_len < 2 ||
	    e->metadata[0] != '{' || e->metadata[e->metadata_len - 1] != '}')
		doubt(t, CHECK_STATUS, "it has ended, but has no metadata");
	if (e->status == EXECUTION_FAILED && e->error_code == NULL)
		doubt(t, CHECK_STATUS, "it has failed, but for no reason");
	if (e->status == EXECUTION_COMPLETED && e->error_code != NULL)
		doubt(t, CHECK_STATUS, "it is completed, but has an error");
	if (!names_error(e))
		doubt(t, CHECK_STATUS,
		    "its error is %.60s, but its metadata says another",
		    e->error_code);
	if (e->packed > e->next_index)
		doubt(t, CHECK_TOTAL,
		    "%lld rows are packed, but it has only %lld",
		    (long long)e->packed, (long long)e->next_index);
}

static void look_at_record(
    struct check_trouble *t, const struct engine_seen_execution *e)
{
	static const struct id none;

	if (id_equal(&e->id, &none))
		doubt(t, CHECK_RECORD, "row %lld has no id", (long long)e->row);
	if (e->status < 0 || e->status >= EXECUTION_STATUSES)
		doubt(t, CHECK_RECORD, "it has the unknown status %lld",
		    (long long)e->status);
	if (e->next_index < 0 || e->packed < 0)
		doubt(t, CHECK_RECORD, "it counts less than no rows");
	if (!e->has_request && e->payload_deleted_ms == 0)
		doubt(t, CHECK_RECORD, "its request is missing");
	if (ended(e->status))
		look_at_ended(t, e);
	else if (e->payload_deleted_ms != 0)
		doubt(t, CHECK_STATUS,
		    "its payload is deleted, but it has not ended");
	else if (e->finished_ms != 0 || e->metadata != NULL)
		doubt(t, CHECK_STATUS,
		    "it has not ended, but has what only an end gives");
}

void check_subject_record(
    struct check_subject *s, const struct engine_seen_execution *e)
{
	*s = (struct check_subject){ .row = e->row,
		.id = e->id,
		.status = e->status,
		.next_index = e->next_index,
		.holds = e->holds,
		.gone = e->payload_deleted_ms != 0,
		.packed = e->packed,
		.stream = e->stream != NULL,
		.first = e->first };
	if (e->stream == NULL) {
		look_at_record(&s->record, e);
		return;
	}
	(void)snprintf(s->name, sizeof(s->name), "%s", e->stream);
	s->next = e->first < 0 ? 0 : (uint64_t)e->first;
	if (e->first < 0 || e->packed < e->first || e->next_index < e->packed)
		doubt(&s->record, CHECK_RECORD,
		    "its counts do not fit: first %lld, packed %lld, next %lld",
		    (long long)e->first, (long long)e->packed,
		    (long long)e->next_index);
}

static bool look_into(
    struct check_subject *s, const struct engine_seen_segment *seg)
{
	const char *at = seg->raw, *end;

	if (seg->raw == NULL)
		return false;
	end = at + seg->raw_len;
	for (int64_t i = 0; i < seg->n; i++) {
		struct chunk chunk;

		if (chunk_unpack(
			&at, end, 0, seg->first + (uint64_t)i, &chunk) != OK)
			return false;
		if (chunk.kind == CHUNK_END)
			check_end_note(&s->end, &chunk);
	}
	return seg->n > 0 && at == end;
}

void check_subject_segment(
    struct check_subject *s, const struct engine_seen_segment *seg, bool alone)
{
	unsigned long long first = seg->first, next = s->next;

	if (s->gone)
		return;
	if (s->packed < 0 || seg->first >= (uint64_t)s->packed) {
		/* Packed since the record was read, unless nobody packs. */
		if (alone)
			doubt(&s->log, CHECK_TOTAL,
			    "a segment begins at %llu, but only %lld rows are "
			    "said to be packed",
			    first, (long long)s->packed);
		return;
	}
	if (seg->first > s->next)
		doubt(&s->log, CHECK_GAP, "rows %llu to %llu are missing", next,
		    first - 1);
	if (seg->first < s->next)
		doubt(&s->log, CHECK_OVERLAP,
		    "the segment at %llu repeats rows that are there", first);
	if (!look_into(s, seg))
		doubt(&s->log, CHECK_SEGMENT,
		    "the segment at %llu cannot be read", first);
	s->next = seg->first + (uint64_t)(seg->n > 0 ? seg->n : 0);
}

static void judge_end(struct check_subject *s, const struct check_end *end)
{
	struct check_trouble *t = &s->log;
	const char *name;

	if (!ended(s->status)) {
		if (end->there)
			doubt(t, CHECK_STATUS,
			    "its end is there, but it has not ended");
		return;
	}
	name = execution_status_name((enum execution_status)s->status);
	if (!end->there)
		doubt(t, CHECK_END, "it has no end");
	else if (end->twice)
		doubt(t, CHECK_END, "it ends more than once");
	else if ((int64_t)end->index != s->next_index - 1)
		doubt(t, CHECK_END, "its end is row %llu of %lld",
		    (unsigned long long)end->index, (long long)s->next_index);
	else if (end->status != s->status)
		doubt(t, CHECK_STATUS, "it is %s, but its end says %s", name,
		    end->status < 0 ? "nothing"
				    : execution_status_name(
					  (enum execution_status)end->status));
}

/* How many rows ${s} has, in segments and live. */
static uint64_t judge_rows(struct check_subject *s, const struct check_run *run)
{
	uint64_t packed = s->packed < 0 ? 0 : (uint64_t)s->packed;

	if (s->next < packed)
		doubt(&s->log, CHECK_GAP, "rows %llu to %llu are missing",
		    (unsigned long long)s->next,
		    (unsigned long long)packed - 1);
	if (s->next > packed)
		doubt(&s->log, CHECK_TOTAL,
		    "%llu rows are packed, but it says %llu",
		    (unsigned long long)s->next, (unsigned long long)packed);
	if (run == NULL || run->to <= packed)
		return packed;
	if (run->repeats)
		doubt(&s->log, CHECK_OVERLAP, "a live row is there twice");
	if (run->from > packed)
		doubt(&s->log, CHECK_GAP, "rows %llu to %llu are missing",
		    (unsigned long long)packed,
		    (unsigned long long)run->from - 1);
	return run->to;
}

static uint64_t judge_log(struct check_subject *s, const struct check_run *run)
{
	struct check_end end = s->end;
	bool exact = ended(s->status);
	uint64_t total;

	if (s->gone)
		return 0;
	total = judge_rows(s, run);
	if (exact ? (int64_t)total != s->next_index
		  : (int64_t)total < s->next_index)
		doubt(&s->log, CHECK_TOTAL,
		    "it counts %lld rows, but %llu are there",
		    (long long)s->next_index, (unsigned long long)total);
	if (run != NULL && run->end.there) {
		end.twice |= run->end.twice ||
			     (end.there && end.index != run->end.index);
		end.there = true;
		end.index = run->end.index;
		end.status = run->end.status;
	}
	if (s->stream)
		return total < (uint64_t)s->first ? 0
						  : total - (uint64_t)s->first;
	judge_end(s, &end);
	return total;
}

uint64_t check_subject_judge(
    struct check_subject *s, const struct check_run *run)
{
	uint64_t total = judge_log(s, run);

	/* Where it is known, what is wrong is said rather than that it is. */
	if (!s->holds && !s->record.there && !s->log.there)
		doubt(&s->record, CHECK_RECORD,
		    "its record is not what was written");
	return total;
}
