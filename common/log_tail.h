/*
 * common/log_tail.h - the last lines of a process's log, and what it had in hand, where another can
 * read them
 *
 * A ring in a memfd: the process that logs has it mapped and writes each line into it; who holds
 * the descriptor reads it after that process is gone, however it went. Sealed against shrinking, so
 * that reading never faults.
 *
 * Layout: total u64 in host order (bytes ever written), hand u64, then LOG_TAIL_LEN bytes of ring.
 */
#ifndef LOG_TAIL_H
#define LOG_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define LOG_TAIL_LEN 4080 /* with its head, one page */

struct log_tail;

/*
 * *fd_out: the caller's to close; the ring stays mapped without it. 0, -ENOMEM, or another -errno.
 */
ATTR_NODISCARD int log_tail_new(struct log_tail **tail_out, int *fd_out);
/* Not after log_set_tail(). NULL is fine. */
void log_tail_free(struct log_tail *t);
/* A line with its newline; one that is longer than the ring keeps its end. */
void log_tail_put(struct log_tail *t, const char *line, size_t len);
/* What the process works on from here on, by a number of its own choice; 0: nothing. Costs a store.
 */
void log_tail_hand(struct log_tail *t, uint64_t key);

/*
 * The whole lines in the ring of fd, oldest first, as text that is printable but for its newlines:
 * who wrote it may have been taken over. out has LOG_TAIL_LEN + 1 bytes. 0; -EINVAL: not such a
 * memfd (then nothing is written); or another -errno.
 */
ATTR_NODISCARD int log_tail_read(int fd, char *out);
/* What its process has, or had, in hand; errors as above. */
ATTR_NODISCARD int log_tail_read_hand(int fd, uint64_t *key_out);

#endif
