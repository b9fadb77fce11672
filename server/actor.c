#include "server/actor.h"

#include <stdio.h>
#include <string.h>

void actor_audit(const struct principal *who, const char *action,
    const char *subject, struct audit *ret)
{
	static const struct id none;
	char id[ID_TEXT];

	*ret = (struct audit){ .operation = id_new() };
	id_text(&who->key, id);
	if (id_equal(&who->key, &none))
		(void)snprintf(ret->actor, sizeof(ret->actor), "local");
	else
		(void)snprintf(ret->actor, sizeof(ret->actor), "%s%s%s%s", id,
		    who->label[0] ? " (" : "", who->label,
		    who->label[0] ? ")" : "");
	(void)snprintf(ret->action, sizeof(ret->action), "%s", action);
	(void)snprintf(
	    ret->subject, sizeof(ret->subject), "%s", subject ? subject : "");
}
