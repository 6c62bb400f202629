/* simulator/server/sim_online_msg.c - <message> of clients: opened by phones, handed on */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/phone/sim_chains.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/phone/sim_peer.h"
#include "simulator/phone/sim_send.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/node/wa_jid.h"

#define TARGETS_MAX 8192 /* devices of one message */

/* ---- who ---------------------------------------------------------------------------------------
 */

static struct sim_phone *own_phone(const struct sim_client *c)
{
	return sim_phones_find(c->sim->phones, c->session.device->account->number);
}

/* ---- one message on its way --------------------------------------------------------------------
 */

struct passing {
	struct sim_client *c;
	struct sim_device *from;
	struct sim_phone *sender; /* the account's phone */
	const struct wa_node *n;
	const char *id;
	bool lid;   /* addressed by LID */
	bool group; /* to a group or status@broadcast: to is the chat */
	const char *to;
	int64_t unix_s;
};

/* The stanza as the devices of an account get it. */
static struct wa_node *make_stanza(const struct passing *p, bool own)
{
	struct wa_node *n = wa_node_new("message");
	const char *from = sim_online_jid(p->from, p->lid);
	const char *other = p->lid ? p->sender->jid : p->sender->lid;

	wa_node_set_jid(n, "from", p->group ? p->to : from);
	wa_node_set(n, "id", p->id);
	wa_node_set_int(n, "t", p->unix_s);
	wa_node_set(n, "type", wa_node_attr(p->n, "type"));
	wa_node_set(n, "edit", wa_node_attr(p->n, "edit"));
	if (p->sender->name[0] != '\0')
		wa_node_set(n, "notify", p->sender->name);
	if (p->group) {
		wa_node_set_jid(n, "participant", from);
		wa_node_set_jid(n, p->lid ? "participant_pn" : "participant_lid", other);
		wa_node_set(n, "addressing_mode", p->lid ? "lid" : "pn");
	} else if (own) {
		wa_node_set_jid(n, "recipient", p->to);
	} else {
		wa_node_set_jid(n, p->lid ? "sender_pn" : "sender_lid", other);
	}
	return n;
}

/* A phone reads it. */
static int read_enc(const struct passing *p, struct sim_phone *phone, const struct wa_node *enc,
                    struct buf *plain)
{
	enum wa_enc type = wa_enc_parse(wa_node_attr(enc, "type"));

	if (enc->content != WA_CONTENT_BYTES)
		return WA_EPROTO;
	return sim_peer_open(p->c->sim, phone, p->from, p->group ? p->to : NULL, type, enc->bytes,
	                     enc->bytes_len, plain);
}

/* The phone could not open it: it asks for it again, with its keys. */
static void ask_again(const struct passing *p, struct sim_phone *phone, const struct wa_node *enc)
{
	struct wa_node *n = wa_node_new("receipt"), *retry;
	const char *count = wa_node_attr(enc, "count");
	const uint32_t id = phone->registration_id;
	const uint8_t be[4] = { (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
		                (uint8_t)id };

	wa_node_set_jid(n, "from", p->group ? p->to : p->lid ? phone->lid : phone->jid);
	wa_node_set(n, "id", p->id);
	wa_node_set(n, "type", "retry");
	wa_node_set_int(n, "t", clock_unix_s());
	if (p->group)
		wa_node_set_jid(n, "participant", p->lid ? phone->lid : phone->jid);
	if (phone == p->sender)
		wa_node_set_jid(n, "recipient", p->to);
	retry = wa_node_add(n, "retry");
	wa_node_set_int(retry, "count", 1 + (count == NULL ? 0 : count[0] - '0'));
	wa_node_set(retry, "id", p->id);
	wa_node_set_int(retry, "t", p->unix_s);
	wa_node_set(retry, "v", "1");
	wa_node_set_bytes(wa_node_add(n, "registration"), be, sizeof(be));
	if (sim_peer_retry_keys(p->c->sim, phone, wa_node_add(n, "keys")) == 0)
		(void)!sim_online_push(p->from, n);
	else
		wa_node_free(n);
}

/* Nothing but a sender key, and what goes with any message. */
static bool is_only_key(const struct buf *plain)
{
	struct sim_msg_info info;

	sim_msg_describe(plain->p, plain->len, &info);
	return strcmp(info.type, "none") == 0;
}

/* Delivered: the device that sent it is told. */
static void phone_says_so(const struct passing *p, const struct sim_phone *phone)
{
	const char *me = p->lid ? phone->lid : phone->jid;
	struct wa_node *n = wa_node_new("receipt");

	wa_node_set_jid(n, "from", p->group ? p->to : me);
	if (p->group)
		wa_node_set_jid(n, "participant", me);
	wa_node_set(n, "id", p->id);
	wa_node_set_int(n, "t", clock_unix_s());
	if (sim_online_push(p->from, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", p->from->jid));
}

static void phone_takes(const struct passing *p, struct sim_phone *phone, const struct buf *plain)
{
	const char *chat = phone == p->sender || p->group ? p->to : p->sender->jid;
	const uint8_t *part;
	size_t len;
	struct wa_jid jid;
	const struct sim_phone *other;

	if (p->group && sim_msg_field(plain->p, plain->len, 2, &part, &len)) {
		if (sim_msg_field(part, len, 2, &part, &len) &&
		    sim_peer_take_skdm(p->c->sim, phone, p->from, p->to, part, len) < 0)
			LOG(NULL, LOG_NOTICE, "bad_skdm", LF_STR("from", p->from->jid));
		if (is_only_key(plain))
			return;
	}
	if (phone != p->sender)
		phone_says_so(p, phone);
	other = p->group ? NULL : sim_online_find(p->c->sim, chat, &jid);
	if (sim_send_to_inbox(phone, p->from->jid, other == NULL ? chat : other->jid, p->id,
	                      p->unix_s, plain->p, plain->len) < 0)
		LOG(NULL, LOG_WARNING, "inbox_full", LF_STR("id", p->id));
}

static void to_phone(const struct passing *p, struct sim_phone *phone, const struct wa_node *enc)
{
	struct buf plain = { 0 };
	int rc = read_enc(p, phone, enc, &plain);

	if (rc == 0 && wa_node_attr_is(p->n, "category", "peer")) {
		if (p->c->sim->on_own != NULL)
			p->c->sim->on_own(p->c->sim, phone, p->from, p->id, plain.p, plain.len);
	} else if (rc == 0) {
		phone_takes(p, phone, &plain);
	} else if (rc != WA_SIG_EDUPLICATE) {
		LOG(NULL, LOG_NOTICE, "phone_cannot_open", LF_STR("from", p->from->jid),
		    LF_STR("why", wa_signal_err_name(rc)));
		ask_again(p, phone, enc);
	}
	buf_free(&plain);
}

static void to_device(const struct passing *p, struct sim_device *device, const struct wa_node *enc)
{
	bool own = device->account == p->from->account;
	struct wa_node *n = make_stanza(p, own);

	sim_online_copy(wa_node_add(n, "enc"), enc);
	sim_online_copy_rest(n, p->n);
	if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", device->jid));
}

/* One <enc>, for the device of that JID. */
static void hand_on(const struct passing *p, const char *jid_text, const struct wa_node *enc)
{
	struct sim_device *device;
	struct wa_jid jid;
	struct sim_phone *phone = sim_online_find(p->c->sim, jid_text, &jid);

	if (phone == NULL || enc == NULL)
		return;
	if (jid.device == 0) {
		to_phone(p, phone, enc);
		return;
	}
	device = sim_device_find(p->c->sim->devices, phone->number, jid.device);
	if (device != NULL && device != p->from)
		to_device(p, device, enc);
}

static void hand_on_all(const struct passing *p)
{
	const struct wa_node *list = wa_node_child(p->n, "participants");
	const struct wa_node *enc = wa_node_child(p->n, "enc");
	size_t count = 0;

	if (list == NULL) {
		hand_on(p, p->to, enc);
		return;
	}
	for (const struct wa_node *to = wa_node_child(list, "to");
	     to != NULL && count < TARGETS_MAX; to = wa_node_next(to, "to"), count++)
		hand_on(p, wa_node_attr(to, "jid"), wa_node_child(to, "enc"));
}

/* ---- the list of devices -----------------------------------------------------------------------
 */

#define LISTED_MAX 256 /* devices of two accounts */

/* Devices as JIDs, each once. */
struct listed {
	char jids[LISTED_MAX][SIM_JID_CAP];
	const char *p[LISTED_MAX];
	size_t n;
};

static void list_one(struct listed *l, const char *jid)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->jids[i], jid) == 0)
			return;
	}
	if (l->n == LISTED_MAX)
		return;
	snprintf(l->jids[l->n], sizeof(l->jids[l->n]), "%s", jid);
	l->p[l->n] = l->jids[l->n];
	l->n++;
}

static void list_account(const struct passing *p, const struct sim_phone *phone, struct listed *l)
{
	list_one(l, p->lid ? phone->lid : phone->jid);
	for (struct sim_device *d = sim_device_first(p->c->sim->devices, phone->number); d != NULL;
	     d = d->next)
		list_one(l, sim_online_jid(d, p->lid));
}

/* What the sender thinks there is: those it has sealed for, and itself. */
static void list_participants(const struct passing *p, struct listed *l)
{
	const struct wa_node *list = wa_node_child(p->n, "participants");

	list_one(l, sim_online_jid(p->from, p->lid));
	for (const struct wa_node *to = wa_node_child(list, "to"); to != NULL;
	     to = wa_node_next(to, "to")) {
		if (wa_node_attr(to, "jid") != NULL)
			list_one(l, wa_node_attr(to, "jid"));
	}
}

/* The ack of a message to one person: with the hash of the devices, where they are others. */
static void ack_devices(const struct passing *p, const struct sim_phone *to)
{
	struct listed real = { .n = 0 }, said = { .n = 0 };
	char want[WA_PHASH_CAP] = "", have[WA_PHASH_CAP] = "";

	if (wa_node_child(p->n, "participants") == NULL) {
		sim_online_send_ack(p->c, p->n, 0);
		return;
	}
	list_account(p, to, &real);
	list_account(p, p->sender, &real);
	list_participants(p, &said);
	if (wa_phash(real.p, real.n, want) < 0 || wa_phash(said.p, said.n, have) < 0 ||
	    strcmp(want, have) == 0)
		want[0] = '\0';
	sim_online_send_ack_phash(p->c, p->n, want[0] == '\0' ? NULL : want);
}

/* ---- to many -----------------------------------------------------------------------------------
 */

/* What the sender has sealed for that device alone (its sender key); NULL: nothing. */
static const struct wa_node *sealed_for(const struct passing *p, const char *jid, const char *lid)
{
	const struct wa_node *list = wa_node_child(p->n, "participants");

	for (const struct wa_node *to = list == NULL ? NULL : wa_node_child(list, "to"); to != NULL;
	     to = wa_node_next(to, "to")) {
		if (wa_node_attr_is(to, "jid", jid) || wa_node_attr_is(to, "jid", lid))
			return wa_node_child(to, "enc");
	}
	return NULL;
}

static void many_to_device(const struct passing *p, struct sim_device *device)
{
	const struct wa_node *own = sealed_for(p, device->jid, device->lid);
	struct wa_node *n = make_stanza(p, false);

	if (own != NULL)
		sim_online_copy(wa_node_add(n, "enc"), own);
	for (const struct wa_node *enc = wa_node_child(p->n, "enc"); enc != NULL;
	     enc = wa_node_next(enc, "enc"))
		sim_online_copy(wa_node_add(n, "enc"), enc);
	sim_online_copy_rest(n, p->n);
	if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", device->jid));
}

static void many_to_phone(const struct passing *p, struct sim_phone *phone)
{
	const struct wa_node *own = sealed_for(p, phone->jid, phone->lid);

	if (own != NULL)
		to_phone(p, phone, own);
	for (const struct wa_node *enc = wa_node_child(p->n, "enc"); enc != NULL;
	     enc = wa_node_next(enc, "enc"))
		to_phone(p, phone, enc);
	for (struct sim_device *d = sim_device_first(p->c->sim->devices, phone->number); d != NULL;
	     d = d->next) {
		if (d != p->from)
			many_to_device(p, d);
	}
}

static void to_group(struct passing *p, const struct sim_group *g)
{
	const struct sim_member *m = sim_group_member(g, p->sender);

	if (m == NULL || (g->announcement && m->rank == SIM_MEMBER)) {
		sim_online_send_ack(p->c, p->n, 403);
		return;
	}
	p->lid = !g->pn;
	sim_online_send_ack(p->c, p->n, 0);
	for (size_t i = 0; i < g->n; i++)
		many_to_phone(p, g->members[i].phone);
}

/* A status goes to the accounts that its sender names. */
static void to_status(struct passing *p)
{
	const struct wa_node *list = wa_node_child(p->n, "participants");
	struct wa_jid jid;

	p->lid = true;
	sim_online_send_ack(p->c, p->n, 0);
	for (const struct wa_node *to = list == NULL ? NULL : wa_node_child(list, "to"); to != NULL;
	     to = wa_node_next(to, "to")) {
		struct sim_phone *phone = sim_online_find(p->c->sim, wa_node_attr(to, "jid"), &jid);

		if (phone != NULL && jid.device == 0)
			many_to_phone(p, phone);
	}
}

/* ---- chain keys --------------------------------------------------------------------------------
 */

static void note_enc(const struct passing *p, const struct wa_node *enc)
{
	enum wa_enc type;
	int rc;

	if (enc == NULL || enc->content != WA_CONTENT_BYTES)
		return;
	type = wa_enc_parse(wa_node_attr(enc, "type"));
	rc = sim_chains_note(&p->sender->chains, p->from->id, p->to, type, enc->bytes,
	                     enc->bytes_len);
	if (rc < 0)
		LOG(NULL, LOG_NOTICE, "chain_not_noted", LF_STR("device", p->from->jid),
		    LF_ERR("err", rc));
}

static void note_all(const struct passing *p)
{
	const struct wa_node *list = wa_node_child(p->n, "participants");

	for (const struct wa_node *to = list == NULL ? NULL : wa_node_child(list, "to"); to != NULL;
	     to = wa_node_next(to, "to"))
		note_enc(p, wa_node_child(to, "enc"));
	for (const struct wa_node *enc = wa_node_child(p->n, "enc"); enc != NULL;
	     enc = wa_node_next(enc, "enc"))
		note_enc(p, enc);
}

void sim_online_message(struct sim_client *c, const struct wa_node *n)
{
	struct wa_jid jid;
	struct passing p = {
		.c = c,
		.from = c->session.device,
		.sender = own_phone(c),
		.n = n,
		.id = wa_node_attr(n, "id"),
		.to = wa_node_attr(n, "to"),
		.unix_s = clock_unix_s(),
	};
	const struct sim_phone *to = sim_online_find(c->sim, p.to, &jid);
	const struct sim_group *g = p.to == NULL ? NULL : sim_groups_find(c->sim->groups, p.to);

	if (p.id == NULL || p.to == NULL || p.sender == NULL) {
		sim_online_send_ack(c, n, 400);
		return;
	}
	note_all(&p);
	p.group = g != NULL || strcmp(p.to, SIM_STATUS) == 0;
	if (g != NULL) {
		to_group(&p, g);
	} else if (p.group) {
		to_status(&p);
	} else if (to == NULL) {
		sim_online_send_ack(c, n, 404);
	} else {
		p.lid = strcmp(jid.server, "lid") == 0;
		ack_devices(&p, to);
		hand_on_all(&p);
	}
}
