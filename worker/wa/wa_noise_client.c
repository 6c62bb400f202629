/* worker/wa/wa_noise_client.c - the client's three messages of the Noise XX handshake */
#include "worker/wa/wa_noise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_handshake.pb-c.h"
#include "worker/wa/wa_frame.h"

#define XX_NAME "Noise_XX_25519_AESGCM_SHA256"
#define SEALED_KEY_LEN (WA_KEY_LEN + WA_TAG_LEN)

enum client_state { CLIENT_NEW, CLIENT_HELLO_SENT, CLIENT_ENDED };

struct wa_noise_client {
	enum client_state state;
	struct wa_noise_state noise;
	struct wa_keypair static_kp;
	struct wa_keypair ephemeral;
	struct wa_root root;
};

int wa_noise_client_new(const struct wa_keypair *static_kp, const struct wa_keypair *ephemeral,
                        const struct wa_root *root, struct wa_noise_client **client_out)
{
	struct wa_noise_client *c;
	int rc;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->static_kp = *static_kp;
	c->root = *root;
	if (ephemeral != NULL) {
		c->ephemeral = *ephemeral;
		rc = 0;
	} else {
		rc = wa_keypair_new(&c->ephemeral);
	}
	if (rc == 0)
		rc = wa_noise_state_init(&c->noise, XX_NAME);
	if (rc == 0)
		rc = wa_noise_mix_hash(&c->noise, wa_stream_header, WA_STREAM_HEADER_LEN);
	if (rc == 0)
		rc = wa_noise_mix_hash(&c->noise, c->ephemeral.pub, WA_KEY_LEN);
	if (rc < 0) {
		wa_noise_client_free(c);
		return rc;
	}
	*client_out = c;
	return 0;
}

void wa_noise_client_free(struct wa_noise_client *c)
{
	if (c == NULL)
		return;
	secret_wipe(c, sizeof(*c));
	free(c);
}

const struct wa_noise_state *wa_noise_client_state(const struct wa_noise_client *c)
{
	return &c->noise;
}

static int append_message(const Wa__HandshakeMessage *msg, struct buf *out)
{
	int rc;

	rc = buf_reserve(out, wa__handshake_message__get_packed_size(msg));
	if (rc == 0)
		out->len += wa__handshake_message__pack(msg, out->p + out->len);
	return rc;
}

int wa_noise_client_hello(struct wa_noise_client *c, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ClientHello hello = WA__CLIENT_HELLO__INIT;
	int rc;

	if (c->state != CLIENT_NEW)
		return WA_ESTATE;
	hello.has_ephemeral = 1;
	hello.ephemeral.data = c->ephemeral.pub;
	hello.ephemeral.len = WA_KEY_LEN;
	msg.client_hello = &hello;
	rc = append_message(&msg, out);
	if (rc == 0)
		c->state = CLIENT_HELLO_SENT;
	return rc;
}

/* ---- ServerHello --------------------------------------------------------------------------------
 */

/* *msg_out: caller frees with pb_free(). Its server_hello has all three parts in a possible size.
 */
static int read_server_hello(const uint8_t *data, size_t data_len, Wa__HandshakeMessage **msg_out)
{
	ProtobufCMessage *base = NULL;
	Wa__HandshakeMessage *msg;
	const Wa__ServerHello *hello;
	int rc;

	rc = pb_unpack(&wa__handshake_message__descriptor, data, data_len, &pb_limits_small, &base);
	if (rc < 0)
		return rc;
	msg = (Wa__HandshakeMessage *)base;
	hello = msg->server_hello;
	if (hello == NULL || !hello->has_ephemeral || hello->ephemeral.len != WA_KEY_LEN ||
	    !hello->has_static_ || hello->static_.len != SEALED_KEY_LEN || !hello->has_payload ||
	    hello->payload.len <= WA_TAG_LEN) {
		pb_free(base);
		return WA_EPROTO;
	}
	*msg_out = msg;
	return 0;
}

static int mix_dh(struct wa_noise_state *s, const uint8_t *priv, const uint8_t *pub)
{
	uint8_t shared[WA_KEY_LEN];
	int rc;

	rc = wa_dh(priv, pub, shared);
	if (rc == 0)
		rc = wa_noise_mix_key(s, shared);
	secret_wipe(shared, sizeof(shared));
	return rc;
}

/* Follow the server through its message and verify who it is. */
static int accept_server(struct wa_noise_client *c, const Wa__ServerHello *hello,
                         int64_t now_unix_s, const char **why_out)
{
	size_t chain_len = hello->payload.len - WA_TAG_LEN;
	uint8_t server_static[WA_KEY_LEN];
	int rc;

	rc = wa_noise_mix_hash(&c->noise, hello->ephemeral.data, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, hello->ephemeral.data);
	if (rc == 0)
		rc =
		    wa_noise_decrypt(&c->noise, hello->static_.data, SEALED_KEY_LEN, server_static);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, server_static);
	if (rc == 0) /* in place: the message is ours */
		rc = wa_noise_decrypt(&c->noise, hello->payload.data, hello->payload.len,
		                      hello->payload.data);
	if (rc == 0)
		rc = wa_cert_verify(hello->payload.data, chain_len, &c->root, server_static,
		                    now_unix_s, why_out);
	return rc;
}

/* ---- ClientFinish -------------------------------------------------------------------------------
 */

static int append_finish(struct wa_noise_client *c, const uint8_t *server_ephemeral,
                         const void *payload, size_t payload_len, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ClientFinish finish = WA__CLIENT_FINISH__INIT;
	uint8_t sealed_static[SEALED_KEY_LEN];
	uint8_t *sealed_payload;
	int rc;

	if (payload_len > WA_FRAME_MAX_LEN)
		return WA_ELIMIT;
	sealed_payload = malloc(payload_len + WA_TAG_LEN);
	if (sealed_payload == NULL)
		return -ENOMEM;
	rc = wa_noise_encrypt(&c->noise, c->static_kp.pub, WA_KEY_LEN, sealed_static);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->static_kp.priv, server_ephemeral);
	if (rc == 0)
		rc = wa_noise_encrypt(&c->noise, payload, payload_len, sealed_payload);
	if (rc == 0) {
		finish.has_static_ = 1;
		finish.static_.data = sealed_static;
		finish.static_.len = sizeof(sealed_static);
		finish.has_payload = 1;
		finish.payload.data = sealed_payload;
		finish.payload.len = payload_len + WA_TAG_LEN;
		msg.client_finish = &finish;
		rc = append_message(&msg, out);
	}
	free(sealed_payload);
	return rc;
}

int wa_noise_client_finish(struct wa_noise_client *c, const uint8_t *server_hello,
                           size_t server_hello_len, const void *payload, size_t payload_len,
                           int64_t now_unix_s, struct buf *out, struct wa_transport *transport_out,
                           const char **why_out)
{
	Wa__HandshakeMessage *msg = NULL;
	struct wa_transport transport;
	size_t out_len = out->len;
	int rc;

	if (why_out != NULL)
		*why_out = NULL;
	if (c->state != CLIENT_HELLO_SENT)
		return WA_ESTATE;
	c->state = CLIENT_ENDED;

	rc = read_server_hello(server_hello, server_hello_len, &msg);
	if (rc == 0)
		rc = accept_server(c, msg->server_hello, now_unix_s, why_out);
	if (rc == 0)
		rc = append_finish(c, msg->server_hello->ephemeral.data, payload, payload_len, out);
	if (rc == 0)
		rc = wa_noise_split(&c->noise, &transport);
	if (rc == 0) {
		*transport_out = transport;
	} else {
		out->len = out_len;
		secret_wipe(&c->noise, sizeof(c->noise));
	}
	/* Either way nothing more is derived from these two. */
	wa_keypair_wipe(&c->ephemeral);
	wa_keypair_wipe(&c->static_kp);
	secret_wipe(&transport, sizeof(transport));
	pb_free((ProtobufCMessage *)msg);
	return rc;
}
