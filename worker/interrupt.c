#include "worker/interrupt.h"

#include <string.h>

bool interrupt_parse(const char *name, size_t len, enum interrupt *ret)
{
	static const char *const names[] = {
		[INTERRUPT_FAIL] = "fail",
		[INTERRUPT_RESTART] = "restart",
		[INTERRUPT_CONTINUE] = "continue",
		[INTERRUPT_AUTO] = "auto",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len &&
		    memcmp(names[i], name, len) == 0) {
			*ret = (enum interrupt)i;
			return true;
		}
	return false;
}

bool interrupt_restarts(enum interrupt i)
{
	return i == INTERRUPT_RESTART || i == INTERRUPT_AUTO;
}

bool interrupt_continues(enum interrupt i)
{
	return i == INTERRUPT_CONTINUE || i == INTERRUPT_AUTO;
}
