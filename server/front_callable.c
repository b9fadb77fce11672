/* The callable front (wire form of httpsCallable): its form. */
#include "server/front.h"

#include "server/write_page.h"
#include "store/base/jsonout.h"

static int status(const struct problem *p)
{
	return problem_kind(p->code)->callable_status;
}

static void page_result(struct buf *b, const struct page *page)
{
	buf_puts(b, "{\"result\":");
	write_page(b, page);
	buf_putc(b, '}');
}

static void problem_result(
    struct buf *b, const struct problem *p, const char *instance)
{
	(void)instance;
	problem_callable(b, p);
}

/* Its parser wants "data: ", with the blank, and the JSON on that line. */
static void event_chunk(struct buf *b, const struct chunk *c)
{
	buf_puts(b, "data: {\"message\":");
	write_page_chunk(b, c);
	buf_puts(b, "}\n\n");
}

static void event_result(struct buf *b, const struct page *last)
{
	buf_puts(b, "data: {\"result\":");
	write_page_head(b, last);
	buf_puts(b, "}\n\n");
}

static void event_problem(struct buf *b, const struct problem *p)
{
	buf_puts(b, "data: ");
	problem_callable(b, p);
	buf_puts(b, "\n\n");
}

const struct front front_callable = {
	.name = "callable",
	.patient = true,
	.page = page_result,
	.problem_type = "application/json",
	.problem = problem_result,
	.problem_status = status,
	.events_only = true,
	.event_chunk = event_chunk,
	.event_result = event_result,
	.event_problem = event_problem,
};
