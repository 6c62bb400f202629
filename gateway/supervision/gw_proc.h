/* gateway/supervision/gw_proc.h - worker processes that are not our children, found and recognised by /proc */
#ifndef GW_PROC_H
#define GW_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

/*
 * A pidfd of pid, which must be the worker of instance_id: its command line says so (which no other
 * process can change) and it was started at start_ticks (0: any), so a pid that is in use again is
 * no mistake of ours. Where /proc hides it from us (ProtectProc= of a unit) the caller's word is
 * taken: vouched, the kernel has said that it is the one at the other end.
 * A descriptor; -ESRCH: it is not; or another -errno.
 */
ATTR_NODISCARD int gw_proc_open_worker(pid_t pid, const char *instance_id, uint64_t start_ticks,
                                       bool vouched);

/*
 * SIGKILL. pid: of pidfd; used where pidfds can't send signals (valgrind), so only while it is our
 * child whose status has not been fetched. 0 or -errno; -EPERM: another user's.
 */
int gw_proc_kill(int pidfd, pid_t pid);

/* The process that serves instance_id, looked for in all of /proc; 0: none. */
pid_t gw_proc_find_worker(const char *instance_id);

#endif
