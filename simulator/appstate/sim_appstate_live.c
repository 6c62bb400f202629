/* simulator/appstate/sim_appstate_live.c - app state between phones, the server and companions */
#include "simulator/appstate/sim_appstate_live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/history/sim_history.h"
#include "simulator/phone/sim_send.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"

#define PATCHES_MAX 20 /* of one answer and collection; then has_more_patches */

/* ---- the phone's state -------------------------------------------------------------------------
 */

static void add_chat(json_t *changes, const struct sim_chat *c)
{
	if (!c->group && c->form != SIM_CHAT_SELF)
		json_array_append_new(changes, json_pack("{s:s, s:s, s:s, s:s, s:s}", "action",
		                                         "contact", "jid", c->id, "name", c->name,
		                                         "lid", c->lid, "pn", c->pn));
	if (c->muted)
		json_array_append_new(changes,
		                      json_pack("{s:s, s:s}", "action", "mute", "jid", c->id));
	if (c->pinned)
		json_array_append_new(changes,
		                      json_pack("{s:s, s:s}", "action", "pin", "jid", c->id));
	if (c->archived)
		json_array_append_new(changes,
		                      json_pack("{s:s, s:s}", "action", "archive", "jid", c->id));
}

/* What fits the chats of its history. */
static json_t *first_changes(const struct sim_phone *phone)
{
	json_t *changes = json_array();
	struct sim_history h;
	struct sim_chat c;

	if (sim_history_init(&h, phone, phone->made_unix_s) < 0)
		return changes;
	if (phone->name[0] != '\0')
		json_array_append_new(
		    changes, json_pack("{s:s, s:s}", "action", "pushname", "name", phone->name));
	json_array_append_new(changes,
	                      json_pack("{s:s, s:s}", "action", "locale", "name", "en_GB"));
	for (uint32_t i = 0; i < h.chats; i++) {
		if (sim_history_chat(&h, i, &c) == 0)
			add_chat(changes, &c);
	}
	return changes;
}

int sim_appstate_get(struct sim *s, struct sim_phone *phone, struct sim_appstate **as_out)
{
	struct sim_appstate *as = phone->appstate;
	json_t *changes;
	const char *why;
	unsigned touched;
	int rc;

	if (as != NULL) {
		*as_out = as;
		return 0;
	}
	rc = sim_as_new(&phone->rnd, phone->made_unix_s * 1000, s->media, &as);
	if (rc < 0)
		return rc;
	if (phone->chats > 0) {
		changes = first_changes(phone);
		rc = sim_appstate_make(as, changes, phone->made_unix_s * 1000, false,
		                       SIM_AS_FLAW_NONE, &touched, &why);
		json_decref(changes);
	}
	if (rc < 0) {
		sim_as_free(as);
		return rc;
	}
	phone->appstate = as;
	*as_out = as;
	return 0;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

int sim_appstate_share(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	struct sim_appstate *as;
	struct buf msg = { 0 };
	int rc = sim_appstate_get(s, phone, &as);

	if (rc == 0)
		rc = sim_as_share(as, &msg);
	if (rc == 0)
		rc = sim_peer_send_own(s, phone, device, NULL, msg.p, msg.len, NULL);
	buf_wipe(&msg);
	return rc;
}

void sim_appstate_share_late(struct sim *s, struct sim_phone *phone)
{
	struct sim_device *d = sim_device_first(s->devices, phone->number);

	for (; d != NULL; d = d->next) {
		if (!d->keys_shared && d->client != NULL)
			d->keys_shared = sim_appstate_share(s, phone, d) == 0;
	}
}

void sim_appstate_asked(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        const uint8_t *request, size_t request_len)
{
	struct sim_appstate *as;
	struct buf msg = { 0 };
	int rc = sim_appstate_get(s, phone, &as);

	if (rc == 0)
		rc = sim_as_share_asked(as, request, request_len, &msg);
	if (rc == 0)
		rc = sim_peer_send_own(s, phone, device, NULL, msg.p, msg.len, NULL);
	if (rc < 0)
		LOG(NULL, LOG_WARNING, "keys_not_shared", LF_STR("device", device->jid),
		    LF_ERR("err", rc));
	buf_wipe(&msg);
}

void sim_appstate_lost(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                       const char *id, const uint8_t *request, size_t request_len)
{
	struct sim_appstate *as;
	struct buf msg = { 0 };
	int rc = sim_appstate_get(s, phone, &as);

	if (rc == 0)
		rc = sim_as_give(as, id, request, request_len, clock_unix_ms(), &msg);
	if (rc == 0)
		rc = sim_peer_send_own(s, phone, device, NULL, msg.p, msg.len, NULL);
	if (rc < 0)
		LOG(NULL, LOG_INFO, "collection_not_given", LF_STR("device", device->jid),
		    LF_ERR("err", rc));
	buf_wipe(&msg);
}

void sim_appstate_tell(struct sim *s, const struct sim_phone *phone, enum sim_as_collection c,
                       const struct sim_device *but)
{
	for (struct sim_device *d = sim_device_first(s->devices, phone->number); d != NULL;
	     d = d->next) {
		struct wa_node *n, *collection;
		char id[SIM_ID_CAP];

		if (d == but)
			continue;
		n = wa_node_new("notification");
		sim_online_id(s, id);
		wa_node_set_jid(n, "from", WA_SERVER_JID);
		wa_node_set(n, "type", "server_sync");
		wa_node_set(n, "id", id);
		wa_node_set_int(n, "t", clock_unix_s());
		collection = wa_node_add(n, "collection");
		wa_node_set(collection, "name", sim_as_name(c));
		wa_node_set_int(collection, "version", (int64_t)sim_as_version(phone->appstate, c));
		if (sim_online_push(d, n) < 0)
			LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", d->jid));
	}
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* Patches after version, up to the most that one answer has; returns the last version. */
static uint64_t add_patches(const struct sim_appstate *as, enum sim_as_collection c,
                            uint64_t version, struct wa_node *to)
{
	struct wa_node *patches = NULL;
	uint64_t last = version;

	for (unsigned i = 0; i < PATCHES_MAX; i++) {
		const struct buf *p = sim_as_patch(as, c, last + 1);

		if (p == NULL)
			break;
		if (patches == NULL)
			patches = wa_node_add(to, "patches");
		wa_node_set_bytes(wa_node_add(patches, "patch"), p->p, p->len);
		last++;
	}
	return last;
}

static void add_error(struct wa_node *to, int code, const char *text)
{
	struct wa_node *error;

	wa_node_set(to, "type", "error");
	error = wa_node_add(to, "error");
	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", text);
}

static void answer_fetch(struct sim_appstate *as, enum sim_as_collection c, uint64_t version,
                         bool snapshot, struct wa_node *to)
{
	struct buf reference = { 0 };
	uint64_t last = version;

	if (snapshot && version == 0 && sim_as_version(as, c) > 0) {
		if (sim_as_snapshot(as, c, &reference, &last) < 0) {
			add_error(to, 500, "internal-server-error");
			return;
		}
		wa_node_set_bytes(wa_node_add(to, "snapshot"), reference.p, reference.len);
		buf_free(&reference);
	}
	last = add_patches(as, c, last, to);
	wa_node_set_int(to, "version", (int64_t)last);
	wa_node_set(to, "type", "result");
	if (last < sim_as_version(as, c))
		wa_node_set(to, "has_more_patches", "true");
}

/* True: the collection has changed. */
static bool answer_upload(struct sim_appstate *as, enum sim_as_collection c, uint64_t version,
                          const struct wa_node *patch, struct wa_node *to)
{
	const char *why = "";
	int rc;

	if (version != sim_as_version(as, c)) {
		wa_node_set_int(to, "version", (int64_t)add_patches(as, c, version, to));
		add_error(to, 409, "conflict");
		return false;
	}
	rc = patch->content == WA_CONTENT_BYTES
	         ? sim_as_upload(as, c, patch->bytes, patch->bytes_len, &why)
	         : WA_EPROTO;
	if (rc < 0) {
		LOG(NULL, LOG_WARNING, "patch_refused", LF_STR("collection", sim_as_name(c)),
		    LF_STR("why", why), LF_ERR("err", rc));
		add_error(to, 400, "bad-request");
		return false;
	}
	wa_node_set_int(to, "version", (int64_t)sim_as_version(as, c));
	wa_node_set(to, "type", "result");
	return true;
}

static bool answer_collection(struct sim_appstate *as, const struct wa_node *asked,
                              struct wa_node *sync, enum sim_as_collection *c)
{
	const char *version_text = wa_node_attr(asked, "version"),
	           *name = wa_node_attr(asked, "name");
	const struct wa_node *patch = wa_node_child(asked, "patch");
	struct wa_node *to = wa_node_add(sync, "collection");
	uint64_t version = 0;

	wa_node_set(to, "name", name);
	if (!sim_as_find(name, c) ||
	    (version_text != NULL && dec_decode(version_text, INT64_MAX, &version) < 0)) {
		add_error(to, 400, "bad-request");
		return false;
	}
	if (patch != NULL)
		return answer_upload(as, *c, version, patch, to);
	answer_fetch(as, *c, version, wa_node_attr_is(asked, "return_snapshot", "true"), to);
	return false;
}

void sim_appstate_iq(struct sim_client *c, const struct wa_node *iq)
{
	struct sim_device *device = c->session.device;
	struct sim_phone *phone = sim_phones_find(c->sim->phones, device->account->number);
	const struct wa_node *asked = wa_node_child(iq, "sync");
	const struct wa_node *from = asked == NULL ? NULL : wa_node_child(asked, "collection");
	enum sim_as_collection changed;
	struct sim_appstate *as;
	struct wa_node *n, *sync;
	unsigned touched = 0;

	if (phone == NULL || sim_appstate_get(c->sim, phone, &as) < 0) {
		sim_online_error(c, iq, 500, "internal-server-error");
		return;
	}
	n = sim_online_answer(iq, "result");
	sync = wa_node_add(n, "sync");
	for (; from != NULL; from = wa_node_next(from, "collection")) {
		if (answer_collection(as, from, sync, &changed))
			touched |= 1u << changed;
	}
	sim_client_send(c, n);
	for (unsigned i = 0; i < SIM_AS_COLLECTIONS_N; i++) {
		if (touched & 1u << i)
			sim_appstate_tell(c->sim, phone, (enum sim_as_collection)i, device);
	}
}
