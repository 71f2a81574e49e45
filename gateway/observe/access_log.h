/*
 * The access log: every finished exchange becomes one line on stdout or in a file. Worker threads format into
 * a lane of their own, two pages of memory that nobody else writes; one writer thread does all writing, so
 * that a slow disk or a blocked pipe never holds a worker. A record is on its way at most 100 ms after
 * access_log_turn(). Memory is bounded: a lane whose pages are full drops records and counts them
 * (COUNTER_log_dropped), and one error line tells how many as soon as writing works again. A destination that
 * fails (disk full, reader gone) is tried again until it takes the rest of the line it failed in. No order is
 * kept between lanes. The process MUST ignore SIGPIPE and SIGXFSZ.
 */
#ifndef PORTICO_OBSERVE_ACCESS_LOG_H
#define PORTICO_OBSERVE_ACCESS_LOG_H

#include "base/check.h"
#include "base/counters.h"
#include "config/config.h"
#include "observe/record.h"

/* Bytes that a page holds, two to a lane, and the room for an error text. */
enum { ACCESS_LOG_PAGE = 512 * 1024, ACCESS_LOG_ERROR_MAX = 256 };

struct access_log;
struct access_log_lane;

/* Opens where the records go: a path, or a copy of stdout. The descriptor, or -1: for "off" without a text in
 * `error_out`, on failure with one. */
MUST_USE int access_log_destination(const struct config_log *settings, char error_out[ACCESS_LOG_ERROR_MAX]);

/* Starts the writer thread on a destination, which it takes over; -1: for "off". NULL and a text in
 * `error_out` on failure. Not before the last fork(). */
MUST_USE struct access_log *access_log_open(const struct config_log *settings, int destination,
                                            char error_out[ACCESS_LOG_ERROR_MAX]);

/* Writes out what the lanes hold, frees them and the log, and stores NULL. No lane may be used any more. A
 * destination that takes nothing for a second is given up: an error line tells how many records are lost.
 * Accepts NULL. */
void access_log_close(struct access_log **log_ptr);

/* Takes over another destination (after a rotation), to which the writer goes over at the next line. Not for
 * "off". Any thread. */
void access_log_reopen(struct access_log *log, int destination);

/* Makes a lane, which lives as long as the log. The thread that uses it counts in `counters`. Any thread. */
struct access_log_lane *access_log_lane_new(struct access_log *log, struct counters *counters);

/* Prints the record into the lane, or drops and counts it. No lock, no system call, no malloc. Only the
 * lane's thread. */
void access_log_write(struct access_log_lane *lane, const struct record *record);

/* Shows the writer what was written; once at the end of a loop turn. Wakes it only when it sleeps for want of
 * records or when a page is more than half full. Only the lane's thread. */
void access_log_turn(struct access_log_lane *lane);

#endif
