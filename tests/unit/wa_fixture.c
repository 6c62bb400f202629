/* tests/unit/wa_fixture.c - a server for tests */
#include "wa_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pb_guard.h"
#include "worker/wa/transport/wa_frame.h"

#define MUST(call) \
	do { \
		if ((call) != 0) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #call); \
			abort(); \
		} \
	} while (0)

void fixture_key(uint8_t byte, struct wa_keypair *kp_out)
{
	uint8_t priv[WA_KEY_LEN];

	memset(priv, byte, sizeof(priv));
	MUST(wa_keypair_from_priv(priv, kp_out));
}

void fixture_init(struct fixture *f)
{
	fixture_key(0x11, &f->root_kp);
	fixture_key(0x22, &f->inter_kp);
	fixture_key(0x33, &f->server_static);
	fixture_key(0x44, &f->server_ephemeral);
	fixture_key(0x55, &f->client_static);
	fixture_key(0x66, &f->client_ephemeral);
	memcpy(f->root.key, f->root_kp.pub, WA_KEY_LEN);
	f->root.serial = 0;
}

/* ---- certificates -------------------------------------------------------------------------------
 */

static void fill_details(Wa__NoiseCertificateDetails *d, uint32_t serial, uint32_t issuer,
                         uint8_t *key)
{
	wa__noise_certificate_details__init(d);
	d->has_serial = 1;
	d->serial = serial;
	d->has_issuer_serial = 1;
	d->issuer_serial = issuer;
	d->has_key = 1;
	d->key.data = key;
	d->key.len = WA_KEY_LEN;
	d->has_not_before = 1;
	d->not_before = FIXTURE_NOT_BEFORE;
	d->has_not_after = 1;
	d->not_after = FIXTURE_NOT_AFTER;
}

void fixture_chain_spec(const struct fixture *f, struct chain_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	memcpy(spec->inter_key, f->inter_kp.pub, WA_KEY_LEN);
	memcpy(spec->leaf_key, f->server_static.pub, WA_KEY_LEN);
	fill_details(&spec->inter, 3, 0, spec->inter_key);
	fill_details(&spec->leaf, 355, 3, spec->leaf_key);
	spec->inter_signer = f->root_kp;
	spec->leaf_signer = f->inter_kp;
}

struct signed_cert {
	Wa__NoiseCertificate msg;
	uint8_t details[256];
	uint8_t sig[WA_SIG_LEN + 1]; /* room for one that is too long */
};

static void sign_cert(const Wa__NoiseCertificateDetails *d, const struct wa_keypair *signer,
                      struct signed_cert *c)
{
	uint8_t rnd[WA_SIG_LEN];

	memset(c, 0, sizeof(*c));
	memset(rnd, 0x77, sizeof(rnd));
	wa__noise_certificate__init(&c->msg);
	c->msg.has_details = 1;
	c->msg.details.data = c->details;
	MUST(wa__noise_certificate_details__get_packed_size(d) > sizeof(c->details));
	c->msg.details.len = wa__noise_certificate_details__pack(d, c->details);
	c->msg.has_signature = 1;
	c->msg.signature.data = c->sig;
	c->msg.signature.len = WA_SIG_LEN;
	MUST(wa_xeddsa_sign(signer->priv, c->details, c->msg.details.len, rnd, c->sig));
}

void fixture_chain_pack(const struct chain_spec *spec, struct buf *out)
{
	Wa__CertChain chain = WA__CERT_CHAIN__INIT;
	struct signed_cert leaf, inter;

	sign_cert(&spec->inter, &spec->inter_signer, &inter);
	sign_cert(&spec->leaf, &spec->leaf_signer, &leaf);
	chain.leaf = &leaf.msg;
	chain.intermediate = &inter.msg;
	if (spec->change != NULL)
		spec->change(&chain);
	MUST(buf_reserve(out, wa__cert_chain__get_packed_size(&chain) + 1));
	out->len += wa__cert_chain__pack(&chain, out->p + out->len);
}

/* ---- handshake ----------------------------------------------------------------------------------
 */

static void mix_dh(struct wa_noise_state *s, const uint8_t *priv, const uint8_t *pub)
{
	uint8_t shared[WA_KEY_LEN];

	MUST(wa_dh(priv, pub, shared));
	MUST(wa_noise_mix_key(s, shared));
}

/* static_key: sealed, or NULL for the answer to IK. */
static void pack_hello(const struct fixture *f, uint8_t *static_key, uint8_t *chain,
                       size_t chain_len, struct buf *out)
{
	Wa__HandshakeMessage msg = WA__HANDSHAKE_MESSAGE__INIT;
	Wa__ServerHello hello = WA__SERVER_HELLO__INIT;

	hello.has_ephemeral = hello.has_payload = 1;
	hello.ephemeral.data = (uint8_t *)f->server_ephemeral.pub;
	hello.ephemeral.len = WA_KEY_LEN;
	hello.has_static_ = static_key != NULL;
	hello.static_.data = static_key;
	hello.static_.len = WA_KEY_LEN + WA_TAG_LEN;
	hello.payload.data = chain;
	hello.payload.len = chain_len;
	msg.server_hello = &hello;
	MUST(buf_reserve(out, wa__handshake_message__get_packed_size(&msg)));
	out->len += wa__handshake_message__pack(&msg, out->p + out->len);
}

static void start(const struct fixture *f, const char *name, const uint8_t *server_static,
                  struct wa_noise_state *s)
{
	MUST(wa_noise_state_init(s, name));
	MUST(wa_noise_mix_hash(s, wa_stream_header, WA_STREAM_HEADER_LEN));
	if (server_static != NULL)
		MUST(wa_noise_mix_hash(s, server_static, WA_KEY_LEN));
	MUST(wa_noise_mix_hash(s, f->client_ephemeral.pub, WA_KEY_LEN));
}

static void xx_hello(const struct fixture *f, const char *name, const void *chain, size_t chain_len,
                     struct buf *out)
{
	uint8_t sealed_static[WA_KEY_LEN + WA_TAG_LEN];
	uint8_t *sealed_chain = malloc(chain_len + WA_TAG_LEN);
	struct wa_noise_state s;

	MUST(sealed_chain == NULL);
	start(f, name, NULL, &s);
	MUST(wa_noise_mix_hash(&s, f->server_ephemeral.pub, WA_KEY_LEN));
	mix_dh(&s, f->server_ephemeral.priv, f->client_ephemeral.pub);
	MUST(wa_noise_encrypt(&s, f->server_static.pub, WA_KEY_LEN, sealed_static));
	mix_dh(&s, f->server_static.priv, f->client_ephemeral.pub);
	MUST(wa_noise_encrypt(&s, chain, chain_len, sealed_chain));
	pack_hello(f, sealed_static, sealed_chain, chain_len + WA_TAG_LEN, out);
	free(sealed_chain);
}

void fixture_server_hello(const struct fixture *f, const void *chain, size_t chain_len,
                          struct buf *out)
{
	xx_hello(f, "Noise_XX_25519_AESGCM_SHA256", chain, chain_len, out);
}

void fixture_fallback_hello(const struct fixture *f, const void *chain, size_t chain_len,
                            struct buf *out)
{
	xx_hello(f, "Noise_XXfallback_25519_AESGCM_SHA256", chain, chain_len, out);
}

/* What the client sealed must be its own static key and FIXTURE_PAYLOAD. */
static void open_ik_hello(const struct fixture *f, const struct buf *client_hello,
                          struct wa_noise_state *s)
{
	const size_t payload_len = strlen(FIXTURE_PAYLOAD);
	ProtobufCMessage *base = NULL;
	Wa__ClientHello *hello;

	MUST(pb_unpack(&wa__handshake_message__descriptor, client_hello->p, client_hello->len,
	               &pb_limits_small, &base));
	hello = ((Wa__HandshakeMessage *)base)->client_hello;
	MUST(hello->static_.len != WA_KEY_LEN + WA_TAG_LEN ||
	     hello->payload.len != payload_len + WA_TAG_LEN);
	start(f, "Noise_IK_25519_AESGCM_SHA256", f->server_static.pub, s);
	mix_dh(s, f->server_static.priv, f->client_ephemeral.pub);
	MUST(wa_noise_decrypt(s, hello->static_.data, hello->static_.len, hello->static_.data));
	MUST(memcmp(hello->static_.data, f->client_static.pub, WA_KEY_LEN));
	mix_dh(s, f->server_static.priv, f->client_static.pub);
	MUST(wa_noise_decrypt(s, hello->payload.data, hello->payload.len, hello->payload.data));
	MUST(memcmp(hello->payload.data, FIXTURE_PAYLOAD, payload_len));
	pb_free(base);
}

void fixture_ik_answer(const struct fixture *f, const struct buf *client_hello, const void *chain,
                       size_t chain_len, struct buf *out)
{
	uint8_t *sealed_chain = malloc(chain_len + WA_TAG_LEN);
	struct wa_noise_state s;

	MUST(sealed_chain == NULL);
	open_ik_hello(f, client_hello, &s);
	MUST(wa_noise_mix_hash(&s, f->server_ephemeral.pub, WA_KEY_LEN));
	mix_dh(&s, f->server_ephemeral.priv, f->client_ephemeral.pub);
	mix_dh(&s, f->server_ephemeral.priv, f->client_static.pub);
	MUST(wa_noise_encrypt(&s, chain, chain_len, sealed_chain));
	pack_hello(f, NULL, sealed_chain, chain_len + WA_TAG_LEN, out);
	free(sealed_chain);
}

struct wa_noise_client *fixture_client(const struct fixture *f)
{
	struct wa_noise_client *c = NULL;
	struct buf hello = { 0 };

	MUST(wa_noise_client_new(&f->client_static, &f->client_ephemeral, &f->root, &c));
	MUST(wa_noise_client_hello(c, &hello));
	buf_free(&hello);
	return c;
}

struct wa_noise_client *fixture_client_ik(const struct fixture *f, const uint8_t *server_static,
                                          struct buf *hello_out)
{
	struct wa_noise_client *c = NULL;

	MUST(wa_noise_client_new(&f->client_static, &f->client_ephemeral, &f->root, &c));
	MUST(wa_noise_client_hello_ik(c, server_static, FIXTURE_PAYLOAD, strlen(FIXTURE_PAYLOAD),
	                              hello_out));
	return c;
}
