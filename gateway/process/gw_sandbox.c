/* gateway/process/gw_sandbox.c - what the gateway gives up before it serves anybody */
#include "gateway/process/gw_sandbox.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/landlock.h"
#include "common/log.h"
#include "common/syscall_filter.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_dir.h"

/* the macros of seccomp.h leave the second operand out where there is none */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- capabilities, where we are root ----------------------------------------------------------
 */

#define CAP(c) (1ULL << (c))

/* Own uids: the folders are given away, entered and erased; the zygote's children change users. */
#define KEPT \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_SETUID) | \
	 CAP(CAP_SETGID) | CAP(CAP_SETPCAP) | CAP(CAP_KILL) | CAP(CAP_NET_BIND_SERVICE) | \
	 CAP(CAP_IPC_LOCK))

static int drop_caps(uint64_t kept)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	for (unsigned long c = 0; c < 64; c++)
		if ((kept & CAP(c)) == 0)
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* those that the kernel has */
	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		caps[i].permitted &= (uint32_t)(kept >> (32 * i));
		caps[i].effective &= caps[i].permitted;
		caps[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}

/* ---- Landlock ----------------------------------------------------------------------------------
 */

#define READ (LL_EXECUTE | LL_READ_FILE | LL_READ_DIR)
#define OWN \
	(READ | LL_WRITE_FILE | LL_TRUNCATE | LL_REFER | LL_REMOVE_FILE | LL_REMOVE_DIR | \
	 LL_MAKE_DIR | LL_MAKE_REG | LL_MAKE_SOCK)

static int allow_own(int fd, int abi, const char *dir)
{
	int rc = gw_dir_make(dir);

	if (rc < 0)
		return 0; /* who needs it will say so */
	rc = ll_allow(fd, abi, dir, OWN);
	return rc == -ENOENT || rc == -EACCES ? 0 : rc;
}

/* listen=unix:PATH: the socket is made, and an old one removed. */
static void allow_listening(int fd, int abi, const char *listen)
{
	static const char prefix[] = "unix:";
	char dir[PATH_MAX];
	char *slash;

	if (listen == NULL || strncmp(listen, prefix, sizeof(prefix) - 1) != 0)
		return;
	(void)snprintf(dir, sizeof(dir), "%s", listen + sizeof(prefix) - 1);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return;
	*slash = '\0';
	(void)!ll_allow(fd, abi, dir, READ | LL_MAKE_SOCK | LL_REMOVE_FILE);
}

/* Neither ports nor signals: what listens and whom it looks after is up to the settings. */
static int enter_landlock(int abi, const struct gw_config *cfg)
{
	int fd = ll_new(abi, 0);
	int rc;

	if (fd < 0)
		return fd;
	rc = ll_allow(fd, abi, "/", READ);
	if (rc == 0)
		rc = allow_own(fd, abi, cfg->data_dir);
	if (rc == 0)
		rc = allow_own(fd, abi, cfg->run_dir);
	if (rc == 0)
		rc = ll_allow(fd, abi, "/dev/null", READ | LL_WRITE_FILE);
	if (rc == 0) {
		allow_listening(fd, abi, cfg->listen);
		rc = ll_enter(fd);
	}
	close(fd);
	return rc;
}

/* ---- seccomp -----------------------------------------------------------------------------------
 */

/* As text, by what they are for. */
/* clang-format off */
static const int forbidden[] = {
	/* other processes */
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(migrate_pages),
	SCMP_SYS(move_pages),
	/* what the file system looks like */
	SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mknod), SCMP_SYS(mknodat),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init), SCMP_SYS(quotactl), SCMP_SYS(acct),
	/* large parts of the kernel that nothing here needs */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(userfaultfd),
	SCMP_SYS(modify_ldt), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(personality),
	/* the host itself */
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(settimeofday), SCMP_SYS(stime), SCMP_SYS(clock_settime),
	SCMP_SYS(clock_settime64), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(syslog), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(vhangup),
};
/* clang-format on */

/* Unix, IPv4 and IPv6, and no raw ones. */
static int forbid_sockets(scmp_filter_ctx ctx)
{
	const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	int rc = 0;

	for (unsigned d = AF_INET + 1; rc == 0 && d < AF_INET6; d++)
		rc = seccomp_rule_add(ctx, action, SCMP_SYS(socket), 1,
		                      SCMP_A0_32(SCMP_CMP_EQ, d, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, action, SCMP_SYS(socket), 1,
		                      SCMP_A0_32(SCMP_CMP_GT, AF_INET6, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		                      SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW));
	return rc;
}

/*
 * Memory that was written to never becomes code. Programs that are executed map theirs from files,
 * which stays free. New user namespaces: by clone() only, clone3() hides its flags.
 */
static int forbid_by_argument(scmp_filter_ctx ctx)
{
	const uint64_t both = PROT_WRITE | PROT_EXEC;
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1,
	                          SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1,
		                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		                      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
		                      SCMP_A1_32(SCMP_CMP_EQ, 0x5412 /* TIOCSTI */, 0));
	return rc;
}

static int add_rules(scmp_filter_ctx ctx)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(forbidden); i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
		if (rc == -EDOM)
			rc = 0; /* another architecture's */
	}
	if (rc == 0)
		rc = forbid_sockets(ctx);
	return rc < 0 ? rc : forbid_by_argument(ctx);
}

static int enter_seccomp(void)
{
	struct sock_filter *code = NULL;
	unsigned short n = 0;
	int rc;

	if (!sf_is_there()) {
		LOG(NULL, LOG_WARNING, "sandbox_incomplete", LF_STR("missing", "seccomp"));
		return 0;
	}
	rc = sf_make(SCMP_ACT_ALLOW, add_rules, &code, &n);
	if (rc == 0)
		rc = sf_load(code, n);
	free(code);
	return rc;
}

/* ---- in order ----------------------------------------------------------------------------------
 */

/* Built for what traces itself, or run by what makes code. */
static bool is_off(void)
{
#if defined(WARDEN_SANITIZERS)
	return true;
#elif defined(WARDEN_TEST_HOOKS)
	const char *text = getenv("WARDEN_TEST_SANDBOX");

	return text != NULL && strcmp(text, "0") == 0;
#else
	return false;
#endif
}

static int enter(const struct gw_config *cfg)
{
	const struct rlimit none = { 0, 0 };
	int abi = ll_abi();
	int rc = 0;

	if (abi <= 0)
		LOG(NULL, LOG_WARNING, "sandbox_incomplete", LF_STR("missing", "landlock"));
	(void)setrlimit(RLIMIT_CORE, &none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (geteuid() == 0)
		rc = drop_caps(KEPT);
	if (rc == 0 && abi > 0)
		rc = enter_landlock(abi, cfg);
	return rc < 0 ? rc : enter_seccomp();
}

int gw_sandbox_enter(const struct gw_config *cfg)
{
	bool is_in = getenv(GW_SANDBOX_ENV) != NULL;
	int rc = is_off() || is_in ? 0 : enter(cfg);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "sandbox_refused", LF_ERR("err", rc));
	else if (!is_in && setenv(GW_SANDBOX_ENV, "1", 1) < 0)
		rc = -ENOMEM;
	return rc;
}
