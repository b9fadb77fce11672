#include <stdio.h>

#include "server/cmd/cmd.h"
#include "server/cmd/process.h"
#include "server/upstream.h"

static const struct option_spec options[] = {
	{ .name = "listen",
	    .letter = 'l',
	    .kind = OPTION_STRING,
	    .arg = "ADDR",
	    .fallback = "127.0.0.1:0",
	    .group = "Simulation",
	    .help = "address and port; port 0 takes a free one" },
	{ .name = "dialect",
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .fallback = "openai",
	    .group = "Simulation",
	    .help = "what it speaks: openai, ollama, gemini, anthropic, "
		    "responses" },
	{ .name = "tokens",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .min = 1,
	    .group = "Simulation",
	    .help = "in each answer; else as the text has" },
	{ .name = "rate",
	    .kind = OPTION_NUMBER,
	    .arg = "N",
	    .fallback = "40",
	    .group = "Simulation",
	    .help = "tokens a second of each answer; 0: at once" },
	{ .name = "size",
	    .kind = OPTION_SIZE,
	    .arg = "SIZE",
	    .min = 1,
	    .group = "Simulation",
	    .help = "bytes in each token; else words" },
	{ .name = "first-ms",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "50",
	    .group = "Simulation",
	    .help = "milliseconds before the first token" },
	{ .name = "stamp",
	    .kind = OPTION_BOOL,
	    .group = "Simulation",
	    .help = "each token is the monotonic clock in ns, for measuring" },
	{ .name = "key",
	    .kind = OPTION_SECRET,
	    .arg = "PATH",
	    .group = "Simulation",
	    .help = "refuse requests without this key",
	    .env = "SPOOL_UPSTREAM_KEY" },
	{ .name = "fault",
	    .kind = OPTION_STRING,
	    .arg = "KIND",
	    .group = "Faults",
	    .help = "what goes wrong: status, cut, stall, garbage, no-end, "
		    "error, split, silent, pings" },
	{ .name = "after",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "3",
	    .group = "Faults",
	    .help = "at which token" },
	{ .name = "status",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "500",
	    .min = 400,
	    .max = 599,
	    .group = "Faults",
	    .help = "of --fault status" },
	{ .name = "fault-share",
	    .kind = OPTION_NUMBER,
	    .arg = "X",
	    .fallback = "1",
	    .max = 1,
	    .group = "Faults",
	    .help = "of the requests, 0 … 1" },
	{ .name = "seed",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "1",
	    .group = "Faults",
	    .help = "the same seed goes wrong in the same places" },
	{ .name = "loops",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "1",
	    .min = 1,
	    .max = 64,
	    .group = "Simulation",
	    .help = "threads" },
	{ .name = NULL },
};

static enum err read_options(
    const struct option_set *o, struct upstream_options *ret, struct why *why)
{
	const char *fault = option_text(o, "fault");

	upstream_defaults(ret);
	ret->listen = option_text(o, "listen");
	ret->dialect = option_text(o, "dialect");
	ret->rate = option_number(o, "rate");
	ret->first_ms = option_int(o, "first-ms");
	ret->stamp = option_bool(o, "stamp");
	ret->key = option_text(o, "key");
	ret->after = option_int(o, "after");
	ret->status = option_int(o, "status");
	ret->fault_share = option_number(o, "fault-share");
	ret->seed = (uint64_t)option_int(o, "seed");
	ret->loops = (unsigned)option_int(o, "loops");
	if (option_int(o, "tokens"))
		ret->tokens = option_int(o, "tokens");
	if (option_int(o, "size"))
		ret->size = option_int(o, "size");
	return fault ? upstream_fault_parse(fault, &ret->fault, why) : OK;
}

static enum cmd_exit run(struct cmd *c)
{
	struct upstream_options o;
	struct upstream *upstream = NULL;
	struct why why = { "" };
	enum err err;

	err = read_options(c->options, &o, &why);
	if (!err)
		err = process_prepare(false, &why);
	if (!err)
		err = upstream_start(&o, &upstream, &why);
	if (err)
		return cmd_fail(err, &why);
	printf("simulated upstream listening on %s\n", upstream_url(upstream));
	fflush(stdout);
	process_wait();
	upstream_stop(upstream);
	return CMD_OK;
}

static const struct command command = {
	.name = "upstream",
	.group = "Servers",
	.summary =
	    "run the simulated model: a provider's protocol, without a model",
	.usage = "[options]",
	.about =
	    "Says where it listens, then serves until SIGTERM. Its answers "
	    "say that they are a simulation. In the dialect responses, what is "
	    "asked for in the background goes on when nobody hears it, and "
	    "can be taken up or cancelled; a connection that takes it up "
	    "meets the same fault again, --after tokens later.",
	.examples =
	    "spool upstream --listen 127.0.0.1:9090\n"
	    "spool upstream --rate 0 --fault cut --fault-share 0.1\n"
	    "OPENAI_BASE_URL=http://127.0.0.1:9090/v1 spool serve\n"
	    "spool upstream --dialect ollama --listen 127.0.0.1:11434\n"
	    "spool upstream --dialect responses --fault cut --after 20\n",
	.options = options,
	.run = run,
};

const struct command *cmd_upstream(void)
{
	return &command;
}
