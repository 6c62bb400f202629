/* worker/wa/transport/wa_noise_client.c - the client's messages of Noise XX, IK and XXfallback */
#include "worker/wa/transport/wa_noise.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_handshake.pb-c.h"
#include "worker/wa/transport/wa_frame.h"

#define XX_NAME "Noise_XX_25519_AESGCM_SHA256"
#define IK_NAME "Noise_IK_25519_AESGCM_SHA256"
#define FALLBACK_NAME "Noise_XXfallback_25519_AESGCM_SHA256"
#define SEALED_KEY_LEN (WA_KEY_LEN + WA_TAG_LEN)

enum client_state { CLIENT_NEW, CLIENT_SENT_XX, CLIENT_SENT_IK, CLIENT_ENDED };

struct wa_noise_client {
	enum client_state state;
	struct wa_noise_state noise;
	struct wa_keypair static_kp;
	struct wa_keypair ephemeral;
	struct wa_root root;
	uint8_t
	    server_static[WA_KEY_LEN]; /* IK: what the hello was sealed for; then: as verified */
	int64_t until_unix_s;          /* end of the verified chain's validity */
};

int wa_noise_client_new(const struct wa_keypair *static_kp, const struct wa_keypair *ephemeral,
                        const struct wa_root *root, struct wa_noise_client **client_out)
{
	struct wa_noise_client *c;
	int rc;

	c = secret_alloc(sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->static_kp = *static_kp;
	c->root = *root;
	if (ephemeral != NULL) {
		c->ephemeral = *ephemeral;
	} else {
		rc = wa_keypair_new(&c->ephemeral);
		if (rc < 0) {
			wa_noise_client_free(c);
			return rc;
		}
	}
	*client_out = c;
	return 0;
}

void wa_noise_client_free(struct wa_noise_client *c)
{
	secret_free(c);
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

/* How every pattern begins; server_static: the responder's key where it is known beforehand. */
static int start(struct wa_noise_client *c, const char *name, const uint8_t *server_static)
{
	int rc;

	rc = wa_noise_state_init(&c->noise, name);
	if (rc == 0)
		rc = wa_noise_mix_hash(&c->noise, wa_stream_header, WA_STREAM_HEADER_LEN);
	if (rc == 0 && server_static != NULL)
		rc = wa_noise_mix_hash(&c->noise, server_static, WA_KEY_LEN);
	if (rc == 0)
		rc = wa_noise_mix_hash(&c->noise, c->ephemeral.pub, WA_KEY_LEN);
	return rc;
}

/* Our static key, then the payload, each sealed after the DH that vouches for it. */
struct sealed {
	uint8_t key[SEALED_KEY_LEN];
	uint8_t *payload; /* owned */
	size_t payload_len;
};

/* server_pub: the key our static key is mixed with. Free s->payload whatever is returned. */
static int seal_static_and_payload(struct wa_noise_client *c, const uint8_t *server_pub,
                                   const void *payload, size_t payload_len, struct sealed *s)
{
	int rc;

	s->payload = NULL;
	if (payload_len > WA_FRAME_MAX_LEN)
		return WA_ELIMIT;
	s->payload_len = payload_len + WA_TAG_LEN;
	s->payload = malloc(s->payload_len);
	if (s->payload == NULL)
		return -ENOMEM;
	rc = wa_noise_encrypt(&c->noise, c->static_kp.pub, WA_KEY_LEN, s->key);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->static_kp.priv, server_pub);
	if (rc == 0)
		rc = wa_noise_encrypt(&c->noise, payload, payload_len, s->payload);
	return rc;
}

/* ---- ClientHello --------------------------------------------------------------------------------
 */

static int append_hello(const struct wa_noise_client *c, const struct sealed *s, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ClientHello hello = WA__CLIENT_HELLO__INIT;

	hello.has_ephemeral = 1;
	hello.ephemeral.data = (uint8_t *)(uintptr_t)c->ephemeral.pub; /* only read */
	hello.ephemeral.len = WA_KEY_LEN;
	if (s != NULL) {
		hello.has_static_ = 1;
		hello.static_.data = (uint8_t *)(uintptr_t)s->key;
		hello.static_.len = sizeof(s->key);
		hello.has_payload = 1;
		hello.payload.data = s->payload;
		hello.payload.len = s->payload_len;
	}
	msg.client_hello = &hello;
	return append_message(&msg, out);
}

int wa_noise_client_hello(struct wa_noise_client *c, struct buf *out)
{
	int rc;

	if (c->state != CLIENT_NEW)
		return WA_ESTATE;
	rc = start(c, XX_NAME, NULL);
	if (rc == 0)
		rc = append_hello(c, NULL, out);
	if (rc == 0)
		c->state = CLIENT_SENT_XX;
	return rc;
}

int wa_noise_client_hello_ik(struct wa_noise_client *c, const uint8_t server_static[WA_KEY_LEN],
                             const void *payload, size_t payload_len, struct buf *out)
{
	struct sealed s = { .payload = NULL };
	int rc;

	if (c->state != CLIENT_NEW)
		return WA_ESTATE;
	rc = start(c, IK_NAME, server_static);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, server_static);
	if (rc == 0)
		rc = seal_static_and_payload(c, server_static, payload, payload_len, &s);
	if (rc == 0)
		rc = append_hello(c, &s, out);
	if (rc == 0) {
		memcpy(c->server_static, server_static, WA_KEY_LEN);
		c->state = CLIENT_SENT_IK;
	}
	free(s.payload);
	return rc;
}

/* ---- ServerHello --------------------------------------------------------------------------------
 */

/* Our IK taken: no static key. All else, an answer to XX or the fallback from IK, brings one. */
static bool is_possible(const struct wa_noise_client *c, const Wa__ServerHello *hello)
{
	if (hello == NULL || !hello->has_ephemeral || hello->ephemeral.len != WA_KEY_LEN ||
	    !hello->has_payload || hello->payload.len <= WA_TAG_LEN)
		return false;
	if (!hello->has_static_)
		return c->state == CLIENT_SENT_IK;
	return hello->static_.len == SEALED_KEY_LEN;
}

/* *msg_out: caller frees with pb_free(). Its server_hello has its parts in a possible size. */
static int read_server_hello(const struct wa_noise_client *c, const uint8_t *data, size_t data_len,
                             Wa__HandshakeMessage **msg_out)
{
	ProtobufCMessage *base = NULL;
	Wa__HandshakeMessage *msg;
	int rc;

	rc = pb_unpack(&wa__handshake_message__descriptor, data, data_len, &pb_limits_small, &base);
	if (rc < 0)
		return rc;
	msg = (Wa__HandshakeMessage *)base;
	if (!is_possible(c, msg->server_hello)) {
		pb_free(base);
		return WA_EPROTO;
	}
	*msg_out = msg;
	return 0;
}

/* Open the chain, in place (the message is ours), and verify that it vouches for the key. */
static int accept_chain(struct wa_noise_client *c, const Wa__ServerHello *hello, int64_t now_unix_s,
                        const char **why_out)
{
	int rc;

	rc = wa_noise_decrypt(&c->noise, hello->payload.data, hello->payload.len,
	                      hello->payload.data);
	if (rc == 0)
		rc = wa_cert_verify(hello->payload.data, hello->payload.len - WA_TAG_LEN, &c->root,
		                    c->server_static, now_unix_s, &c->until_unix_s, why_out);
	return rc;
}

/* Follow the server through its message of XX and XXfallback, and verify who it is. */
static int accept_xx(struct wa_noise_client *c, const Wa__ServerHello *hello, int64_t now_unix_s,
                     const char **why_out)
{
	int rc;

	rc = wa_noise_mix_hash(&c->noise, hello->ephemeral.data, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, hello->ephemeral.data);
	if (rc == 0)
		rc = wa_noise_decrypt(&c->noise, hello->static_.data, SEALED_KEY_LEN,
		                      c->server_static);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, c->server_static);
	if (rc == 0)
		rc = accept_chain(c, hello, now_unix_s, why_out);
	return rc;
}

/* The same for IK, where the key is the one we sealed our hello for. */
static int accept_ik(struct wa_noise_client *c, const Wa__ServerHello *hello, int64_t now_unix_s,
                     const char **why_out)
{
	int rc;

	rc = wa_noise_mix_hash(&c->noise, hello->ephemeral.data, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->ephemeral.priv, hello->ephemeral.data);
	if (rc == 0)
		rc = mix_dh(&c->noise, c->static_kp.priv, hello->ephemeral.data);
	if (rc == 0)
		rc = accept_chain(c, hello, now_unix_s, why_out);
	return rc;
}

/* ---- ClientFinish -------------------------------------------------------------------------------
 */

static int append_finish(struct wa_noise_client *c, const uint8_t *server_ephemeral,
                         const void *payload, size_t payload_len, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ClientFinish finish = WA__CLIENT_FINISH__INIT;
	struct sealed s;
	int rc;

	rc = seal_static_and_payload(c, server_ephemeral, payload, payload_len, &s);
	if (rc == 0) {
		finish.has_static_ = 1;
		finish.static_.data = s.key;
		finish.static_.len = sizeof(s.key);
		finish.has_payload = 1;
		finish.payload.data = s.payload;
		finish.payload.len = s.payload_len;
		msg.client_finish = &finish;
		rc = append_message(&msg, out);
	}
	free(s.payload);
	return rc;
}

/* The server's message, and ours where the pattern has one. */
static int follow(struct wa_noise_client *c, bool sent_ik, const Wa__ServerHello *hello,
                  const void *payload, size_t payload_len, int64_t now_unix_s, struct buf *out,
                  const char **why_out)
{
	int rc = 0;

	if (sent_ik && !hello->has_static_)
		return accept_ik(c, hello, now_unix_s, why_out);
	if (sent_ik)
		rc = start(c, FALLBACK_NAME, NULL);
	if (rc == 0)
		rc = accept_xx(c, hello, now_unix_s, why_out);
	if (rc == 0)
		rc = append_finish(c, hello->ephemeral.data, payload, payload_len, out);
	return rc;
}

int wa_noise_client_finish(struct wa_noise_client *c, const uint8_t *server_hello,
                           size_t server_hello_len, const void *payload, size_t payload_len,
                           int64_t now_unix_s, struct buf *out, struct wa_transport *transport_out,
                           struct wa_server_key *server_key_out, const char **why_out)
{
	bool sent_ik = c->state == CLIENT_SENT_IK;
	Wa__HandshakeMessage *msg = NULL;
	struct wa_transport transport;
	size_t out_len = out->len;
	int rc;

	if (why_out != NULL)
		*why_out = NULL;
	if (!sent_ik && c->state != CLIENT_SENT_XX)
		return WA_ESTATE;
	rc = read_server_hello(c, server_hello, server_hello_len, &msg);
	c->state = CLIENT_ENDED;
	if (rc == 0)
		rc = follow(c, sent_ik, msg->server_hello, payload, payload_len, now_unix_s, out,
		            why_out);
	if (rc == 0)
		rc = wa_noise_split(&c->noise, &transport);
	if (rc == 0) {
		*transport_out = transport;
		if (server_key_out != NULL) {
			memcpy(server_key_out->pub, c->server_static, WA_KEY_LEN);
			server_key_out->until_unix_s = c->until_unix_s;
		}
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
