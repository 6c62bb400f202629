/*
 * gateway/instance/gw_instance.h - one instance: its state machine, its live code, and who waits
 * for it
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
#include "common/buf.h"
#include "common/log.h"
#include "gateway/registry/gw_registry.h"

struct gw;
struct gw_instance;
struct gw_hook_config;
struct gw_watch;
struct gw_websocket;

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
	uint32_t retry_after_s; /* WA_ERATE_LIMITED, WA_ETHROTTLED: Retry-After; 0: not known */
};
#define GW_REASON_CODE_CAP 48
/* "timeout", "connect_failure_418", ... out holds GW_REASON_CODE_CAP bytes. */
void gw_reason_code(const struct gw_reason *r, char *out);

/* The code that is live now; a QR code is drawn once, on first demand, and kept until the next. */
struct gw_code {
	bool pairing;           /* an 8-character pairing code, not a QR code */
	char text[1024];        /* the exact QR string, or "ABCD-EFGH" */
	uint64_t expires_at_ms; /* monotonic */
	int64_t expires_unix_ms;
	unsigned index, total; /* QR only */
	char *png_data_url;    /* cache of gw_qr; NULL until asked for */
};

/* How far the passkey step is (contract 2.2). */
enum gw_passkey_status {
	GW_PASSKEY_NONE,
	GW_PASSKEY_REQUIRED,
	GW_PASSKEY_CONFIRM,
	GW_PASSKEY_DONE
};
const char *gw_passkey_status_name(enum gw_passkey_status st);
struct gw_passkey {
	enum gw_passkey_status status;
	json_t *public_key; /* PublicKeyCredentialRequestOptions; NULL: none */
	char code[16];      /* to be compared with the phone's; "": none yet */
};

enum gw_watch_event {
	GW_WATCH_CODE,       /* a code is live: gw_instance_code() */
	GW_WATCH_PASSKEY,    /* the passkey step has moved: gw_instance_passkey() */
	GW_WATCH_CONNECTING, /* scanned, or the saved session is being resumed */
	GW_WATCH_CONNECTED,  /* online; last event */
	GW_WATCH_TIMEOUT,    /* codes ran out (code_timeout); last event */
	GW_WATCH_FAILED,     /* the attempt, or this try to resume, has failed; last event */
};

/*
 * Called from the event loop, never from inside gw_instance_connect(). After a last event the
 * watch is over and already forgotten by the instance (w must not be cancelled any more).
 * reason is set for TIMEOUT and FAILED, borrowed for the call.
 */
typedef void gw_watch_cb(struct gw_instance *inst, enum gw_watch_event ev,
                         const struct gw_reason *reason, void *arg);

struct gw_connect_params {
	const char *number;    /* digits: pair by code for this number; NULL: by QR. Borrowed */
	uint32_t history_days; /* 0: not asked for */
	const char *request_id;
};

/*
 * Link the instance: start a pairing or join the one that runs; resume a saved session (one try at
 * once, whatever the backoff says; that it is logged out meanwhile leads to a pairing in the same
 * call); for one that is online CONNECTED comes at the next pass of the loop. What is known
 * already (a live code, an open passkey step) comes at the next pass, too. Another method or
 * number, or another history_days (not 0) than that of the running pairing supersedes it: its
 * watchers get FAILED with WA_ESUPERSEDED.
 * 0 (watch_out set) or immediately -ENOMEM, WA_EAT_CAPACITY, WA_EWORKER_START, WA_ESHUTTING_DOWN,
 * WA_EDELETED (it is being deleted), WA_ERATE_LIMITED (a code for this number was given less than
 * 60 s ago: gw_instance_number_wait_s()).
 */
ATTR_NODISCARD int gw_instance_connect(struct gw_instance *inst,
                                       const struct gw_connect_params *params, gw_watch_cb *cb,
                                       void *arg, struct gw_watch **watch_out);
/* Seconds until a new code for this number may be asked for; 0: now. */
unsigned gw_instance_number_wait_s(const struct gw_instance *inst, const char *number);

/*
 * Resume the saved session; nobody waits for it. 0: it is being tried now; 1: online already;
 * WA_ENO_SESSION; WA_ETEMP_BANNED (not before that is over); -ENOMEM, WA_EAT_CAPACITY,
 * WA_ESHUTTING_DOWN, WA_EWORKER_START.
 */
ATTR_NODISCARD int gw_instance_reconnect(struct gw_instance *inst, const char *request_id);

/* How unlinking ended: reason NULL: done; else nothing has changed. From the loop, once. */
typedef void gw_logout_cb(struct gw_instance *inst, const struct gw_reason *reason, void *arg);
/*
 * Unlink at WhatsApp (logging in for it where that is needed, 30 s at most) and erase the session.
 * A pairing that runs is ended (WA_ELOGGED_OUT); an instance without a session is logged out
 * already. 0 (cb will be called; *logout_out may be forgotten with gw_logout_forget() when the
 * caller leaves) or -ENOMEM, WA_EAT_CAPACITY, WA_ESHUTTING_DOWN.
 */
struct gw_logout;
ATTR_NODISCARD int gw_instance_logout(struct gw_instance *inst, const char *request_id,
                                      gw_logout_cb *cb, void *arg, struct gw_logout **logout_out);
void gw_logout_forget(struct gw_logout *l);

/* The passkey step; never NULL. Borrowed until the loop returns to its top. */
const struct gw_passkey *gw_instance_passkey(const struct gw_instance *inst);
/*
 * credential: JSON text of the PublicKeyCredential. 0: on its way, status is CONFIRM from now on;
 * WA_ESTATE: no answer is wanted now; WA_ELIMIT: too long.
 */
ATTR_NODISCARD int gw_instance_passkey_answer(struct gw_instance *inst, const char *credential,
                                              const char *request_id);
/* 0; WA_ESTATE: there is no code to confirm. */
ATTR_NODISCARD int gw_instance_passkey_confirm(struct gw_instance *inst, const char *request_id);

/* The caller hung up or has its answer; the attempt goes on. */
void gw_watch_cancel(struct gw_watch *w);

/* The live code with at least 2 s left, or NULL. */
struct gw_code *gw_instance_code(struct gw_instance *inst);

/* ---- proxy and settings: as they are; changed through gw_registry.h ---------- */

enum gw_proxy_protocol { GW_PROXY_HTTP, GW_PROXY_HTTPS, GW_PROXY_SOCKS5 };
#define GW_PROXY_HOST_MAX 255
#define GW_PROXY_TEXT_MAX 255 /* user name, password: what SOCKS5 can carry */
struct gw_proxy {
	bool enabled;
	char host[GW_PROXY_HOST_MAX + 1];
	uint16_t port; /* 0: never set */
	enum gw_proxy_protocol protocol;
	char username[GW_PROXY_TEXT_MAX + 1]; /* "": none */
	char password[GW_PROXY_TEXT_MAX + 1]; /* "": none; a secret: never shown, sealed on disk */
};
/* Never NULL. */
const struct gw_proxy *gw_instance_proxy(const struct gw_instance *inst);
/* "http", "https", "socks5". */
const char *gw_proxy_protocol_name(enum gw_proxy_protocol p);
int gw_proxy_protocol_parse(const char *name); /* or -EINVAL */
/* Its webhooks and its WebSocket; never NULL. Good until the next change (see gw_hook_config.h). */
const struct gw_hook_config *gw_instance_hooks(const struct gw_instance *inst);
const struct gw_websocket *gw_websocket_config(const struct gw_instance *inst);
/* All settings of contract 3.1, defaults merged in; new reference, NULL without memory. */
json_t *gw_instance_settings_json(const struct gw_instance *inst);

/* ---- reading ---------------------------------------------------------------- */

#define GW_HISTORY_DAYS_MAX 3650

/* The last log lines of its last worker that crashed; NULL: none has since the gateway's start. */
const char *gw_instance_last_log(const struct gw_instance *inst);
const char *gw_instance_id(const struct gw_instance *inst);
const char *gw_instance_name(const struct gw_instance *inst);
struct gw_account *gw_instance_account(const struct gw_instance *inst);
enum gw_conn_state gw_instance_state(const struct gw_instance *inst);
/* There are credentials on disk. */
bool gw_instance_is_linked(const struct gw_instance *inst);
/* Own JID without the device, "" when it was never linked. */
const char *gw_instance_number_jid(const struct gw_instance *inst);
const struct log_ctx *gw_instance_log(const struct gw_instance *inst);
/* As the contract shows an instance in list; new reference, NULL without memory. */
json_t *gw_instance_json(const struct gw_instance *inst);
/* The same as compact text, appended to out; it is made once and kept while nothing changes.
 * 0 or -ENOMEM. */
ATTR_NODISCARD int gw_instance_json_text(struct gw_instance *inst, struct buf *out);
/* As gw_instance_json_text(), with memoryBytes (gw_worker_memory_bytes(); null: not known). */
ATTR_NODISCARD int gw_instance_json_text_memory(struct gw_instance *inst, bool look,
                                                struct buf *out);

#endif
