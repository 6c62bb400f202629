/*
 * worker/process/wk_zygote.h - one pre-initialised process that forks workers for the gateway
 *
 * Libraries are loaded and warm, no secret and no file is open. A worker is cloned as a child of
 * the gateway (CLONE_PARENT), which gets its pidfd and its exit status. Single-threaded.
 */
#ifndef WK_ZYGOTE_H
#define WK_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/process/wk_title.h"

#define WK_ZYGOTE_FD 3 /* socket to the gateway */

struct wk_sandbox;
struct wk_tls;

struct wk_zygote {
	int sock;              /* to the gateway */
	struct wk_title title; /* room for the children's command lines */
	const struct wk_tls *tls;
	const struct wk_sandbox *sandbox; /* the workers enter it */
	bool plain_fork;                  /* WARDEN_TEST_FORK=1 in a build with test hooks */
	unsigned speed;                   /* WARDEN_TEST_SPEED, handed on to the workers */
	uint8_t *packet;                  /* IPC_HDR_LEN + IPC_BODY_MAX bytes */
};

/*
 * Serve SPAWN until the gateway closes the socket. In a child this returns too, when the worker has
 * ended. The value is the process's exit status (enum wk_exit).
 */
ATTR_NODISCARD int wk_zygote_run(struct wk_zygote *z);

#endif
