/*
 * gateway/process/gw_notify.h - what systemd hears of this gateway: ready, alive, about to end
 *
 * The protocol of sd_notify(3): datagrams to $NOTIFY_SOCKET, opened once. The watchdog is fed from
 * the event loop, so that a loop that hangs is noticed and the gateway replaced. Needs no library;
 * where nobody listens (no NOTIFY_SOCKET) there is no object, and every function takes NULL.
 */
#ifndef GW_NOTIFY_H
#define GW_NOTIFY_H

#include <stddef.h>

#include "common/attr.h"

struct event_base;
struct gw_notify;

#define GW_NOTIFY_STATUS_CAP 160

/* Writes one line for "systemctl status" to out (GW_NOTIFY_STATUS_CAP bytes). */
typedef void gw_notify_status_cb(char *out, void *arg);

/*
 * status  asked every few seconds from the loop, after gw_notify_ready()
 * 0: *out is the object, or NULL when nobody listens; -EINVAL (NOTIFY_SOCKET is no address of a
 * socket), another -errno, -ENOMEM.
 */
ATTR_NODISCARD int gw_notify_new(struct event_base *base, gw_notify_status_cb *status, void *arg,
                                 struct gw_notify **out);
void gw_notify_free(struct gw_notify *n);

/* Requests are answered from here on: the watchdog is fed, the status told. */
void gw_notify_ready(struct gw_notify *n);
/* This process is about to be replaced by the binary on disk; ready will follow from there. */
void gw_notify_reloading(struct gw_notify *n);
void gw_notify_stopping(struct gw_notify *n);

#endif
