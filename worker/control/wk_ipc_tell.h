/* worker/control/wk_ipc_tell.h - what the session has to say, as messages to the gateway */
#ifndef WK_IPC_TELL_H
#define WK_IPC_TELL_H

#include <stdint.h>

#include "common/log.h"
#include "worker/control/wk_ipc.h"
#include "worker/session/wk_session.h"

/* How it ended, as it was told; to be told again to a gateway that did not hear it. */
struct wk_last_word {
	enum { WK_WORD_NONE, WK_WORD_FAILED, WK_WORD_LOGOUT } kind;
	struct wk_failure f; /* LOGOUT: rc 0: unlinked */
};

struct wk_probe_result;

/* The arg of the session's callbacks. */
struct wk_tell {
	struct wk_ipc *ipc;
	const struct log_ctx *log;
	uint64_t start_us;   /* the process began */
	uint64_t connect_us; /* CONNECT came */
	struct wk_last_word last;
	void (*on_online)(void *arg);
	void (*on_ask)(void *arg); /* something was asked that only a gateway can answer */
	void (*on_end)(void *arg);
	void *arg;
};

extern const struct wk_session_ops wk_tell_ops;

/* PROBE_DONE. layers: of wk_sandbox.h, in force. */
void wk_tell_probe(const struct wk_probe_result *r, unsigned layers, void *arg);
/* FAILED, also for what fails before there is a session to speak of. */
void wk_tell_failed(const struct wk_failure *f, void *tell);
/* The last word once more, if there is one. */
void wk_tell_last(const struct wk_tell *t);

#endif
