#include "server/front.h"

#include <stddef.h>

static const struct front *const all[] = {
	&front_rest,
	&front_callable,
	&front_ops,
	&front_sse,
	&front_openai,
	&front_ui,
	&front_stream,
	&front_ws,
	&front_durable,
	NULL,
};

const struct front *const *front_all(void)
{
	return all;
}
