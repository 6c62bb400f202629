/*
 * gateway/doctor/gw_probe.h - is WhatsApp reached, the way an instance goes?
 *
 * The gateway never dials itself. A worker process of its own is started for each question, like
 * any other but without an instance's key: it goes through the proxy, as far as the verified
 * certificate chain, answers and leaves (IPC: CONNECT with PROBE). One at a time; others wait.
 */
#ifndef GW_PROBE_H
#define GW_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"
#include "gateway/instance/gw_instance.h"

struct gw;
struct gw_probe;
struct gw_prober;

#define GW_PROBE_MS 27000 /* from the start of its process: then it is killed */

struct gw_probe_result {
	int rc; /* 0: reached; else an outcome of common/err.h */
	char detail[201];
	uint64_t tcp_us, tls_us, upgrade_us, handshake_us; /* since the start; 0: not so far */
	int64_t server_unix_s;                             /* the time there; 0: not known */
	int64_t unix_s;                                    /* and here at that moment */
	struct {
		bool known; /* it has said */
		bool limits, rights, landlock, seccomp;
		uid_t uid;
	} sandbox; /* of the process that went, as of every worker */
};

/* limit_ms: GW_PROBE_MS, but for tests. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_prober_new(struct gw *gw, uint32_t limit_ms, struct gw_prober **p_out);
/* Before the supervisor. Every probe has been freed. Kills what runs. NULL is fine. */
void gw_prober_free(struct gw_prober *p);
/* The runner's answer to a request that is no worker's; pidfd is taken when it is ours. True: it
 * is. */
_Bool gw_prober_on_spawned(struct gw_prober *p, uint32_t req_id, int rc, pid_t pid, int pidfd);

/*
 * proxy: copied; NULL or not enabled: directly. on_done: once, from the loop; result is borrowed.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_probe_start(struct gw_prober *p, const struct gw_proxy *proxy,
                                  void (*on_done)(const struct gw_probe_result *r, void *arg),
                                  void *arg, struct gw_probe **probe_out);
/* No answer is wanted any more. NULL is fine. */
void gw_probe_free(struct gw_probe *probe);

#endif
