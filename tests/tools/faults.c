/*
 * tests/tools/faults.c - a library for LD_PRELOAD that fails one call of a chosen process, once
 *
 * Allocations, system calls through libc, and SQLite's calls are counted by where they are made
 * from. The file that WARDEN_TEST_FAULTS names is mapped (faults.h): the script that runs the test
 * writes there which call of which process is to fail and how, and reads what happened. Processes
 * forked on the way share the mapping; what a process is follows from how it came to be (a
 * program's name, --zygote, clone3), so nothing has to be told to the programs themselves.
 *
 * Nothing here makes a system call that the programs' sandboxes forbid, and nothing allocates.
 */
#undef _FORTIFY_SOURCE
#include "tests/tools/faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct flt_ctl *ctl;
static enum flt_role role;
static bool ready, has_sanitizer;
static __thread int inside __attribute__((tls_model("initial-exec")));
static __thread int in_sqlite __attribute__((tls_model("initial-exec")));

/* ---- the functions and how each can fail ---------------------------------------------------- */

#define ERRS_MAX 6

struct fn {
	const char *name;
	int errs[ERRS_MAX]; /* errno, SQLite's code, or enum flt_special; ends with 0 */
};

/* Name, then what is plausible. The order gives the numbers. */
#define FN_LIST(X) \
	X(malloc, ENOMEM) \
	X(calloc, ENOMEM) \
	X(memalign, ENOMEM) \
	X(open, EMFILE, EACCES, EIO) \
	X(openat, EMFILE, EACCES, EIO) \
	X(read, EIO, EINTR, FLT_SHORT) \
	X(write, ENOSPC, EINTR, FLT_SHORT) \
	X(pread, EIO, FLT_SHORT) \
	X(pwrite, ENOSPC, EIO, FLT_SHORT) \
	X(readv, EIO, EINTR) \
	X(writev, ENOSPC, EINTR, FLT_SHORT) \
	X(recv, ECONNRESET, EINTR, EAGAIN, FLT_SHORT) \
	X(recvfrom, ECONNRESET, EINTR, EAGAIN) \
	X(recvmsg, ENOMEM, EINTR, EAGAIN) \
	X(send, EPIPE, EINTR, EAGAIN, FLT_SHORT) \
	X(sendto, ENOBUFS, EINTR, EAGAIN) \
	X(sendmsg, ENOBUFS, EINTR, EAGAIN) \
	X(fsync, EIO, ENOSPC) \
	X(fdatasync, EIO, ENOSPC) \
	X(ftruncate, EIO) \
	X(rename, ENOSPC, EIO) \
	X(renameat, ENOSPC, EIO) \
	X(unlink, EIO) \
	X(unlinkat, EIO) \
	X(mkdir, ENOSPC) \
	X(mkdirat, ENOSPC) \
	X(mmap, ENOMEM) \
	X(mremap, ENOMEM) \
	X(mlock, ENOMEM) \
	X(madvise, ENOMEM) \
	X(socket, EMFILE, ENOBUFS) \
	X(socketpair, EMFILE) \
	X(connect, ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL) \
	X(accept, EMFILE, ECONNABORTED) \
	X(accept4, EMFILE, ECONNABORTED) \
	X(bind, EADDRINUSE) \
	X(listen, EADDRINUSE) \
	X(shutdown, ENOTCONN) \
	X(setsockopt, ENOBUFS) \
	X(getsockopt, ENOBUFS) \
	X(getsockname, ENOBUFS) \
	X(getpeername, ENOTCONN) \
	X(epoll_create1, EMFILE) \
	X(epoll_ctl, ENOMEM, ENOSPC) \
	X(epoll_wait, EINTR) \
	X(eventfd, EMFILE) \
	X(timerfd_create, EMFILE) \
	X(timerfd_settime, ECANCELED) \
	X(signalfd, EMFILE) \
	X(memfd_create, EMFILE) \
	X(pipe, EMFILE) \
	X(pipe2, EMFILE) \
	X(poll, EINTR, ENOMEM) \
	X(fork, EAGAIN) \
	X(vfork, EAGAIN) \
	X(syscall, ENOMEM, EAGAIN) \
	X(pidfd_open, EMFILE) \
	X(pidfd_send_signal, EPERM) \
	X(posix_spawn, EAGAIN) \
	X(pthread_create, EAGAIN) \
	X(getentropy, EIO) \
	X(prctl, EINVAL) \
	X(waitid, EINTR) \
	X(waitpid, EINTR) \
	X(fcntl, EINVAL, ENOLCK) \
	X(setrlimit, EPERM) \
	X(fstat, EIO) \
	X(stat, EACCES) \
	X(fstatat, EACCES) \
	X(fstatfs, EIO) \
	X(access, EACCES) \
	X(faccessat, EACCES) \
	X(fchmod, EPERM) \
	X(fchown, EPERM) \
	X(flock, ENOLCK) \
	X(dup2, EBUSY) \
	X(opendir, EMFILE) \
	X(fdopendir, ENOMEM) \
	X(readdir, EIO) \
	X(readlink, EACCES) \
	X(fopen, EMFILE) \
	X(getaddrinfo, EAI_AGAIN, EAI_MEMORY) \
	X(getnameinfo, EAI_MEMORY) \
	X(close, FLT_AFTER) \
	X(close_range, EINVAL) \
	X(sqlite3_open_v2, SQLITE_CANTOPEN, SQLITE_NOMEM, SQLITE_BUSY) \
	X(sqlite3_prepare, SQLITE_NOMEM, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_BUSY) \
	X(sqlite3_step, SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOMEM, SQLITE_CORRUPT) \
	X(sqlite3_exec, SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOMEM, SQLITE_CORRUPT) \
	X(sqlite3_bind, SQLITE_NOMEM) \
	X(sqlite3_column, SQLITE_NOMEM) \
	X(sqlite3_db_config, SQLITE_ERROR) \
	X(sqlite3_vfs_register, SQLITE_NOMEM) \
	X(sqlite3_malloc, SQLITE_NOMEM) \
	X(sqlite3_close_v2, FLT_AFTER)

enum fn_id {
#define X(name, ...) FN_##name,
	FN_LIST(X)
#undef X
	    FN_N
};

static const struct fn fns[] = {
#define X(name, ...) { #name, { __VA_ARGS__ } },
	FN_LIST(X)
#undef X
};
_Static_assert(FN_N <= FLT_NAMES, "room for every name");

static unsigned variants_of(unsigned id)
{
	unsigned n = 0;

	while (n < ERRS_MAX && fns[id].errs[n] != 0)
		n++;
	return n;
}

/* ---- recording and failing ------------------------------------------------------------------ */

#define NOINLINE __attribute__((noinline))

static uint64_t hash_of(unsigned id, void *const *frames, int n)
{
	uint64_t h = 1469598103934665603ULL ^ ((uint64_t)role << 8 | id);

	for (int i = 0; i < n; i++) {
		h ^= (uint64_t)(uintptr_t)frames[i];
		h *= 1099511628211ULL;
		h ^= h >> 29;
	}
	return h | 1;
}

static void record(uint64_t hash, enum flt_class cls, unsigned id, void *const *frames, int n)
{
	for (unsigned i = 0; i < 64; i++) {
		struct flt_call *c = &ctl->calls[(hash + i) & (FLT_SLOTS - 1)];
		uint64_t none = 0;

		if (__atomic_compare_exchange_n(&c->hash, &none, hash, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE)) {
			c->role = role;
			c->cls = cls;
			c->fn = id;
			for (int k = 0; k < n; k++)
				c->frames[k] = (uint64_t)(uintptr_t)frames[k];
			__atomic_add_fetch(&ctl->calls_n, 1, __ATOMIC_RELAXED);
			none = hash;
		}
		if (none == hash) {
			__atomic_add_fetch(&c->count, 1, __ATOMIC_RELAXED);
			return;
		}
	}
	__atomic_add_fetch(&ctl->calls_lost, 1, __ATOMIC_RELAXED);
}

static void put(char *to, size_t *at, const char *text)
{
	size_t n = strlen(text);

	if (*at + n + 1 < FLT_REPORT_CAP) {
		memcpy(to + *at, text, n + 1);
		*at += n;
	}
}

static void put_hex(char *to, size_t *at, uint64_t v)
{
	char text[20] = "0x";
	int n = 2, shift = 60;

	while (shift > 0 && (v >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		text[n++] = "0123456789abcdef"[v >> shift & 15];
	text[n] = '\0';
	put(to, at, text);
}

/* What is loaded: noted beforehand, since a crash may come amid the linker's own work. */
#define MODULES_MAX 128
static struct module {
	const char *name;
	uintptr_t base, end;
} modules[MODULES_MAX];
static int modules_n;
static char program[PATH_MAX];

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module *m = &modules[modules_n];

	(void)size;
	(void)arg;
	if (modules_n == MODULES_MAX)
		return 1;
	m->name = info->dlpi_name[0] != '\0' ? info->dlpi_name : program;
	m->base = m->end = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t end = info->dlpi_addr + ph->p_vaddr + ph->p_memsz;

		if (ph->p_type == PT_LOAD && end > m->end)
			m->end = end;
	}
	modules_n++;
	return 0;
}

static void note_modules(void)
{
	modules_n = 0;
	(void)dl_iterate_phdr(note_module, NULL);
}

static const struct module *module_of(uintptr_t at)
{
	for (int i = 0; i < modules_n; i++)
		if (at >= modules[i].base && at < modules[i].end)
			return &modules[i];
	return NULL;
}

/* "FILE+0xOFFSET" for each frame: addr2line does the rest. */
static void report(char *to, void *const *frames, int n)
{
	size_t at = 0;

	to[0] = '\0';
	for (int i = 0; i < n; i++) {
		uintptr_t frame = (uintptr_t)frames[i];
		const struct module *m = module_of(frame);

		put(to, &at, m != NULL ? m->name : "?");
		put(to, &at, "+");
		put_hex(to, &at, m != NULL ? frame - m->base : frame);
		put(to, &at, "\n");
	}
}

/* Where it crashed, for people; then as it would have been. */
static void on_crash(int sig)
{
	void *frames[64];
	int n;

	inside++;
	n = backtrace(frames, 64);
	report(ctl->crash, frames, n);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Again in each worker, which begins with no handlers. A sanitizer tells more than we do. */
static void watch_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS };

	if (has_sanitizer)
		return;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		(void)signal(crashes[i], on_crash);
}

static bool is_chosen(enum flt_class cls, uint64_t hash)
{
	if (ctl->role != role || ctl->cls != cls || (ctl->hash != 0 && ctl->hash != hash))
		return false;
	return __atomic_fetch_sub(&ctl->skip, 1, __ATOMIC_ACQ_REL) == 0;
}

/* How this call is to fail: 0: not at all. */
static NOINLINE int judge(enum flt_class cls, unsigned id)
{
	void *frames[FLT_DEPTH + 2];
	uint64_t hash = 0;
	int err = 0, n = 0;
	int depth = ctl->depth == 0 ? FLT_DEPTH : (int)ctl->depth;
	int saved = errno;

	inside++;
	__atomic_add_fetch(&ctl->counts[role][cls], 1, __ATOMIC_RELAXED);
	if (ctl->mode == FLT_RECORD || ctl->hash != 0) {
		n = backtrace(frames, FLT_DEPTH + 2) - 2;
		n = n < 0 ? 0 : n;
		hash = hash_of(id, frames + 2, depth < n ? depth : n);
	}
	if (ctl->mode == FLT_RECORD) {
		record(hash, cls, id, frames + 2, n);
	} else if (ctl->mode == FLT_FAIL && is_chosen(cls, hash)) {
		ctl->mode = FLT_OFF;
		watch_crashes();
		err = fns[id].errs[ctl->variant % variants_of(id)];
		ctl->fired_pid = getpid();
		ctl->fired_fn = id;
		ctl->fired_err = err;
		n = backtrace(frames, FLT_DEPTH + 2) - 2;
		note_modules();
		report(ctl->report, frames + 2, n < 0 ? 0 : n);
		__atomic_store_n(&ctl->fired, 1, __ATOMIC_RELEASE);
	}
	inside--;
	errno = saved;
	return err;
}

static inline int fault(enum flt_class cls, unsigned id)
{
	if (!ready || inside > 0 || ctl->mode == FLT_OFF || (cls == FLT_SQL && in_sqlite > 0))
		return 0;
	return judge(cls, id);
}

/* ---- the wrappers --------------------------------------------------------------------------- */

#define EXPORT __attribute__((visibility("default")))

static void *next(const char *name)
{
	void *p;

	inside++;
	p = dlsym(RTLD_NEXT, name);
	inside--;
	return p;
}

/* real(): the next one of that name, looked up at its first call. */
#define REAL(ret, name, ...) \
	static ret (*real)(__VA_ARGS__); \
	if (real == NULL) \
	real = (ret(*)(__VA_ARGS__))next(#name)

/* A function whose failure is a value and errno. */
#define WRAP(ret, fails, as, name, params, args) \
	EXPORT ret name params \
	{ \
		static ret(*real) params; \
		int err; \
		if (real == NULL) \
			real = (ret(*) params)next(#name); \
		err = fault(FLT_SYS, FN_##as); \
		if (err == 0) \
			return real args; \
		errno = err; \
		return fails; \
	}

/* One that moves bytes: it may move one instead. len: its parameter. */
#define WRAP_IO(ret, as, name, params, len, args) \
	EXPORT ret name params \
	{ \
		static ret(*real) params; \
		int err; \
		if (real == NULL) \
			real = (ret(*) params)next(#name); \
		err = fault(FLT_SYS, FN_##as); \
		if (err == FLT_SHORT && (len) > 1) \
			(len) = 1; \
		else if (err != 0 && err != FLT_SHORT) { \
			errno = err; \
			return -1; \
		} \
		return real args; \
	}

/* ---- memory --------------------------------------------------------------------------------- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_memalign(size_t align, size_t n);

EXPORT void *malloc(size_t n)
{
	if (fault(FLT_ALLOC, FN_malloc) != 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
	if (fault(FLT_ALLOC, FN_calloc) != 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}

EXPORT void *memalign(size_t align, size_t n)
{
	if (fault(FLT_ALLOC, FN_memalign) != 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_memalign(align, n);
}

EXPORT void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

EXPORT int posix_memalign(void **p_out, size_t align, size_t n)
{
	void *p = memalign(align, n);

	if (p == NULL)
		return ENOMEM;
	*p_out = p;
	return 0;
}

/* For who has another heap, as with sanitizers: does this allocation fail? */
EXPORT int flt_alloc_fails(void);
EXPORT int flt_alloc_fails(void)
{
	return fault(FLT_ALLOC, FN_malloc) != 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

#define OPEN_MODE(mode) \
	mode_t mode = 0; \
	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) { \
		va_list ap; \
		va_start(ap, flags); \
		mode = va_arg(ap, mode_t); \
		va_end(ap); \
	}

#define WRAP_OPEN(name) \
	EXPORT int name(const char *path, int flags, ...) \
	{ \
		OPEN_MODE(mode) \
		REAL(int, name, const char *, int, ...); \
		int err = fault(FLT_SYS, FN_open); \
		if (err == 0) \
			return real(path, flags, mode); \
		errno = err; \
		return -1; \
	}
#define WRAP_OPENAT(name) \
	EXPORT int name(int dir, const char *path, int flags, ...) \
	{ \
		OPEN_MODE(mode) \
		REAL(int, name, int, const char *, int, ...); \
		int err = fault(FLT_SYS, FN_openat); \
		if (err == 0) \
			return real(dir, path, flags, mode); \
		errno = err; \
		return -1; \
	}
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

WRAP_IO(ssize_t, read, read, (int fd, void *p, size_t n), n, (fd, p, n))
WRAP_IO(ssize_t, write, write, (int fd, const void *p, size_t n), n, (fd, p, n))
WRAP_IO(ssize_t, pread, pread, (int fd, void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_IO(ssize_t, pread, pread64, (int fd, void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_IO(ssize_t, pwrite, pwrite, (int fd, const void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_IO(ssize_t, pwrite, pwrite64, (int fd, const void *p, size_t n, off_t at), n, (fd, p, n, at))
WRAP_IO(ssize_t, readv, readv, (int fd, const struct iovec *v, int n), n, (fd, v, n))
WRAP_IO(ssize_t, writev, writev, (int fd, const struct iovec *v, int n), n, (fd, v, n))
WRAP(int, -1, fsync, fsync, (int fd), (fd))
WRAP(int, -1, fdatasync, fdatasync, (int fd), (fd))
WRAP(int, -1, ftruncate, ftruncate, (int fd, off_t n), (fd, n))
WRAP(int, -1, ftruncate, ftruncate64, (int fd, off_t n), (fd, n))
WRAP(int, -1, rename, rename, (const char *a, const char *b), (a, b))
WRAP(int, -1, renameat, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
WRAP(int, -1, unlink, unlink, (const char *p), (p))
WRAP(int, -1, unlinkat, unlinkat, (int d, const char *p, int f), (d, p, f))
WRAP(int, -1, mkdir, mkdir, (const char *p, mode_t m), (p, m))
WRAP(int, -1, mkdirat, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
WRAP(int, -1, fstat, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, fstat, fstat64, (int fd, struct stat64 *st), (fd, st))
WRAP(int, -1, stat, stat, (const char *p, struct stat *st), (p, st))
WRAP(int, -1, stat, stat64, (const char *p, struct stat64 *st), (p, st))
WRAP(int, -1, stat, lstat, (const char *p, struct stat *st), (p, st))
WRAP(int, -1, stat, lstat64, (const char *p, struct stat64 *st), (p, st))
WRAP(int, -1, fstatat, fstatat, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
WRAP(int, -1, fstatat, fstatat64, (int d, const char *p, struct stat64 *st, int f), (d, p, st, f))
WRAP(int, -1, fstatfs, fstatfs, (int fd, struct statfs *st), (fd, st))
WRAP(int, -1, fstatfs, fstatfs64, (int fd, struct statfs64 *st), (fd, st))
WRAP(int, -1, fstatfs, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st))
WRAP(int, -1, access, access, (const char *p, int m), (p, m))
WRAP(int, -1, faccessat, faccessat, (int d, const char *p, int m, int f), (d, p, m, f))
WRAP(int, -1, fchmod, fchmod, (int fd, mode_t m), (fd, m))
WRAP(int, -1, fchown, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, -1, fchown, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f))
WRAP(int, -1, flock, flock, (int fd, int op), (fd, op))
WRAP(int, -1, dup2, dup2, (int a, int b), (a, b))
WRAP(DIR *, NULL, opendir, opendir, (const char *p), (p))
WRAP(DIR *, NULL, fdopendir, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir, readdir, (DIR * d), (d))
WRAP(struct dirent64 *, NULL, readdir, readdir64, (DIR * d), (d))
WRAP(ssize_t, -1, readlink, readlink, (const char *p, char *b, size_t n), (p, b, n))
WRAP(FILE *, NULL, fopen, fopen, (const char *p, const char *m), (p, m))
WRAP(FILE *, NULL, fopen, fopen64, (const char *p, const char *m), (p, m))
WRAP(int, -1, close_range, close_range, (unsigned a, unsigned b, int f), (a, b, f))

EXPORT int close(int fd)
{
	REAL(int, close, int);
	int err = fault(FLT_SYS, FN_close);
	int rc = real(fd);

	if (err == 0)
		return rc;
	errno = EIO;
	return -1;
}

WRAP(void *, MAP_FAILED, mmap, mmap, (void *a, size_t n, int p, int f, int fd, off_t o),
     (a, n, p, f, fd, o))
WRAP(void *, MAP_FAILED, mmap, mmap64, (void *a, size_t n, int p, int f, int fd, off_t o),
     (a, n, p, f, fd, o))
WRAP(int, -1, mlock, mlock, (const void *p, size_t n), (p, n))
WRAP(int, -1, madvise, madvise, (void *p, size_t n, int a), (p, n, a))
WRAP(int, -1, memfd_create, memfd_create, (const char *name, unsigned f), (name, f))

EXPORT void *mremap(void *p, size_t old, size_t n, int flags, ...)
{
	REAL(void *, mremap, void *, size_t, size_t, int, ...);
	int err = fault(FLT_SYS, FN_mremap);
	void *at;
	va_list ap;

	va_start(ap, flags);
	at = (flags & MREMAP_FIXED) != 0 ? va_arg(ap, void *) : NULL;
	va_end(ap);
	if (err == 0)
		return real(p, old, n, flags, at);
	errno = err;
	return MAP_FAILED;
}

#define WRAP_FCNTL(name) \
	EXPORT int name(int fd, int op, ...) \
	{ \
		REAL(int, name, int, int, ...); \
		int err = fault(FLT_SYS, FN_fcntl); \
		va_list ap; \
		void *arg; \
		va_start(ap, op); \
		arg = va_arg(ap, void *); \
		va_end(ap); \
		if (err == 0) \
			return real(fd, op, arg); \
		errno = err; \
		return -1; \
	}
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

/* ---- sockets, waiting ----------------------------------------------------------------------- */

WRAP_IO(ssize_t, recv, recv, (int fd, void *p, size_t n, int f), n, (fd, p, n, f))
WRAP_IO(ssize_t, recvfrom, recvfrom,
        (int fd, void *restrict p, size_t n, int f, struct sockaddr *restrict a,
         socklen_t *restrict al),
        n, (fd, p, n, f, a, al))
WRAP_IO(ssize_t, send, send, (int fd, const void *p, size_t n, int f), n, (fd, p, n, f))
WRAP_IO(ssize_t, sendto, sendto,
        (int fd, const void *p, size_t n, int f, const struct sockaddr *a, socklen_t al), n,
        (fd, p, n, f, a, al))
WRAP(ssize_t, -1, recvmsg, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(ssize_t, -1, sendmsg, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(int, -1, socket, socket, (int d, int t, int p), (d, t, p))
WRAP(int, -1, socketpair, socketpair, (int d, int t, int p, int sv[2]), (d, t, p, sv))
WRAP(int, -1, connect, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, accept, accept, (int fd, struct sockaddr *restrict a, socklen_t *restrict n),
     (fd, a, n))
WRAP(int, -1, accept4, accept4, (int fd, struct sockaddr *restrict a, socklen_t *restrict n, int f),
     (fd, a, n, f))
WRAP(int, -1, bind, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, listen, listen, (int fd, int n), (fd, n))
WRAP(int, -1, shutdown, shutdown, (int fd, int how), (fd, how))
WRAP(int, -1, setsockopt, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
     (fd, l, o, v, n))
WRAP(int, -1, getsockopt, getsockopt,
     (int fd, int l, int o, void *restrict v, socklen_t *restrict n), (fd, l, o, v, n))
WRAP(int, -1, getsockname, getsockname,
     (int fd, struct sockaddr *restrict a, socklen_t *restrict n), (fd, a, n))
WRAP(int, -1, getpeername, getpeername,
     (int fd, struct sockaddr *restrict a, socklen_t *restrict n), (fd, a, n))
WRAP(int, -1, epoll_create1, epoll_create1, (int f), (f))
WRAP(int, -1, epoll_ctl, epoll_ctl, (int ep, int op, int fd, struct epoll_event *ev),
     (ep, op, fd, ev))
WRAP(int, -1, eventfd, eventfd, (unsigned n, int f), (n, f))
WRAP(int, -1, timerfd_create, timerfd_create, (clockid_t c, int f), (c, f))
WRAP(int, -1, timerfd_settime, timerfd_settime,
     (int fd, int f, const struct itimerspec *a, struct itimerspec *b), (fd, f, a, b))
WRAP(int, -1, signalfd, signalfd, (int fd, const sigset_t *s, int f), (fd, s, f))
WRAP(int, -1, pipe, pipe, (int fds[2]), (fds))
WRAP(int, -1, pipe2, pipe2, (int fds[2], int f), (fds, f))
WRAP(int, -1, poll, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))

ssize_t __recv_chk(int fd, void *p, size_t n, size_t cap, int f);
EXPORT ssize_t __recv_chk(int fd, void *p, size_t n, size_t cap, int f)
{
	if (n > cap)
		abort();
	return recv(fd, p, n, f);
}

/* The loop's own: where it waits, the gateway tells what its heap holds. */
EXPORT int epoll_wait(int ep, struct epoll_event *ev, int n, int ms)
{
	REAL(int, epoll_wait, int, struct epoll_event *, int, int);
	int err = fault(FLT_SYS, FN_epoll_wait);

	if (ready && role == FLT_GATEWAY && ctl->heap_told != ctl->heap_asked) {
		struct mallinfo2 mi = mallinfo2();

		ctl->heap_bytes = mi.uordblks + mi.hblkhd;
		__atomic_store_n(&ctl->heap_told, ctl->heap_asked, __ATOMIC_RELEASE);
	}
	if (err == 0)
		return real(ep, ev, n, ms);
	errno = err;
	return -1;
}

static int failed_lookup(int err)
{
	return err;
}

EXPORT int getaddrinfo(const char *restrict n, const char *restrict s,
                       const struct addrinfo *restrict h, struct addrinfo **restrict r)
{
	REAL(int, getaddrinfo, const char *, const char *, const struct addrinfo *,
	     struct addrinfo **);
	int err = fault(FLT_SYS, FN_getaddrinfo);

	return err == 0 ? real(n, s, h, r) : failed_lookup(err);
}

EXPORT int getnameinfo(const struct sockaddr *restrict a, socklen_t al, char *restrict h,
                       socklen_t hl, char *restrict s, socklen_t sl, int f)
{
	REAL(int, getnameinfo, const struct sockaddr *, socklen_t, char *, socklen_t, char *,
	     socklen_t, int);
	int err = fault(FLT_SYS, FN_getnameinfo);

	return err == 0 ? real(a, al, h, hl, s, sl, f) : failed_lookup(err);
}

/* ---- processes ------------------------------------------------------------------------------ */

WRAP(pid_t, -1, waitpid, waitpid, (pid_t p, int *s, int o), (p, s, o))
WRAP(int, -1, waitid, waitid, (idtype_t t, id_t id, siginfo_t *si, int o), (t, id, si, o))
WRAP(int, -1, pidfd_open, pidfd_open, (pid_t p, unsigned f), (p, f))
WRAP(int, -1, pidfd_send_signal, pidfd_send_signal, (int fd, int s, siginfo_t *si, unsigned f),
     (fd, s, si, f))
WRAP(int, -1, setrlimit, setrlimit, (__rlimit_resource_t r, const struct rlimit *l), (r, l))
WRAP(int, -1, setrlimit, setrlimit64, (__rlimit_resource_t r, const struct rlimit64 *l), (r, l))
WRAP(int, -1, getentropy, getentropy, (void *p, size_t n), (p, n))
WRAP(pid_t, -1, fork, fork, (void), ())

/* The child goes on in its parent's frame, which must not be ours: so it gets memory of its own. */
EXPORT pid_t vfork(void)
{
	REAL(pid_t, fork, void);
	int err = fault(FLT_SYS, FN_vfork);

	if (err == 0)
		return real();
	errno = err;
	return -1;
}

EXPORT int prctl(int op, ...)
{
	REAL(int, prctl, int, ...);
	int err = fault(FLT_SYS, FN_prctl);
	unsigned long a[4];
	va_list ap;

	va_start(ap, op);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (err == 0)
		return real(op, a[0], a[1], a[2], a[3]);
	errno = err;
	return -1;
}

EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path,
                       const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *restrict at,
                       char *const argv[restrict], char *const envp[restrict])
{
	REAL(int, posix_spawn, pid_t *, const char *, const posix_spawn_file_actions_t *,
	     const posix_spawnattr_t *, char *const[], char *const[]);
	int err = fault(FLT_SYS, FN_posix_spawn);

	return err == 0 ? real(pid, path, fa, at, argv, envp) : err;
}

EXPORT int pthread_create(pthread_t *restrict t, const pthread_attr_t *restrict at,
                          void *(*run)(void *), void *restrict arg)
{
	REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	int err = fault(FLT_SYS, FN_pthread_create);

	return err == 0 ? real(t, at, run, arg) : err;
}

/* What libc has no function for. A clone of the zygote is a worker. */
EXPORT long syscall(long nr, ...)
{
	REAL(long, syscall, long, ...);
	int err = fault(FLT_SYS, FN_syscall);
	long a[6];
	long rc;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (err != 0) {
		errno = err;
		return -1;
	}
	rc = real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (rc == 0 && (nr == SYS_clone3 || nr == SYS_clone) && role == FLT_ZYGOTE)
		role = FLT_WORKER;
	return rc;
}

/* ---- SQLite --------------------------------------------------------------------------------- */

#define WRAP_SQL(as, name, params, args) \
	EXPORT int name params \
	{ \
		static int(*real) params; \
		int err; \
		if (real == NULL) \
			real = (int(*) params)next(#name); \
		err = fault(FLT_SQL, FN_##as); \
		return err == 0 ? real args : err; \
	}

WRAP_SQL(sqlite3_open_v2, sqlite3_open_v2, (const char *p, sqlite3 **db, int f, const char *v),
         (p, db, f, v))
WRAP_SQL(sqlite3_prepare, sqlite3_prepare_v2,
         (sqlite3 * db, const char *q, int n, sqlite3_stmt **st, const char **t), (db, q, n, st, t))
WRAP_SQL(sqlite3_prepare, sqlite3_prepare_v3,
         (sqlite3 * db, const char *q, int n, unsigned f, sqlite3_stmt **st, const char **t),
         (db, q, n, f, st, t))
WRAP_SQL(sqlite3_step, sqlite3_step, (sqlite3_stmt * st), (st))
/* It calls others of these, and what they answer is not heard: nothing of it fails but the whole.
 */
EXPORT int sqlite3_exec(sqlite3 *db, const char *q, int (*cb)(void *, int, char **, char **),
                        void *a, char **e)
{
	REAL(int, sqlite3_exec, sqlite3 *, const char *, int (*)(void *, int, char **, char **),
	     void *, char **);
	int err = fault(FLT_SQL, FN_sqlite3_exec);
	int rc;

	if (err != 0)
		return err;
	in_sqlite++;
	rc = real(db, q, cb, a, e);
	in_sqlite--;
	return rc;
}
/* What is not copied takes no memory. */
#define WRAP_BIND(name, params) \
	EXPORT int name params \
	{ \
		static int(*real) params; \
		int err; \
		if (real == NULL) \
			real = (int(*) params)next(#name); \
		err = d == SQLITE_TRANSIENT ? fault(FLT_SQL, FN_sqlite3_bind) : 0; \
		return err == 0 ? real(st, i, p, n, d) : err; \
	}
WRAP_BIND(sqlite3_bind_blob, (sqlite3_stmt * st, int i, const void *p, int n, void (*d)(void *)))
WRAP_BIND(sqlite3_bind_blob64,
          (sqlite3_stmt * st, int i, const void *p, sqlite3_uint64 n, void (*d)(void *)))
WRAP_BIND(sqlite3_bind_text, (sqlite3_stmt * st, int i, const char *p, int n, void (*d)(void *)))
WRAP_SQL(sqlite3_vfs_register, sqlite3_vfs_register, (sqlite3_vfs * v, int d), (v, d))

EXPORT int sqlite3_db_config(sqlite3 *db, int op, ...)
{
	REAL(int, sqlite3_db_config, sqlite3 *, int, ...);
	int err = fault(FLT_SQL, FN_sqlite3_db_config);
	va_list ap;
	int on;
	int *was;

	va_start(ap, op);
	on = va_arg(ap, int);
	was = va_arg(ap, int *);
	va_end(ap);
	return err == 0 ? real(db, op, on, was) : err;
}

EXPORT int sqlite3_close_v2(sqlite3 *db)
{
	REAL(int, sqlite3_close_v2, sqlite3 *);
	int err = fault(FLT_SQL, FN_sqlite3_close_v2);
	int rc = real(db);

	return err == 0 ? rc : SQLITE_IOERR;
}

/* Text may need memory for its end; without, it is NULL. */
EXPORT const unsigned char *sqlite3_column_text(sqlite3_stmt *st, int i)
{
	REAL(const unsigned char *, sqlite3_column_text, sqlite3_stmt *, int);

	return fault(FLT_SQL, FN_sqlite3_column) == 0 ? real(st, i) : NULL;
}

EXPORT void *sqlite3_malloc(int n)
{
	REAL(void *, sqlite3_malloc, int);

	return fault(FLT_SQL, FN_sqlite3_malloc) == 0 ? real(n) : NULL;
}

/* ---- start ---------------------------------------------------------------------------------- */

static enum flt_role role_of(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	name = name != NULL ? name + 1 : argc > 0 ? argv[0] : "";
	if (strcmp(name, "wardend") == 0)
		return FLT_GATEWAY;
	if (strcmp(name, "warden-worker") != 0)
		return FLT_CLI;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--zygote") == 0)
			return FLT_ZYGOTE;
	return FLT_WORKER;
}

static void tell_names(void)
{
	for (unsigned i = 0; i < FN_N; i++) {
		strncpy(ctl->names[i].name, fns[i].name, FLT_NAME_CAP - 1);
		ctl->names[i].variants = variants_of(i);
	}
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	const char *path = getenv("WARDEN_TEST_FAULTS");
	void *frames[4];
	void *p;
	int fd;

	(void)envp;
	if (path == NULL)
		return;
	(void)backtrace(frames, 4); /* which loads its library */
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	ctl = p;
	role = role_of(argc, argv);
	if (ctl->magic != FLT_MAGIC) {
		tell_names();
		ctl->magic = FLT_MAGIC;
	}
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		program[0] = '\0';
	note_modules();
	has_sanitizer = dlsym(RTLD_DEFAULT, "__asan_init") != NULL;
	watch_crashes();
	ready = true;
}
