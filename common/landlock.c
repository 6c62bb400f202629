/* common/landlock.c - giving up files, ports and signals for good */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_VERSION 1U /* flag of landlock_create_ruleset(): tell the ABI */
#define RULE_PATH 1

#define NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

#define ABI_TRUNCATE 3
#define ABI_NET 4
#define ABI_IOCTL 5
#define ABI_SCOPE 6

/* Of what is no directory only these can be given. */
#define FILE_RIGHTS (LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV)

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

int ll_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return abi > 0 && abi <= INT_MAX ? (int)abi : 0;
}

const char *ll_lacks(int abi)
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

int ll_new(int abi, unsigned handled)
{
	struct ruleset_attr attr = { .handled_access_fs = all_fs(abi) };
	long fd;

	if (abi >= ABI_NET && (handled & LL_NO_BIND))
		attr.handled_access_net = NET_BIND_TCP;
	if (abi >= ABI_SCOPE && (handled & LL_NO_SCOPE))
		attr.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
	fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return fd < 0 ? -errno : (int)fd;
}

int ll_allow(int ruleset_fd, int abi, const char *path, uint64_t rights)
{
	struct path_attr rule = { .allowed = rights & all_fs(abi) };
	struct stat st;
	int rc = 0;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return -errno;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH, &rule, 0) < 0)
		rc = -errno;
	(void)close(rule.fd);
	return rc;
}

int ll_enter(int ruleset_fd)
{
	return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}
