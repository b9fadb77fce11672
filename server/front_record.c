#include "server/front_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/read_pool.h"
#include "store/query.h"

struct record_job {
	struct read_job job;
	struct id id;
	char owner[KEY_NAME_BYTES];
	bool anybody;
	void (*on_record)(struct call *call, const struct execution *e);
	void (*on_none)(struct call *call);
	struct execution found;
};

static void record_run(struct read_job *job, struct query *q)
{
	struct record_job *j = (struct record_job *)job;
	const char *owner = j->anybody ? NULL : j->owner;

	job->result = query_execution(q, &j->id, owner, &j->found);
	read_pool_gone(job, q, &j->id, owner);
}

static void record_done(struct read_job *job, struct call *call)
{
	struct record_job *j = (struct record_job *)job;

	if (job->result == OK)
		j->on_record(call, &j->found);
	else if (j->on_none &&
		 (job->result == ERR_NOT_FOUND || job->result == ERR_GONE))
		j->on_none(call);
	else
		call_fail_err(call, job->result, &job->why);
}

static void record_drop(struct read_job *job)
{
	struct record_job *j = (struct record_job *)job;

	execution_fini(&j->found);
	free(j);
}

void front_record_ask(struct call *call, const struct id *id,
    void (*on_record)(struct call *call, const struct execution *e),
    void (*on_none)(struct call *call))
{
	const char *owner = call_filter(call);
	struct record_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = record_run;
	j->job.done = record_done;
	j->job.drop = record_drop;
	j->id = *id;
	j->anybody = !owner;
	j->on_record = on_record;
	j->on_none = on_none;
	(void)snprintf(j->owner, sizeof(j->owner), "%s", owner ? owner : "");
	(void)read_pool_ask(call, &j->job);
}
