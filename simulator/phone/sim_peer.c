/* simulator/phone/sim_peer.c - a phone as a Signal peer: sessions, pairwise messages */
#include "simulator/phone/sim_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "simulator/base/sim_pb.h"
#include "simulator/phone/sim_peer_priv.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"

#define NO_SUCH_PREKEY (WA_SIGNAL_PREKEY_ID_MAX - 1)
#define CUT_LEN 20

/* ---- life --------------------------------------------------------------------------------------
 */

static int on_random(void *arg, uint8_t *out, size_t n)
{
	return sim_rand_bytes(arg, out, n);
}

static int start_signal(struct sim_peer *p)
{
	struct wa_signal_own own = {
		.identity = p->phone->account.identity,
		.registration_id = p->phone->registration_id,
	};
	int rc = wa_signal_new(&own, &sim_peer_store_ops, p, &p->signal);

	if (rc == 0)
		wa_signal_set_random(p->signal, on_random, &p->rnd);
	wa_keypair_wipe(&own.identity);
	return rc;
}

int sim_peer_get(struct sim_phone *phone, struct sim_peer **peer_out)
{
	struct sim_peer *p = phone->peer;
	int rc;

	if (p != NULL) {
		*peer_out = p;
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->phone = phone;
	rc = sim_rand_fork(&phone->rnd, "signal", phone->installs, &p->rnd);
	if (rc == 0)
		rc = start_signal(p);
	if (rc < 0) {
		sim_peer_free(p);
		return rc;
	}
	phone->peer = p;
	*peer_out = p;
	return 0;
}

void sim_peer_free(struct sim_peer *peer)
{
	if (peer == NULL)
		return;
	wa_signal_free(peer->signal);
	sim_keep_clear(&peer->keep);
	secret_wipe(peer, sizeof(*peer));
	free(peer);
}

void sim_peer_addr(const struct sim_device *device, struct wa_signal_addr *addr_out)
{
	snprintf(addr_out->name, sizeof(addr_out->name), "%s_1", device->account->lid_user);
	addr_out->device = device->id;
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

static int take_bundle(struct sim_peer *p, const struct sim_device *device,
                       const struct wa_prekey_bundle *bundle)
{
	struct wa_signal_addr addr;

	sim_peer_addr(device, &addr);
	return wa_signal_take_bundle(p->signal, &addr, bundle, NULL);
}

int sim_peer_take_bundle(struct sim *s, struct sim_phone *phone, const struct sim_device *device,
                         const struct wa_prekey_bundle *bundle)
{
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	return rc < 0 ? rc : take_bundle(p, device, bundle);
}

/* What the server has of the device; a one-time pre-key is used up. */
static int fetch(struct sim *s, struct sim_peer *p, struct sim_device *device,
                 enum sim_spoil_kind spoil)
{
	const struct sim_prekey_device *keys = &device->prekey;
	struct wa_prekey_bundle b = {
		.registration_id = keys->registration_id,
		.signed_prekey_id = keys->signed_id,
	};
	struct wa_keypair stray;
	int rc = 0;

	memcpy(b.identity, keys->identity, WA_KEY_LEN);
	memcpy(b.signed_prekey, keys->signed_pub, WA_KEY_LEN);
	memcpy(b.signed_prekey_sig, keys->signed_sig, WA_SIG_LEN);
	if (spoil == SIM_SPOIL_PREKEY) {
		rc = sim_rand_keypair(&p->rnd, &stray);
		b.has_prekey = true;
		b.prekey_id = NO_SUCH_PREKEY;
		memcpy(b.prekey, stray.pub, WA_KEY_LEN);
		wa_keypair_wipe(&stray);
	} else {
		b.has_prekey = sim_prekeys_take(device->prekeys, &b.prekey_id, b.prekey);
	}
	if (spoil == SIM_SPOIL_SIGNED)
		b.signed_prekey_id = NO_SUCH_PREKEY;
	if (rc == 0)
		rc = take_bundle(p, device, &b);
	sim_online_check_prekeys(s, device);
	return rc;
}

void sim_peer_forget(struct sim_phone *phone, const struct sim_device *device)
{
	struct wa_signal_addr addr;
	char name[SIM_PEER_NAME_CAP];

	if (phone->peer == NULL)
		return;
	sim_peer_addr(device, &addr);
	sim_peer_name(name, 's', NULL, &addr);
	(void)sim_keep_drop(&phone->peer->keep, name);
}

/* ---- seal --------------------------------------------------------------------------------------
 */

/* The msg inside a pkmsg; false: there is none. */
static bool find_inner(const struct buf *cipher, const uint8_t **data_out, size_t *len_out)
{
	struct sim_pb_field f;
	struct rd r;

	rd_init(&r, cipher->p + 1, cipher->len - 1);
	while (sim_pb_next(&r, &f)) {
		if (f.number == 4 && f.type == SIM_PB_BYTES) {
			*data_out = f.data;
			*len_out = f.len;
			return true;
		}
	}
	return false;
}

static int strip(struct buf *cipher, enum wa_enc *type)
{
	struct buf inner = { 0 };
	const uint8_t *data;
	size_t len;
	int rc;

	if (*type != WA_ENC_PKMSG)
		return 0;
	rc = find_inner(cipher, &data, &len) ? buf_append(&inner, data, len) : WA_EPROTO;
	if (rc < 0)
		return rc;
	buf_free(cipher);
	*cipher = inner;
	*type = WA_ENC_MSG;
	return 0;
}

static int encrypt(struct sim *s, struct sim_peer *p, struct sim_device *to, const void *msg,
                   size_t msg_len, enum wa_enc *type, struct buf *out)
{
	struct wa_signal_addr addr;
	int rc;

	sim_peer_addr(to, &addr);
	rc = wa_signal_encrypt(p->signal, &addr, msg, msg_len, type, out);
	if (rc == WA_SIG_ENOSESSION)
		rc = fetch(s, p, to, SIM_SPOIL_NO);
	else
		return rc;
	return rc < 0 ? rc : wa_signal_encrypt(p->signal, &addr, msg, msg_len, type, out);
}

/* What has to happen before the message is sealed. */
static int spoil_before(struct sim *s, struct sim_peer *p, struct sim_device *to,
                        const struct sim_seal *how)
{
	struct buf dropped = { 0 };
	enum wa_enc type;
	int rc = 0;

	if (how->spoil == SIM_SPOIL_PREKEY || how->spoil == SIM_SPOIL_SIGNED)
		return fetch(s, p, to, how->spoil);
	for (uint32_t i = 0; how->spoil == SIM_SPOIL_SKIP && rc == 0 && i < how->n; i++) {
		buf_reset(&dropped);
		rc = encrypt(s, p, to, "", 0, &type, &dropped);
	}
	buf_free(&dropped);
	return rc;
}

void sim_peer_spoil_after(enum sim_spoil_kind spoil, enum wa_enc type, struct buf *cipher)
{
	size_t last = cipher->len - 1, len;
	const uint8_t *inner;

	if (type == WA_ENC_PKMSG && find_inner(cipher, &inner, &len))
		last = (size_t)(inner - cipher->p) + len - 1;
	if (spoil == SIM_SPOIL_MAC)
		cipher->p[last] ^= 1;
	if (spoil == SIM_SPOIL_CIPHER && cipher->len > CUT_LEN)
		cipher->len = CUT_LEN;
}

void sim_peer_add_enc(struct wa_node *parent, enum wa_enc type, const struct sim_seal *how,
                      const struct buf *cipher)
{
	struct wa_node *enc = wa_node_add(parent, "enc");

	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", how->spoil == SIM_SPOIL_TYPE ? "qmsg" : wa_enc_name(type));
	wa_node_set(enc, "mediatype", how->mediatype);
	if (how->hide)
		wa_node_set(enc, "decrypt-fail", "hide");
	if (how->count != 0)
		wa_node_set_int(enc, "count", how->count);
	wa_node_set_bytes(enc, cipher->p, cipher->len);
}

int sim_peer_seal(struct sim *s, struct sim_phone *from, struct sim_device *to, const void *msg,
                  size_t msg_len, const struct sim_seal *how, struct wa_node *parent)
{
	struct buf cipher = { 0 };
	struct sim_peer *p;
	enum wa_enc type = WA_ENC_UNKNOWN;
	int rc = sim_peer_get(from, &p);

	if (rc == 0)
		rc = spoil_before(s, p, to, how);
	if (rc == 0) {
		wa_signal_set_bad_padding(p->signal, how->spoil == SIM_SPOIL_PADDING);
		rc = encrypt(s, p, to, msg, msg_len, &type, &cipher);
		wa_signal_set_bad_padding(p->signal, false);
	}
	if (rc == 0 && how->bare)
		rc = strip(&cipher, &type);
	if (rc == 0) {
		sim_peer_spoil_after(how->spoil, type, &cipher);
		sim_peer_add_enc(parent, type, how, &cipher);
	}
	buf_free(&cipher);
	return rc;
}

/* ---- open --------------------------------------------------------------------------------------
 */

int sim_peer_open(struct sim *s, struct sim_phone *phone, const struct sim_device *from,
                  const char *group, enum wa_enc type, const uint8_t *data, size_t data_len,
                  struct buf *out)
{
	struct wa_signal_addr addr;
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	if (rc < 0)
		return rc;
	sim_peer_addr(from, &addr);
	if (type == WA_ENC_SKMSG)
		return group == NULL
		           ? WA_SIG_EMALFORMED
		           : wa_signal_group_decrypt(p->signal, group, &addr, data, data_len, out);
	return wa_signal_decrypt(p->signal, &addr, type, data, data_len, out, NULL);
}

/* ---- keys for others ---------------------------------------------------------------------------
 */

static void add_bytes(struct wa_node *parent, const char *tag, const void *data, size_t len)
{
	wa_node_set_bytes(wa_node_add(parent, tag), data, len);
}

static void add_id(struct wa_node *parent, uint32_t id)
{
	const uint8_t be[3] = { (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	add_bytes(parent, "id", be, sizeof(be));
}

/* <key> of a fresh one-time pre-key, which is kept until it is used. */
static int add_prekey(struct sim_peer *p, struct wa_node *parent)
{
	struct wa_keypair pair;
	char name[SIM_PEER_NAME_CAP];
	struct wa_node *key;
	uint32_t id = ++p->prekeys_made;
	int rc = sim_rand_keypair(&p->rnd, &pair);

	sim_peer_prekey_name(name, id);
	if (rc == 0)
		rc = sim_keep_put(&p->keep, name, &pair, sizeof(pair));
	if (rc == 0) {
		key = wa_node_add(parent, "key");
		add_id(key, id);
		add_bytes(key, "value", pair.pub, WA_KEY_LEN);
	}
	wa_keypair_wipe(&pair);
	return rc;
}

int sim_peer_retry_keys(struct sim *s, struct sim_phone *phone, struct wa_node *keys)
{
	static const uint8_t key_type = 5;
	struct wa_node *skey;
	struct sim_peer *p;
	int rc = sim_peer_get(phone, &p);

	(void)s;
	if (rc < 0)
		return rc;
	add_bytes(keys, "type", &key_type, 1);
	add_bytes(keys, "identity", phone->account.identity.pub, WA_KEY_LEN);
	rc = add_prekey(p, keys);
	skey = wa_node_add(keys, "skey");
	add_id(skey, SIM_PEER_SIGNED_ID);
	add_bytes(skey, "value", phone->signed_prekey.pub, WA_KEY_LEN);
	add_bytes(skey, "signature", phone->signed_prekey_sig, WA_SIG_LEN);
	return rc;
}

int sim_peer_bundle(struct sim *s, struct sim_phone *phone, struct wa_node *user)
{
	const uint32_t id = phone->registration_id;
	const uint8_t be[4] = { (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
		                (uint8_t)id };

	add_bytes(user, "registration", be, sizeof(be));
	return sim_peer_retry_keys(s, phone, user);
}

enum sim_spoil_kind sim_spoil_parse(const char *name)
{
	static const struct {
		const char *name;
		enum sim_spoil_kind kind;
	} spoils[] = {
#define X(id, text) { text, id },
		SIM_SPOIL_LIST(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
		if (strcmp(spoils[i].name, name) == 0)
			return spoils[i].kind;
	}
	return SIM_SPOIL_NO;
}
