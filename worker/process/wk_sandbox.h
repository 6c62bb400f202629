/*
 * worker/process/wk_sandbox.h - what a worker gives up before its first foreign byte
 *
 * A worker needs one directory, a few files to read, and connections that it makes itself. All else
 * is given up for good, in layers that hold by themselves, so that one that a kernel lacks, or that
 * somebody finds a way through, is not all there is:
 *
 *   limits    no core file, memory, descriptors, no further process
 *   own uid   where the worker starts as root: it becomes the owner of its directory
 *   rights    no capability, none to be had by exec, not dumpable (no ptrace, no /proc/PID/mem)
 *   Landlock  its own directory, and to read: trusted certificates, the resolver's files; no TCP
 *             port to listen at; no signal, no abstract socket out of the sandbox
 *   seccomp   a list of system calls, no others; IPv4 and IPv6 sockets only; no memory that becomes
 *             code; what only an attacker calls ends the process with SIGSYS
 *
 * The filter is made once (in the zygote: for all children) and shared; entering allocates little
 * and leaves nothing behind.
 */
#ifndef WK_SANDBOX_H
#define WK_SANDBOX_H

#include <stdint.h>

#include "common/attr.h"

#define WK_SANDBOX_FILES_MAX 64 /* descriptors a worker may have */

/* To be left out: for tests, which show what each layer holds by itself. */
enum wk_sandbox_layer {
	WK_SANDBOX_LIMITS = 1,
	WK_SANDBOX_UID = 2,
	WK_SANDBOX_RIGHTS = 4,
	WK_SANDBOX_LANDLOCK = 8,
	WK_SANDBOX_SECCOMP = 16,
	WK_SANDBOX_ALL = 31,
};

struct wk_sandbox;

/*
 * Find out what the kernel has and make the filter. What is missing is warned about here, once, by
 * name. layers: WK_SANDBOX_ALL but for tests.
 * 0 or -errno (-ENOMEM, or libseccomp's). Free with wk_sandbox_free(); NULL is fine there.
 */
ATTR_NODISCARD int wk_sandbox_new(unsigned layers, struct wk_sandbox **sb_out);
void wk_sandbox_free(struct wk_sandbox *sb);

/* The layers that wk_sandbox_enter() will set up. */
unsigned wk_sandbox_layers(const struct wk_sandbox *sb);

/*
 * Enter, for good. dir: the instance's directory; everything else that has to be opened by path is
 * open already. memory_max_mb: RLIMIT_DATA; 0: no limit.
 * 0 or -errno with *why_out naming the step (static text). After a failure the process is neither
 * in nor out: it must end.
 */
ATTR_NODISCARD int wk_sandbox_enter(const struct wk_sandbox *sb, const char *dir,
                                    uint32_t memory_max_mb, const char **why_out);

/* WARDEN_TEST_SANDBOX of a build with test hooks: the layers to have. WK_SANDBOX_ALL without. */
unsigned wk_sandbox_test_layers(void);

#endif
