/*
 * tests/tools/escape.c - what a worker that was taken over would try
 *
 * Each attempt runs in a process of its own that enters the worker's sandbox (worker/process/wk_sandbox.h)
 * as a worker does, and then tries one thing. The same attempts without any layer are the control
 * group: what does not succeed there, the sandbox can't be shown to stop. Where the thing itself
 * would hurt the host, the attempt is made so that the kernel refuses it for another reason once it
 * has been permitted.
 *
 * Usage: escape LAYERS KEY=VALUE... (see keys[]); one JSON object a line:
 *   {"name":"...","outcome":"through"|"refused"|"killed"|"absent","detail":"..."}
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acct.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/log.h"
#include "worker/process/wk_sandbox.h"

#define ABSENT (-ENOSYS) /* without seccomp, which says the same: this kernel doesn't have it */

/* ---- the world ------------------------------------------------------------------------------- */

static struct {
	const char *dir;              /* our instance's folder */
	const char *other;            /* another's, with a file "victim" */
	const char *data_dir;         /* with master.key and registry.db */
	const char *admin;            /* Unix sockets: the gateway's */
	const char *control;          /* another worker's */
	const char *redis;            /* one that everybody may connect to */
	const char *abstract;         /* name of an abstract one */
	const char *gateway, *worker; /* pids */
	const char *port;             /* TCP, at 127.0.0.1, somebody listens */
} w;

static const struct {
	const char *key;
	const char **value;
} keys[] = {
	{ "dir", &w.dir },           { "other", &w.other },     { "data", &w.data_dir },
	{ "admin", &w.admin },       { "control", &w.control }, { "redis", &w.redis },
	{ "abstract", &w.abstract }, { "gateway", &w.gateway }, { "worker", &w.worker },
	{ "port", &w.port },
};

/* Made before the sandbox, as what an attacker might have got hold of. */
static struct {
	pid_t gateway, worker;
	int gateway_pidfd, worker_pidfd;
	uint64_t gateway_addr; /* something mapped there */
	int init_ns;           /* a namespace of the gateway, open */
	int root;              /* open "/" */
	int tty;               /* a terminal's lower end */
	int pipe[2];
	struct file_handle *handle; /* of the victim */
} h;

static const char *path(const char *folder, const char *name)
{
	static char text[2][4096];
	static int n;

	n = !n;
	(void)snprintf(text[n], sizeof(text[n]), "%s/%s", folder, name);
	return text[n];
}

static const char *proc_path(const char *pid, const char *name)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "/proc/%s/%s", pid, name);
	return text;
}

/* What a call returned, as 0 or -errno. */
static int result(long rc)
{
	return rc < 0 ? -errno : 0;
}

/* Permitted, and refused for this other reason: that is through. */
static int through_if(long rc, int err)
{
	return rc >= 0 || errno == err ? 0 : -errno;
}

static int try_open(const char *file, int flags)
{
	return result(open(file, flags | O_CLOEXEC, 0600));
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_victim(void)
{
	return try_open(path(w.other, "victim"), O_RDONLY);
}

static int write_victim(void)
{
	return try_open(path(w.other, "victim"), O_WRONLY);
}

static int read_session(void)
{
	return try_open(path(w.other, "session.db"), O_RDWR);
}

static int read_dotdot(void)
{
	char file[4096];

	(void)snprintf(file, sizeof(file), "%s/../%s/victim", w.dir, strrchr(w.other, '/') + 1);
	return try_open(file, O_RDONLY);
}

/* The link is there already: somebody else may have made it. */
static int read_through_link(void)
{
	return try_open(path(w.dir, "link"), O_RDONLY);
}

static int make_link(void)
{
	int rc = result(symlink(path(w.other, "victim"), path(w.dir, "made-link")));

	(void)unlink(path(w.dir, "made-link"));
	return rc;
}

static int make_hard_link(void)
{
	int rc = result(link(path(w.other, "victim"), path(w.dir, "hard")));

	(void)unlink(path(w.dir, "hard"));
	return rc;
}

/* What may only be named can be opened by way of /proc. */
static int reopen_by_proc(void)
{
	char file[64];
	int fd = open(path(w.other, "victim"), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	return try_open(file, O_RDONLY);
}

static int open_by_handle(void)
{
	return result(open_by_handle_at(h.root, h.handle, O_RDONLY | O_CLOEXEC));
}

static int read_master_key(void)
{
	return try_open(path(w.data_dir, "master.key"), O_RDONLY);
}

static int read_registry(void)
{
	return try_open(path(w.data_dir, "registry.db"), O_RDONLY);
}

static int read_shadow(void)
{
	return try_open("/etc/shadow", O_RDONLY);
}

static int read_passwd(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static int read_environ(void)
{
	return try_open(proc_path(w.gateway, "environ"), O_RDONLY);
}

static int read_gateway_mem(void)
{
	return try_open(proc_path(w.gateway, "mem"), O_RDONLY);
}

static int list_instances(void)
{
	return try_open(path(w.data_dir, "instances"), O_RDONLY | O_DIRECTORY);
}

static int list_root(void)
{
	return try_open("/", O_RDONLY | O_DIRECTORY);
}

static int write_tmp(void)
{
	return try_open("/tmp", O_WRONLY | O_TMPFILE);
}

static int write_device(void)
{
	return try_open("/dev/kmsg", O_WRONLY);
}

static int make_in_data_dir(void)
{
	int rc = try_open(path(w.data_dir, "made"), O_WRONLY | O_CREAT);

	(void)unlink(path(w.data_dir, "made"));
	return rc;
}

static int truncate_victim(void)
{
	return result(truncate(path(w.other, "victim"), 0));
}

static int rename_victim(void)
{
	int rc = result(rename(path(w.other, "victim"), path(w.dir, "taken")));

	(void)!rename(path(w.dir, "taken"), path(w.other, "victim"));
	return rc;
}

static int remove_victim(void)
{
	return result(unlink(path(w.other, "victim2")));
}

static int make_device(void)
{
	int rc = result(mknod(path(w.dir, "disk"), S_IFBLK | 0600, makedev(8, 0)));

	(void)unlink(path(w.dir, "disk"));
	return rc;
}

static int make_fifo(void)
{
	int rc = result(mkfifo(path(w.dir, "fifo"), 0600));

	(void)unlink(path(w.dir, "fifo"));
	return rc;
}

static int make_dir(void)
{
	int rc = result(mkdir(path(w.dir, "sub"), 0700));

	(void)rmdir(path(w.dir, "sub"));
	return rc;
}

static int give_away(void)
{
	int fd = open(path(w.dir, "own"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : result(fchown(fd, 1, 1));
}

static int watch_victim(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0 ? -errno : result(inotify_add_watch(fd, path(w.other, "victim"), IN_ACCESS));
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int connect_unix(int type, const char *name, bool is_abstract)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(sa.sun_path + is_abstract, sizeof(sa.sun_path) - 1, "%s", name);
	if (is_abstract)
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	return result(connect(fd, (const struct sockaddr *)&sa, len));
}

static int connect_admin(void)
{
	return connect_unix(SOCK_STREAM, w.admin, false);
}

static int connect_control(void)
{
	return connect_unix(SOCK_SEQPACKET, w.control, false);
}

static int connect_redis(void)
{
	return connect_unix(SOCK_STREAM, w.redis, false);
}

static int connect_abstract(void)
{
	return connect_unix(SOCK_STREAM, w.abstract, true);
}

static int unix_pair(void)
{
	int fd[2];

	return result(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
}

/* A family that the kernel was built without says so. */
static int make_socket(int family, int type, int protocol)
{
	int rc = result(socket(family, type | SOCK_CLOEXEC, protocol));

	return rc == -EAFNOSUPPORT || rc == -EPROTONOSUPPORT ? ABSENT : rc;
}

static int netlink_socket(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int packet_socket(void)
{
	return make_socket(AF_PACKET, SOCK_RAW, 0);
}

static int raw_socket(void)
{
	return make_socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static int raw6_socket(void)
{
	return make_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}

static int alg_socket(void)
{
	return make_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int vsock_socket(void)
{
	return make_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int sctp_socket(void)
{
	return make_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

static int serve(int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return type == SOCK_STREAM ? result(listen(fd, 1)) : 0;
}

static int serve_tcp(void)
{
	return serve(SOCK_STREAM);
}

static int serve_udp(void)
{
	return serve(SOCK_DGRAM);
}

/* listen() without bind() takes a port too. */
static int listen_unbound(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : result(listen(fd, 1));
}

/* ---- processes ------------------------------------------------------------------------------- */

static int exec_program(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };

	return result(execve("/bin/true", argv, argv + 1));
}

/* A program that is on no disk. */
static int exec_memory(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	int fd = (int)syscall(SYS_memfd_create, "x", 0);
	int in = open("/bin/true", O_RDONLY | O_CLOEXEC);
	char buf[4096];
	ssize_t n;

	while (fd >= 0 && in >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		(void)!write(fd, buf, (size_t)n);
	return result(syscall(SYS_execveat, fd, "", argv, argv + 1, 0x1000 /* AT_EMPTY_PATH */));
}

static int child_of(pid_t pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, __WALL);
	return result(pid);
}

static int make_child(void)
{
	return child_of((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int make_user_ns_child(void)
{
	return child_of((pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static int unshare_user(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static int unshare_mounts(void)
{
	return result(unshare(CLONE_NEWNS));
}

static int join_namespace(void)
{
	return result(setns(h.init_ns, 0));
}

static int trace_worker(void)
{
	return result(ptrace(PTRACE_SEIZE, h.worker, 0, 0));
}

static int trace_gateway(void)
{
	return result(ptrace(PTRACE_SEIZE, h.gateway, 0, 0));
}

static int read_gateway_memory(void)
{
	char c;
	struct iovec here = { &c, 1 };
	struct iovec there = { (void *)(uintptr_t)h.gateway_addr, 1 };

	return result(process_vm_readv(h.gateway, &here, 1, &there, 1, 0));
}

static int steal_descriptor(void)
{
	return result(syscall(SYS_pidfd_getfd, h.worker_pidfd, 2, 0));
}

static int name_process(void)
{
	return result(syscall(SYS_pidfd_open, h.gateway, 0));
}

static int signal_gateway(void)
{
	return result(kill(h.gateway, 0));
}

static int signal_worker(void)
{
	return result(kill(h.worker, 0));
}

static int signal_thread(void)
{
	return result(syscall(SYS_tgkill, h.gateway, h.gateway, 0));
}

static int signal_by_pidfd(void)
{
	return result(syscall(SYS_pidfd_send_signal, h.worker_pidfd, 0, NULL, 0));
}

static int signal_by_file(void)
{
	return result(fcntl(h.pipe[0], F_SETOWN, h.worker));
}

static int limit_worker(void)
{
	struct rlimit r;

	return result(prlimit(h.worker, RLIMIT_NOFILE, NULL, &r));
}

static int nice_worker(void)
{
	return result(setpriority(PRIO_PROCESS, (id_t)h.worker, 0));
}

static int compare_processes(void)
{
	return result(syscall(SYS_kcmp, h.gateway, h.worker, 1 /* KCMP_VM */, 0, 0));
}

/* ---- rights ---------------------------------------------------------------------------------- */

static int become_root(void)
{
	return result(syscall(SYS_setresuid, 0, 0, 0));
}

static int become_other(void)
{
	return result(syscall(SYS_setresuid, 1, 1, 1));
}

static int join_group(void)
{
	const gid_t shadow = 42;

	return result(setgroups(1, &shadow));
}

static int become_dumpable(void)
{
	return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int raise_limit(void)
{
	const struct rlimit r = { 1024, 1024 }; /* well above WK_SANDBOX_FILES_MAX */

	return result(setrlimit(RLIMIT_NOFILE, &r));
}

static int change_personality(void)
{
	return result(personality(READ_IMPLIES_EXEC));
}

static int keep_caps(void)
{
	return result(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
}

/* ---- memory that becomes code ------------------------------------------------------------------
 */

static int map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	               -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int turn_to_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* A file of our own, mapped as a program. */
static int map_file_as_code(void)
{
	int fd = open(path(w.dir, "own"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return -errno;
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? -errno : 0;
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static int mount_something(void)
{
	return through_if(mount("none", w.dir, "no-such-type", 0, NULL), ENODEV);
}

static int unmount_something(void)
{
	return through_if(umount2(w.dir, 0), EINVAL);
}

static int new_mount_api(void)
{
	return through_if(syscall(SYS_fsopen, "no-such-type", 0), ENODEV);
}

static int open_mount_tree(void)
{
	return result(syscall(SYS_open_tree, -100 /* AT_FDCWD */, w.dir, 1 /* CLONE */));
}

static int change_root(void)
{
	return result(chroot(w.dir));
}

static int pivot(void)
{
	return through_if(syscall(SYS_pivot_root, w.dir, w.dir), EBUSY);
}

static int load_bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int open_perf(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
		                        .size = sizeof(attr),
		                        .config = PERF_COUNT_SW_CPU_CLOCK };

	return result(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int open_uring(void)
{
	uint8_t params[120] = { 0 };

	return result(syscall(SYS_io_uring_setup, 1, params));
}

static int use_keyring(void)
{
	return result(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
}

static int put_key(void)
{
	return result(syscall(SYS_add_key, "user", "x", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

static int fault_in_user_space(void)
{
	return result(syscall(SYS_userfaultfd, 0));
}

static int type_into_terminal(void)
{
	return result(ioctl(h.tty, TIOCSTI, "x"));
}

static int add_swap(void)
{
	return through_if(swapon("/nonexistent", 0), ENOENT);
}

static int reboot_host(void)
{
	return through_if(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL); /* not its magic numbers */
}

static int set_clock(void)
{
	return result(syscall(SYS_settimeofday, NULL, NULL));
}

static int load_kernel(void)
{
	return through_if(syscall(SYS_kexec_load, 0, 0, NULL, 1UL << 31), EINVAL);
}

static int load_module(void)
{
	return through_if(syscall(SYS_finit_module, h.pipe[0], "", 0), EINVAL);
}

static int unload_module(void)
{
	return through_if(syscall(SYS_delete_module, "no_such_module", 0), ENOENT);
}

static int name_host(void)
{
	char name[65];

	return gethostname(name, sizeof(name)) < 0 ? -errno
	                                           : result(sethostname(name, strlen(name)));
}

static int read_kernel_log(void)
{
	char buf[64];

	return result(klogctl(3, buf, sizeof(buf)));
}

static int account(void)
{
	return through_if(acct("/nonexistent"), ENOENT);
}

/* A system call by the door of another architecture, whose numbers mean other things. */
static int other_architecture(void)
{
#ifdef __x86_64__
	long rc = 20; /* getpid there */

	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory");
	return rc > 0 ? 0 : (int)rc;
#else
	return ABSENT;
#endif
}

/* Numbers of the x32 ABI: the same calls, behind one bit. */
static int other_numbers(void)
{
#ifdef __x86_64__
	return result(syscall(0x40000000 + SYS_getpid));
#else
	return ABSENT;
#endif
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct attempt {
	const char *name;
	int (*run)(void); /* 0: it went through; -errno; ABSENT */
} attempts[] = {
	{ "read a file of another instance", read_victim },
	{ "write to a file of another instance", write_victim },
	{ "open another instance's session.db", read_session },
	{ "read another's file by way of ..", read_dotdot },
	{ "read another's file through a link in the own folder", read_through_link },
	{ "make a symbolic link", make_link },
	{ "make a hard link to another's file", make_hard_link },
	{ "open another's file by way of /proc/self/fd", reopen_by_proc },
	{ "open another's file by its handle", open_by_handle },
	{ "truncate another's file", truncate_victim },
	{ "move another's file into the own folder", rename_victim },
	{ "remove another's file", remove_victim },
	{ "watch another's file", watch_victim },
	{ "read master.key", read_master_key },
	{ "read registry.db", read_registry },
	{ "list the instances", list_instances },
	{ "make a file in data_dir", make_in_data_dir },
	{ "read /etc/shadow", read_shadow },
	{ "read /etc/passwd", read_passwd },
	{ "read the gateway's environment", read_environ },
	{ "open the gateway's memory", read_gateway_mem },
	{ "list /", list_root },
	{ "write in /tmp", write_tmp },
	{ "write to a device", write_device },
	{ "make a device", make_device },
	{ "make a fifo", make_fifo },
	{ "make a directory", make_dir },
	{ "give a file to another user", give_away },
	{ "connect to the admin socket", connect_admin },
	{ "connect to another worker's control socket", connect_control },
	{ "connect to a Redis at a Unix socket", connect_redis },
	{ "connect to an abstract socket", connect_abstract },
	{ "make a pair of Unix sockets", unix_pair },
	{ "make a netlink socket", netlink_socket },
	{ "make a packet socket", packet_socket },
	{ "make a raw socket", raw_socket },
	{ "make a raw socket, IPv6", raw6_socket },
	{ "make an AF_ALG socket", alg_socket },
	{ "make a vsock socket", vsock_socket },
	{ "make an SCTP socket", sctp_socket },
	{ "listen at a TCP port", serve_tcp },
	{ "listen at a TCP port of the kernel's choice", listen_unbound },
	{ "receive at a UDP port", serve_udp },
	{ "execute a program", exec_program },
	{ "execute a program out of memory", exec_memory },
	{ "make a child", make_child },
	{ "make a child in a user namespace", make_user_ns_child },
	{ "make a user namespace", unshare_user },
	{ "make a mount namespace", unshare_mounts },
	{ "join a namespace", join_namespace },
	{ "trace another worker", trace_worker },
	{ "trace the gateway", trace_gateway },
	{ "read the gateway's memory", read_gateway_memory },
	{ "take a descriptor of another worker", steal_descriptor },
	{ "get a handle of the gateway's process", name_process },
	{ "signal the gateway", signal_gateway },
	{ "signal another worker", signal_worker },
	{ "signal a thread of the gateway", signal_thread },
	{ "signal another worker by its pidfd", signal_by_pidfd },
	{ "signal another worker by a file's owner", signal_by_file },
	{ "read another worker's limits", limit_worker },
	{ "change another worker's priority", nice_worker },
	{ "compare two other processes", compare_processes },
	{ "become root", become_root },
	{ "become another user", become_other },
	{ "join a group", join_group },
	{ "become dumpable", become_dumpable },
	{ "raise a limit", raise_limit },
	{ "change the personality", change_personality },
	{ "keep capabilities", keep_caps },
	{ "map memory that is code", map_code },
	{ "turn memory into code", turn_to_code },
	{ "map a file of its own as code", map_file_as_code },
	{ "mount", mount_something },
	{ "unmount", unmount_something },
	{ "mount by the newer calls", new_mount_api },
	{ "open a mount's tree", open_mount_tree },
	{ "chroot", change_root },
	{ "pivot_root", pivot },
	{ "load a BPF map", load_bpf },
	{ "open a perf event", open_perf },
	{ "open an io_uring", open_uring },
	{ "use a keyring", use_keyring },
	{ "put a key", put_key },
	{ "handle page faults", fault_in_user_space },
	{ "type into a terminal", type_into_terminal },
	{ "add swap", add_swap },
	{ "reboot", reboot_host },
	{ "set the clock", set_clock },
	{ "load another kernel", load_kernel },
	{ "load a module", load_module },
	{ "unload a module", unload_module },
	{ "name the host", name_host },
	{ "read the kernel's log", read_kernel_log },
	{ "start accounting", account },
	{ "make a call by another architecture's door", other_architecture },
	{ "make a call by its x32 number", other_numbers },
};

/* What must go on working, or the others would be stopped by a sandbox that stops everything. */
static int own_file(void)
{
	int fd = open(path(w.dir, "own"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0 ||
	    rename(path(w.dir, "own"), path(w.dir, "own2")) < 0 || unlink(path(w.dir, "own2")) < 0)
		return -errno;
	return 0;
}

static int resolver_files(void)
{
	int rc = try_open("/etc/hosts", O_RDONLY);

	return rc == 0 ? try_open("/dev/urandom", O_RDONLY) : rc;
}

/* Any: a proxy may be there. A Redis at TCP without a password is open to a worker. */
static int connect_tcp(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((uint16_t)strtoul(w.port, NULL, 10));
	return fd < 0 ? -errno : result(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)));
}

static int abort_itself(void)
{
	return result(syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), 0));
}

static const struct attempt needed[] = {
	{ "need: make, write, rename and remove a file of its own", own_file },
	{ "need: read the resolver's files", resolver_files },
	{ "need: connect to any TCP port", connect_tcp },
	{ "need: signal itself", abort_itself },
};

/* ---- running them ---------------------------------------------------------------------------- */

static uint64_t first_mapping(const char *pid)
{
	unsigned long long addr = 0;
	FILE *f = fopen(proc_path(pid, "maps"), "re");

	if (f == NULL || fscanf(f, "%llx", &addr) != 1)
		addr = 0;
	if (f != NULL)
		(void)fclose(f);
	return addr;
}

static void get_handles(void)
{
	int mount_id, pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	const char *victim = path(w.other, "victim");

	h.gateway = (pid_t)strtol(w.gateway, NULL, 10);
	h.worker = (pid_t)strtol(w.worker, NULL, 10);
	h.gateway_pidfd = (int)syscall(SYS_pidfd_open, h.gateway, 0);
	h.worker_pidfd = (int)syscall(SYS_pidfd_open, h.worker, 0);
	h.gateway_addr = first_mapping(w.gateway);
	h.init_ns = open(proc_path(w.gateway, "ns/uts"), O_RDONLY | O_CLOEXEC);
	h.root = open(w.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h.tty = pty;
	if (pty >= 0 && grantpt(pty) == 0 && unlockpt(pty) == 0)
		h.tty = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	(void)!pipe2(h.pipe, O_CLOEXEC);
	h.handle = calloc(1, sizeof(*h.handle) + MAX_HANDLE_SZ);
	h.handle->handle_bytes = MAX_HANDLE_SZ;
	(void)!name_to_handle_at(AT_FDCWD, victim, h.handle, &mount_id, 0);
}

static ATTR_NORETURN void child(const struct wk_sandbox *sb, const struct attempt *a, int out)
{
	const char *why = "";
	int rc = wk_sandbox_enter(sb, w.dir, 64, &why);

	if (rc < 0) {
		(void)fprintf(stderr, "escape: not in the sandbox: %s: %s\n", why, strerror(-rc));
		_exit(9);
	}
	rc = a->run();
	(void)!write(out, &rc, sizeof(rc));
	_exit(0);
}

static void report(const struct wk_sandbox *sb, const struct attempt *a, int status, bool told,
                   int rc)
{
	const char *outcome = "refused", *detail = strerrorname_np(-rc);

	if (WIFSIGNALED(status)) {
		outcome = "killed";
		detail = sigabbrev_np(WTERMSIG(status));
	} else if (!told || rc == 0) {
		outcome = "through"; /* not told: it has become another program */
		detail = "";
	} else if (rc == ABSENT && (wk_sandbox_layers(sb) & WK_SANDBOX_SECCOMP) == 0) {
		outcome = "absent";
	}
	(void)printf("{\"name\":\"%s\",\"outcome\":\"%s\",\"detail\":\"%s\"}\n", a->name, outcome,
	             detail != NULL ? detail : "");
	(void)fflush(stdout);
}

static int run(const struct wk_sandbox *sb, const struct attempt *a)
{
	int fds[2], rc = 0, status = 0;
	bool told;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child(sb, a, fds[1]);
	(void)close(fds[1]);
	told = read(fds[0], &rc, sizeof(rc)) == (ssize_t)sizeof(rc);
	(void)close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
		return -EACCES;
	report(sb, a, status, told, rc);
	return 0;
}

static int parse(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		char *eq = strchr(argv[i], '=');

		for (size_t k = 0; eq != NULL && k < ARRAY_LEN(keys); k++)
			if (strncmp(argv[i], keys[k].key, (size_t)(eq - argv[i])) == 0)
				*keys[k].value = eq + 1;
	}
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		if (*keys[k].value == NULL) {
			(void)fprintf(stderr, "escape: %s is missing\n", keys[k].key);
			return -EINVAL;
		}
	return argc > 2 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct wk_sandbox *sb = NULL;
	int rc = parse(argc, argv);

	if (rc < 0)
		return 2;
	log_init("escape", LOG_WARNING, LOG_FMT_TEXT);
	get_handles();
	rc = wk_sandbox_new((unsigned)strtoul(argv[1], NULL, 0), &sb);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(attempts); i++)
		rc = run(sb, &attempts[i]);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(needed); i++)
		rc = run(sb, &needed[i]);
	wk_sandbox_free(sb);
	free(h.handle);
	return rc < 0 ? 1 : 0;
}
