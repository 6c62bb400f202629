/* gateway/doctor/gw_doctor_host.c - what the gateway knows of itself and its host */
#include "gateway/doctor/gw_doctor_host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/err.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/supervision/gw_supervisor.h"

#define FDS_PER_INSTANCE 4 /* pidfd, channel, its socket, one that is being replaced */
#define FDS_OWN 128
#define REDIS_SLOW_US 10000 /* limits are decided in memory after 50 ms */
#define LANDLOCK_VERSION 1  /* LANDLOCK_CREATE_RULESET_VERSION */

/* ---- judging -----------------------------------------------------------------------------------
 */

void gw_doctor_judge_files(uint64_t limit, uint64_t connections, uint64_t instances,
                           struct gw_findings *fs)
{
	uint64_t need = connections + instances * FDS_PER_INSTANCE + FDS_OWN;
	char advice[GW_FINDING_TEXT_CAP];

	snprintf(advice, sizeof(advice),
	         "raise it to %" PRIu64
	         " (LimitNOFILE= in the unit, or ulimit -n), or lower max_connections",
	         need + need / 4);
	if (limit < instances * FDS_PER_INSTANCE + FDS_OWN)
		gw_finding_set(fs, GW_CHECK_OPEN_FILES, GW_FAILED, advice,
		               "%" PRIu64 " files may be open: too few for %" PRIu64 " instances",
		               limit, instances);
	else if (limit < need)
		gw_finding_set(fs, GW_CHECK_OPEN_FILES, GW_WARNING, advice,
		               "%" PRIu64 " files may be open; %" PRIu64
		               " instances and max_connections=%" PRIu64 " can take %" PRIu64,
		               limit, instances, connections, need);
	else
		gw_finding_set(fs, GW_CHECK_OPEN_FILES, GW_OK, NULL,
		               "%" PRIu64 " files may be open: room for %" PRIu64 " instances",
		               limit, (limit - connections - FDS_OWN) / FDS_PER_INSTANCE);
}

void gw_doctor_judge_kernel(const struct gw_doctor_kernel *k, uint64_t instances,
                            struct gw_findings *fs)
{
	if (!k->pidfd)
		gw_finding_set(
		    fs, GW_CHECK_KERNEL, GW_FAILED,
		    "Warden needs Linux 5.10 or later, and a container that lets pidfd_open "
		    "through",
		    "Linux %s without pidfds", k->release);
	if (k->processes < instances + 64)
		gw_finding_set(fs, GW_CHECK_KERNEL, GW_WARNING,
		               "raise it (LimitNPROC= or TasksMax= in the unit, or ulimit -u)",
		               "%" PRIu64 " processes may run, and there are %" PRIu64 " instances",
		               k->processes, instances);
	if (k->landlock < 1)
		gw_finding_set(fs, GW_CHECK_KERNEL, GW_WARNING,
		               "turn Landlock on (lsm= on the kernel's command line): without it a "
		               "worker that was taken over is held by less",
		               "Linux %s without Landlock", k->release);
	if (!k->seccomp)
		gw_finding_set(
		    fs, GW_CHECK_KERNEL, GW_WARNING,
		    "use a kernel with CONFIG_SECCOMP_FILTER: without it a worker that was "
		    "taken over is held by less",
		    "Linux %s without seccomp", k->release);
	gw_finding_set(fs, GW_CHECK_KERNEL, GW_OK, NULL,
	               "Linux %s with pidfds, Landlock (ABI %d) and seccomp", k->release,
	               k->landlock);
}

static const char *from_words(const char *from)
{
	if (strcmp(from, "setting") == 0)
		return "master_key_file";
	return strcmp(from, "credential") == 0 ? "systemd's credential" : "data_dir";
}

void gw_doctor_judge_key(const char *path, const char *from, int rc, mode_t mode, uid_t owner,
                         uid_t uid, struct gw_findings *fs)
{
	static const char put_back[] =
	    "put the right key back before the next start, and keep a copy elsewhere: without it "
	    "nothing that is sealed can be read";
	bool credential = strcmp(from, "credential") == 0;
	char advice[GW_FINDING_TEXT_CAP];

	if (rc == WA_EAUTH)
		gw_finding_set(fs, GW_CHECK_MASTER_KEY, GW_FAILED, put_back,
		               "%s (%s) holds another key than the one in use", path,
		               from_words(from));
	else if (rc < 0)
		gw_finding_set(fs, GW_CHECK_MASTER_KEY, GW_FAILED, put_back, "%s (%s): %s", path,
		               from_words(from),
		               rc == -EINVAL ? "it holds no key" : wa_err_name(rc));
	if (rc < 0)
		return;
	/* what systemd hands over it has made for us alone; what is unsafe the next start refuses
	 */
	if ((mode & 077) != 0 && !credential) {
		snprintf(advice, sizeof(advice), "chmod 600 %s", path);
		gw_finding_set(
		    fs, GW_CHECK_MASTER_KEY,
		    gw_master_key_why_unsafe(mode, uid, uid) != NULL ? GW_FAILED : GW_WARNING,
		    advice, "%s can be read by others (mode %03o)", path, (unsigned)mode & 0777u);
	}
	if (owner != uid && owner != 0 && !credential)
		gw_finding_set(fs, GW_CHECK_MASTER_KEY, GW_FAILED,
		               "it has to belong to root or to the user that wardend runs as",
		               "%s belongs to user %u", path, (unsigned)owner);
	gw_finding_set(fs, GW_CHECK_MASTER_KEY, GW_OK, NULL,
	               "%s (%s) is the registry's key and closed to others", path,
	               from_words(from));
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static uint64_t count_instances(const struct gw *gw)
{
	struct gw_instance *inst = NULL;
	uint64_t n = 0;

	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL)
		n++;
	return n;
}

static uint64_t count_accounts(const struct gw *gw)
{
	struct gw_account *acc = NULL;
	uint64_t n = 0;

	while ((acc = gw_registry_next_account(gw->registry, acc)) != NULL)
		n++;
	return n;
}

static void look_at_registry(const struct gw *gw, uint64_t instances, struct gw_findings *fs)
{
	if (gw_registry_ok(gw->registry))
		gw_finding_set(fs, GW_CHECK_REGISTRY, GW_OK, NULL,
		               "open; accounts: %" PRIu64 ", instances: %" PRIu64,
		               count_accounts(gw), instances);
	else
		gw_finding_set(fs, GW_CHECK_REGISTRY, GW_FAILED,
		               "see data_dir and free_space above, and the gateway's log",
		               "the last change could not be stored");
}

static void look_at_workers(const struct gw *gw, uint64_t instances, struct gw_findings *fs)
{
	static const char *const runners[] = { [GW_RUNNER_ZYGOTE] = "zygote",
		                               [GW_RUNNER_EXEC] = "exec",
		                               [GW_RUNNER_SYSTEMD] = "systemd" };
	size_t n = gw_supervisor_count(gw->sup);

	if (!gw_supervisor_ok(gw->sup))
		gw_finding_set(fs, GW_CHECK_WORKERS, GW_FAILED,
		               "the gateway's log says why; worker_path has to name a program of "
		               "this version",
		               "workers can't be started (runner %s)",
		               runners[gw->cfg.worker_runner]);
	if (gw->cfg.max_workers > 0 && n >= (uint64_t)gw->cfg.max_workers)
		gw_finding_set(fs, GW_CHECK_WORKERS, GW_WARNING,
		               "raise max_workers, or move instances to another host",
		               "%zu workers run, and max_workers allows no more", n);
	gw_finding_set(fs, GW_CHECK_WORKERS, GW_OK, NULL,
	               "%zu of %" PRIu64 " instances have one (runner %s)", n, instances,
	               runners[gw->cfg.worker_runner]);
}

static void look_at_files(const struct gw *gw, uint64_t instances, struct gw_findings *fs)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	gw_doctor_judge_files(files.rlim_cur, (uint64_t)gw->cfg.max_connections, instances, fs);
}

static void look_at_kernel(uint64_t instances, struct gw_findings *fs)
{
	struct gw_doctor_kernel k = { .processes = UINT64_MAX };
	struct utsname name;
	struct rlimit processes;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	k.pidfd = pidfd >= 0;
	if (pidfd >= 0)
		close(pidfd);
	if (uname(&name) == 0)
		snprintf(k.release, sizeof(k.release), "%s", name.release);
#ifdef SYS_landlock_create_ruleset
	k.landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
#endif
	k.seccomp = prctl(PR_GET_SECCOMP) >= 0;
	/* root is not held to it */
	if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &processes) == 0)
		k.processes = processes.rlim_cur;
	gw_doctor_judge_kernel(&k, instances, fs);
}

static void look_at_limiter(const struct gw *gw, struct gw_findings *fs)
{
	const char *health = gw_limit_health(gw->limit);
	struct gw_limit_stats stats;

	gw_limit_stats(gw->limit, &stats);
	if (strcmp(health, "ok") != 0)
		gw_finding_set(fs, GW_CHECK_REDIS, GW_FAILED,
		               "see to the Redis server, and to redis_url and its password", "%s",
		               health);
	else if (!stats.shared)
		gw_finding_set(fs, GW_CHECK_REDIS, GW_OK, NULL,
		               "not configured: limits are kept in memory, per gateway");
}

void gw_doctor_judge_redis(int rc, uint64_t us, struct gw_findings *fs)
{
	double ms = (double)us / 1000;

	if (rc < 0)
		gw_finding_set(fs, GW_CHECK_REDIS, GW_FAILED,
		               "see to the Redis server, and to redis_url and its password",
		               "it does not answer: %s", wa_err_name(rc));
	else if (us > REDIS_SLOW_US)
		gw_finding_set(fs, GW_CHECK_REDIS, GW_WARNING,
		               "every request waits for it: bring it nearer, or look what slows it",
		               "it takes %.1f ms to answer", ms);
	else
		gw_finding_set(fs, GW_CHECK_REDIS, GW_OK, NULL,
		               "limits are shared in it; it answers in %.1f ms", ms);
}

void gw_doctor_host_look(const struct gw *gw, struct gw_findings *fs)
{
	uint64_t instances = count_instances(gw);

	look_at_registry(gw, instances, fs);
	look_at_limiter(gw, fs);
	look_at_workers(gw, instances, fs);
	look_at_files(gw, instances, fs);
	look_at_kernel(instances, fs);
}
