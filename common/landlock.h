/*
 * common/landlock.h - giving up files, ports and signals for good, with what the kernel has of
 * Landlock
 *
 * A process enters a ruleset: what it handles is forbidden but for the rules. Children and programs
 * that are executed stay in it. Numbers of the kernel's interface
 * (Documentation/userspace-api/landlock.rst) are written down here: headers may be older than
 * kernels.
 */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

/* Rights on files. Those that an ABI lacks are free there. */
#define LL_EXECUTE (1ULL << 0)
#define LL_WRITE_FILE (1ULL << 1)
#define LL_READ_FILE (1ULL << 2)
#define LL_READ_DIR (1ULL << 3)
#define LL_REMOVE_DIR (1ULL << 4)
#define LL_REMOVE_FILE (1ULL << 5)
#define LL_MAKE_DIR (1ULL << 7)
#define LL_MAKE_REG (1ULL << 8)
#define LL_MAKE_SOCK (1ULL << 9)
#define LL_REFER (1ULL << 13) /* to move or link from one directory to another */
#define LL_TRUNCATE (1ULL << 14)
#define LL_IOCTL_DEV (1ULL << 15)

/* What a ruleset handles besides all rights on files; each as far as the kernel has it. */
#define LL_NO_BIND 1U  /* TCP ports to listen at */
#define LL_NO_SCOPE 2U /* signals to, and abstract Unix sockets of, who is not in the ruleset */

/* The kernel's; 0: it has no Landlock, or we may not use it. */
int ll_abi(void);
/* What this ABI can't do of the above, as text for a warning; NULL: nothing. */
const char *ll_lacks(int abi);

/* A ruleset without rules. A descriptor or -errno. */
ATTR_NODISCARD int ll_new(int abi, unsigned handled);
/* These rights on path and, if it is a directory, on all beneath it. 0 or -errno. */
ATTR_NODISCARD int ll_allow(int ruleset_fd, int abi, const char *path, uint64_t rights);
/* no_new_privs must be set. The descriptor stays open. 0 or -errno. */
ATTR_NODISCARD int ll_enter(int ruleset_fd);

#endif
