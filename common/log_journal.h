/*
 * common/log_journal.h - log lines as entries of systemd's journal, with their fields
 *
 * The journal's native protocol (systemd.io, JOURNAL_NATIVE_PROTOCOL): one datagram per entry. For
 * log.c alone. The socket is made once, before a sandbox forbids to make any; then it takes no
 * more than send(). A line makes these fields:
 *
 *   MESSAGE    the line as it stands in a text log; PRIORITY, SYSLOG_IDENTIFIER
 *   EVENT      its first word: worker_exit
 *   INSTANCE, REQUEST_ID   of its context
 *   WARDEN_X   each field x of its own: WARDEN_PID
 */
#ifndef LOG_JOURNAL_H
#define LOG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct log_journal_entry {
	char p[4096];
	size_t len;
};

/*
 * path     the socket that journald listens at, or a test's
 * wait_ms  how long a line waits for room in its queue; then lines are dropped and counted, without
 *          waiting, until there is room again; at least 1
 * 0 or -errno; safe again: the first stays.
 */
ATTR_NODISCARD int log_journal_open(const char *path, unsigned wait_ms);
void log_journal_close(void);
bool log_journal_is_open(void);

/*
 * Add KEY=value. key: in small letters or large; prefix may be "". A field that finds no room, and
 * one whose key is too long (60), is left out.
 */
void log_journal_put(struct log_journal_entry *e, const char *prefix, const char *key,
                     const char *value, size_t value_len);

/*
 * False: there is no journal (any more); the line is the caller's to put elsewhere. A line that was
 * dropped for want of room is taken care of: log_lines_lost n=N follows.
 */
ATTR_NODISCARD bool log_journal_send(const struct log_journal_entry *e);

#endif
