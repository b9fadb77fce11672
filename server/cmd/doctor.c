#include "server/cmd/doctor.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/output.h"

static const char *const states[] = {
	[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"
};

void doctor_say(struct doctor *d, enum doctor_state state, const char *what,
    const char *mend, const char *fmt, ...)
{
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	d->n[state]++;
	if (output_json()) {
		json_t *line = json_pack("{s:s, s:s, s:s, s:s?}", "check", what,
		    "state", states[state], "detail", detail, "mend", mend);

		client_print(line);
		json_decref(line);
		return;
	}
	output_style(stdout, state == DOCTOR_FAIL   ? OUTPUT_RED
			     : state == DOCTOR_WARN ? OUTPUT_BOLD
						    : OUTPUT_PLAIN);
	printf("%-4s", states[state]);
	output_style(stdout, OUTPUT_PLAIN);
	printf("  %s: ", what);
	output_text(stdout, detail, strlen(detail));
	putchar('\n');
	if (mend)
		printf("      %s%s\n",
		    state == DOCTOR_OK ? "note: " : "mend: ", mend);
}
