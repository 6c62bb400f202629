/* common/proc_stat.h - what /proc/PID/stat says of a process */
#ifndef PROC_STAT_H
#define PROC_STAT_H

#include <stdint.h>
#include <sys/types.h>

/* Clock ticks from boot to its start (field 22); pid 0: our own. 0: it can't be read. */
uint64_t proc_start_ticks(pid_t pid);

#endif
