#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/client_reach.h"
#include "server/cmd/cmd.h"
#include "server/cmd/doctor.h"
#include "server/cmd/holder.h"
#include "server/cmd/output.h"
#include "server/config.h"
#include "server/http.h"

#define REACH_MS 3000

static void look_at_libraries(struct doctor *d)
{
	char name[64];
	bool good;

	good = http_library(name, sizeof(name));
	doctor_say(d, good ? DOCTOR_OK : DOCTOR_FAIL, "network library",
	    good ? NULL : "install libevent 2.1.12 or later", "%s", name);
	good = client_library(name, sizeof(name));
	doctor_say(d, good ? DOCTOR_OK : DOCTOR_FAIL, "upstream library",
	    good ? NULL : "install libcurl 7.87 or later", "%s", name);
}

static void look_at_upstreams(struct doctor *d, const struct config *c)
{
	struct why why = { "" };

	if (config_can_answer(c, &why) != OK)
		doctor_say(d, DOCTOR_WARN, "upstreams",
		    "set a provider's key, or write an [upstream NAME] section",
		    "none is configured here");
	for (size_t i = 0; i < c->n_upstreams; i++) {
		const struct config_upstream *u = &c->upstreams[i];
		char what[128];

		snprintf(what, sizeof(what), "upstream %s", u->name);
		if (client_reach(u->base_url, REACH_MS, &why) == OK)
			doctor_say(d, DOCTOR_OK, what, NULL,
			    "%s can be reached", u->base_url);
		else
			doctor_say(d, DOCTOR_FAIL, what,
			    "start it, or correct its base_url; look at DNS, "
			    "routes and firewalls",
			    "%s: %s", u->base_url, why.text);
	}
}

/* How an upstream has answered the server that runs. */
static void tell_circuit(struct doctor *d, const json_t *upstream)
{
	const char *state = client_member(upstream, "state");
	long long failures =
	    json_integer_value(json_object_get(upstream, "failures"));
	long long rests_ms =
	    json_integer_value(json_object_get(upstream, "rests_ms"));
	char what[128];

	snprintf(what, sizeof(what), "circuit %.100s",
	    client_member(upstream, "name"));
	if (strcmp(state, "well") == 0)
		doctor_say(d, DOCTOR_OK, what, NULL, "closed");
	else if (strcmp(state, "rests") == 0)
		doctor_say(d, DOCTOR_WARN, what,
		    "see what the upstream says of itself; it is asked again "
		    "by itself",
		    "%lld failures in a row, rests for %lld ms more", failures,
		    rests_ms);
	else
		doctor_say(d, DOCTOR_WARN, what,
		    "wait: one request sees whether it answers again",
		    "%lld failures in a row, is being tried", failures);
}

/* Where the server of this store can be asked: what it has met. */
static void look_at_server(struct doctor *d, const struct option_set *options)
{
	const struct client_call call = { .method = CLIENT_GET,
		.path = "/v1/status" };
	struct client *client = NULL;
	struct why why = { "" };
	json_t *answer = NULL;
	const json_t *upstream;
	enum err err;
	size_t i;

	err = client_open(options, &client, &why);
	if (!err)
		err = holder_check(client, options, &why);
	if (!err)
		err = client_call(client, &call, &answer, &why);
	/* None runs, or it is another's: nothing to say. */
	if (!err)
		json_array_foreach(json_object_get(answer, "upstreams"), i,
		    upstream) tell_circuit(d, upstream);
	json_decref(answer);
	client_close(client);
}

/* For HEALTHCHECK: does the server answer? */
static enum cmd_exit quick(struct cmd *c)
{
	const struct client_call call = { .method = CLIENT_GET,
		.path = "/healthz" };
	struct doctor d = { .n = { 0 } };
	struct client *client = NULL;
	struct why why = { "" };
	json_t *answer = NULL;
	enum err err;

	err = client_open(c->options, &client, &why);
	if (!err)
		err = client_call(client, &call, &answer, &why);
	if (!err && strcmp(client_member(answer, "status"), "ok") != 0) {
		err_why(&why, "%s answers, but not as spool does",
		    client_url(client));
		err = ERR_IO;
	}
	if (err)
		doctor_say(&d, DOCTOR_FAIL, "server",
		    "start it (spool serve), or set SPOOL_URL", "%s", why.text);
	else
		doctor_say(&d, DOCTOR_OK, "server", NULL, "%s answers",
		    client_url(client));
	json_decref(answer);
	client_close(client);
	return err ? CMD_FAILED : CMD_OK;
}

static enum cmd_exit run(struct cmd *c)
{
	static struct config config; /* large */
	struct doctor d = { .n = { 0 } };
	struct why why = { "" };
	enum err err;

	if (option_bool(c->options, "quick"))
		return option_take_env(c->options, &why) == OK
			   ? quick(c)
			   : cmd_fail(ERR_INPUT, &why);
	err = config_load(c->options, &config, &why);
	if (err == ERR_NOMEM)
		return cmd_fail(err, &why);
	if (err)
		doctor_say(&d, DOCTOR_FAIL, "configuration",
		    "correct it; spool config show --origin says what is in "
		    "force",
		    "%s", why.text);
	else
		doctor_say(&d, DOCTOR_OK, "configuration", NULL, "%s",
		    option_text(c->options, "config")
			? option_text(c->options, "config")
			: "no file; flags, environment, defaults");
	look_at_libraries(&d);
	doctor_store(&d, option_text(c->options, "db"),
	    err ? true : config.require_keys,
	    err ? 0 : config.disk_reserve_bytes);
	if (!err)
		look_at_upstreams(&d, &config);
	look_at_server(&d, c->options);
	config_fini(&config);
	if (!output_json())
		printf("%zu ok, %zu to look at, %zu to mend\n", d.n[DOCTOR_OK],
		    d.n[DOCTOR_WARN], d.n[DOCTOR_FAIL]);
	return d.n[DOCTOR_FAIL] ? CMD_FAILED : CMD_OK;
}

static const struct option_spec options[] = {
	{ .name = "quick",
	    .letter = 'q',
	    .kind = OPTION_BOOL,
	    .fallback = "false",
	    .group = "Doctor",
	    .help = "only ask the server's /healthz: for a HEALTHCHECK" },
	{ .name = NULL },
};

static const struct command command = {
	.name = "doctor",
	.group = "Administration",
	.summary = "look at configuration, files, disk, clock, upstreams",
	.usage = "[options]",
	.about =
	    "Takes what serve takes, and says of each thing whether it is fine "
	    "(ok), to be looked at (warn) or to be mended (fail), and how. It "
	    "changes nothing; upstreams are only connected to, nothing is sent. "
	    "Where the server can be asked (SPOOL_URL, SPOOL_KEY of an "
	    "administrator), it says which of them it lets rest. "
	    "spool check looks into the store itself.\n\n"
	    "The exit code is 1 when something is to be mended, else 0.",
	.examples = "spool doctor --config /etc/spool/spool.ini\n"
		    "spool doctor --json | jq 'select(.state != \"ok\")'\n"
		    "spool doctor --quick --timeout 3s --retry 0\n",
	.options = options,
	.uses = CMD_CONFIG | CMD_CLIENT | CMD_JSON,
	.run = run,
};

const struct command *cmd_doctor(void)
{
	return &command;
}
