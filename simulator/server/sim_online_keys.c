/* simulator/server/sim_online_keys.c - requests of xmlns "encrypt": prekeys up, prekeys down */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/phone/sim_peer.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/node/wa_jid.h"

#define USERS_MAX 4096

/* ---- up ----------------------------------------------------------------------------------------
 */

static void refused(struct sim_client *c, const struct wa_node *iq,
                    const struct sim_prekey_error *e)
{
	struct wa_node *n = sim_online_answer(iq, "error");
	struct wa_node *error = wa_node_add(n, "error");
	struct wa_node *field;

	LOG(NULL, LOG_NOTICE, "prekeys_refused", LF_INT("client", c->id), LF_INT("code", e->code),
	    LF_STR("field", e->field), LF_STR("why", e->reason));
	wa_node_set_int(error, "code", e->code);
	wa_node_set(error, "text", e->text);
	if (e->field != NULL) {
		field = wa_node_add(error, "field");
		wa_node_set(field, "name", e->field);
		wa_node_set(field, "reason", e->reason);
	}
	sim_client_send(c, n);
}

static void done(struct sim_client *c, const struct wa_node *iq, int rc,
                 const struct sim_prekey_error *e)
{
	if (rc == 0)
		sim_client_send(c, sim_online_answer(iq, "result"));
	else if (rc == WA_EPROTO)
		refused(c, iq, e);
	else
		sim_online_error(c, iq, 500, "internal-server-error");
}

static void upload(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_device *device = c->session.device;
	struct sim_prekey_error e;
	int rc = sim_prekeys_upload(device->prekeys, &device->prekey, iq, &e);

	if (rc == 0)
		device->low_told = false;
	done(c, iq, rc, &e);
}

static void rotate(struct sim_client *c, const struct wa_node *iq, const struct wa_node *child)
{
	struct sim_prekey_error e;
	int rc = sim_prekeys_rotate(&c->session.device->prekey, child, &e);

	done(c, iq, rc, &e);
}

static void count(struct sim_client *c, const struct wa_node *iq)
{
	struct wa_node *n = sim_online_answer(iq, "result");

	wa_node_set_int(wa_node_add(n, "count"), "value",
	                (int64_t)sim_prekeys_count(c->session.device->prekeys));
	sim_client_send(c, n);
}

static void digest(struct sim_client *c, const struct wa_node *iq)
{
	const struct sim_device *device = c->session.device;
	struct wa_node *n = sim_online_answer(iq, "result");
	int rc = sim_prekeys_digest(device->prekeys, &device->prekey, n);

	if (rc == 0) {
		sim_client_send(c, n);
		return;
	}
	wa_node_free(n);
	if (rc == WA_ESTATE)
		sim_online_error(c, iq, 404, "item-not-found");
	else
		sim_online_error(c, iq, 500, "internal-server-error");
}

/* ---- down --------------------------------------------------------------------------------------
 */

static struct sim_account *find_account(const struct sim *s, const struct wa_jid *jid)
{
	if (strcmp(jid->server, WA_SERVER_JID) == 0)
		return sim_account_find(s->devices, jid->user);
	return strcmp(jid->server, "lid") == 0 ? sim_account_find_lid(s->devices, jid->user) : NULL;
}

static struct sim_device *find_companion(const struct sim_account *a, uint32_t id)
{
	struct sim_device *device = a->first;

	while (device != NULL && device->id != id)
		device = device->next;
	return device;
}

static void add_error(struct wa_node *user)
{
	struct wa_node *error = wa_node_add(user, "error");

	wa_node_set(error, "code", "404");
	wa_node_set(error, "text", "item-not-found");
}

static void add_phone_bundle(struct sim *s, const struct sim_account *a, struct wa_node *user)
{
	struct sim_phone *phone = sim_phones_find(s->phones, a->number);

	if (phone == NULL || sim_peer_bundle(s, phone, user) < 0)
		add_error(user);
}

static void add_bundle(struct sim *s, struct wa_node *list, const char *jid_text)
{
	struct wa_node *user = wa_node_add(list, "user");
	struct sim_account *a;
	struct sim_device *device;
	struct wa_jid jid;

	wa_node_set_jid(user, "jid", jid_text);
	if (wa_jid_parse(jid_text, strlen(jid_text), &jid) < 0)
		return;
	a = find_account(s, &jid);
	device = a == NULL || jid.device == 0 ? NULL : find_companion(a, jid.device);
	if (a == NULL || (jid.device == 0 && !a->has_primary) ||
	    (jid.device != 0 && device == NULL)) {
		add_error(user);
		return;
	}
	wa_node_set_int(user, "t", clock_unix_s());
	if (device == NULL) {
		add_phone_bundle(s, a, user);
		return;
	}
	sim_prekeys_bundle(device->prekeys, &device->prekey, user);
	wa_node_set_bytes(wa_node_add(user, "device-identity"), device->identity_bytes.p,
	                  device->identity_bytes.len);
	sim_online_check_prekeys(s, device);
}

static void fetch(struct sim_client *c, const struct wa_node *iq, const struct wa_node *key)
{
	struct wa_node *n = sim_online_answer(iq, "result");
	struct wa_node *list = wa_node_add(n, "list");
	size_t users = 0;

	for (const struct wa_node *u = wa_node_child(key, "user"); u != NULL;
	     u = wa_node_next(u, "user")) {
		const char *jid = wa_node_attr(u, "jid");

		if (jid != NULL && users++ < USERS_MAX)
			add_bundle(c->sim, list, jid);
	}
	sim_client_send(c, n);
}

void sim_online_keys(struct sim_client *c, const struct wa_node *iq)
{
	bool get = wa_node_attr_is(iq, "type", "get");
	const struct wa_node *key = wa_node_child(iq, "key");
	const struct wa_node *rotation = wa_node_child(iq, "rotate");

	if (get && wa_node_child(iq, "count") != NULL)
		count(c, iq);
	else if (get && wa_node_child(iq, "digest") != NULL)
		digest(c, iq);
	else if (get && key != NULL)
		fetch(c, iq, key);
	else if (get)
		sim_online_error(c, iq, 501, "feature-not-implemented");
	else if (rotation != NULL)
		rotate(c, iq, rotation);
	else
		upload(c, iq);
}
