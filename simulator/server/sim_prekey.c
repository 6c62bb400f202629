/* simulator/server/sim_prekey.c - the prekeys that a device has put on the server */
#include "simulator/server/sim_prekey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "simulator/server/sim_prekey_priv.h"

int sim_prekeys_new(struct sim_prekeys **prekeys_out)
{
	struct sim_prekeys *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*prekeys_out = p;
	return 0;
}

void sim_prekeys_free(struct sim_prekeys *p)
{
	if (p == NULL)
		return;
	free(p->list);
	free(p);
}

size_t sim_prekeys_count(const struct sim_prekeys *p)
{
	return p == NULL ? 0 : p->left;
}

bool sim_prekeys_has_upload(const struct sim_prekeys *p)
{
	return p != NULL && p->has_upload;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static int refuse(struct sim_prekey_error *e, int code, const char *field, const char *reason)
{
	e->code = code;
	e->text = code == 409 ? "conflict" : "not-acceptable";
	e->field = field;
	e->reason = reason;
	return WA_EPROTO;
}

/* The content of the only child of that name, as real bytes of that length; NULL: it is not so. */
static const uint8_t *bytes_of(const struct wa_node *n, const char *tag, size_t len)
{
	const struct wa_node *child = wa_node_child(n, tag);

	if (child == NULL || wa_node_next(child, tag) != NULL ||
	    child->content != WA_CONTENT_BYTES || child->content_is_text || child->bytes_len != len)
		return NULL;
	return child->bytes;
}

static uint32_t be(const uint8_t *p, size_t len)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static bool is_id(uint32_t id)
{
	return id >= 1 && id <= SIM_PREKEY_ID_MAX;
}

/* <skey> into device, which is not changed on failure. code: what answers a wrong one. */
static int take_signed(const struct wa_node *skey, struct sim_prekey_device *device,
                       struct sim_prekey_error *e)
{
	const uint8_t *id = bytes_of(skey, "id", 3);
	const uint8_t *pub = bytes_of(skey, "value", WA_KEY_LEN);
	const uint8_t *sig = bytes_of(skey, "signature", WA_SIG_LEN);
	uint8_t signed_bytes[1 + WA_KEY_LEN] = { SIM_PREKEY_TYPE };

	if (id == NULL || pub == NULL || sig == NULL)
		return refuse(e, 406, "skey", "id, value or signature missing, or of another size");
	if (!is_id(be(id, 3)))
		return refuse(e, 406, "skey", "id out of range");
	memcpy(signed_bytes + 1, pub, WA_KEY_LEN);
	if (wa_xeddsa_verify(device->identity, signed_bytes, sizeof(signed_bytes), sig) < 0)
		return refuse(e, 406, "skey", "the signature does not verify");
	device->signed_id = be(id, 3);
	memcpy(device->signed_pub, pub, WA_KEY_LEN);
	memcpy(device->signed_sig, sig, WA_SIG_LEN);
	return 0;
}

int sim_prekeys_read_retry(const struct wa_node *receipt, const struct wa_node *keys,
                           struct wa_prekey_bundle *b_out)
{
	const uint8_t *registration = bytes_of(receipt, "registration", 4);
	const struct wa_node *one = keys == NULL ? NULL : wa_node_child(keys, "key");
	const struct wa_node *skey = keys == NULL ? NULL : wa_node_child(keys, "skey");
	struct sim_prekey_device device = { 0 };
	struct sim_prekey_error e;
	const uint8_t *identity, *type, *id, *pub;

	memset(b_out, 0, sizeof(*b_out));
	if (registration == NULL)
		return WA_EPROTO;
	b_out->registration_id = be(registration, 4);
	if (keys == NULL)
		return 0;
	identity = bytes_of(keys, "identity", WA_KEY_LEN);
	type = bytes_of(keys, "type", 1);
	if (identity == NULL || type == NULL || type[0] != SIM_PREKEY_TYPE || one == NULL ||
	    skey == NULL)
		return WA_EPROTO;
	memcpy(device.identity, identity, WA_KEY_LEN);
	id = bytes_of(one, "id", 3);
	pub = bytes_of(one, "value", WA_KEY_LEN);
	if (take_signed(skey, &device, &e) < 0 || id == NULL || pub == NULL || !is_id(be(id, 3)))
		return WA_EPROTO;
	memcpy(b_out->identity, identity, WA_KEY_LEN);
	b_out->signed_prekey_id = device.signed_id;
	memcpy(b_out->signed_prekey, device.signed_pub, WA_KEY_LEN);
	memcpy(b_out->signed_prekey_sig, device.signed_sig, WA_SIG_LEN);
	b_out->has_prekey = true;
	b_out->prekey_id = be(id, 3);
	memcpy(b_out->prekey, pub, WA_KEY_LEN);
	return 0;
}

static int check_owner(const struct sim_prekey_device *device, const struct wa_node *iq,
                       struct sim_prekey_error *e)
{
	const uint8_t *registration = bytes_of(iq, "registration", 4);
	const uint8_t *type = bytes_of(iq, "type", 1);
	const uint8_t *identity = bytes_of(iq, "identity", WA_KEY_LEN);

	if (registration == NULL || be(registration, 4) != device->registration_id)
		return refuse(e, 406, "registration", "not the registration id of this device");
	if (type == NULL || type[0] != SIM_PREKEY_TYPE)
		return refuse(e, 406, "type", "not 05");
	if (identity == NULL || memcmp(identity, device->identity, WA_KEY_LEN) != 0)
		return refuse(e, 406, "identity", "not the identity of this device");
	return 0;
}

static int reserve(struct sim_prekeys *p, size_t more)
{
	size_t cap = p->n + more;
	struct sim_prekey *list;

	if (cap <= p->cap)
		return 0;
	list = realloc(p->list, cap * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	p->list = list;
	p->cap = cap;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct sim_prekey *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Is an id given twice, or with another key than the one that lies here or was given out? */
static bool has_conflict(const struct sim_prekeys *p, const struct sim_prekey *sorted, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (sorted[i].id == sorted[i - 1].id)
			return true;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct sim_prekey *same =
		    bsearch(&p->list[i], sorted, n, sizeof(*sorted), by_id);

		if (same != NULL && memcmp(same->pub, p->list[i].pub, WA_KEY_LEN) != 0)
			return true;
	}
	return false;
}

static bool is_known(const struct sim_prekeys *p, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (p->list[i].id == id)
			return true;
	}
	return false;
}

static int take_keys(const struct wa_node *list, struct sim_prekey *keys,
                     struct sim_prekey_error *e)
{
	size_t n = 0;

	for (const struct wa_node *k = list->first_child; k != NULL; k = k->next) {
		const uint8_t *id = bytes_of(k, "id", 3);
		const uint8_t *pub = bytes_of(k, "value", WA_KEY_LEN);

		if (!wa_node_is(k, "key") || id == NULL || pub == NULL)
			return refuse(e, 406, "key", "id or value missing, or of another size");
		if (!is_id(be(id, 3)))
			return refuse(e, 406, "key", "id out of range");
		keys[n].id = be(id, 3);
		keys[n].used = false;
		memcpy(keys[n++].pub, pub, WA_KEY_LEN);
	}
	return 0;
}

/* Room is there. Keys that lie here already are the same ones sent again. */
static void append(struct sim_prekeys *p, const struct sim_prekey *keys, size_t n)
{
	size_t before = p->n;

	for (size_t i = 0; i < n; i++) {
		if (before > 0 && is_known(p, before, keys[i].id))
			continue;
		p->list[p->n++] = keys[i];
		p->left++;
	}
}

static int take_list(struct sim_prekeys *p, const struct wa_node *list, struct sim_prekey_error *e)
{
	size_t n = list->children_n;
	struct sim_prekey *keys = NULL, *sorted = NULL;
	int rc;

	if (list->content != WA_CONTENT_NODES || n == 0)
		return refuse(e, 406, "list", "no keys");
	if (n > SIM_PREKEYS_MAX || p->left + n > SIM_PREKEYS_MAX)
		return refuse(e, 406, "list", "too many keys");
	keys = calloc(n, sizeof(*keys));
	sorted = calloc(n, sizeof(*sorted));
	rc = keys == NULL || sorted == NULL ? -ENOMEM : take_keys(list, keys, e);
	if (rc == 0)
		rc = reserve(p, n);
	if (rc < 0)
		goto out;
	memcpy(sorted, keys, n * sizeof(*keys));
	qsort(sorted, n, sizeof(*sorted), by_id);
	if (has_conflict(p, sorted, n)) {
		rc = refuse(e, 406, "key", "an id twice, or with another value than before");
		goto out;
	}
	append(p, keys, n);
out:
	free(keys);
	free(sorted);
	return rc;
}

int sim_prekeys_upload(struct sim_prekeys *p, struct sim_prekey_device *device,
                       const struct wa_node *iq, struct sim_prekey_error *error_out)
{
	const struct wa_node *list = wa_node_child(iq, "list");
	const struct wa_node *skey = wa_node_child(iq, "skey");
	struct sim_prekey_device changed = *device;
	int rc;

	rc = check_owner(device, iq, error_out);
	if (rc == 0 && skey == NULL)
		rc = refuse(error_out, 406, "skey", "missing");
	if (rc == 0 && list == NULL)
		rc = refuse(error_out, 406, "list", "missing");
	if (rc == 0)
		rc = take_signed(skey, &changed, error_out);
	if (rc == 0)
		rc = take_list(p, list, error_out);
	if (rc < 0)
		return rc;
	*device = changed;
	p->has_upload = true;
	return 0;
}

int sim_prekeys_rotate(struct sim_prekey_device *device, const struct wa_node *rotate,
                       struct sim_prekey_error *error_out)
{
	const struct wa_node *skey = wa_node_child(rotate, "skey");
	struct sim_prekey_device changed = *device;
	int rc;

	if (skey == NULL)
		return refuse(error_out, 406, "skey", "missing");
	rc = take_signed(skey, &changed, error_out);
	if (rc < 0)
		return rc;
	if (changed.signed_id == device->signed_id &&
	    memcmp(changed.signed_pub, device->signed_pub, WA_KEY_LEN) != 0)
		return refuse(error_out, 409, "skey", "another key under the same id");
	*device = changed;
	return 0;
}
