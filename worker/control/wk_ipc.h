/*
 * worker/control/wk_ipc.h - the worker's end of the channel to the gateway
 *
 * The worker listens; gateways connect, the newest one wins. A peer must run as root or as who
 * made the socket (made by root: as the owner of the folder above the instance's). A frame that is
 * malformed or out of turn closes that connection; the worker listens on.
 */
#ifndef WK_IPC_H
#define WK_IPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/ipc.h"
#include "common/log.h"
#include "proto/ipc.pb-c.h"

struct event_base;
struct wk_ipc;

struct wk_ipc_ops {
	/* A gateway has said HELLO for our instance and was answered. */
	void (*on_hello)(void *arg);
	/* Messages, borrowed; the secrets in them are wiped afterwards. */
	/* ca_fd: wa_ca_file, open; taken; -1: none. */
	void (*on_connect)(const Ipc__Connect *msg, int ca_fd, void *arg);
	void (*on_stop)(const Ipc__Stop *msg, void *arg);
	void (*on_resume)(const Ipc__Resume *msg, void *arg);
	void (*on_logout)(const Ipc__Logout *msg, void *arg);
	void (*on_dial_go)(void *arg);
	void (*on_version_tell)(const Ipc__VersionTell *msg, void *arg);
	void (*on_passkey_answer)(const Ipc__PasskeyAnswer *msg, void *arg);
	void (*on_passkey_confirm)(const Ipc__PasskeyConfirm *msg, void *arg);
	void (*on_settings)(const Ipc__SessionSettings *msg, void *arg);
	void (*on_event_commit)(const Ipc__EventCommit *msg, void *arg);
	void (*on_route)(const Ipc__Route *msg, void *arg);
	/* A question; wk_ipc_answer() with the same id answers it, while this gateway is there. */
	void (*on_ask)(uint32_t id, const Ipc__Ask *msg, void *arg);
	/* HELLO named another instance: the worker is to leave. BYE has been sent. */
	void (*on_wrong_instance)(void *arg);
	/* Whether a gateway is connected has changed. */
	void (*on_presence)(bool present, void *arg);
	/* What HELLO_REPLY says of us besides who we are; texts are borrowed until it is sent. */
	void (*fill_reply)(Ipc__HelloReply *reply, void *arg);
};

/*
 * listen_fd is taken, also on failure. instance_id and log are borrowed. dir: the instance's.
 * Nothing is accepted before the loop runs. 0 or -ENOMEM.
 */
ATTR_NODISCARD int wk_ipc_new(struct event_base *base, int listen_fd, const char *instance_id,
                              const char *dir, const struct log_ctx *log,
                              const struct wk_ipc_ops *ops, void *arg, struct wk_ipc **ipc_out);
/* NULL is fine. What was sent gets a last try to leave. */
void wk_ipc_free(struct wk_ipc *ipc);

/* To the gateway, if there is one and it has said HELLO; else dropped, so never an error. */
void wk_ipc_send(struct wk_ipc *ipc, enum ipc_type type, const ProtobufCMessage *msg);
/* The answer to a question; fd (-1: none) is duplicated. Dropped as above. */
void wk_ipc_answer(struct wk_ipc *ipc, uint32_t id, const Ipc__Answer *msg, int fd);
/* As many EVENT, in one message where the gateway takes that. 0, or as below. */
ATTR_NODISCARD int wk_ipc_send_events(struct wk_ipc *ipc, const Ipc__Events *msg);
/* The same with a descriptor (borrowed; -1: none): 0, -ENOTCONN (nobody is there), or a code. */
ATTR_NODISCARD int wk_ipc_send_fd(struct wk_ipc *ipc, enum ipc_type type,
                                  const ProtobufCMessage *msg, int fd);
/* The ring of our last log lines, for every gateway that says HELLO; fd is taken, -1: none. */
void wk_ipc_set_log_tail(struct wk_ipc *ipc, int fd);
/* What we cost, for the same: /proc/self/smaps_rollup, open; fd is taken, -1: none. */
void wk_ipc_set_memory(struct wk_ipc *ipc, int fd);
/* A gateway is there, and was heard within the last ms. */
bool wk_ipc_is_heard(const struct wk_ipc *ipc, uint64_t ms);
/* BYE, the last message. detail may be NULL; generation: of the store that is left; 0: none is. */
void wk_ipc_bye(struct wk_ipc *ipc, int rc, const char *detail, uint64_t generation);

#endif
