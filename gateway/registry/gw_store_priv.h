/* gateway/registry/gw_store_priv.h - the store's two files among themselves: its jobs */
#ifndef GW_STORE_PRIV_H
#define GW_STORE_PRIV_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/attr.h"
#include "gateway/registry/gw_store.h"

enum gw_store_job_kind {
	GW_JOB_ACCOUNT_PUT,
	GW_JOB_ACCOUNT_TOKEN,
	GW_JOB_ACCOUNT_QUOTA,
	GW_JOB_ACCOUNT_DEL,
	GW_JOB_INVITE_PUT,
	GW_JOB_PROBE,
	GW_JOB_INSTANCE_ADD, /* from here on: of an instance */
	GW_JOB_INSTANCE_TOKEN,
	GW_JOB_INSTANCE_SETTINGS,
	GW_JOB_INSTANCE_PROXY,
	GW_JOB_INSTANCE_HOOKS,
	GW_JOB_INSTANCE_LINK,
	GW_JOB_INSTANCE_DEL,
};

struct gw_store_job {
	STAILQ_ENTRY(gw_store_job) link;
	enum gw_store_job_kind kind;
	union {
		struct gw_account_row account;
		struct gw_invite_row invite;
		struct gw_instance_row instance; /* settings, proxy, hooks: owned by the job */
		uint64_t probe; /* another value each time, so that it is written */
	} row;
	int rc;
	gw_store_done *done;
	void *arg;
};

/* NULL without memory. */
struct gw_store_job *gw_store_job_new(enum gw_store_job_kind kind, gw_store_done *done, void *arg);
/* takes j, which is done and told in its turn. 0. */
int gw_store_job_give(struct gw_store *st, struct gw_store_job *j);
/* With what it owns. */
void gw_store_job_free(struct gw_store_job *j);

#endif
