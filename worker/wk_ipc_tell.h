/* worker/wk_ipc_tell.h - what the session has to say, as messages to the gateway */
#ifndef WK_IPC_TELL_H
#define WK_IPC_TELL_H

#include <stdint.h>

#include "common/log.h"
#include "worker/wk_ipc.h"
#include "worker/wk_session.h"

/* The arg of the session's callbacks. */
struct wk_tell {
	struct wk_ipc *ipc;
	const struct log_ctx *log;
	uint64_t start_us;   /* the process began */
	uint64_t connect_us; /* CONNECT came */
	void (*on_online)(void *arg);
	void (*on_end)(void *arg);
	void *arg;
};

extern const struct wk_session_ops wk_tell_ops;

/* FAILED, also for what fails before there is a session to speak of. */
void wk_tell_failed(const struct wk_failure *f, void *tell);

#endif
