/*
 * gateway/process/gw_sandbox.h - what the gateway gives up before it serves anybody
 *
 * Less than a worker: whatever it gives up is gone for the zygote and all workers as well, and for
 * the program that SIGHUP puts in its place. So it is what none of them needs: new rights by
 * executing a program; as root all capabilities but those that own uids, privileged ports and
 * looking after workers take; writing anywhere but below data_dir, run_dir and where it listens
 * (Landlock); the parts of the kernel that are of use to an attack only (seccomp).
 */
#ifndef GW_SANDBOX_H
#define GW_SANDBOX_H

#include "common/attr.h"

struct gw_config;

/* Variable that says to the next program that it is in already: each ruleset counts, and a worker
 * made by the program before it must not be a stranger. */
#define GW_SANDBOX_ENV "WARDEN_IN_SANDBOX"

/*
 * For good. Makes data_dir and run_dir if they are missing. What the kernel has not is logged, and
 * no failure: the gateway then runs with less. 0 or -errno (a step that should have worked did
 * not).
 */
ATTR_NODISCARD int gw_sandbox_enter(const struct gw_config *cfg);

#endif
