/* simulator/wire/sim_noise.c - server side of the Noise handshake */
#include "simulator/wire/sim_noise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_handshake.pb-c.h"

#define TAG_LEN 16
#define SEALED_KEY_LEN (WA_KEY_LEN + TAG_LEN)

static const char name_xx[33] = "Noise_XX_25519_AESGCM_SHA256\0\0\0\0";
static const char name_ik[33] = "Noise_IK_25519_AESGCM_SHA256\0\0\0\0";
static const char name_fallback[] = "Noise_XXfallback_25519_AESGCM_SHA256";
static const uint8_t prologue[4] = { 'W', 'A', 6, 3 };

enum step { WANT_HELLO, WANT_FINISH, DONE };

struct sim_noise {
	enum step step;
	enum sim_handshake handshake;
	uint8_t hash[32];
	uint8_t chaining_key[32];
	uint8_t cipher_key[32];
	uint32_t nonce;
	struct wa_keypair ephemeral;
};

const char *sim_handshake_name(enum sim_handshake h)
{
	switch (h) {
	case SIM_HANDSHAKE_NONE:
		return NULL;
	case SIM_HANDSHAKE_XX:
		return "XX";
	case SIM_HANDSHAKE_IK:
		return "IK";
	case SIM_HANDSHAKE_FALLBACK:
		return "XXfallback";
	}
	return NULL;
}

int sim_noise_new(const struct wa_keypair *ephemeral, struct sim_noise **noise_out)
{
	struct sim_noise *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->ephemeral = *ephemeral;
	*noise_out = n;
	return 0;
}

void sim_noise_free(struct sim_noise *n)
{
	if (n == NULL)
		return;
	secret_wipe(n, sizeof(*n));
	free(n);
}

/* ---- symmetric state ------------------------------------------------------------------------- */

static int mix_hash(struct sim_noise *n, const void *data, size_t len)
{
	struct buf joined = { 0 };
	int rc;

	rc = buf_append(&joined, n->hash, sizeof(n->hash));
	if (rc == 0)
		rc = buf_append(&joined, data, len);
	if (rc == 0)
		rc = wa_sha256(joined.p, joined.len, n->hash);
	buf_free(&joined);
	return rc;
}

static int mix_dh(struct sim_noise *n, const struct wa_keypair *ours, const uint8_t *theirs)
{
	uint8_t shared[32], okm[64];
	int rc;

	rc = wa_dh(ours->priv, theirs, shared);
	if (rc == 0)
		rc = wa_hkdf(shared, sizeof(shared), n->chaining_key, 32, NULL, 0, okm, 64);
	if (rc == 0) {
		memcpy(n->chaining_key, okm, 32);
		memcpy(n->cipher_key, okm + 32, 32);
		n->nonce = 0;
	}
	secret_wipe(shared, sizeof(shared));
	secret_wipe(okm, sizeof(okm));
	return rc;
}

/* Append the sealed bytes to out and hash them. */
static int seal_and_hash(struct sim_noise *n, const uint8_t *in, size_t in_len, struct buf *out)
{
	uint8_t *sealed;
	int rc = buf_reserve(out, in_len + TAG_LEN);

	if (rc < 0)
		return rc;
	sealed = out->p + out->len;
	rc = wa_gcm_seal(n->cipher_key, n->nonce, n->hash, sizeof(n->hash), in, in_len, sealed);
	if (rc < 0)
		return rc;
	n->nonce++;
	out->len += in_len + TAG_LEN;
	return mix_hash(n, sealed, in_len + TAG_LEN);
}

/* Append the opened bytes to out and hash what was sealed. */
static int open_and_hash(struct sim_noise *n, const uint8_t *sealed, size_t sealed_len,
                         struct buf *out)
{
	int rc;

	if (sealed_len < TAG_LEN)
		return WA_ETRUNC;
	rc = buf_reserve(out, sealed_len - TAG_LEN + 1);
	if (rc < 0)
		return rc;
	rc = wa_gcm_open(n->cipher_key, n->nonce, n->hash, sizeof(n->hash), sealed, sealed_len,
	                 out->p + out->len);
	if (rc < 0)
		return rc;
	n->nonce++;
	out->len += sealed_len - TAG_LEN;
	return mix_hash(n, sealed, sealed_len);
}

/* A name of exactly 32 bytes is used as it is, a longer one is hashed. */
static int begin(struct sim_noise *n, enum sim_handshake handshake)
{
	int rc = 0;

	n->handshake = handshake;
	if (handshake == SIM_HANDSHAKE_FALLBACK)
		rc = wa_sha256(name_fallback, sizeof(name_fallback) - 1, n->hash);
	else
		memcpy(n->hash, handshake == SIM_HANDSHAKE_IK ? name_ik : name_xx, sizeof(n->hash));
	if (rc < 0)
		return rc;
	memcpy(n->chaining_key, n->hash, 32);
	memcpy(n->cipher_key, n->hash, 32);
	n->nonce = 0;
	return mix_hash(n, prologue, sizeof(prologue));
}

/* ---- messages -------------------------------------------------------------------------------- */

static int unpack(const uint8_t *data, size_t len, Wa__HandshakeMessage **msg_out)
{
	ProtobufCMessage *msg;
	int rc = pb_unpack(&wa__handshake_message__descriptor, data, len, &pb_limits_small, &msg);

	if (rc == 0)
		*msg_out = (Wa__HandshakeMessage *)msg;
	return rc;
}

/* key NULL: the client's resumption is accepted. */
static int pack_server_hello(const struct sim_noise *n, const struct buf *key,
                             const struct buf *chain, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ServerHello hello = WA__SERVER_HELLO__INIT;
	size_t len;
	int rc;

	hello.has_ephemeral = 1;
	hello.ephemeral = (ProtobufCBinaryData){ WA_KEY_LEN, (uint8_t *)n->ephemeral.pub };
	if (key != NULL) {
		hello.has_static_ = 1;
		hello.static_ = (ProtobufCBinaryData){ key->len, key->p };
	}
	hello.has_payload = 1;
	hello.payload = (ProtobufCBinaryData){ chain->len, chain->p };
	msg.server_hello = &hello;
	len = wa__handshake_message__get_packed_size(&msg);
	rc = buf_reserve(out, len);
	if (rc < 0)
		return rc;
	out->len += wa__handshake_message__pack(&msg, out->p + out->len);
	return 0;
}

/* Message 2 of XX and XXfallback, from the client's ephemeral key on. */
static int answer_xx(struct sim_noise *n, enum sim_handshake handshake,
                     const uint8_t *client_ephemeral, const struct sim_noise_server *server,
                     struct buf *out)
{
	struct buf sealed_key = { 0 }, sealed_chain = { 0 };
	int rc;

	rc = begin(n, handshake);
	if (rc == 0)
		rc = mix_hash(n, client_ephemeral, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_hash(n, n->ephemeral.pub, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(n, &n->ephemeral, client_ephemeral);
	if (rc == 0)
		rc = seal_and_hash(n, server->identity->pub, WA_KEY_LEN, &sealed_key);
	if (rc == 0)
		rc = mix_dh(n, server->identity, client_ephemeral);
	if (rc == 0)
		rc = seal_and_hash(n, server->chain, server->chain_len, &sealed_chain);
	if (rc == 0)
		rc = pack_server_hello(n, &sealed_key, &sealed_chain, out);
	if (rc == 0)
		n->step = WANT_FINISH;
	buf_free(&sealed_key);
	buf_free(&sealed_chain);
	return rc;
}

static int split(const struct sim_noise *n, struct sim_noise_result *result_out)
{
	uint8_t okm[64];
	int rc;

	rc = wa_hkdf("", 0, n->chaining_key, 32, NULL, 0, okm, sizeof(okm));
	if (rc == 0) {
		result_out->handshake = n->handshake;
		memcpy(result_out->from_client.key, okm, 32);
		memcpy(result_out->to_client.key, okm + 32, 32);
		result_out->from_client.counter = 0;
		result_out->to_client.counter = 0;
	}
	secret_wipe(okm, sizeof(okm));
	return rc;
}

/* Is the client's static key sealed for ours? 0 with the key appended, else as open_and_hash(). */
static int open_ik_static(struct sim_noise *n, const Wa__ClientHello *hello,
                          const struct wa_keypair *identity, struct buf *key)
{
	int rc;

	if (hello->static_.len != SEALED_KEY_LEN)
		return WA_EPROTO;
	rc = begin(n, SIM_HANDSHAKE_IK);
	if (rc == 0)
		rc = mix_hash(n, identity->pub, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_hash(n, hello->ephemeral.data, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(n, identity, hello->ephemeral.data);
	if (rc == 0)
		rc = open_and_hash(n, hello->static_.data, hello->static_.len, key);
	return rc;
}

/* The rest of IK: the payload in message 1, then message 2, which ends the handshake. */
static int answer_ik(struct sim_noise *n, const Wa__ClientHello *hello,
                     const uint8_t *client_static, const struct sim_noise_server *server,
                     struct buf *out, struct buf *payload_out)
{
	struct buf sealed_chain = { 0 };
	int rc;

	rc = mix_dh(n, server->identity, client_static);
	if (rc == 0)
		rc = open_and_hash(n, hello->payload.data, hello->payload.len, payload_out);
	if (rc == 0)
		rc = mix_hash(n, n->ephemeral.pub, WA_KEY_LEN);
	if (rc == 0)
		rc = mix_dh(n, &n->ephemeral, hello->ephemeral.data);
	if (rc == 0)
		rc = mix_dh(n, &n->ephemeral, client_static);
	if (rc == 0)
		rc = seal_and_hash(n, server->chain, server->chain_len, &sealed_chain);
	if (rc == 0)
		rc = pack_server_hello(n, NULL, &sealed_chain, out);
	buf_free(&sealed_chain);
	return rc;
}

static int try_ik(struct sim_noise *n, const Wa__ClientHello *hello,
                  const struct sim_noise_server *server, struct buf *out, struct buf *payload_out,
                  struct sim_noise_result *result_out)
{
	struct buf key = { 0 };
	int rc = server->no_ik ? WA_EAUTH : open_ik_static(n, hello, server->identity, &key);

	if (rc == WA_EAUTH) {
		rc = answer_xx(n, SIM_HANDSHAKE_FALLBACK, hello->ephemeral.data, server, out);
		goto out;
	}
	if (rc == 0)
		rc = answer_ik(n, hello, key.p, server, out, payload_out);
	if (rc == 0)
		rc = split(n, result_out);
	if (rc == 0) {
		memcpy(result_out->client_static, key.p, WA_KEY_LEN);
		n->step = DONE;
		rc = 1;
	}
out:
	buf_free(&key);
	return rc;
}

int sim_noise_hello(struct sim_noise *n, const uint8_t *client_hello, size_t client_hello_len,
                    const struct sim_noise_server *server, struct buf *out, struct buf *payload_out,
                    struct sim_noise_result *result_out)
{
	Wa__HandshakeMessage *msg = NULL;
	const Wa__ClientHello *hello;
	int rc;

	if (n->step != WANT_HELLO)
		return WA_ESTATE;
	rc = unpack(client_hello, client_hello_len, &msg);
	if (rc < 0)
		return rc;
	hello = msg->client_hello;
	if (hello == NULL || !hello->has_ephemeral || hello->ephemeral.len != WA_KEY_LEN ||
	    msg->server_hello != NULL || msg->client_finish != NULL ||
	    hello->has_static_ != hello->has_payload)
		rc = WA_EPROTO;
	else if (hello->has_static_)
		rc = try_ik(n, hello, server, out, payload_out, result_out);
	else
		rc = answer_xx(n, SIM_HANDSHAKE_XX, hello->ephemeral.data, server, out);
	pb_free(&msg->base);
	return rc;
}

static int read_finish(struct sim_noise *n, const Wa__ClientFinish *finish, struct buf *payload_out,
                       struct sim_noise_result *result_out)
{
	struct buf key = { 0 };
	int rc;

	rc = open_and_hash(n, finish->static_.data, finish->static_.len, &key);
	if (rc == 0)
		rc = mix_dh(n, &n->ephemeral, key.p);
	if (rc == 0)
		rc = open_and_hash(n, finish->payload.data, finish->payload.len, payload_out);
	if (rc == 0)
		rc = split(n, result_out);
	if (rc == 0)
		memcpy(result_out->client_static, key.p, WA_KEY_LEN);
	buf_free(&key);
	return rc;
}

int sim_noise_finish(struct sim_noise *n, const uint8_t *client_finish, size_t client_finish_len,
                     struct buf *payload_out, struct sim_noise_result *result_out)
{
	Wa__HandshakeMessage *msg = NULL;
	const Wa__ClientFinish *finish;
	int rc;

	if (n->step != WANT_FINISH)
		return WA_ESTATE;
	rc = unpack(client_finish, client_finish_len, &msg);
	if (rc < 0)
		return rc;
	finish = msg->client_finish;
	if (finish == NULL || !finish->has_static_ || finish->static_.len != SEALED_KEY_LEN ||
	    !finish->has_payload || msg->client_hello != NULL || msg->server_hello != NULL)
		rc = WA_EPROTO;
	else
		rc = read_finish(n, finish, payload_out, result_out);
	if (rc == 0)
		n->step = DONE;
	pb_free(&msg->base);
	return rc;
}

/* ---- transport ------------------------------------------------------------------------------- */

int sim_cipher_seal(struct sim_cipher *c, const void *in, size_t in_len, struct buf *out)
{
	int rc;

	if (c->counter == UINT32_MAX)
		return WA_ELIMIT;
	rc = buf_reserve(out, in_len + TAG_LEN);
	if (rc < 0)
		return rc;
	rc = wa_gcm_seal(c->key, c->counter, NULL, 0, in, in_len, out->p + out->len);
	if (rc < 0)
		return rc;
	c->counter++;
	out->len += in_len + TAG_LEN;
	return 0;
}

int sim_cipher_open(struct sim_cipher *c, const void *in, size_t in_len, struct buf *out)
{
	int rc;

	if (c->counter == UINT32_MAX)
		return WA_ELIMIT;
	if (in_len <= TAG_LEN)
		return WA_ETRUNC;
	rc = buf_reserve(out, in_len - TAG_LEN);
	if (rc < 0)
		return rc;
	rc = wa_gcm_open(c->key, c->counter, NULL, 0, in, in_len, out->p + out->len);
	if (rc < 0)
		return rc;
	c->counter++;
	out->len += in_len - TAG_LEN;
	return 0;
}
