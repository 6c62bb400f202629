/* worker/wa/stanza/wa_receipt.c - receipts: delivery, reading, retries */
#include "worker/wa/stanza/wa_receipt.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

#define KEY_TYPE_DJB 0x05

static const char *const type_names[] = {
#define X(id, name) [id] = name,
	WA_RECEIPT_LIST(X)
#undef X
};

/* ---- outgoing -----------------------------------------------------------------------------------
 */

static struct wa_node *receipt_new(enum wa_receipt_type type)
{
	struct wa_node *r = wa_node_new("receipt");

	if (type != WA_RECEIPT_DELIVERED)
		wa_node_set(r, "type", type_names[type]);
	return r;
}

struct wa_node *wa_receipt_for(const struct wa_node *message, enum wa_receipt_type type)
{
	struct wa_node *r;

	if (wa_node_attr(message, "id") == NULL || wa_node_attr(message, "from") == NULL)
		return NULL;
	r = receipt_new(type);
	wa_copy_attr(r, "id", message, "id");
	wa_copy_attr(r, "to", message, "from");
	wa_copy_attr(r, "participant", message, "participant");
	wa_copy_attr(r, "recipient", message, "recipient");
	return r;
}

struct wa_node *wa_receipt_to_self(const char *message_id, const char *own_pn_jid,
                                   enum wa_receipt_type type)
{
	struct wa_node *r = receipt_new(type);

	wa_node_set(r, "id", message_id);
	wa_node_set_jid(r, "to", own_pn_jid);
	return r;
}

struct wa_node *wa_receipt_read(const char *chat_jid, const char *participant,
                                const char *const *ids, size_t ids_n, int64_t now_unix_s,
                                enum wa_receipt_type type)
{
	struct wa_node *r = receipt_new(type), *list;

	wa_node_set(r, "id", ids[0]);
	wa_node_set_jid(r, "to", chat_jid);
	if (participant != NULL)
		wa_node_set_jid(r, "participant", participant);
	wa_node_set_int(r, "t", now_unix_s);
	if (ids_n == 1)
		return r;
	list = wa_node_add(r, "list");
	for (size_t i = 1; i < ids_n; i++)
		wa_node_set(wa_node_add(list, "item"), "id", ids[i]);
	return r;
}

/* ---- incoming -----------------------------------------------------------------------------------
 */

static enum wa_receipt_type type_of(const char *name)
{
	if (name == NULL)
		return WA_RECEIPT_DELIVERED;
	for (size_t i = WA_RECEIPT_INACTIVE; i < WA_RECEIPT_UNKNOWN; i++) {
		if (strcmp(name, type_names[i]) == 0)
			return (enum wa_receipt_type)i;
	}
	return WA_RECEIPT_UNKNOWN;
}

/* 0 when absent or no number. */
static uint64_t time_of(const struct wa_node *n)
{
	uint64_t v;

	return wa_node_attr_u64(n, "t", UINT64_MAX / 2, &v) < 0 ? 0 : v;
}

int wa_receipt_read_node(const struct wa_node *n, struct wa_receipt *r_out)
{
	struct wa_receipt r = {
		.type = type_of(wa_node_attr(n, "type")),
		.id = wa_node_attr(n, "id"),
		.from = wa_node_attr(n, "from"),
		.participant = wa_node_attr(n, "participant"),
		.recipient = wa_node_attr(n, "recipient"),
		.unix_s = time_of(n),
		.offline = wa_node_attr(n, "offline") != NULL,
		.peer = wa_node_attr_is(n, "category", "peer"),
	};

	if (!wa_node_is(n, "receipt") || r.id == NULL || r.from == NULL)
		return WA_EPROTO;
	*r_out = r;
	return 0;
}

/* <participants key="ID"><user jid t/>...</participants> */
static int each_member(const struct wa_node *participants, const char *message_id,
                       int (*on_item)(void *arg, const struct wa_receipt_item *item), void *arg)
{
	for (const struct wa_node *u = wa_node_child(participants, "user"); u != NULL;
	     u = wa_node_next(u, "user")) {
		struct wa_receipt_item item = { message_id, wa_node_attr(u, "jid"), time_of(u) };
		int rc;

		if (item.participant == NULL)
			continue;
		rc = on_item(arg, &item);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int wa_receipt_each(const struct wa_node *n,
                    int (*on_item)(void *arg, const struct wa_receipt_item *item), void *arg)
{
	const struct wa_node *group = wa_node_child(n, "participants"), *i;
	struct wa_receipt_item item;
	struct wa_receipt r;
	int rc;

	rc = wa_receipt_read_node(n, &r);
	for (; rc == 0 && group != NULL; group = wa_node_next(group, "participants")) {
		const char *key = wa_node_attr(group, "key");

		rc = each_member(group, key == NULL ? r.id : key, on_item, arg);
	}
	if (rc < 0 || wa_node_child(n, "participants") != NULL)
		return rc;
	item = (struct wa_receipt_item){ r.id, r.participant, r.unix_s };
	rc = on_item(arg, &item);
	i = wa_node_child(wa_node_child(n, "list"), "item");
	for (; rc >= 0 && i != NULL; i = wa_node_next(i, "item")) {
		item.message_id = wa_node_attr(i, "id");
		if (item.message_id != NULL)
			rc = on_item(arg, &item);
	}
	return rc < 0 ? rc : 0;
}

/* ---- retries ------------------------------------------------------------------------------------
 */

static void add_be(struct wa_node *parent, const char *tag, uint32_t v, size_t len)
{
	uint8_t b[4];

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(v >> 8 * (len - 1 - i));
	wa_node_set_bytes(wa_node_add(parent, tag), b, len);
}

static void add_keys(struct wa_node *receipt, const struct wa_retry_ask *ask)
{
	static const uint8_t type[] = { KEY_TYPE_DJB };
	const struct wa_prekey_bundle *k = ask->keys;
	struct wa_node *keys = wa_node_add(receipt, "keys"), *key;

	wa_node_set_bytes(wa_node_add(keys, "type"), type, sizeof(type));
	wa_node_set_bytes(wa_node_add(keys, "identity"), k->identity, WA_KEY_LEN);
	if (k->has_prekey) {
		key = wa_node_add(keys, "key");
		add_be(key, "id", k->prekey_id, 3);
		wa_node_set_bytes(wa_node_add(key, "value"), k->prekey, WA_KEY_LEN);
	}
	key = wa_node_add(keys, "skey");
	add_be(key, "id", k->signed_prekey_id, 3);
	wa_node_set_bytes(wa_node_add(key, "value"), k->signed_prekey, WA_KEY_LEN);
	wa_node_set_bytes(wa_node_add(key, "signature"), k->signed_prekey_sig, WA_SIG_LEN);
	if (ask->device_identity != NULL)
		wa_node_set_bytes(wa_node_add(keys, "device-identity"), ask->device_identity,
		                  ask->device_identity_len);
}

struct wa_node *wa_retry_receipt(const struct wa_node *message, const struct wa_retry_ask *ask)
{
	struct wa_node *r = wa_receipt_for(message, WA_RECEIPT_RETRY), *retry;

	if (r == NULL)
		return NULL;
	if (wa_node_attr_is(message, "category", "peer"))
		wa_node_set(r, "category", "peer");
	retry = wa_node_add(r, "retry");
	wa_node_set_int(retry, "count", ask->count);
	wa_node_set(retry, "id", wa_node_attr(message, "id"));
	wa_node_set(retry, "t", wa_node_attr(message, "t"));
	wa_node_set(retry, "v", "1");
	if (ask->error != 0)
		wa_node_set_int(retry, "error", ask->error);
	add_be(r, "registration", ask->registration_id, 4);
	if (ask->keys != NULL)
		add_keys(r, ask);
	return r;
}

int wa_retry_read(const struct wa_node *n, struct wa_retry *r_out)
{
	const struct wa_node *retry = wa_node_child(n, "retry"), *keys = wa_node_child(n, "keys");
	struct wa_retry r = { 0 };
	const uint8_t *p;
	uint64_t v;
	size_t len;
	int rc;

	rc = wa_receipt_read_node(n, &r.receipt);
	if (rc < 0 || r.receipt.type != WA_RECEIPT_RETRY || retry == NULL)
		return WA_EPROTO;
	r.message_id = wa_node_attr(retry, "id");
	if (r.message_id == NULL)
		r.message_id = r.receipt.id;
	if (wa_node_attr_u64(retry, "count", 1000, &v) < 0)
		return WA_EPROTO;
	r.count = (unsigned)v;
	r.error = wa_node_attr_u64(retry, "error", 1000, &v) < 0 ? 0 : (unsigned)v;
	r.message_unix_s = time_of(retry);
	if (wa_child_bytes(n, "registration", 4, 4, &p, &len) < 0)
		return WA_EPROTO;
	r.registration_id =
	    (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	if (keys != NULL) {
		if (wa_bundle_read(keys, &r.keys) < 0)
			return WA_EPROTO;
		r.has_keys = true;
		r.keys.registration_id = r.registration_id;
		rc = wa_child_bytes(keys, "device-identity", 1, WA_DEVICE_IDENTITY_MAX,
		                    &r.device_identity, &r.device_identity_len);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	*r_out = r;
	return 0;
}
