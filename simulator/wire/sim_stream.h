/*
 * simulator/wire/sim_stream.h - what is inside the WebSocket: stream header, frames, Noise, stanzas
 *
 * Bytes in, bytes out through callbacks; knows no socket. The owner decides what to answer.
 * Source: protocol notes 01 sections 2 to 4, 6 and 9.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/server/sim_fault.h"
#include "simulator/wire/sim_noise.h"
#include "worker/wa/crypto/wa_keys.h"

struct sim_stream;

struct sim_stream_ops {
	/* WebSocket bytes for the wire. */
	void (*on_output)(const void *data, size_t len, void *arg);
	/* A ClientHello is here: fill in who answers it; false for no answer. */
	bool (*on_hello)(struct sim_noise_server *server_out, void *arg);
	/* The handshake is done; a negative return ends the stream. */
	int (*on_payload)(const uint8_t *payload, size_t payload_len,
	                  const uint8_t client_static[WA_KEY_LEN], void *arg);
	/* One decrypted stanza with its flag byte; a negative return ends the stream. */
	int (*on_stanza)(const uint8_t *stanza, size_t stanza_len, void *arg);
	/* The shaper has cut or muted what was being sent. */
	void (*on_shaped)(enum sim_shape shape, void *arg);
};

/* The key pair is copied. 0 or -ENOMEM. */
ATTR_NODISCARD int sim_stream_new(const struct wa_keypair *ephemeral,
                                  const struct sim_stream_ops *ops, void *arg,
                                  struct sim_stream **stream_out);
void sim_stream_free(struct sim_stream *s); /* NULL is fine; not from inside its callbacks */

/*
 * Read everything in `in`.
 * 0; a negative code when the stream can't go on: WA_EPROTO (WebSocket, header or frame),
 * WA_ELIMIT, WA_EAUTH (a tag is wrong), WA_ETRUNC, WA_ENETWORK (the peer closed the WebSocket),
 * -ENOMEM, or what a callback returned. *why_out: static text.
 */
ATTR_NODISCARD int sim_stream_feed(struct sim_stream *s, struct evbuffer *in, const char **why_out);

/* Is the handshake done? */
bool sim_stream_is_open(const struct sim_stream *s);

/* How it went; SIM_HANDSHAKE_NONE before. */
enum sim_handshake sim_stream_handshake(const struct sim_stream *s);
/* The edge routing info of the stream header; *len_out 0: it had none. Borrowed. */
const uint8_t *sim_stream_routing(const struct sim_stream *s, size_t *len_out);

/* Encrypt and send. 0, WA_ESTATE before the handshake is done, WA_ECRYPTO, WA_ELIMIT, -ENOMEM. */
ATTR_NODISCARD int sim_stream_send(struct sim_stream *s, const void *stanza, size_t stanza_len);

/* ---- for faults ------------------------------------------------------------------------------ */

/* One frame of these bytes as they are. */
ATTR_NODISCARD int sim_stream_send_frame(struct sim_stream *s, const void *payload, size_t len);
/* Stream bytes as they are, without a frame header, in one binary message. */
ATTR_NODISCARD int sim_stream_send_bytes(struct sim_stream *s, const void *data, size_t len);
/* A text message, which the protocol does not know. */
ATTR_NODISCARD int sim_stream_send_text(struct sim_stream *s, const char *text);
/* Change stream bytes sent from now on; each_byte: every byte in a message of its own. */
void sim_stream_shape(struct sim_stream *s, const struct sim_shaper *shaper, bool each_byte);
/* As if a frame to the client had been lost: nothing that follows decrypts. */
void sim_stream_skip_counter(struct sim_stream *s);

#endif
