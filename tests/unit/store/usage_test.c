/* What executions used, summed up, through a store. */
#include "tests/unit/store/support.h"

#include <sqlite3.h>

#include "store/check.h"
#include "store/importer.h"
#include "tests/unit/store/import_line.h"

#define DAY INT64_C(20000)
#define AT(day) ((day)*TALLY_DAY_MS + 5)

/* An execution of ${owner} that ends on ${day}; its id. */
static struct id ended(struct place *p, const char *owner, const char *target,
    int64_t day, enum execution_status status, uint32_t attempts,
    const char *metadata)
{
	static const char *const ends[] = { "", "",
		"{\"status\":\"completed\"}", "{\"status\":\"failed\"}",
		"{\"status\":\"cancelled\"}" };
	struct id id = create(p->store, owner);
	struct batch_end end = { .status = status,
		.chunk = { .attempt = attempts == 0 ? 1 : attempts,
		    .kind = CHUNK_END,
		    .ts_ms = AT(day),
		    .meta = ends[status],
		    .meta_len = strlen(ends[status]) },
		.metadata = metadata,
		.metadata_len = strlen(metadata),
		.error_code = status == EXECUTION_COMPLETED ? "" : "idle",
		.error_code_len = status == EXECUTION_COMPLETED ? 0 : 4 };
	struct job job;

	job_init(&job, WRITE_BATCH);
	for (uint32_t a = 1; a <= attempts; a++)
		batch_start(&job.write.u.batch, &id,
		    &(struct batch_start){
			a, AT(day), target, (uint32_t)strlen(target) });
	batch_end(&job.write.u.batch, &id, &end);
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	return id;
}

static uint32_t ask(
    struct place *p, const struct tally_filter *f, struct tally_row *rows)
{
	struct query *q = NULL;
	uint32_t n = 0;

	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(query_usage(q, f, rows, &n), OK);
	query_close(q);
	return n;
}

static struct tally_filter all_by(enum tally_by by)
{
	return (struct tally_filter){
		.by = by, .first_day = 0, .end_day = 100000, .limit = 10
	};
}

static void expect_tally(const struct tally *t, int64_t in, int64_t out,
    int64_t cached, int64_t reasoning, int64_t pusd)
{
	assert_int_equal(t->input_tokens, in);
	assert_int_equal(t->output_tokens, out);
	assert_int_equal(t->cached_tokens, cached);
	assert_int_equal(t->reasoning_tokens, reasoning);
	assert_int_equal(t->cost_pusd, pusd);
}

#define USED(in, out, rest)                                            \
	"{\"usage\":{\"input_tokens\":" #in ",\"output_tokens\":" #out \
	"}" rest "}"
#define FAILED ",\"error\":{\"code\":\"idle\"}"

static void fill(struct place *p)
{
	ended(p, "ada", "a/x", DAY, EXECUTION_COMPLETED, 1,
	    USED(10, 20, ",\"cost_usd\":0.000000000003"));
	ended(p, "ada", "a/x", DAY, EXECUTION_FAILED, 3, USED(1, 2, FAILED));
	ended(p, "ada", "b/y", DAY + 1, EXECUTION_COMPLETED, 1,
	    "{\"usage\":{\"input_tokens\":100,\"output_tokens\":200,"
	    "\"cached_input_tokens\":7,\"reasoning_tokens\":8},"
	    "\"cost_usd\":0.5}");
	ended(p, "bob", "a/x", DAY + 1, EXECUTION_CANCELLED, 2,
	    USED(1000, 2000, FAILED));
	ended(p, "bob", "", DAY + 2, EXECUTION_CANCELLED, 0,
	    "{\"a\":1" FAILED "}");
}

static void sums_are_exact_by_day_owner_and_target(void **state)
{
	struct tally_row r[10] = { 0 };
	struct tally_filter f;
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	fill(&p);

	f = all_by(TALLY_BY_DAY);
	assert_int_equal(ask(&p, &f, r), 3);
	assert_int_equal(r[0].day, DAY);
	assert_int_equal(r[0].completed, 1);
	assert_int_equal(r[0].failed, 1);
	assert_int_equal(r[0].cancelled, 0);
	assert_int_equal(r[0].attempts, 4);
	assert_int_equal(r[0].priced, 1);
	expect_tally(&r[0].sum, 11, 22, -1, -1, 3);
	expect_tally(&r[1].sum, 1100, 2200, 7, 8, 500000000000);
	assert_int_equal(r[2].day, DAY + 2);
	assert_int_equal(r[2].attempts, 0);
	expect_tally(&r[2].sum, -1, -1, -1, -1, -1);

	f = all_by(TALLY_BY_OWNER);
	assert_int_equal(ask(&p, &f, r), 2);
	assert_string_equal(r[0].key, "ada");
	assert_int_equal(r[0].attempts, 5);
	expect_tally(&r[0].sum, 111, 222, 7, 8, 500000000003);
	assert_string_equal(r[1].key, "bob");
	assert_int_equal(r[1].cancelled, 2);
	expect_tally(&r[1].sum, 1000, 2000, -1, -1, -1);
	tally_row_fini(&r[0]);
	tally_row_fini(&r[1]);

	f = all_by(TALLY_BY_TARGET);
	assert_int_equal(ask(&p, &f, r), 3);
	assert_string_equal(r[0].key, "");
	assert_string_equal(r[1].key, "a/x");
	assert_int_equal(r[1].completed + r[1].failed + r[1].cancelled, 3);
	assert_string_equal(r[2].key, "b/y");
	for (int i = 0; i < 3; i++)
		tally_row_fini(&r[i]);

	f = all_by(TALLY_IN_ALL);
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].completed + r[0].failed + r[0].cancelled, 5);
	assert_int_equal(r[0].priced, 2);
	expect_tally(&r[0].sum, 1111, 2222, 7, 8, 500000000003);
	place_fini(&p);
}

static void owner_days_and_cursor_narrow_it(void **state)
{
	struct tally_row r[10] = { 0 };
	struct tally_filter f;
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	fill(&p);
	f = all_by(TALLY_BY_DAY);
	f.owner = "bob";
	assert_int_equal(ask(&p, &f, r), 2);
	assert_int_equal(r[0].day, DAY + 1);
	expect_tally(&r[0].sum, 1000, 2000, -1, -1, -1);
	f = all_by(TALLY_BY_DAY);
	f.first_day = DAY + 1;
	f.end_day = DAY + 2;
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].day, DAY + 1);
	f = all_by(TALLY_BY_DAY);
	f.limit = 2;
	assert_int_equal(ask(&p, &f, r), 2);
	f.after = "20001";
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].day, DAY + 2);
	f = all_by(TALLY_BY_TARGET);
	f.after = "";
	f.limit = 1;
	assert_int_equal(ask(&p, &f, r), 1);
	assert_string_equal(r[0].key, "a/x");
	tally_row_fini(&r[0]);
	f = all_by(TALLY_IN_ALL);
	f.owner = "nobody";
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].completed, 0);
	expect_tally(&r[0].sum, -1, -1, -1, -1, -1);
	place_fini(&p);
}

static void what_was_used_is_counted_after_a_delete_and_a_restart(void **state)
{
	struct tally_filter f = all_by(TALLY_IN_ALL);
	struct tally_row r[1];
	struct place p;
	struct job job;
	struct id id;

	(void)state;
	place_init(&p);
	place_open(&p);
	id = ended(
	    &p, "ada", "a/x", DAY, EXECUTION_COMPLETED, 1, USED(10, 20, ""));
	job_init(&job, WRITE_DELETE);
	job.write.u.remove.id = id;
	assert_int_equal(job_run(&job, p.store), OK);
	job_fini(&job);
	place_close(&p);
	place_open(&p);
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].completed, 1);
	expect_tally(&r[0].sum, 10, 20, -1, -1, -1);
	place_fini(&p);
}

static void change(struct place *p, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(p->url, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* What would not fit 64 bits stays at its bound, and nothing fails. */
static void nobodys_claims_spoil_the_sums(void **state)
{
	static const char most[] =
	    USED(1000000000, 1000000000, ",\"cost_usd\":1000");
	struct tally_filter f = all_by(TALLY_IN_ALL);
	struct tally_row r[1];
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	ended(&p, "ada", "a/x", DAY, EXECUTION_COMPLETED, 1, most);
	ended(&p, "bob", "a/x", DAY, EXECUTION_COMPLETED, 1, most);
	assert_int_equal(ask(&p, &f, r), 1);
	expect_tally(
	    &r[0].sum, 2000000000, 2000000000, -1, -1, 2 * TALLY_MAX_PUSD);
	place_close(&p);
	change(&p, "UPDATE usage SET cost_pusd = 8999999999999999999, "
		   "input_tokens = 999999999999");
	place_open(&p);
	ended(&p, "ada", "a/x", DAY, EXECUTION_COMPLETED, 1, most);
	f.owner = "ada";
	assert_int_equal(ask(&p, &f, r), 1);
	expect_tally(
	    &r[0].sum, TALLY_SUM_TOKENS, 2000000000, -1, -1, TALLY_SUM_PUSD);
	f.owner = NULL;
	assert_int_equal(ask(&p, &f, r), 1);
	assert_int_equal(r[0].sum.cost_pusd, INT64_MAX);
	place_fini(&p);
}

static void on_told(void *arg, const struct importer_told *t)
{
	enum importer_fate *fate = arg;

	*fate = t->fate;
}

static enum importer_fate import_one(struct place *p, const char *line)
{
	enum importer_fate fate = IMPORTER_REFUSED;
	const struct importer_options o = {
		.store = p->store, .on_told = on_told, .arg = &fate
	};
	struct importer *m = NULL;
	struct why why = { "" };

	assert_int_equal(importer_open(&o, &m), OK);
	assert_int_equal(importer_line(m, 1, line, strlen(line), &why), OK);
	assert_int_equal(importer_finish(m, &why), OK);
	importer_close(m);
	return fate;
}

/* Whatever was imported, the sums are those of the line. */
static void expect_once(struct place *p)
{
	struct tally_filter f = all_by(TALLY_BY_DAY);
	struct tally_row r[10];

	assert_int_equal(ask(p, &f, r), 1);
	assert_int_equal(r[0].day, 20455);
	assert_int_equal(r[0].completed, 1);
	assert_int_equal(r[0].attempts, 2);
	expect_tally(&r[0].sum, 3, 4, -1, -1, TALLY_USD / 4);
}

static char *used_line(void)
{
	return line_with(LINE, "\"metadata\":{\"a\"",
	    "\"metadata\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4},"
	    "\"cost_usd\":0.25,\"a\"");
}

static void an_import_is_counted_once(void **state)
{
	char *line = used_line();
	char *other = line_with(line, "89ab\"", "89ac\"");
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, line), IMPORTER_IMPORTED);
	assert_int_equal(import_one(&p, line), IMPORTER_EXISTED);
	assert_int_equal(import_one(&p, other), IMPORTER_REFUSED);
	expect_once(&p);
	place_fini(&p);
	free(line);
	free(other);
}

static void also_when_its_deletion_was_forgotten(void **state)
{
	char *line = used_line();
	struct place p;
	struct job job;

	(void)state;
	place_init(&p);
	place_open(&p);
	/* Twice: what is forgotten again is known still. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(import_one(&p, line), IMPORTER_IMPORTED);
		job_init(&job, WRITE_DELETE);
		assert_int_equal(
		    id_parse(LINE_ID, 36, &job.write.u.remove.id), OK);
		assert_int_equal(job_run(&job, p.store), OK);
		job_fini(&job);
		job_init(&job, WRITE_TOMBSTONES_DROP);
		job.write.u.tombstones_drop.before_ms = INT64_MAX;
		job.write.u.tombstones_drop.limit = 10;
		assert_int_equal(job_run(&job, p.store), OK);
		assert_int_equal(job.write.u.tombstones_drop.dropped, 1);
		job_fini(&job);
		expect_once(&p);
	}
	assert_int_equal(import_one(&p, line), IMPORTER_IMPORTED);
	expect_once(&p);
	place_fini(&p);
	free(line);
}

/* --- and what a check says --- */

static void on_finding(void *arg, const struct check_finding *f)
{
	char *said = arg;

	snprintf(said, 600, "%s: %s", check_kind_name(f->kind), f->what.text);
}

static void expect_said(struct place *p, const char *sql, const char *want)
{
	char said[600] = "";
	const struct check_options o = { .on_finding = on_finding,
		.arg = said };
	struct why why = { "" };
	struct check *c = NULL;
	bool done = false;

	change(p, sql);
	assert_int_equal(check_open_alone(p->url, &o, &c, &why), OK);
	while (!done)
		assert_int_equal(check_step(c, &done), OK);
	check_close(c);
	assert_string_equal(said, want);
}

static void sums_that_say_less_than_the_executions_are_found(void **state)
{
	static const char found[] =
	    "usage: the usage of 2024-10-04 is less than that of the "
	    "executions that ended then";
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	fill(&p);
	place_close(&p);
	expect_said(&p, "UPDATE usage SET output_tokens = 1000000", "");
	/* As deleting does, by hand. */
	expect_said(&p,
	    "INSERT INTO trash SELECT id FROM executions WHERE owner = 'bob';"
	    "DELETE FROM executions WHERE owner = 'bob'",
	    "");
	expect_said(
	    &p, "UPDATE usage SET input_tokens = 10 WHERE day = 20000", found);
	expect_said(&p,
	    "UPDATE usage SET input_tokens = 11, failed = 0 WHERE day = 20000",
	    found);
	expect_said(&p,
	    "UPDATE usage SET failed = 1, cost_pusd = 2 WHERE day = 20000",
	    found);
	expect_said(&p, "DELETE FROM usage WHERE day = 20000", found);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_exact_by_day_owner_and_target),
		cmocka_unit_test(owner_days_and_cursor_narrow_it),
		cmocka_unit_test(
		    what_was_used_is_counted_after_a_delete_and_a_restart),
		cmocka_unit_test(nobodys_claims_spoil_the_sums),
		cmocka_unit_test(an_import_is_counted_once),
		cmocka_unit_test(also_when_its_deletion_was_forgotten),
		cmocka_unit_test(
		    sums_that_say_less_than_the_executions_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
