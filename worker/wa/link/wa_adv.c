/* worker/wa/link/wa_adv.c - pair-success: reading it, verifying the phone's signatures, answering */
#include "worker/wa/link/wa_adv.h"

#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_adv.pb-c.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/stanza/wa_stanza.h"

#define PREFIX_LEN 2
#define HMAC_LEN 32
#define HOSTED 1 /* of account_type and device_type */

static const uint8_t prefix_account[PREFIX_LEN] = { 0x06, 0x00 };
static const uint8_t prefix_device[PREFIX_LEN] = { 0x06, 0x01 };
static const uint8_t prefix_hosted[PREFIX_LEN] = { 0x06, 0x05 }; /* account signature and HMAC */

static const struct pb_limits limits = {
	.bytes_max = WA_DEVICE_IDENTITY_MAX_LEN,
	.memory_max = 8192,
	.depth_max = 1,
};

/* ---- the stanza ---------------------------------------------------------------------------------
 */

/* jid is a device of a phone number, lid (when there is one) of a LID. */
static int read_device(const struct wa_node *device, struct wa_pair_success *out)
{
	struct wa_jid jid;
	uint64_t number;

	out->jid = wa_node_attr(device, "jid");
	out->lid = wa_node_attr(device, "lid");
	if (out->jid == NULL || wa_jid_parse_device(out->jid, WA_SERVER_JID, &jid) < 0 ||
	    wa_jid_user_number(&jid, &number) < 0)
		return WA_EPROTO;
	if (out->lid != NULL && (wa_jid_parse_device(out->lid, "lid", &jid) < 0 ||
	                         wa_jid_user_number(&jid, &number) < 0))
		return WA_EPROTO;
	return 0;
}

int wa_pair_success_read(const struct wa_node *n, struct wa_pair_success *out)
{
	struct wa_pair_success ps = { 0 };
	const struct wa_node *pair;
	uint64_t t;
	int rc;

	if (!wa_node_is(n, "iq") || !wa_node_attr_is(n, "type", "set") ||
	    !wa_node_attr_is(n, "from", WA_SERVER_JID))
		return WA_ESTATE;
	pair = wa_node_child(n, "pair-success");
	if (pair == NULL)
		return WA_ESTATE;
	ps.id = wa_node_attr(n, "id");
	if (ps.id == NULL || ps.id[0] == '\0' ||
	    wa_child_bytes(pair, "device-identity", 1, WA_DEVICE_IDENTITY_MAX_LEN,
	                   &ps.device_identity, &ps.device_identity_len) < 0)
		return WA_EPROTO;
	rc = read_device(wa_node_child(pair, "device"), &ps);
	if (rc < 0)
		return rc;
	ps.platform = wa_node_attr(wa_node_child(pair, "platform"), "name");
	ps.business_name = wa_node_attr(wa_node_child(pair, "biz"), "name");
	if (wa_node_attr_u64(n, "t", INT64_MAX, &t) == 0)
		ps.server_unix_s = (int64_t)t;
	*out = ps;
	return 0;
}

struct wa_node *wa_pair_device_sign(const char *id, const struct wa_adv *a)
{
	struct wa_node *iq = wa_node_new("iq"), *identity;

	wa_node_set_jid(iq, "to", WA_SERVER_JID);
	wa_node_set(iq, "type", "result");
	wa_node_set(iq, "id", id);
	identity = wa_node_add(wa_node_add(iq, "pair-device-sign"), "device-identity");
	wa_node_set_int(identity, "key-index", a->key_index);
	wa_node_set_bytes(identity, a->answer.p, a->answer.len);
	return iq;
}

void wa_adv_clear(struct wa_adv *a)
{
	buf_wipe(&a->account);
	buf_wipe(&a->answer);
	secret_wipe(a, sizeof(*a));
}

/* ---- verification -------------------------------------------------------------------------------
 */

/* The three layers of a device identity, each inside the bytes of the one before. */
struct layers {
	Wa__AdvSignedDeviceIdentityHmac *outer;
	Wa__AdvSignedDeviceIdentity *signed_id;
	Wa__AdvDeviceIdentity *id;
};

static void layers_free(struct layers *l)
{
	pb_free((ProtobufCMessage *)l->id);
	pb_free((ProtobufCMessage *)l->signed_id);
	pb_free((ProtobufCMessage *)l->outer);
}

static int refuse(const char **why_out, const char *what)
{
	if (why_out != NULL)
		*why_out = what;
	return WA_EAUTH;
}

static int check_hmac(const Wa__AdvSignedDeviceIdentityHmac *w, const uint8_t secret[32],
                      const char **why_out)
{
	struct buf text = { 0 };
	uint8_t hmac[HMAC_LEN];
	int rc = 0;

	if (w->account_type == HOSTED)
		rc = buf_append(&text, prefix_hosted, sizeof(prefix_hosted));
	if (rc == 0)
		rc = buf_append(&text, w->details.data, w->details.len);
	if (rc == 0)
		rc = wa_hmac_sha256(secret, 32, text.p, text.len, hmac);
	if (rc == 0 && !secret_eq(hmac, w->hmac.data, HMAC_LEN))
		rc = refuse(why_out, "hmac");
	secret_wipe(hmac, sizeof(hmac));
	buf_free(&text);
	return rc;
}

static int read_outer(const struct wa_device *d, const uint8_t *data, size_t data_len,
                      struct layers *l, const char **why_out)
{
	ProtobufCMessage *base = NULL;
	int rc;

	rc = pb_unpack(&wa__adv_signed_device_identity_hmac__descriptor, data, data_len, &limits,
	               &base);
	if (rc < 0)
		return rc;
	l->outer = (Wa__AdvSignedDeviceIdentityHmac *)base;
	if (!l->outer->has_details || !l->outer->has_hmac || l->outer->hmac.len != HMAC_LEN)
		return WA_EPROTO;
	return check_hmac(l->outer, d->adv_secret, why_out);
}

/* What stands between the layers is vouched for by the HMAC: only now is it looked at. */
static int read_inner(struct layers *l)
{
	const Wa__AdvSignedDeviceIdentity *a;
	ProtobufCMessage *base = NULL;
	int rc;

	rc = pb_unpack(&wa__adv_signed_device_identity__descriptor, l->outer->details.data,
	               l->outer->details.len, &limits, &base);
	if (rc < 0)
		return rc;
	l->signed_id = (Wa__AdvSignedDeviceIdentity *)base;
	a = l->signed_id;
	if (!a->has_details || !a->has_account_signature_key ||
	    a->account_signature_key.len != WA_KEY_LEN || !a->has_account_signature ||
	    a->account_signature.len != WA_SIG_LEN)
		return WA_EPROTO;
	rc = pb_unpack(&wa__adv_device_identity__descriptor, a->details.data, a->details.len,
	               &limits, &base);
	if (rc == 0)
		l->id = (Wa__AdvDeviceIdentity *)base;
	return rc;
}

/* prefix || details || own identity: how both signatures' messages begin. */
static int append_signed(const uint8_t prefix[PREFIX_LEN], const struct layers *l,
                         const struct wa_device *d, struct buf *out)
{
	int rc;

	rc = buf_append(out, prefix, PREFIX_LEN);
	if (rc == 0)
		rc = buf_append(out, l->signed_id->details.data, l->signed_id->details.len);
	if (rc == 0)
		rc = buf_append(out, d->identity.pub, WA_KEY_LEN);
	return rc;
}

static int check_account(const struct layers *l, const struct wa_device *d, const char **why_out)
{
	const uint8_t *prefix = l->id->device_type == HOSTED ? prefix_hosted : prefix_account;
	struct buf msg = { 0 };
	int rc;

	rc = append_signed(prefix, l, d, &msg);
	if (rc == 0 && wa_xeddsa_verify(l->signed_id->account_signature_key.data, msg.p, msg.len,
	                                l->signed_id->account_signature.data) < 0)
		rc = refuse(why_out, "account signature");
	buf_free(&msg);
	return rc;
}

/* ---- our own signature --------------------------------------------------------------------------
 */

static int sign_device(const struct layers *l, const struct wa_device *d, const uint8_t *rnd,
                       uint8_t sig[WA_SIG_LEN])
{
	struct buf msg = { 0 };
	int rc;

	rc = append_signed(prefix_device, l, d, &msg);
	if (rc == 0)
		rc = buf_append(&msg, l->signed_id->account_signature_key.data, WA_KEY_LEN);
	if (rc == 0)
		rc = wa_xeddsa_sign(d->identity.priv, msg.p, msg.len, rnd, sig);
	buf_free(&msg);
	return rc;
}

static int append_identity(const Wa__AdvSignedDeviceIdentity *a, struct buf *out)
{
	int rc;

	rc = buf_reserve(out, wa__adv_signed_device_identity__get_packed_size(a));
	if (rc == 0)
		out->len += wa__adv_signed_device_identity__pack(a, out->p + out->len);
	return rc;
}

/* Only known fields, and details as the bytes they came as. */
static int make_result(const struct layers *l, const struct wa_device *d, const uint8_t *rnd,
                       struct wa_adv *out)
{
	Wa__AdvSignedDeviceIdentity a = WA__ADV_SIGNED_DEVICE_IDENTITY__INIT;
	uint8_t sig[WA_SIG_LEN];
	int rc;

	rc = sign_device(l, d, rnd, sig);
	if (rc < 0)
		return rc;
	out->key_index = l->id->key_index;
	memcpy(out->account_key, l->signed_id->account_signature_key.data, WA_KEY_LEN);
	a.has_details = a.has_account_signature_key = 1;
	a.has_account_signature = a.has_device_signature = 1;
	a.details = l->signed_id->details;
	a.account_signature_key = l->signed_id->account_signature_key;
	a.account_signature = l->signed_id->account_signature;
	a.device_signature.data = sig;
	a.device_signature.len = sizeof(sig);
	rc = append_identity(&a, &out->account);
	if (rc == 0) {
		a.has_account_signature_key = 0;
		rc = append_identity(&a, &out->answer);
	}
	return rc;
}

int wa_adv_verify_rnd(const struct wa_device *d, const uint8_t *device_identity,
                      size_t device_identity_len, const uint8_t *rnd, struct wa_adv *out,
                      const char **why_out)
{
	struct layers l = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	if (why_out != NULL)
		*why_out = NULL;
	rc = read_outer(d, device_identity, device_identity_len, &l, why_out);
	if (rc == 0)
		rc = read_inner(&l);
	if (rc == 0)
		rc = check_account(&l, d, why_out);
	if (rc == 0)
		rc = make_result(&l, d, rnd, out);
	if (rc < 0)
		wa_adv_clear(out);
	layers_free(&l);
	return rc;
}

int wa_adv_verify(const struct wa_device *d, const uint8_t *device_identity,
                  size_t device_identity_len, struct wa_adv *out, const char **why_out)
{
	return wa_adv_verify_rnd(d, device_identity, device_identity_len, NULL, out, why_out);
}
