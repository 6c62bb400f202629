/* worker/process/wk_sandbox.c - the layers in their order */
#include "worker/process/wk_sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/landlock.h"
#include "common/log.h"
#include "common/syscall_filter.h"
#include "worker/process/wk_sandbox_priv.h"

/* ---- once per process, or zygote ------------------------------------------------------------ */

static void find_landlock(struct wk_sandbox *sb)
{
	const char *lacks;

	sb->landlock_abi = ll_abi();
	lacks = ll_lacks(sb->landlock_abi);
	if (lacks != NULL)
		LOG(NULL, LOG_WARNING, "sandbox_incomplete", LF_STR("missing", lacks),
		    LF_INT("landlock_abi", sb->landlock_abi));
	if (sb->landlock_abi == 0)
		sb->layers &= ~(unsigned)WK_SANDBOX_LANDLOCK;
}

static int find_seccomp(struct wk_sandbox *sb)
{
	if (sf_is_there())
		return wk_sandbox_seccomp_make(&sb->code, &sb->code_n);
	LOG(NULL, LOG_WARNING, "sandbox_incomplete", LF_STR("missing", "seccomp"));
	sb->layers &= ~(unsigned)WK_SANDBOX_SECCOMP;
	return 0;
}

int wk_sandbox_new(unsigned layers, struct wk_sandbox **sb_out)
{
	struct wk_sandbox *sb = calloc(1, sizeof(*sb));
	int rc = 0;

	if (sb == NULL)
		return -ENOMEM;
#ifdef WARDEN_SANITIZERS
	LOG(NULL, LOG_NOTICE, "sandbox_off", LF_STR("why", "built with sanitizers"));
	layers = 0; /* they read /proc, trace themselves, and reserve memory by the terabyte */
#endif
	sb->layers = layers;
	if (layers & WK_SANDBOX_LANDLOCK)
		find_landlock(sb);
	if (layers & WK_SANDBOX_SECCOMP)
		rc = find_seccomp(sb);
	if (rc < 0) {
		wk_sandbox_free(sb);
		return rc;
	}
	*sb_out = sb;
	return 0;
}

void wk_sandbox_free(struct wk_sandbox *sb)
{
	if (sb == NULL)
		return;
	free(sb->code);
	free(sb);
}

unsigned wk_sandbox_layers(const struct wk_sandbox *sb)
{
	return sb->layers;
}

unsigned wk_sandbox_test_layers(void)
{
#ifdef WARDEN_TEST_HOOKS
	const char *text = getenv("WARDEN_TEST_SANDBOX");

	if (text != NULL)
		return (unsigned)strtoul(text, NULL, 10) & WK_SANDBOX_ALL;
#endif
	return WK_SANDBOX_ALL;
}

/* ---- entering ------------------------------------------------------------------------------- */

static void set_limit(int what, const char *name, rlim_t max)
{
	const struct rlimit r = { max, max };

	if (setrlimit((__rlimit_resource_t)what, &r) < 0)
		LOG(NULL, LOG_WARNING, "no_limit", LF_STR("of", name), LF_ERR("err", -errno));
}

/*
 * Where a service manager keeps us from setting them, it has set its own. RLIMIT_FSIZE is not among
 * them: it would hold for the log as well, which may be a file. RLIMIT_NPROC 0 means no further
 * process, not none; root is exempt from it, seccomp is not.
 */
static void set_limits(uint32_t memory_max_mb)
{
	set_limit(RLIMIT_NOFILE, "files", WK_SANDBOX_FILES_MAX);
	set_limit(RLIMIT_NPROC, "processes", 0);
	set_limit(RLIMIT_MSGQUEUE, "message queues", 0);
	if (memory_max_mb > 0)
		set_limit(RLIMIT_DATA, "memory", (rlim_t)memory_max_mb * 1024 * 1024);
}

/* In every build. */
static void no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}

static int no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int wk_sandbox_enter(const struct wk_sandbox *sb, const char *dir, uint32_t memory_max_mb,
                     const char **why_out)
{
	unsigned l = sb->layers;
	int rc = 0;

	no_core();
	if (l & WK_SANDBOX_LIMITS)
		set_limits(memory_max_mb);
	if (l & WK_SANDBOX_RIGHTS)
		wk_sandbox_bound_rights();
	if (l & WK_SANDBOX_UID) {
		*why_out = "own uid";
		rc = wk_sandbox_take_uid(dir);
	}
	if (rc == 0 && (l & WK_SANDBOX_RIGHTS)) {
		*why_out = "rights";
		rc = wk_sandbox_drop_rights();
	}
	if (rc == 0 && (l & (WK_SANDBOX_RIGHTS | WK_SANDBOX_LANDLOCK | WK_SANDBOX_SECCOMP))) {
		*why_out = "no_new_privs";
		rc = no_new_privs();
	}
	if (rc == 0 && (l & WK_SANDBOX_LANDLOCK)) {
		*why_out = "landlock";
		rc = wk_sandbox_landlock(sb->landlock_abi, dir);
	}
	if (rc == 0 && (l & WK_SANDBOX_SECCOMP)) {
		*why_out = "seccomp";
		rc = wk_sandbox_seccomp_load(sb->code, sb->code_n);
	}
	return rc;
}
