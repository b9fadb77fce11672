#include "server/credential.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool credential_path(const char *variable, char *dst, size_t room)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (!dir || !*dir || strchr(variable, '/'))
		return false;
	n = snprintf(dst, room, "%s/%s", dir, variable);
	if (n < 0 || (size_t)n >= room)
		return false;
	if (access(dst, F_OK) == 0)
		return true;
	for (char *c = dst + n - strlen(variable); *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return access(dst, F_OK) == 0;
}
