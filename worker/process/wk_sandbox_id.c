/* worker/process/wk_sandbox_id.c - user, groups, capabilities */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/process/wk_sandbox_priv.h"

/* Both need CAP_SETPCAP; without it there is nothing to bound. */
void wk_sandbox_bound_rights(void)
{
	(void)prctl(PR_SET_SECUREBITS,
	            SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
	                SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	                SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
	            0, 0, 0);
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		; /* up to the first that the kernel doesn't know */
}

int wk_sandbox_take_uid(const char *dir)
{
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (stat(dir, &st) < 0)
		return -errno;
	uid = st.st_uid;
	gid = (gid_t)uid; /* the same number, as nobody else's group */
	if (uid == 0)
		return 0; /* the gateway found no way to give it one, and has said so */
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	return setresuid(0, 0, 0) == 0 ? -EPERM : 0; /* there must be no way back */
}

/* In doubt, yes. */
static bool has_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];
	uint32_t any = 0;

	if (syscall(SYS_capget, &head, have) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(have); i++)
		any |= have[i].effective | have[i].permitted | have[i].inheritable;
	return any != 0;
}

/* A unit that leaves no rights may have a filter that refuses to drop them. */
int wk_sandbox_drop_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (has_rights() && syscall(SYS_capset, &head, none) < 0)
		return -errno;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}
