#include "server/upstream_voice.h"

#include <stdio.h>
#include <string.h>

static const struct upstream_voice *const voices[] = { &upstream_voice_openai,
	&upstream_voice_ollama, &upstream_voice_gemini,
	&upstream_voice_anthropic, &upstream_voice_responses };

enum err upstream_voice_find(
    const char *dialect, const struct upstream_voice **ret, struct why *why)
{
	char list[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
		if (strcmp(voices[i]->name, dialect) == 0) {
			*ret = voices[i];
			return OK;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		    "%s%s", i > 0 ? ", " : "", voices[i]->name);
	}
	err_why(why, "unknown dialect \"%.32s\": one of %s", dialect, list);
	return ERR_INPUT;
}
