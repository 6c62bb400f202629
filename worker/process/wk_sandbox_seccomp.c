/*
 * worker/process/wk_sandbox_seccomp.c - which system calls a worker may make
 *
 * Three answers. Those it needs are allowed, some by their arguments only. Those that nothing but
 * an attack would try end the process at once. All others fail with ENOSYS, as on an old kernel:
 * libraries probe for new calls and have another way, and a library's update must not end every
 * session of a host.
 *
 * The program is made by libseccomp once, for the zygote, and loaded by every child.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/syscall_filter.h"
#include "worker/process/wk_sandbox_priv.h"

#define OWN_PID 0x5afe1d00U    /* stands in the program for the pid of who loads it */
#define TYPE_MASK 0xfU         /* of socket(): without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define PR_SET_VMA_ 0x53564d41 /* the allocator names its memory; younger than some headers */

/* As text, by what they are for. */
/* clang-format off */
static const int allowed[] = {
	/* files */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(_llseek),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat),
	SCMP_SYS(lstat64), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
	SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(fadvise64), SCMP_SYS(fchmod), SCMP_SYS(fchown),
	SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64), SCMP_SYS(umask),
	/* waiting */
	SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64), SCMP_SYS(select), SCMP_SYS(_newselect), SCMP_SYS(pselect6),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	/* sockets, but for how one is made: below */
	SCMP_SYS(connect), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(send),
	SCMP_SYS(recv), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* memory, but for what becomes code: below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(mincore),
	/* time, chance, and the process itself */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrandom),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(getuid32),
	SCMP_SYS(geteuid), SCMP_SYS(geteuid32), SCMP_SYS(getgid), SCMP_SYS(getgid32),
	SCMP_SYS(getegid), SCMP_SYS(getegid32), SCMP_SYS(getrusage), SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(futex), SCMP_SYS(futex_time64),
	SCMP_SYS(membarrier), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const int deadly[] = {
	/* other programs and processes */
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(setpriority), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setattr),
	SCMP_SYS(migrate_pages), SCMP_SYS(move_pages),
	/* who we are and what we may */
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid), SCMP_SYS(capset), SCMP_SYS(setrlimit), SCMP_SYS(seccomp),
	SCMP_SYS(personality), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	/* what the file system looks like */
	SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mknod), SCMP_SYS(mknodat),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init),
	SCMP_SYS(fanotify_mark), SCMP_SYS(quotactl), SCMP_SYS(acct),
	/* large parts of the kernel that nothing here needs */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(userfaultfd),
	SCMP_SYS(modify_ldt), SCMP_SYS(pkey_mprotect), SCMP_SYS(remap_file_pages),
	SCMP_SYS(vmsplice), SCMP_SYS(bind), SCMP_SYS(listen),
	/* the host itself */
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(settimeofday), SCMP_SYS(stime), SCMP_SYS(clock_settime),
	SCMP_SYS(clock_settime64), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(syslog), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(vhangup),
};

/* clang-format on */

/* ---- making --------------------------------------------------------------------------------- */

/* A call that another architecture has and ours doesn't is none of our business. */
static int add(scmp_filter_ctx ctx, uint32_t action, int nr)
{
	int rc = seccomp_rule_add(ctx, action, nr, 0);

	return rc == -EDOM ? 0 : rc;
}

static int add_list(scmp_filter_ctx ctx, uint32_t action, const int *nr, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add(ctx, action, nr[i]);
	return rc;
}

/* An argument's low 32 bits: all that the kernel looks at of an int. */
static struct scmp_arg_cmp equals(unsigned arg, uint32_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value };
}

/* TCP and UDP over IPv4 and IPv6: no Unix, netlink, packet, raw, ping, AF_ALG, vsock, ... socket.
 */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const struct {
		unsigned domain, type, protocol;
	} kinds[] = {
		{ AF_INET, SOCK_STREAM, 0 },  { AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ AF_INET, SOCK_DGRAM, 0 },   { AF_INET, SOCK_DGRAM, IPPROTO_UDP },
		{ AF_INET6, SOCK_STREAM, 0 }, { AF_INET6, SOCK_STREAM, IPPROTO_TCP },
		{ AF_INET6, SOCK_DGRAM, 0 },  { AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kinds); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
		                      equals(0, kinds[i].domain),
		                      SCMP_A1_32(SCMP_CMP_MASKED_EQ, TYPE_MASK, kinds[i].type),
		                      equals(2, kinds[i].protocol));
	return rc;
}

/* Memory never becomes code: what is to run was mapped before. */
static int add_memory(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(calls); i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
		                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (rc == 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 1,
			                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
		if (rc == -EDOM)
			rc = 0;
	}
	return rc;
}

/* One argument, its values. What is not among them: ENOSYS, or as said. */
static int add_values(scmp_filter_ctx ctx, int nr, unsigned arg, const uint32_t *values, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, equals(arg, values[i]));
	return rc == -EDOM ? 0 : rc;
}

static int add_by_argument(scmp_filter_ctx ctx)
{
	/* no F_SETOWN, F_SETSIG, F_NOTIFY: they send signals */
	static const uint32_t fcntls[] = { F_DUPFD,     F_GETFD,     F_SETFD,      F_GETFL,
		                           F_SETFL,     F_GETLK,     F_SETLK,      F_SETLKW,
		                           F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_DUPFD_CLOEXEC,
		                           F_ADD_SEALS, F_GET_SEALS };
	/* no TIOCSTI, nor anything of a device */
	static const uint32_t ioctls[] = { FIONBIO, FIONREAD, FIOCLEX, TCGETS };
	/* what is too large for a frame to the gateway (common/ipc_memfd.h) */
	static const uint32_t memfds[] = { MFD_CLOEXEC | MFD_ALLOW_SEALING };
	static const uint32_t prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA_ };
	int rc = add_values(ctx, SCMP_SYS(fcntl), 1, fcntls, ARRAY_LEN(fcntls));

	if (rc == 0)
		rc = add_values(ctx, SCMP_SYS(ioctl), 1, ioctls, ARRAY_LEN(ioctls));
	if (rc == 0)
		rc = add_values(ctx, SCMP_SYS(memfd_create), 1, memfds, ARRAY_LEN(memfds));
	if (rc == 0)
		rc = add_values(ctx, SCMP_SYS(prctl), 0, prctls, ARRAY_LEN(prctls));
	/* abort(): a signal to ourselves */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, equals(0, OWN_PID));
	/* reading limits, our own only */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, equals(0, 0),
		                      equals(2, 0));
	/* threads: a library that wants one must be able to do without */
	if (rc == 0)
		rc = add(ctx, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(clone));
	return rc;
}

static int fill(scmp_filter_ctx ctx)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0); /* ours to set */

	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* a binary tree; older versions know no other than the list */
	(void)!seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_list(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
	if (rc == 0)
		rc = add_list(ctx, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_LEN(deadly));
	if (rc == 0)
		rc = add_sockets(ctx);
	if (rc == 0)
		rc = add_memory(ctx);
	return rc < 0 ? rc : add_by_argument(ctx);
}

/* Not here: every worker would get its memory out of the holes that libseccomp leaves. */
int wk_sandbox_seccomp_make(struct sock_filter **code_out, unsigned short *n_out)
{
	return sf_make(SCMP_ACT_ERRNO(ENOSYS), fill, code_out, n_out);
}

/* ---- loading -------------------------------------------------------------------------------- */

/* The pid is known only here; the program is shared with the zygote, so a copy is changed. */
int wk_sandbox_seccomp_load(const struct sock_filter *code, unsigned short n)
{
	struct sock_filter *own = malloc(n * sizeof(*own));
	int rc;

	if (own == NULL)
		return -ENOMEM;
	memcpy(own, code, n * sizeof(*own));
	for (unsigned short i = 0; i < n; i++)
		if (BPF_CLASS(own[i].code) == BPF_JMP && own[i].k == OWN_PID)
			own[i].k = (uint32_t)getpid();
	rc = sf_load(own, n);
	free(own);
	return rc;
}
