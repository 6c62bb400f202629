/*
 * common/ipc.h - the channel between the gateway and a worker (or the zygote)
 *
 * AF_UNIX SOCK_SEQPACKET; one frame a packet: a 16-byte header, then one protobuf message of
 * proto/ipc.proto. All integers little-endian:
 *
 *   0 version u16 | 2 type u16 | 4 req_id u32 | 8 body_len u32 | 12 flags u16 | 14 zero u16
 *
 * A frame is refused by version, type, sender, size and descriptor before anything is decoded.
 */
#ifndef IPC_H
#define IPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attr.h"

#define IPC_VERSION 1
#define IPC_HDR_LEN 16
#define IPC_BODY_MAX 65536
#define IPC_EVENT_INLINE_MAX (48 * 1024)    /* bytes of an event in the frame itself */
#define IPC_EVENTS_MAX_N 32                 /* of EVENTS; their data: as one's that is inline */
#define IPC_EVENT_MAX (8 * 1024 * 1024)     /* ... and at all, in a memfd */
#define IPC_EVENT_WINDOW_N 256              /* events not yet committed, on the way */
#define IPC_EVENT_WINDOW_BYTES (512 * 1024) /* ... and their bytes */
#define IPC_QUEUE_MAX (1024 * 1024) /* bytes waiting to be sent before the channel gives up */

enum ipc_sender { IPC_FROM_GATEWAY = 1, IPC_FROM_WORKER = 2, IPC_FROM_ZYGOTE = 4 };

/* Numbers are never reused. */
enum ipc_type {
	IPC_HELLO = 1,            /* gateway -> worker */
	IPC_HELLO_REPLY = 2,      /* worker -> gateway */
	IPC_PING = 3,             /* gateway -> worker */
	IPC_PONG = 4,             /* worker -> gateway */
	IPC_CONNECT = 5,          /* gateway -> worker: start a link attempt */
	IPC_STOP = 6,             /* gateway -> worker: leave cleanly */
	IPC_STEP = 7,             /* worker -> gateway: how far the attempt is */
	IPC_QR = 8,               /* worker -> gateway: a code to show now */
	IPC_FAILED = 9,           /* worker -> gateway: the attempt is over */
	IPC_BYE = 10,             /* worker -> gateway: I leave, and why */
	IPC_PAIRING_CODE = 11,    /* worker -> gateway: a pairing code to show now */
	IPC_PASSKEY = 12,         /* worker -> gateway: how far the passkey step is */
	IPC_LINKED = 13,          /* worker -> gateway: credentials of a new link are on disk */
	IPC_ONLINE = 14,          /* worker -> gateway: logged in and up to date */
	IPC_DOWN = 15,            /* worker -> gateway: not online; what comes next */
	IPC_PROFILE = 16,         /* worker -> gateway: names and addresses of the account */
	IPC_LOGOUT_DONE = 17,     /* worker -> gateway: how unlinking ended */
	IPC_DIAL_ASK = 18,        /* worker -> gateway: may I dial? */
	IPC_DIAL_GO = 19,         /* gateway -> worker: yes, now */
	IPC_VERSION_ASK = 20,     /* worker -> gateway: which client version? */
	IPC_VERSION_TELL = 21,    /* gateway -> worker: this one, or look it up for the host */
	IPC_VERSION_FOUND = 22,   /* worker -> gateway: what the look-up gave */
	IPC_RESUME = 23,          /* gateway -> worker: try again now */
	IPC_LOGOUT = 24,          /* gateway -> worker: unlink at WhatsApp, then leave */
	IPC_PASSKEY_ANSWER = 25,  /* gateway -> worker: the WebAuthn credential */
	IPC_PASSKEY_CONFIRM = 26, /* gateway -> worker: the codes are equal */
	IPC_SETTINGS = 27,        /* gateway -> worker: settings have changed */
	IPC_ROUTE = 28,           /* gateway -> worker: the proxy has changed */
	IPC_LOG_TAIL = 29,        /* worker -> gateway, with a memfd: its last log lines */
	IPC_PROBE_DONE = 30,      /* worker -> gateway: is WhatsApp reached from here? */
	IPC_SPAWN = 32,           /* gateway -> zygote, with the control socket's descriptor */
	IPC_SPAWN_REPLY = 33,     /* zygote -> gateway, with the pidfd on success */
	IPC_EVENT = 34,           /* worker -> gateway, large ones with a memfd: it happened */
	IPC_EVENT_COMMIT = 35,    /* gateway -> worker: events are on disk */
	IPC_ASK = 36,             /* gateway -> worker: a file, stored messages */
	IPC_ANSWER = 37,          /* worker -> gateway: the answer, with a memfd on success */
	IPC_HISTORY_STATE = 38,   /* worker -> gateway: how far the history is */
	IPC_EVENTS = 39,          /* worker -> gateway: several EVENT in one */
};

struct ipc_header {
	uint16_t type;
	uint32_t req_id;
	uint32_t body_len;
	uint16_t flags;
};

/* One row per type: who may send it, how large its body may be, whether a descriptor comes along
 * (with CONNECT, HELLO_REPLY, SPAWN_REPLY, ANSWER and EVENT: it may). */
struct ipc_type_info {
	enum ipc_type type;
	enum ipc_sender sender;
	uint32_t body_max;
	bool fd;
	const ProtobufCMessageDescriptor *desc;
	const char *name;
};

/* NULL for an unknown type. */
const struct ipc_type_info *ipc_type_find(uint16_t type);

void ipc_header_encode(const struct ipc_header *h, uint8_t out[IPC_HDR_LEN]);

/*
 * Check a whole packet: header, type table, sender, body length against the packet's.
 * 0; WA_ETRUNC; WA_EPROTO (version, unknown type, wrong sender, non-zero reserved bits, length
 * mismatch, a descriptor missing or too many); WA_ELIMIT (body over the type's maximum).
 */
ATTR_NODISCARD int ipc_frame_check(const uint8_t *packet, size_t packet_len, unsigned from,
                                   bool has_fd, struct ipc_header *hdr_out,
                                   const struct ipc_type_info **info_out);

/* ---- channel ------------------------------------------------------------------------------- */

struct event_base;
struct ipc_chan;

/* A received message; everything is borrowed for the call, fd too unless the handler sets it to -1.
 */
struct ipc_msg {
	enum ipc_type type;
	uint32_t req_id;
	ProtobufCMessage *body;
	int fd; /* -1: none */
};

struct ipc_chan_ops {
	/* A negative return closes the channel with that code. */
	int (*on_msg)(struct ipc_chan *c, struct ipc_msg *m, void *arg);
	/*
	 * Called once, from the event loop, when the channel can't go on: rc is 0 when the peer
	 * closed it, else what went wrong. The owner calls ipc_chan_free() here or later.
	 */
	void (*on_close)(struct ipc_chan *c, int rc, void *arg);
};

/*
 * Takes fd (also on failure), a connected SEQPACKET socket, and makes it non-blocking.
 * accept_from: mask of enum ipc_sender whose messages may arrive here.
 * 0 or -ENOMEM.
 */
ATTR_NODISCARD int ipc_chan_new(struct event_base *base, int fd, unsigned accept_from,
                                const struct ipc_chan_ops *ops, void *arg,
                                struct ipc_chan **chan_out);
/* NULL is fine. Safe from any callback of the channel. Pending frames get one last try to leave. */
void ipc_chan_free(struct ipc_chan *c);

/*
 * Queue (and try to send at once) one message. body is borrowed. fd >= 0 is duplicated.
 * 0; WA_EPROTO, WA_ELIMIT: body is of another type, or too large; -EPIPE: closed; -ENOMEM, -EMFILE.
 * WA_ELIMIT also when the peer has not read for IPC_QUEUE_MAX bytes, and -errno when it can't be
 * sent: then the channel closes itself, on_close with that code.
 */
ATTR_NODISCARD int ipc_chan_send(struct ipc_chan *c, enum ipc_type type, uint32_t req_id,
                                 const ProtobufCMessage *body, int fd);

/*
 * From here on the kernel says which process sends: before the peer's first message is read.
 * Without that, and where it can't tell, ipc_chan_sender() is 0; else the pid behind the last
 * message.
 */
void ipc_chan_ask_sender(struct ipc_chan *c);
pid_t ipc_chan_sender(const struct ipc_chan *c);

/* Monotonic instant of the last message received. */
uint64_t ipc_chan_last_rx_ms(const struct ipc_chan *c);

/* ---- blocking helpers, for a process without a loop (zygote) ----------------------------------
 */

/*
 * Receive one packet into buf (cap >= IPC_HDR_LEN + IPC_BODY_MAX), *fd_out -1 or an owned
 * descriptor. Number of bytes (0: peer closed), or -errno, WA_EPROTO.
 */
ATTR_NODISCARD int ipc_recv_packet(int sock, uint8_t *buf, size_t cap, int *fd_out);
/* 0; -errno, -ENOMEM; WA_EPROTO, WA_ELIMIT: body is of another type, or too large. */
ATTR_NODISCARD int ipc_send_packet(int sock, enum ipc_type type, uint32_t req_id,
                                   const ProtobufCMessage *body, int fd);

#endif
