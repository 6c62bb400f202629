/*
 * common/syscall_filter.h - a seccomp filter: made by libseccomp, elsewhere; loaded here
 *
 * Where memory runs out while rules are added, libseccomp (2.5.4) crashes, goes on for ever, or
 * leaves a rule out and says nothing; and it always leaves some hundred KB of heap full of holes
 * behind. So the rules are added in a process of their own, of which nothing comes back but the
 * program and how it ended.
 */
#ifndef SYSCALL_FILTER_H
#define SYSCALL_FILTER_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

/* Does this kernel have it? */
bool sf_is_there(void);

/*
 * The calling process has one thread: a copy of it adds the rules.
 * otherwise     what is done with calls without a rule (SCMP_ACT_...)
 * add_rules     adds the rules to ctx, in that other process, and leaves errno; 0 or -errno
 * code_out      the program, allocated; set on success only
 * n_out         its instructions
 * 0 or -errno: of fork(), of add_rules(); -ENOMEM also where that process was killed.
 */
ATTR_NODISCARD int sf_make(uint32_t otherwise, int (*add_rules)(scmp_filter_ctx ctx),
                           struct sock_filter **code_out, unsigned short *n_out);

/* For this process, for good. no_new_privs must be set. 0 or -errno. */
ATTR_NODISCARD int sf_load(struct sock_filter *code, unsigned short n);

#endif
