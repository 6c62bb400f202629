/*
 * gateway/gw_instance.h - one instance: its state machine, its live code, and who waits for it
 *
 * There is one state machine per instance; list, connect, streams and metrics all read it.
 * Owned by the registry. Any number of callers watch one attempt.
 */
#ifndef GW_INSTANCE_H
#define GW_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "gateway/gw_registry.h"

struct gw;
struct gw_instance;
struct gw_watch;

/* What the contract calls connection.state. */
enum gw_conn_state {
	GW_DISCONNECTED,
	GW_CONNECTING,
	GW_CONNECTED,
	GW_LOGGEDOUT,
	GW_BANNED,
	GW_CONN_STATE_N
};
const char *gw_conn_state_name(enum gw_conn_state st);

/* An end or a setback: the contract's {code, detail, at}. */
struct gw_reason {
	int rc;           /* enum wa_err; 0: none */
	uint32_t number;  /* <n> of connect_failure_<n> */
	char detail[256]; /* one sentence, never a secret; may be empty */
	int64_t at_unix_ms;
};
#define GW_REASON_CODE_CAP 48
/* "timeout", "connect_failure_418", ... out holds GW_REASON_CODE_CAP bytes. */
void gw_reason_code(const struct gw_reason *r, char *out);

/* The code that is live now; drawn once, on first demand, and kept until the next code. */
struct gw_code {
	char text[1024];        /* the exact QR string */
	uint64_t expires_at_ms; /* monotonic */
	int64_t expires_unix_ms;
	unsigned index, total;
	char *png_data_url; /* cache of gw_qr; NULL until asked for */
};

enum gw_watch_event {
	GW_WATCH_QR,      /* a code is live: gw_instance_code() */
	GW_WATCH_TIMEOUT, /* codes ran out (code_timeout); last event */
	GW_WATCH_FAILED,  /* the attempt ended: gw_watch_reason(); last event */
};

/*
 * Called from the event loop, never from inside gw_instance_connect(). After TIMEOUT or FAILED the
 * watch is over and already forgotten by the instance (w must not be cancelled any more).
 * reason is set for TIMEOUT and FAILED, borrowed for the call.
 */
typedef void gw_watch_cb(struct gw_instance *inst, enum gw_watch_event ev,
                         const struct gw_reason *reason, void *arg);

struct gw_connect_params {
	uint32_t history_days; /* 0: not asked for */
	const char *request_id;
};

/*
 * Start an attempt or join the one that runs. When a code is live with at least 2 s left,
 * GW_WATCH_QR comes at the next pass of the loop. A history_days (not 0) other than the running
 * attempt's supersedes it: its watchers get FAILED with WA_ESUPERSEDED. 0 (watch_out set) or
 * immediately -ENOMEM, WA_EAT_CAPACITY, WA_ESHUTTING_DOWN.
 */
ATTR_NODISCARD int gw_instance_connect(struct gw_instance *inst,
                                       const struct gw_connect_params *params, gw_watch_cb *cb,
                                       void *arg, struct gw_watch **watch_out);
/* The caller hung up or has its answer; the attempt goes on. */
void gw_watch_cancel(struct gw_watch *w);

/* The live code with at least 2 s left, or NULL. */
struct gw_code *gw_instance_code(struct gw_instance *inst);

/* ---- reading ---------------------------------------------------------------- */

const char *gw_instance_id(const struct gw_instance *inst);
const char *gw_instance_name(const struct gw_instance *inst);
struct gw_account *gw_instance_account(const struct gw_instance *inst);
enum gw_conn_state gw_instance_state(const struct gw_instance *inst);
const struct log_ctx *gw_instance_log(const struct gw_instance *inst);
/* As the contract shows an instance in list; new reference, NULL without memory. */
json_t *gw_instance_json(const struct gw_instance *inst);

#endif
