/* worker/control/wk_target.h - what CONNECT carried: checked and copied */
#ifndef WK_TARGET_H
#define WK_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/sealed.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/net/wk_proxy.h"
#include "worker/net/wk_url.h"
#include "worker/process/wk_hand.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/transport/wa_noise.h"

#define WK_NUMBER_MIN 7
#define WK_NUMBER_MAX 15

struct wk_target {
	struct wk_url url;
	char *origin;
	struct wa_root root;
	char *ca_file; /* as for wk_tls_open(); NULL: the system's directory */
	bool has_ca_fd;
	int ca_fd; /* what ca_file names */
	char *device_name;
	char *request_id; /* NULL: none */
	struct wa_version version;
	bool version_auto;  /* another one may be asked for */
	bool version_stale; /* it is to be, before the next dial */
	uint32_t history_days;
	uint32_t message_days; /* how long stored messages are kept; 0: for ever */
	Ipc__Connect__Mode mode;
	char
	    number[WK_NUMBER_MAX + 1]; /* pair by code for it; "": by QR. A phone number: no log. */
	struct sealed_key key;         /* of the instance */
	bool linked;                   /* the gateway expects a link in the store */
	uint64_t store_generation;     /* that it was told of last; an older store is not the one */
	struct wk_proxy proxy;
	struct wk_settings settings;
	uint64_t aside[WK_HAND_ASIDE_MAX]; /* what is not to be worked on */
	size_t aside_n;
};

/*
 * 0; -ENOMEM; or -EINVAL with *why_out naming the setting that can't be used (static text).
 * On failure t is empty.
 */
ATTR_NODISCARD int wk_target_init(struct wk_target *t, const Ipc__Connect *msg,
                                  const char **why_out);
/*
 * The CA file came open: from now on ca_file names fd, which is taken (also on failure). fd -1:
 * none came. 0; or -ENOMEM, and t is empty.
 */
ATTR_NODISCARD int wk_target_take_ca(struct wk_target *t, int fd);
/* Wipes and releases. */
void wk_target_clear(struct wk_target *t);

#endif
