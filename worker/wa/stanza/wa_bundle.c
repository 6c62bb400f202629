/* worker/wa/stanza/wa_bundle.c - pre-key bundles on the wire */
#include "worker/wa/stanza/wa_bundle.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

#define KEY_TYPE_DJB 0x05
#define ID_LEN 3
#define REGISTRATION_LEN 4

struct wa_node *wa_bundle_fetch(const char *id)
{
	struct wa_node *iq = wa_iq("get", "encrypt", id);

	wa_node_add(iq, "key");
	return iq;
}

void wa_bundle_fetch_add(struct wa_node *fetch, const char *device_jid, bool identity_changed)
{
	struct wa_node *user;

	if (fetch == NULL)
		return;
	user = wa_node_add(fetch->first_child, "user");
	wa_node_set_jid(user, "jid", device_jid);
	if (identity_changed)
		wa_node_set(user, "reason", "identity");
}

static uint32_t be(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int copy_bytes(const struct wa_node *n, const char *tag, uint8_t *out, size_t len)
{
	const uint8_t *p;
	size_t p_len;
	int rc;

	rc = wa_child_bytes(n, tag, len, len, &p, &p_len);
	if (rc == 0)
		memcpy(out, p, len);
	return rc == -ENOENT ? WA_EPROTO : rc;
}

/* <id> and <value> of a <key> or <skey>. */
static int read_key(const struct wa_node *key, uint32_t *id_out, uint8_t value_out[WA_KEY_LEN])
{
	uint8_t id[ID_LEN];
	int rc;

	rc = copy_bytes(key, "id", id, sizeof(id));
	if (rc == 0)
		rc = copy_bytes(key, "value", value_out, WA_KEY_LEN);
	if (rc == 0)
		*id_out = be(id, sizeof(id));
	return rc;
}

int wa_bundle_read(const struct wa_node *n, struct wa_prekey_bundle *b_out)
{
	const struct wa_node *key = wa_node_child(n, "key"), *skey = wa_node_child(n, "skey");
	struct wa_prekey_bundle b = { 0 };
	uint8_t registration[REGISTRATION_LEN], type;
	int rc = 0;

	if (skey == NULL)
		return WA_EPROTO;
	if (wa_node_child(n, "registration") != NULL) {
		rc = copy_bytes(n, "registration", registration, sizeof(registration));
		if (rc == 0)
			b.registration_id = be(registration, sizeof(registration));
	}
	if (rc == 0 && wa_node_child(n, "type") != NULL) {
		rc = copy_bytes(n, "type", &type, 1);
		if (rc == 0 && type != KEY_TYPE_DJB)
			rc = WA_EPROTO;
	}
	if (rc == 0)
		rc = copy_bytes(n, "identity", b.identity, WA_KEY_LEN);
	if (rc == 0)
		rc = read_key(skey, &b.signed_prekey_id, b.signed_prekey);
	if (rc == 0)
		rc = copy_bytes(skey, "signature", b.signed_prekey_sig, WA_SIG_LEN);
	if (rc == 0 && key != NULL) {
		b.has_prekey = true;
		rc = read_key(key, &b.prekey_id, b.prekey);
	}
	if (rc == 0)
		*b_out = b;
	return rc;
}

int wa_bundle_each(const struct wa_node *result,
                   int (*on_answer)(void *arg, const struct wa_bundle_answer *a), void *arg)
{
	const struct wa_node *list = wa_node_child(result, "list");

	if (list == NULL)
		return WA_EPROTO;
	for (const struct wa_node *u = wa_node_child(list, "user"); u != NULL;
	     u = wa_node_next(u, "user")) {
		struct wa_bundle_answer a = { .jid = wa_node_attr(u, "jid") };
		uint64_t code = 1;
		int rc;

		if (a.jid == NULL)
			continue;
		if (wa_node_child(u, "error") != NULL) {
			if (wa_node_attr_u64(wa_node_child(u, "error"), "code", 999999, &code) <
			        0 ||
			    code == 0)
				code = 1;
			a.error = (unsigned)code;
		} else if (wa_node_child(u, "registration") == NULL ||
		           wa_bundle_read(u, &a.bundle) < 0) {
			a.error = 1;
		}
		rc = on_answer(arg, &a);
		if (rc < 0)
			return rc;
	}
	return 0;
}
