/* worker/wa/stanza/wa_prekey.c - counting, uploading and comparing our pre-keys on the server */
#include "worker/wa/stanza/wa_prekey.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

#define KEY_TYPE_DJB 0x05
#define REGISTRATION_LEN 4
#define ID_LEN 3
#define SHA1_LEN 20

static void put_be(uint32_t v, uint8_t *out, unsigned len)
{
	while (len-- > 0) {
		out[len] = (uint8_t)v;
		v >>= 8;
	}
}

/* ---- count --------------------------------------------------------------------------------------
 */

struct wa_node *wa_prekey_count_get(const char *id)
{
	struct wa_node *iq = wa_iq("get", "encrypt", id);

	wa_node_add(iq, "count");
	return iq;
}

int wa_prekey_count_read(const struct wa_node *result, uint32_t *count_out)
{
	uint64_t count;
	int rc;

	rc = wa_node_attr_u64(wa_node_child(result, "count"), "value", UINT32_MAX, &count);
	if (rc == 0)
		*count_out = (uint32_t)count;
	return rc;
}

/* ---- upload -------------------------------------------------------------------------------------
 */

/* id, value and, for the signed one, signature. */
static void add_key(struct wa_node *key, uint32_t id, const uint8_t pub[WA_KEY_LEN],
                    const uint8_t *sig)
{
	uint8_t be[ID_LEN];

	put_be(id, be, sizeof(be));
	wa_node_set_bytes(wa_node_add(key, "id"), be, sizeof(be));
	wa_node_set_bytes(wa_node_add(key, "value"), pub, WA_KEY_LEN);
	if (sig != NULL)
		wa_node_set_bytes(wa_node_add(key, "signature"), sig, WA_SIG_LEN);
}

struct wa_node *wa_prekey_upload(const struct wa_device *d, const char *id)
{
	static const uint8_t type[] = { KEY_TYPE_DJB };
	struct wa_node *iq = wa_iq("set", "encrypt", id);
	uint8_t registration[REGISTRATION_LEN];

	put_be(d->registration_id, registration, sizeof(registration));
	wa_node_set_bytes(wa_node_add(iq, "registration"), registration, sizeof(registration));
	wa_node_set_bytes(wa_node_add(iq, "type"), type, sizeof(type));
	wa_node_set_bytes(wa_node_add(iq, "identity"), d->identity.pub, WA_KEY_LEN);
	wa_node_add(iq, "list");
	add_key(wa_node_add(iq, "skey"), d->signed_prekey_id, d->signed_prekey.pub,
	        d->signed_prekey_sig);
	return iq;
}

void wa_prekey_upload_add(struct wa_node *upload, uint32_t key_id, const uint8_t pub[WA_KEY_LEN])
{
	struct wa_node *n = upload == NULL ? NULL : upload->first_child;

	while (n != NULL && !wa_node_is(n, "list"))
		n = n->next;
	add_key(wa_node_add(n, "key"), key_id, pub, NULL);
}

struct wa_node *wa_prekey_rotate(const struct wa_device *d, const char *id)
{
	struct wa_node *iq = wa_iq("set", "encrypt", id);

	add_key(wa_node_add(wa_node_add(iq, "rotate"), "skey"), d->signed_prekey_id,
	        d->signed_prekey.pub, d->signed_prekey_sig);
	return iq;
}

/* ---- digest -------------------------------------------------------------------------------------
 */

struct wa_node *wa_prekey_digest_get(const char *id)
{
	struct wa_node *iq = wa_iq("get", "encrypt", id);

	wa_node_add(iq, "digest");
	return iq;
}

static bool child_is(const struct wa_node *n, const char *tag, const void *want, size_t want_len)
{
	const uint8_t *p;
	size_t len;

	return wa_child_bytes(n, tag, want_len, want_len, &p, &len) == 0 &&
	       memcmp(p, want, want_len) == 0;
}

static bool identity_is_ours(const struct wa_node *digest, const struct wa_device *d)
{
	const struct wa_node *skey = wa_node_child(digest, "skey");
	uint8_t registration[REGISTRATION_LEN], id[ID_LEN];

	put_be(d->registration_id, registration, sizeof(registration));
	put_be(d->signed_prekey_id, id, sizeof(id));
	return child_is(digest, "registration", registration, sizeof(registration)) &&
	       child_is(digest, "identity", d->identity.pub, WA_KEY_LEN) &&
	       child_is(skey, "id", id, sizeof(id)) &&
	       child_is(skey, "value", d->signed_prekey.pub, WA_KEY_LEN) &&
	       child_is(skey, "signature", d->signed_prekey_sig, WA_SIG_LEN);
}

/* Append what the hash is over. WA_EAUTH: a key listed that is not ours any more. */
static int append_hashed(const struct wa_node *list, const struct wa_device *d,
                         int (*pub_of)(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg), void *arg,
                         struct buf *out)
{
	const struct wa_node *id;
	uint8_t pub[WA_KEY_LEN];
	int rc;

	rc = buf_append(out, d->identity.pub, WA_KEY_LEN);
	if (rc == 0)
		rc = buf_append(out, d->signed_prekey.pub, WA_KEY_LEN);
	if (rc == 0)
		rc = buf_append(out, d->signed_prekey_sig, WA_SIG_LEN);
	for (id = wa_node_child(list, "id"); id != NULL && rc == 0; id = wa_node_next(id, "id")) {
		if (id->content != WA_CONTENT_BYTES || id->bytes_len != ID_LEN)
			return WA_EAUTH;
		if (pub_of((uint32_t)id->bytes[0] << 16 | (uint32_t)id->bytes[1] << 8 |
		               id->bytes[2],
		           pub, arg) < 0)
			return WA_EAUTH;
		rc = buf_append(out, pub, WA_KEY_LEN);
	}
	return rc;
}

int wa_prekey_digest_check(const struct wa_node *result, const struct wa_device *d,
                           int (*pub_of)(uint32_t id, uint8_t pub[WA_KEY_LEN], void *arg),
                           void *arg)
{
	static const uint8_t type[] = { KEY_TYPE_DJB };
	const struct wa_node *digest = wa_node_child(result, "digest");
	const struct wa_node *list = wa_node_child(digest, "list");
	struct buf hashed = { 0 };
	uint8_t hash[SHA1_LEN];
	int rc;

	if (digest == NULL || (list != NULL && list->children_n > WA_PREKEY_DIGEST_MAX))
		return WA_EPROTO;
	if (!child_is(digest, "type", type, sizeof(type)))
		return WA_ESTATE;
	if (!identity_is_ours(digest, d))
		return WA_EAUTH;
	rc = append_hashed(list, d, pub_of, arg, &hashed);
	if (rc == 0)
		rc = wa_sha1(hashed.p, hashed.len, hash);
	if (rc == 0 && !child_is(digest, "hash", hash, sizeof(hash)))
		rc = WA_EAUTH;
	buf_free(&hashed);
	return rc;
}
