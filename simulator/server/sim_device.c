/* simulator/server/sim_device.c - the linked devices of all accounts */
#include "simulator/server/sim_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "simulator/history/sim_sync.h"
#include "simulator/phone/sim_keep.h"

struct sim_devices {
	struct sim_rand rnd;
	struct sim_account *first; /* owned */
	struct sim_keep index;     /* "n NUMBER" and "l LID-USER" to a pointer to the account */
	sim_key_index_signer *sign;
	void *sign_arg;
};

int sim_devices_new(const struct sim_rand *rnd, struct sim_devices **devices_out)
{
	struct sim_devices *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->rnd = *rnd;
	*devices_out = d;
	return 0;
}

static void device_free(struct sim_device *device)
{
	if (device == NULL)
		return;
	buf_free(&device->identity_bytes);
	sim_prekeys_free(device->prekeys);
	sim_queue_free(device->queue);
	sim_sync_free(device->sync);
	free(device);
}

void sim_devices_free(struct sim_devices *d)
{
	if (d == NULL)
		return;
	while (d->first != NULL) {
		struct sim_account *a = d->first;

		d->first = a->next;
		while (a->first != NULL) {
			struct sim_device *device = a->first;

			a->first = device->next;
			device_free(device);
		}
		free(a);
	}
	sim_keep_clear(&d->index);
	free(d);
}

/* ---- accounts -----------------------------------------------------------------------------------
 */

static void index_name(char out[SIM_JID_CAP + 2], char kind, const char *user)
{
	snprintf(out, SIM_JID_CAP + 2, "%c %.*s", kind, SIM_JID_CAP - 1, user);
}

static struct sim_account *look_up(const struct sim_devices *d, char kind, const char *user)
{
	struct sim_account *a = NULL;
	char name[SIM_JID_CAP + 2];
	const uint8_t *data;
	size_t len;

	index_name(name, kind, user);
	if (sim_keep_get(&d->index, name, &data, &len) == 0)
		memcpy(&a, data, sizeof(a));
	return a;
}

static int put_index(struct sim_devices *d, struct sim_account *a)
{
	char number[SIM_JID_CAP + 2], lid[SIM_JID_CAP + 2];
	int rc;

	index_name(number, 'n', a->number);
	index_name(lid, 'l', a->lid_user);
	rc = sim_keep_put(&d->index, number, &a, sizeof(a));
	if (rc == 0)
		rc = sim_keep_put(&d->index, lid, &a, sizeof(a));
	if (rc < 0)
		(void)sim_keep_drop(&d->index, number);
	return rc;
}

struct sim_account *sim_account_find(const struct sim_devices *d, const char *number)
{
	return look_up(d, 'n', number);
}

struct sim_account *sim_account_find_lid(const struct sim_devices *d, const char *lid_user)
{
	return look_up(d, 'l', lid_user);
}

/* The number decides the stream, so that a seed gives each account the same in any order. */
static int draw(const struct sim_devices *d, struct sim_account *a)
{
	struct sim_rand own;
	int rc = sim_rand_fork(&d->rnd, "account", strtoull(a->number, NULL, 10), &own);

	if (rc == 0)
		rc = sim_rand_bytes(&own, a->routing, sizeof(a->routing));
	if (rc == 0)
		rc = sim_rand_bytes(&own, a->enc_static, sizeof(a->enc_static));
	return rc;
}

static int get_account(struct sim_devices *d, const char *number, const char *lid,
                       struct sim_account **account_out)
{
	struct sim_account *a = sim_account_find(d, number);
	int rc;

	if (a != NULL) {
		*account_out = a;
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	snprintf(a->number, sizeof(a->number), "%s", number);
	snprintf(a->lid_user, sizeof(a->lid_user), "%.*s", (int)strcspn(lid, "@"), lid);
	rc = draw(d, a);
	if (rc == 0)
		rc = put_index(d, a);
	if (rc < 0) {
		free(a);
		return rc;
	}
	a->next = d->first;
	d->first = a;
	*account_out = a;
	return 0;
}

int sim_account_set_primary(struct sim_devices *d, const char *number, const char *lid,
                            const struct sim_prekey_device *keys)
{
	struct sim_account *a;
	int rc = get_account(d, number, lid, &a);

	if (rc < 0)
		return rc;
	a->primary = *keys;
	a->has_primary = true;
	return 0;
}

void sim_devices_set_signer(struct sim_devices *d, sim_key_index_signer *sign, void *arg)
{
	d->sign = sign;
	d->sign_arg = arg;
}

int sim_devices_sign(const struct sim_devices *d, const char *number, struct buf *out,
                     int64_t *ts_out)
{
	return d->sign == NULL ? WA_ESTATE : d->sign(number, out, ts_out, d->sign_arg);
}

/* ---- devices ------------------------------------------------------------------------------------
 */

struct sim_device *sim_device_first(const struct sim_devices *d, const char *number)
{
	const struct sim_account *a = sim_account_find(d, number);

	return a == NULL ? NULL : a->first;
}

struct sim_device *sim_device_find(const struct sim_devices *d, const char *number, uint32_t id)
{
	struct sim_device *device = sim_device_first(d, number);

	while (device != NULL && device->id != id)
		device = device->next;
	return device;
}

struct sim_device *sim_device_find_noise(const struct sim_devices *d,
                                         const uint8_t noise_key[WA_KEY_LEN])
{
	for (const struct sim_account *a = d->first; a != NULL; a = a->next) {
		for (struct sim_device *dev = a->first; dev != NULL; dev = dev->next) {
			if (memcmp(dev->noise_key, noise_key, WA_KEY_LEN) == 0)
				return dev;
		}
	}
	return NULL;
}

bool sim_device_is_online(const struct sim_device *device)
{
	return device->client != NULL;
}

int sim_device_reserve(struct sim_devices *d, const char *number, const char *lid, uint32_t *id_out)
{
	struct sim_account *a;
	int rc = get_account(d, number, lid, &a);

	if (rc < 0)
		return rc;
	if (a->last_device >= SIM_DEVICES_MAX)
		return WA_ELIMIT;
	*id_out = ++a->last_device;
	return 0;
}

static int fill(struct sim_device *device, const struct sim_device_new *params)
{
	const struct sim_account *a = device->account;
	int rc;

	snprintf(device->jid, sizeof(device->jid), "%s:%u@s.whatsapp.net", a->number, device->id);
	snprintf(device->lid, sizeof(device->lid), "%.20s:%u@lid", a->lid_user, device->id);
	memcpy(device->noise_key, params->noise_key, WA_KEY_LEN);
	device->key_index = params->key_index;
	device->history = params->history;
	device->platform_type = params->platform_type;
	snprintf(device->name, sizeof(device->name), "%s",
	         params->name == NULL ? "" : params->name);
	device->linked_unix_ms = params->now_unix_ms;
	device->dirty_account_sync = params->now_unix_ms / 1000;
	device->dirty_groups = params->now_unix_ms / 1000;
	device->prekey.registration_id = params->registration_id;
	memcpy(device->prekey.identity, params->identity, WA_KEY_LEN);
	device->prekey.signed_id = params->signed_prekey_id;
	memcpy(device->prekey.signed_pub, params->signed_prekey, WA_KEY_LEN);
	memcpy(device->prekey.signed_sig, params->signed_prekey_sig, WA_SIG_LEN);
	rc =
	    buf_append(&device->identity_bytes, params->identity_bytes, params->identity_bytes_len);
	if (rc == 0)
		rc = sim_prekeys_new(&device->prekeys);
	if (rc == 0)
		rc = sim_queue_new(&device->queue);
	return rc;
}

/* Kept in the order of the numbers; a reserved one may come late. */
static void insert(struct sim_account *a, struct sim_device *device)
{
	struct sim_device **at = &a->first;

	while (*at != NULL && (*at)->id < device->id)
		at = &(*at)->next;
	device->next = *at;
	*at = device;
}

static int pick_id(struct sim_devices *d, const struct sim_device_new *params, uint32_t *id_out)
{
	if (params->id == 0)
		return sim_device_reserve(d, params->number, params->lid, id_out);
	if (params->id > SIM_DEVICES_MAX)
		return WA_ELIMIT;
	*id_out = params->id;
	return 0;
}

int sim_device_add(struct sim_devices *d, const struct sim_device_new *params,
                   struct sim_device **device_out)
{
	struct sim_device *device;
	struct sim_account *a;
	uint32_t id;
	int rc = get_account(d, params->number, params->lid, &a);

	if (rc < 0)
		return rc;
	if (sim_device_find_noise(d, params->noise_key) != NULL ||
	    (params->id != 0 && sim_device_find(d, params->number, params->id) != NULL))
		return -EEXIST;
	rc = pick_id(d, params, &id);
	if (rc < 0)
		return rc;
	device = calloc(1, sizeof(*device));
	if (device == NULL)
		return -ENOMEM;
	device->account = a;
	device->id = id;
	rc = fill(device, params);
	if (rc < 0) {
		device_free(device);
		return rc;
	}
	if (a->last_device < id)
		a->last_device = id;
	insert(a, device);
	*device_out = device;
	return 0;
}

void sim_device_remove(struct sim_device *device)
{
	struct sim_device **at = &device->account->first;

	while (*at != NULL && *at != device)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = device->next;
	device_free(device);
}
