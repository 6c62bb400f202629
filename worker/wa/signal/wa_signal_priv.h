/* worker/wa/signal/wa_signal_priv.h - shared by the files of wa_signal */
#ifndef WA_SIGNAL_PRIV_H
#define WA_SIGNAL_PRIV_H

#include <signal/signal_protocol.h>

#include "worker/wa/signal/wa_signal.h"
#include "worker/wa/signal/wa_signal_crypto.h"

#define WA_SIGNAL_VERSION 3
#define WA_SIGNAL_MAC_LEN 8
#define WA_SIGNAL_KEY_TYPE 0x05
#define WA_SIGNAL_FORWARD_MAX 2000 /* what libsignal-protocol-c skips in any chain */

/* What one operation would write, held back until it has succeeded. */
struct wa_signal_staged {
	bool has_session, has_identity, has_sender_key;
	struct buf session, sender_key;
	uint8_t identity[WA_KEY_LEN];
	uint32_t removed_prekey; /* 0: none */
};

struct wa_signal {
	struct wa_signal_own own;
	const struct wa_signal_store_ops *ops;
	void *arg;
	struct wa_signal_crypto *crypto;
	signal_context *ctx;
	signal_protocol_store_context *store;
	bool bad_padding; /* of what is sealed; for tests */
	/* of the operation that runs */
	struct wa_signal_addr peer; /* its only address */
	const char *group;          /* its only group; NULL: pairwise */
	struct wa_signal_staged staged;
	struct wa_signal_note note;
	int store_rc; /* first failure of a store function: the library would hide it */
};

/* Set up s->store with callbacks that stage. 0 or a code of the library. */
int wa_signal_store_attach(struct wa_signal *s);
/* Append msg and a padding. 0, WA_ECRYPTO or -ENOMEM. */
int wa_signal_padded(struct wa_signal *s, const void *msg, size_t msg_len, struct buf *out);

void wa_signal_op_begin(struct wa_signal *s, const struct wa_signal_addr *peer, const char *group);
/* rc < 0: drop what was staged; else hand it to the store. Returns rc or the store's failure. */
int wa_signal_op_end(struct wa_signal *s, int rc);
/* A record through the staged writes: 0, -ENOENT or the store's failure. */
int wa_signal_session_bytes(struct wa_signal *s, struct buf *out);
int wa_signal_sender_key_bytes(struct wa_signal *s, struct buf *out);

/* A code of ours for one of the library's (0 for >= 0). */
int wa_signal_rc(const struct wa_signal *s, int signal_err);
struct signal_protocol_address wa_signal_lib_addr(const struct wa_signal_addr *addr);
/* A key of 32 bytes; the library's object. */
int wa_signal_key(const struct wa_signal *s, const uint8_t pub[WA_KEY_LEN], ec_public_key **out);

enum wa_signal_wire {
	WA_WIRE_SIGNAL,
	WA_WIRE_PREKEY,
	WA_WIRE_SENDER_KEY,
	WA_WIRE_DISTRIBUTION,
};

/*
 * Version byte, field types, no field twice, keys of 33 bytes: before the library's own protobuf
 * reader, which is an old one, sees a foreign byte. 0, WA_SIG_EVERSION, WA_SIG_EMALFORMED,
 * WA_ELIMIT.
 */
int wa_signal_wire_check(enum wa_signal_wire kind, const uint8_t *data, size_t data_len);

#endif
