/*
 * notify: tell systemd that the service is ready, or stopping (sd_notify(3)'s
 * protocol). Without NOTIFY_SOCKET nothing happens.
 *
 * Used by: serve.     Thread: the main one.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

void notify_ready(void);
void notify_stopping(void);

#endif
