/*
 * The protocol of systemd's sd_notify(3): lines like "READY=1" to the service manager, when there is one.
 */
#ifndef PORTICO_PROCESS_NOTIFY_H
#define PORTICO_PROCESS_NOTIFY_H

/* Sends the text (printf; lines of NAME=VALUE) to $NOTIFY_SOCKET. Nothing happens without one. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells that the configuration is being loaded again; READY=1 is to follow. */
void notify_reloading(void);

#endif
