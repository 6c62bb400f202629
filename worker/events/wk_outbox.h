/*
 * worker/events/wk_outbox.h - events on their way from session.db to the gateway
 *
 * What was committed is sent in order, at most IPC_EVENT_WINDOW_N events and IPC_EVENT_WINDOW_BYTES
 * ahead of what the gateway has on its disk; EVENT_COMMIT moves the window on. A gateway that is
 * new gets everything again that no gateway has acknowledged; the gateway knows what it has by the
 * store's id and the number. Events are removed lazily, along with the next ones that come or after
 * a moment: one that is sent twice harms nobody.
 */
#ifndef WK_OUTBOX_H
#define WK_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/log.h"
#include "common/sealed.h"
#include "proto/ipc.pb-c.h"

struct event_base;
struct wk_outbox;
struct wk_store;

/* Beyond this much, reading from WhatsApp is to stop until it has shrunk to half. */
#define WK_OUTBOX_MAX_N 100000
#define WK_OUTBOX_MAX_BYTES (64 * 1024 * 1024)

#ifdef WARDEN_TEST_HOOKS
/* WARDEN_TEST_OUTBOX: so many events instead, in this process and those it forks. */
void wk_outbox_test_max(void);
#endif

struct wk_outbox_ops {
	/* To the gateway; fd: -1 or borrowed. 0, or a negative code: there is none, or it is lost.
	 */
	int (*send)(const Ipc__Event *msg, int fd, void *arg);
	/* Several, in order, each with its data in it. As send; NULL: one by one. */
	int (*send_many)(const Ipc__Events *msg, void *arg);
	/* It was full, and no longer is. */
	void (*on_room)(void *arg);
};

/* All is borrowed. Nothing is read before the first poke. 0 or -ENOMEM. */
ATTR_NODISCARD int wk_outbox_new(struct event_base *base, struct wk_store *st,
                                 const struct log_ctx *log, const struct wk_outbox_ops *ops,
                                 void *arg, struct wk_outbox **outbox_out);
/* Before the store is closed. What the gateway has acknowledged is removed. NULL is fine. */
void wk_outbox_free(struct wk_outbox *o);

/*
 * The store is about to go, with all in it: what the gateway does not have is kept in memory from
 * here on, and in a file (wk_store_left.h) until it has it (WK_LEFT_N events, WK_LEFT_BYTES; what
 * is more is lost, and said so).
 */
void wk_outbox_outlive(struct wk_outbox *o);
/* Of the file that a former life has left. -ENOENT: there is none; or as wk_store_left_read(). */
ATTR_NODISCARD int wk_outbox_of_left(struct event_base *base, const char *dir,
                                     const char *instance_id, const struct sealed_key *key,
                                     const struct log_ctx *log, const struct wk_outbox_ops *ops,
                                     void *arg, struct wk_outbox **outbox_out);

/* After a commit that may have added events: send what may be sent. What an open transaction has
 * added may not: it might not last. */
void wk_outbox_poke(struct wk_outbox *o);
/*
 * Within a transaction that is about to be committed: what the gateway has leaves with it, at the
 * price of no further commit. 0 or a code of wk_store.h.
 */
ATTR_NODISCARD int wk_outbox_in_batch(struct wk_outbox *o);
/* A gateway has said HELLO: all from the first. */
void wk_outbox_rewind(struct wk_outbox *o);
/* EVENT_COMMIT; one of another store, or that makes no sense, changes nothing. */
void wk_outbox_commit(struct wk_outbox *o, const Ipc__EventCommit *msg);
/* Is there so much that nothing more should be taken from WhatsApp? Then on_room follows. */
bool wk_outbox_is_full(struct wk_outbox *o);
/* Nothing is kept that the gateway does not have. */
bool wk_outbox_is_empty(struct wk_outbox *o);

#endif
