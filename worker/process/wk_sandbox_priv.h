/* worker/process/wk_sandbox_priv.h - shared by the files of wk_sandbox */
#ifndef WK_SANDBOX_PRIV_H
#define WK_SANDBOX_PRIV_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

struct wk_sandbox {
	unsigned layers;
	int landlock_abi;         /* 0: none */
	struct sock_filter *code; /* NULL: no seccomp */
	unsigned short code_n;
};

/* ---- wk_sandbox_id.c: who we are and what we may ------------------------------------------- */

/* Before ids are given up: nothing that is executed or inherited may bring a capability back. */
void wk_sandbox_bound_rights(void);
/* Become the owner of dir, if we are root and it has another. 0 or -errno. */
ATTR_NODISCARD int wk_sandbox_take_uid(const char *dir);
/* No capability is left, and nobody may look into our memory. 0 or -errno. */
ATTR_NODISCARD int wk_sandbox_drop_rights(void);

/* ---- wk_sandbox_landlock.c ------------------------------------------------------------------ */

/* no_new_privs must be set. 0 or -errno. */
ATTR_NODISCARD int wk_sandbox_landlock(int abi, const char *dir);

/* ---- wk_sandbox_seccomp.c ------------------------------------------------------------------- */

/* The filter as a program, allocated. 0 or -errno. */
ATTR_NODISCARD int wk_sandbox_seccomp_make(struct sock_filter **code_out, unsigned short *n_out);
/* Load it for this process. no_new_privs must be set. 0 or -errno. */
ATTR_NODISCARD int wk_sandbox_seccomp_load(const struct sock_filter *code, unsigned short n);

#endif
