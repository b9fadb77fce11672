#include "store/prompt.h"

#include <stdlib.h>

void prompt_fini(struct prompt *p)
{
	free(p->owner);
	free(p->name);
	free(p->body);
	*p = (struct prompt){ 0 };
}
