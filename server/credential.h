/*
 * credential: a secret that the service manager passes as a file, called as the
 * environment variable that it stands for (systemd: LoadCredential=).
 *
 * Used by: option (secrets of its tables), config (upstreams' keys).
 * Thread: the main one.
 */
#ifndef SERVER_CREDENTIAL_H
#define SERVER_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is there a file for ${variable} ("OPENAI_API_KEY") in $CREDENTIALS_DIRECTORY,
 * under that name or in small letters? Its path is then in ${dst}.
 */
bool credential_path(const char *variable, char *dst, size_t room);

#endif
