/*
 * The diagnostic log: one line per call on standard error, written with one write(2), so that lines of
 * several threads do not mix. For what operators read, not for requests (these have the access log). Texts
 * from outside may be passed: whatever could forge a line or steer a terminal is escaped as \xNN (A41). Any
 * thread may call at any time. A reader who is slow is waited for a tenth of a second, one who is stuck not
 * again: lines that find no room are counted, and how many stands behind the next one that does.
 *
 *     2026-11-21T02:10:00.123Z warn resolver: no answer name=api.internal tries=3
 */
#ifndef PORTICO_BASE_LOG_H
#define PORTICO_BASE_LOG_H

/* From the most to the least urgent. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines less urgent than this are not written; LOG_LEVEL_INFO at the start. */
void log_set_level(enum log_level level);

/* Writes a line; `component` is a literal, the text (printf) is cut after 2 KiB, the line after PIPE_BUF.
 * Keeps errno. */
void log_write(enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes a line without level and component, for tools that expect other words behind the time. Always. */
void log_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* log_write() with the level in the name. */
#define log_error(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn(component, ...)  log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info(component, ...)  log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_debug(component, ...) log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__)

#endif
