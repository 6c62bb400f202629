/* simulator/server/sim_prekey_write.c - what the server tells of a device's prekeys: digests,
 * bundles */
#include <openssl/evp.h>
#include <string.h>

#include "common/err.h"
#include "simulator/server/sim_prekey_priv.h"

#define HASH_LEN 20

static void add_bytes(struct wa_node *parent, const char *tag, const void *data, size_t len)
{
	wa_node_set_bytes(wa_node_add(parent, tag), data, len);
}

static void add_number(struct wa_node *parent, const char *tag, uint32_t v, size_t len)
{
	uint8_t text[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	add_bytes(parent, tag, text + sizeof(text) - len, len);
}

static void add_owner(struct wa_node *n, const struct sim_prekey_device *device)
{
	static const uint8_t type = SIM_PREKEY_TYPE;

	add_number(n, "registration", device->registration_id, 4);
	add_bytes(n, "type", &type, 1);
	add_bytes(n, "identity", device->identity, WA_KEY_LEN);
}

static void add_signed(struct wa_node *n, const struct sim_prekey_device *device)
{
	struct wa_node *skey = wa_node_add(n, "skey");

	add_number(skey, "id", device->signed_id, 3);
	add_bytes(skey, "value", device->signed_pub, WA_KEY_LEN);
	add_bytes(skey, "signature", device->signed_sig, WA_SIG_LEN);
}

static int hash_keys(const struct sim_prekeys *p, const struct sim_prekey_device *device,
                     uint8_t out[HASH_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
	          EVP_DigestUpdate(ctx, device->identity, WA_KEY_LEN) == 1 &&
	          EVP_DigestUpdate(ctx, device->signed_pub, WA_KEY_LEN) == 1 &&
	          EVP_DigestUpdate(ctx, device->signed_sig, WA_SIG_LEN) == 1;

	for (size_t i = 0; ok && i < p->n; i++)
		ok = p->list[i].used || EVP_DigestUpdate(ctx, p->list[i].pub, WA_KEY_LEN) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : WA_ECRYPTO;
}

int sim_prekeys_digest(const struct sim_prekeys *p, const struct sim_prekey_device *device,
                       struct wa_node *result)
{
	struct wa_node *digest, *list;
	uint8_t hash[HASH_LEN];
	int rc;

	if (!sim_prekeys_has_upload(p))
		return WA_ESTATE;
	rc = hash_keys(p, device, hash);
	if (rc < 0)
		return rc;
	digest = wa_node_add(result, "digest");
	add_owner(digest, device);
	add_signed(digest, device);
	list = wa_node_add(digest, "list");
	for (size_t i = 0; i < p->n; i++) {
		if (!p->list[i].used)
			add_number(list, "id", p->list[i].id, 3);
	}
	add_bytes(digest, "hash", hash, sizeof(hash));
	return 0;
}

static struct sim_prekey *use_one(struct sim_prekeys *p)
{
	for (size_t i = 0; p != NULL && p->left > 0 && i < p->n; i++) {
		if (p->list[i].used)
			continue;
		p->list[i].used = true;
		p->left--;
		return &p->list[i];
	}
	return NULL;
}

void sim_prekeys_bundle(struct sim_prekeys *p, const struct sim_prekey_device *device,
                        struct wa_node *user)
{
	const struct sim_prekey *one = use_one(p);
	struct wa_node *key;

	add_owner(user, device);
	if (one != NULL) {
		key = wa_node_add(user, "key");
		add_number(key, "id", one->id, 3);
		add_bytes(key, "value", one->pub, WA_KEY_LEN);
	}
	add_signed(user, device);
}

bool sim_prekeys_take(struct sim_prekeys *p, uint32_t *id_out, uint8_t pub_out[WA_KEY_LEN])
{
	const struct sim_prekey *one = use_one(p);

	if (one == NULL)
		return false;
	*id_out = one->id;
	memcpy(pub_out, one->pub, WA_KEY_LEN);
	return true;
}

void sim_prekeys_use_up(struct sim_prekeys *p, size_t left)
{
	while (p->left > left && use_one(p) != NULL) {
	}
}
