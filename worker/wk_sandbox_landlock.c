/*
 * worker/wk_sandbox_landlock.c - one directory and a few files to read
 *
 * Numbers of the kernel's interface (Documentation/userspace-api/landlock.rst) that are younger
 * than the headers we may be built with are written down here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/attr.h"
#include "worker/wk_sandbox_priv.h"

#define CREATE_VERSION 1U /* flag of landlock_create_ruleset(): tell the ABI */
#define RULE_PATH 1       /* kind of rule: beneath this directory, or this file */

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_REG (1ULL << 8)
#define FS_TRUNCATE (1ULL << 14)

#define NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

#define ABI_TRUNCATE 3
#define ABI_NET 4
#define ABI_IOCTL 5
#define ABI_SCOPE 6

/* Without a kind of access in handled_*, that kind is free: so all there are. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* By ABI, from 1 on: the highest right on files plus one. */
static const unsigned char fs_rights_n[] = { 13, 14, 15, 15, 16 };

/* Own files: made, read, written, cut, renamed within, removed. No directories, links, or nodes. */
#define OWN_DIR \
	(FS_READ_FILE | FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE)

static const char *const read_dirs[] = {
	/* what the certificate directory's links lead to */
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/etc/pki/ca-trust/extracted",
	"/etc/ca-certificates/extracted",
};

static const char *const read_files[] = {
	"/etc/resolv.conf", "/etc/hosts", "/dev/urandom", /* SQLite's */
};

int wk_sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return abi > 0 && abi <= INT_MAX ? (int)abi : 0;
}

const char *wk_sandbox_landlock_lacks(int abi)
{
	if (abi < 1)
		return "landlock";
	if (abi < ABI_TRUNCATE)
		return "landlock: truncate, tcp, devices, signals and abstract sockets";
	if (abi < ABI_NET)
		return "landlock: tcp, devices, signals and abstract sockets";
	if (abi < ABI_IOCTL)
		return "landlock: devices, signals and abstract sockets";
	return abi < ABI_SCOPE ? "landlock: signals and abstract sockets" : NULL;
}

static uint64_t all_fs(int abi)
{
	size_t i = (size_t)abi > sizeof(fs_rights_n) ? sizeof(fs_rights_n) : (size_t)abi;

	return (1ULL << fs_rights_n[i - 1]) - 1;
}

/* Of what is no directory only some rights can be given. */
static int allow(int ruleset_fd, int abi, const char *path, uint64_t rights)
{
	struct path_attr rule = { .allowed = rights & all_fs(abi) };
	int rc = 0;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH, &rule, 0) < 0)
		rc = -errno;
	(void)close(rule.fd);
	return rc;
}

/*
 * A rule holds for the file that is there now. The resolver's file is often a link into a directory
 * of its own below /run, where it is replaced at every change: then the directory is allowed.
 */
static void allow_resolver_dir(int ruleset_fd, int abi)
{
	static const char top[] = "/run/";
	char path[PATH_MAX];
	char *slash;

	if (realpath("/etc/resolv.conf", path) == NULL || strncmp(path, top, sizeof(top) - 1) != 0)
		return;
	slash = strrchr(path, '/');
	if (slash == path + sizeof(top) - 2)
		return; /* /run itself: no */
	*slash = '\0';
	(void)!allow(ruleset_fd, abi, path, FS_READ_FILE);
}

/* What is missing on this host is not needed on it. */
static void allow_reading(int ruleset_fd, int abi)
{
	(void)!allow(ruleset_fd, abi, X509_get_default_cert_dir(), FS_READ_FILE | FS_READ_DIR);
	for (size_t i = 0; i < ARRAY_LEN(read_dirs); i++)
		(void)!allow(ruleset_fd, abi, read_dirs[i], FS_READ_FILE | FS_READ_DIR);
	for (size_t i = 0; i < ARRAY_LEN(read_files); i++)
		(void)!allow(ruleset_fd, abi, read_files[i], FS_READ_FILE);
	allow_resolver_dir(ruleset_fd, abi);
}

int wk_sandbox_landlock(int abi, const char *dir)
{
	struct ruleset_attr attr = { .handled_access_fs = all_fs(abi) };
	int fd, rc;

	if (abi >= ABI_NET)
		attr.handled_access_net =
		    NET_BIND_TCP; /* a proxy may be at any port: connect is free */
	if (abi >= ABI_SCOPE)
		attr.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return -errno;
	rc = allow(fd, abi, dir, OWN_DIR);
	if (rc == 0) {
		allow_reading(fd, abi);
		rc = syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
	}
	(void)close(fd);
	return rc;
}
