/*
 * Any bytes as one word that comes from outside: a query with its parameters, a
 * cursor, a time, a Host, an Origin, a model's name of the simulated upstream,
 * a map of owners.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http_gate.h"
#include "server/http_internal.h"
#include "server/option.h"
#include "server/upstream_plan.h"
#include "server/when.h"
#include "store/base/log.h"
#include "store/import.h"

#define ROOM 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_query(char *text)
{
	static const char *const names[] = { "a", "fromIndex", "after", "" };
	static struct http_exchange x;
	char value[ROOM];

	x.query = text;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(value, '#', sizeof(value));
		if (http_query_value(&x, names[i], value, ROOM) == OK)
			ASSERT(memchr(value, '\0', ROOM) != NULL);
		else
			ASSERT(value[0] == '#' && value[ROOM - 1] == '#');
	}
}

static void as_id(const char *text, size_t len)
{
	char again[ID_TEXT];
	struct id id, same;

	if (id_parse(text, len, &id) != OK)
		return;
	id_text(&id, again);
	ASSERT(id_parse(again, strlen(again), &same) == OK);
	ASSERT(id_equal(&id, &same));
}

static void as_gate(const char *text)
{
	static const char *const hosts[] = { "a.example", NULL };
	static const char *const origins[] = { "https://b.example", NULL };
	const struct http_gate gate = { .hosts = hosts, .origins = origins };
	const struct http_gate_question q = {
		.method = HTTP_POST, .host = text, .origin = text
	};
	bool cors = false;

	(void)http_gate_judge(&gate, &q, &cors);
	(void)http_gate_host(&gate, text);
	ASSERT(!cors || strcasecmp(text, origins[0]) == 0);
}

static void as_plan(const char *text)
{
	struct upstream_options o;
	struct upstream_plan plan;
	struct why why = { "" };

	upstream_defaults(&o);
	ASSERT(upstream_plan_init(&plan, &o, &why) == OK);
	if (upstream_plan_model(&plan, text, &why) != OK)
		ASSERT(why.text[0] != '\0');
	ASSERT(memchr(plan.model, '\0', sizeof(plan.model)) != NULL);
	if (upstream_plan_query(&plan, text, &why) != OK)
		ASSERT(why.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Blocks of their own: reading past the end is seen. */
	char *text = malloc(size + 1);
	static struct import_owners owners;
	struct why why = { "" };
	int64_t ms = 0;

	ASSERT(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	as_query(text);
	as_id(text, size);
	as_gate(text);
	as_plan(text);
	(void)!when_parse(text, &ms);
	if (import_owners_parse(text, &owners, &why) == OK)
		ASSERT(owners.n <= IMPORT_MAX_OWNERS);
	else
		ASSERT(why.text[0] != '\0');
	free(text);
	return 0;
}
