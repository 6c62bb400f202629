/* simulator/phone/sim_send_again.c - what a companion could not open: sealed anew, or told by its phone
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "simulator/base/sim_pbw.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_send.h"
#include "simulator/server/sim_online.h"
#include "simulator/server/sim_prekey.h"
#include "simulator/sim.h"

#define RETRIES_MAX 5

/* What a retry receipt of a client says. */
struct ask {
	const char *id; /* borrowed */
	unsigned count;
	bool has_keys;
	struct wa_prekey_bundle keys; /* of the registration id at least */
};

static bool read_ask(const struct wa_node *receipt, struct ask *ask)
{
	const struct wa_node *retry = wa_node_child(receipt, "retry");
	const struct wa_node *keys = wa_node_child(receipt, "keys");
	const char *count = retry == NULL ? NULL : wa_node_attr(retry, "count");

	ask->id = retry == NULL ? NULL : wa_node_attr(retry, "id");
	if (ask->id == NULL || count == NULL || count[0] < '1' || count[0] > '9' ||
	    count[1] != '\0')
		return false;
	ask->count = (unsigned)(count[0] - '0');
	ask->has_keys = keys != NULL;
	return sim_prekeys_read_retry(receipt, keys, &ask->keys) == 0;
}

/* The keys that the device wants to be sealed for from now on. */
static void take_keys(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                      const struct ask *ask)
{
	int rc;

	if (ask->has_keys) {
		rc = sim_peer_take_bundle(s, phone, device, &ask->keys);
		if (rc < 0)
			LOG(NULL, LOG_NOTICE, "retry_keys_refused", LF_STR("device", device->jid),
			    LF_ERR("err", rc));
	} else if (ask->count >= 2) {
		sim_peer_forget(phone, device);
	}
}

static bool is_group(const char *chat)
{
	return strstr(chat, "@g.us") != NULL;
}

/* What this device gets: a group's message with the sender key, its own account's wrapped. */
static int make_again(struct sim *s, const struct sim_out *o, const struct sim_device *device,
                      const struct sim_mail_entry *e, struct buf *msg)
{
	bool own = strcmp(device->account->number, o->from->number) == 0;
	uint32_t key_id;
	int rc;

	if (own && !is_group(e->chat) && strcmp(e->chat, device->jid) != 0)
		return sim_send_wrap(e->chat, e->msg, e->msg_len, msg);
	rc = buf_append(msg, e->msg, e->msg_len);
	if (rc == 0 && is_group(e->chat))
		rc = sim_send_skdm(s, o->from, e->chat, msg, &key_id);
	return rc;
}

static int seal_again(struct sim *s, const struct sim_out *o, struct sim_device *device,
                      const struct sim_mail_entry *e, struct wa_node *n)
{
	struct buf msg = { 0 };
	int rc = make_again(s, o, device, e, &msg);

	if (rc == 0)
		rc = sim_peer_seal(s, o->from, device, msg.p, msg.len, &o->seal, n);
	buf_free(&msg);
	return rc;
}

static void send_again(struct sim *s, struct sim_out *o, struct sim_device *device,
                       const struct sim_mail_entry *e, const struct wa_node *receipt)
{
	struct wa_node *n = sim_send_stanza(o);
	const char *to = wa_node_attr(receipt, "to");
	int rc;

	/* As the message was addressed the first time. */
	wa_node_set_jid(n, "from", to == NULL ? o->from->jid : to);
	wa_node_set_jid(n, "participant", wa_node_attr(receipt, "participant"));
	wa_node_set_jid(n, "recipient", wa_node_attr(receipt, "recipient"));
	if (strcmp(e->chat, device->jid) == 0)
		wa_node_set(n, "category", "peer");
	rc = seal_again(s, o, device, e, n);
	if (rc == 0)
		rc = sim_online_push(device, n);
	else
		wa_node_free(n);
	if (rc < 0)
		LOG(NULL, LOG_NOTICE, "not_sent_again", LF_STR("device", device->jid),
		    LF_ERR("err", rc));
}

void sim_send_again(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                    const struct wa_node *receipt)
{
	struct sim_mail_entry e;
	struct ask ask;

	if (!read_ask(receipt, &ask)) {
		LOG(NULL, LOG_NOTICE, "bad_retry_receipt", LF_STR("device", device->jid));
		return;
	}
	if (ask.count > RETRIES_MAX || !sim_mail_find_sent(phone, ask.id, &e) || e.no_retry)
		return;
	take_keys(s, phone, device, &ask);
	if (strcmp(e.chat, SIM_STATUS) == 0) { /* not again, but the next one brings the key */
		sim_peer_unmark_skdm(phone, e.chat, device);
		return;
	}
	struct sim_out o = {
		.from = phone,
		.type = e.stanza_type,
		.edit = e.edit,
		.unix_s = e.unix_s,
		.seal = { .mediatype = e.mediatype, .hide = e.hide, .count = ask.count },
	};

	snprintf(o.id, sizeof(o.id), "%s", e.id);
	send_again(s, &o, device, &e, receipt);
}

/* ---- for a companion that could not open it ----------------------------------------------------
 */

int sim_send_put_web(const struct sim_phone *phone, const char *id, struct sim_pbw *w)
{
	struct sim_mail_entry e;
	bool mine = sim_mail_find_sent(phone, id, &e);
	size_t key;

	if ((!mine && !sim_mail_find_got(phone, id, &e)) || e.no_retry)
		return -ENOENT;
	key = sim_pbw_begin(w, 1);
	sim_pbw_text(w, 1, e.chat);
	sim_pbw_uint(w, 2, mine);
	sim_pbw_text(w, 3, e.id);
	if (strchr(e.chat, '@') != NULL && strcmp(e.chat, e.from) != 0 && !mine)
		sim_pbw_text(w, 4, e.from);
	sim_pbw_end(w, key);
	sim_pbw_bytes(w, 2, e.msg, e.msg_len);
	sim_pbw_uint(w, 3, (uint64_t)e.unix_s);
	return w->err;
}
