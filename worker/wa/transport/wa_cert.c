/* worker/wa/transport/wa_cert.c - the server's certificate chain (protocol notes 01 section 7) */
#include "worker/wa/transport/wa_noise.h"

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_handshake.pb-c.h"

const struct wa_root wa_root_whatsapp = {
	.key = { 0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7,
	         0x1e, 0xbe, 0x51, 0x64, 0x37, 0xc4, 0xa2, 0x8b, 0x73, 0xe3, 0x69,
	         0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b },
	.serial = 0,
};

static int refuse(const char **why, const char *text)
{
	*why = text;
	return WA_ECERT;
}

static bool has_parts(const Wa__NoiseCertificate *c)
{
	return c->has_details && c->details.len > 0 && c->has_signature &&
	       c->signature.len == WA_SIG_LEN;
}

static int read_chain(const uint8_t *data, size_t data_len, Wa__CertChain **chain_out,
                      const char **why)
{
	ProtobufCMessage *base = NULL;
	Wa__CertChain *chain;
	int rc = 0;

	if (pb_unpack(&wa__cert_chain__descriptor, data, data_len, &pb_limits_small, &base) < 0)
		return refuse(why, "chain unreadable");
	chain = (Wa__CertChain *)base;
	if (chain->leaf == NULL)
		rc = refuse(why, "leaf missing");
	else if (chain->intermediate == NULL)
		rc = refuse(why, "intermediate missing");
	else if (!has_parts(chain->leaf))
		rc = refuse(why, "leaf incomplete");
	else if (!has_parts(chain->intermediate))
		rc = refuse(why, "intermediate incomplete");
	if (rc < 0) {
		pb_free(base);
		return rc;
	}
	*chain_out = chain;
	return 0;
}

/* Details with a key of the right length and both dates. A serial left out is 0. */
static Wa__NoiseCertificateDetails *read_details(const Wa__NoiseCertificate *c)
{
	ProtobufCMessage *base = NULL;
	Wa__NoiseCertificateDetails *d;

	if (pb_unpack(&wa__noise_certificate_details__descriptor, c->details.data, c->details.len,
	              &pb_limits_small, &base) < 0)
		return NULL;
	d = (Wa__NoiseCertificateDetails *)base;
	if (!d->has_key || d->key.len != WA_KEY_LEN || !d->has_not_before || !d->has_not_after) {
		pb_free(base);
		return NULL;
	}
	return d;
}

static int check_signature(const uint8_t *signer, const Wa__NoiseCertificate *c)
{
	return wa_xeddsa_verify(signer, c->details.data, c->details.len, c->signature.data);
}

static int check_time(const Wa__NoiseCertificateDetails *d, int64_t now_unix_s, const char **why,
                      const char *too_early, const char *too_late)
{
	if (now_unix_s < 0 || (uint64_t)now_unix_s < d->not_before)
		return refuse(why, too_early);
	if ((uint64_t)now_unix_s > d->not_after)
		return refuse(why, too_late);
	return 0;
}

/* The earlier end; what no int64_t holds is as good as never. */
static int64_t end_of_validity(const Wa__NoiseCertificateDetails *a,
                               const Wa__NoiseCertificateDetails *b)
{
	uint64_t end = a->not_after < b->not_after ? a->not_after : b->not_after;

	return end > INT64_MAX ? INT64_MAX : (int64_t)end;
}

static int check_details(const Wa__NoiseCertificateDetails *leaf,
                         const Wa__NoiseCertificateDetails *inter, const uint8_t *server_static,
                         int64_t now_unix_s, const char **why)
{
	int rc;

	if (leaf->issuer_serial != inter->serial)
		return refuse(why, "leaf issuer serial");
	if (!secret_eq(leaf->key.data, server_static, WA_KEY_LEN))
		return refuse(why, "leaf key is not the server's");
	rc = check_time(inter, now_unix_s, why, "intermediate not valid yet",
	                "intermediate expired");
	if (rc == 0)
		rc = check_time(leaf, now_unix_s, why, "leaf not valid yet", "leaf expired");
	return rc;
}

/* Details are not looked at before the signature over them holds. */
static int check_chain(const Wa__CertChain *chain, const struct wa_root *root,
                       const uint8_t *server_static, int64_t now_unix_s, int64_t *until_out,
                       const char **why)
{
	Wa__NoiseCertificateDetails *inter = NULL, *leaf = NULL;
	int rc;

	if (check_signature(root->key, chain->intermediate) < 0)
		return refuse(why, "intermediate signature");
	inter = read_details(chain->intermediate);
	if (inter == NULL)
		return refuse(why, "intermediate details");
	if (inter->issuer_serial != root->serial) {
		rc = refuse(why, "intermediate issuer serial");
		goto out;
	}
	if (check_signature(inter->key.data, chain->leaf) < 0) {
		rc = refuse(why, "leaf signature");
		goto out;
	}
	leaf = read_details(chain->leaf);
	if (leaf == NULL)
		rc = refuse(why, "leaf details");
	else
		rc = check_details(leaf, inter, server_static, now_unix_s, why);
	if (rc == 0)
		*until_out = end_of_validity(leaf, inter);
out:
	pb_free((ProtobufCMessage *)leaf);
	pb_free((ProtobufCMessage *)inter);
	return rc;
}

int wa_cert_verify(const uint8_t *chain, size_t chain_len, const struct wa_root *root,
                   const uint8_t server_static[WA_KEY_LEN], int64_t now_unix_s, int64_t *until_out,
                   const char **why_out)
{
	Wa__CertChain *msg = NULL;
	const char *why = NULL;
	int64_t until = 0;
	int rc;

	rc = read_chain(chain, chain_len, &msg, &why);
	if (rc == 0)
		rc = check_chain(msg, root, server_static, now_unix_s, &until, &why);
	pb_free((ProtobufCMessage *)msg);
	if (rc == 0 && until_out != NULL)
		*until_out = until;
	if (why_out != NULL)
		*why_out = why;
	return rc;
}
