/* gateway/doctor/gw_doctor_host.h - what the gateway knows of itself and its host; nothing here waits */
#ifndef GW_DOCTOR_HOST_H
#define GW_DOCTOR_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/doctor/gw_finding.h"

struct gw;

/* REDIS: how one call to it went. */
void gw_doctor_judge_redis(int rc, uint64_t us, struct gw_findings *fs);

/* REGISTRY, REDIS (but for one that is up: it is to be asked), WORKERS, OPEN_FILES and KERNEL. */
void gw_doctor_host_look(const struct gw *gw, struct gw_findings *fs);

/* The judgements alone. limit: descriptors that may be open; instances: there are so many. */
void gw_doctor_judge_files(uint64_t limit, uint64_t connections, uint64_t instances,
                           struct gw_findings *fs);
struct gw_doctor_kernel {
	char release[66];
	int landlock; /* ABI; below 1: none */
	bool pidfd;
	bool seccomp;
	uint64_t processes; /* RLIMIT_NPROC; UINT64_MAX: no limit, or it does not hold for us */
};
void gw_doctor_judge_kernel(const struct gw_doctor_kernel *k, uint64_t instances,
                            struct gw_findings *fs);

/*
 * MASTER_KEY. rc: 0: the file holds the key in use; WA_EAUTH: another; or why it can't be read.
 * mode, owner: of the file, where rc says that it is there.
 */
void gw_doctor_judge_key(const char *path, const char *from, int rc, mode_t mode, uid_t owner,
                         uid_t uid, struct gw_findings *fs);

#endif
