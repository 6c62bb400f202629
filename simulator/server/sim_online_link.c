/* simulator/server/sim_online_link.c - devices that come and go, and who is told about it */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"

#define HASH_PREFIX 6 /* bytes of the SHA-256 that the device hash shows */
#define FORM_CAP (SIM_JID_CAP + 8)
#define LOW_PREKEYS 5

/* ---- the list of devices -----------------------------------------------------------------------
 */

static size_t count_devices(const struct sim_account *a)
{
	size_t n = 1; /* the phone */

	for (const struct sim_device *d = a->first; d != NULL; d = d->next)
		n++;
	return n;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "user.0:device@server" of every device. */
static void write_forms(const struct sim_account *a, bool lid, char (*forms)[FORM_CAP])
{
	const char *user = lid ? a->lid_user : a->number;
	const char *server = lid ? "lid" : WA_SERVER_JID;

	snprintf(*forms++, FORM_CAP, "%.20s.0:0@%s", user, server);
	for (const struct sim_device *d = a->first; d != NULL; d = d->next)
		snprintf(*forms++, FORM_CAP, "%.20s.0:%u@%s", user, d->id, server);
}

/* "2:" and 8 characters; "" when memory runs out. Source: protocol notes 04 section 13. */
static void device_hash(const struct sim_account *a, bool lid, char out[16])
{
	size_t n = count_devices(a);
	char(*forms)[FORM_CAP] = calloc(n, sizeof(*forms));
	struct buf joined = { 0 };
	uint8_t hash[32];
	int rc = forms == NULL ? -ENOMEM : 0;

	out[0] = '\0';
	if (rc == 0) {
		write_forms(a, lid, forms);
		qsort(forms, n, sizeof(*forms), by_bytes);
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = buf_append_str(&joined, forms[i]);
	if (rc == 0)
		rc = wa_sha256(joined.p, joined.len, hash);
	if (rc == 0) {
		memcpy(out, "2:", 2);
		b64_encode(hash, HASH_PREFIX, out + 2);
	}
	buf_free(&joined);
	free(forms);
}

void sim_online_add_key_index_list(const struct sim *s, const struct sim_account *a,
                                   struct wa_node *parent)
{
	struct buf list = { 0 };
	struct wa_node *n;
	int64_t ts;

	if (sim_devices_sign(s->devices, a->number, &list, &ts) == 0) {
		n = wa_node_add(parent, "key-index-list");
		wa_node_set_int(n, "ts", ts);
		wa_node_set_bytes(n, list.p, list.len);
	}
	buf_free(&list);
}

static void add_devices(const struct sim_account *a, bool lid, struct wa_node *devices)
{
	struct wa_node *n = wa_node_add(devices, "device");
	char jid[FORM_CAP];

	snprintf(jid, sizeof(jid), "%.20s@%s", lid ? a->lid_user : a->number,
	         lid ? "lid" : WA_SERVER_JID);
	wa_node_set_jid(n, "jid", jid);
	for (const struct sim_device *d = a->first; d != NULL; d = d->next) {
		n = wa_node_add(devices, "device");
		wa_node_set_jid(n, "jid", lid ? d->lid : d->jid);
		wa_node_set_int(n, "key-index", d->key_index);
	}
}

/* <notification type="account_sync"> with all devices, once per form of the own JID. */
static struct wa_node *device_list(struct sim *s, const struct sim_account *a, bool lid)
{
	struct wa_node *n = wa_node_new("notification");
	struct wa_node *devices;
	char id[SIM_ID_CAP], jid[FORM_CAP], hash[16];

	sim_online_id(s, id);
	device_hash(a, lid, hash);
	snprintf(jid, sizeof(jid), "%.20s@%s", lid ? a->lid_user : a->number,
	         lid ? "lid" : WA_SERVER_JID);
	wa_node_set_jid(n, "from", jid);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "type", "account_sync");
	devices = wa_node_add(n, "devices");
	wa_node_set(devices, "dhash", hash);
	add_devices(a, lid, devices);
	sim_online_add_key_index_list(s, a, devices);
	return n;
}

/* Tell the account's devices but one (NULL: all) which devices there are now. */
static void sim_online_tell_devices(struct sim *s, const struct sim_account *a,
                                    const struct sim_device *but)
{
	int rc = 0;

	for (struct sim_device *d = a->first; d != NULL && rc == 0; d = d->next) {
		if (d == but)
			continue;
		rc = sim_online_push(d, device_list(s, a, false));
		if (rc == 0)
			rc = sim_online_push(d, device_list(s, a, true));
	}
	if (rc < 0)
		LOG(NULL, LOG_WARNING, "device_list_not_told", LF_ERR("err", rc));
}

/* ---- come and go -------------------------------------------------------------------------------
 */

int sim_online_link(struct sim *s, const struct sim_device_new *params,
                    struct sim_device **device_out)
{
	int rc = sim_device_add(s->devices, params, device_out);

	if (rc == 0)
		sim_online_tell_devices(s, (*device_out)->account, *device_out);
	return rc;
}

void sim_online_unlink(struct sim *s, struct sim_device *device)
{
	const struct sim_account *a = device->account;
	struct sim_client *c = device->client;

	if (c != NULL) {
		sim_online_gone(c);
		sim_client_stream_error(c, 401, "device_removed");
	}
	sim_device_remove(device);
	sim_online_tell_devices(s, a, NULL);
}

void sim_online_check_prekeys(struct sim *s, struct sim_device *device)
{
	size_t left = sim_prekeys_count(device->prekeys);
	struct wa_node *n;
	char id[SIM_ID_CAP];

	if (left >= LOW_PREKEYS || device->low_told || !sim_prekeys_has_upload(device->prekeys))
		return;
	device->low_told = true;
	sim_online_id(s, id);
	n = wa_node_new("notification");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "id", id);
	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set(n, "type", "encrypt");
	wa_node_set_int(wa_node_add(n, "count"), "value", (int64_t)left);
	if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "prekeys_low_not_told", LF_INT("left", left));
}
