/* simulator/sim_online_msg.c - <message> and <receipt> of clients: opened by phones, handed on */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/sim_chains.h"
#include "simulator/sim_client_priv.h"
#include "simulator/sim_group.h"
#include "simulator/sim_mail.h"
#include "simulator/sim_msg.h"
#include "simulator/sim_online.h"
#include "simulator/sim_peer.h"
#include "simulator/sim_send.h"
#include "simulator/sim_sync.h"
#include "worker/wa/wa_jid.h"

#define TARGETS_MAX 8192 /* devices of one message */

/* ---- who ---------------------------------------------------------------------------------------
 */

static struct sim_phone *find_phone(const struct sim *s, const char *jid_text,
                                    struct wa_jid *jid_out)
{
	if (jid_text == NULL || wa_jid_parse(jid_text, strlen(jid_text), jid_out) < 0)
		return NULL;
	if (strcmp(jid_out->server, WA_SERVER_JID) != 0 && strcmp(jid_out->server, "lid") != 0)
		return NULL;
	return sim_phones_find_user(s->phones, jid_out->user);
}

static struct sim_phone *own_phone(const struct sim_client *c)
{
	return sim_phones_find(c->sim->phones, c->session.device->account->number);
}

static const char *device_jid(const struct sim_device *d, bool lid)
{
	return lid ? d->lid : d->jid;
}

/* ---- copies ------------------------------------------------------------------------------------
 */

static void copy_into(struct wa_node *to, const struct wa_node *from)
{
	for (size_t i = 0; i < from->attrs_n; i++) {
		const struct wa_attr *a = &from->attrs[i];

		if (a->is_jid)
			wa_node_set_jid(to, a->name, a->value);
		else
			wa_node_set(to, a->name, a->value);
	}
	if (from->content == WA_CONTENT_BYTES)
		wa_node_set_bytes(to, from->bytes, from->bytes_len);
	for (const struct wa_node *n = from->first_child;
	     from->content == WA_CONTENT_NODES && n != NULL; n = n->next)
		copy_into(wa_node_add(to, n->tag), n);
}

/* What every device gets of a message beside its <enc>. */
static void copy_rest(struct wa_node *to, const struct wa_node *from)
{
	static const char *const left[] = { "participants", "enc", "reporting", "tctoken",
		                            "cstoken" };

	for (const struct wa_node *n = from->first_child;
	     from->content == WA_CONTENT_NODES && n != NULL; n = n->next) {
		bool skip = false;

		for (size_t i = 0; i < ARRAY_LEN(left); i++)
			skip |= wa_node_is(n, left[i]);
		if (!skip)
			copy_into(wa_node_add(to, n->tag), n);
	}
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
	const char *from = device_jid(p->from, p->lid);
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
	other = p->group ? NULL : find_phone(p->c->sim, chat, &jid);
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

	copy_into(wa_node_add(n, "enc"), enc);
	copy_rest(n, p->n);
	if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", device->jid));
}

/* One <enc>, for the device of that JID. */
static void hand_on(const struct passing *p, const char *jid_text, const struct wa_node *enc)
{
	struct sim_device *device;
	struct wa_jid jid;
	struct sim_phone *phone = find_phone(p->c->sim, jid_text, &jid);

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
		copy_into(wa_node_add(n, "enc"), own);
	for (const struct wa_node *enc = wa_node_child(p->n, "enc"); enc != NULL;
	     enc = wa_node_next(enc, "enc"))
		copy_into(wa_node_add(n, "enc"), enc);
	copy_rest(n, p->n);
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
		struct sim_phone *phone = find_phone(p->c->sim, wa_node_attr(to, "jid"), &jid);

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
	const struct sim_phone *to = find_phone(c->sim, p.to, &jid);
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
		sim_online_send_ack(c, n, 0);
		hand_on_all(&p);
	}
}

/* ---- receipts ----------------------------------------------------------------------------------
 */

static void note(struct sim_phone *phone, const struct sim_device *from, const char *id,
                 const char *chat, const char *type, uint32_t code)
{
	struct sim_mail_receipt r = { .code = code };

	snprintf(r.id, sizeof(r.id), "%s", id);
	snprintf(r.from, sizeof(r.from), "%s", from->jid);
	snprintf(r.chat, sizeof(r.chat), "%s", chat == NULL ? "" : chat);
	snprintf(r.type, sizeof(r.type), "%s", type == NULL ? "delivered" : type);
	if (sim_mail_receipt(phone, &r) < 0)
		LOG(NULL, LOG_WARNING, "receipt_not_kept", LF_STR("id", id));
}

static uint32_t number_of(const char *text)
{
	uint32_t v = 0;

	for (; text != NULL && *text >= '0' && *text <= '9' && v < 100000; text++)
		v = v * 10 + (uint32_t)(*text - '0');
	return v;
}

/* Every id that a receipt is about. */
static void each_id(const struct wa_node *n,
                    void (*on_id)(struct sim_client *c, const struct wa_node *n, const char *id),
                    struct sim_client *c)
{
	const struct wa_node *list = wa_node_child(n, "list");
	const char *id = wa_node_attr(n, "id");

	if (id != NULL)
		on_id(c, n, id);
	for (const struct wa_node *i = list == NULL ? NULL : wa_node_child(list, "item"); i != NULL;
	     i = wa_node_next(i, "item")) {
		id = wa_node_attr(i, "id");
		if (id != NULL)
			on_id(c, n, id);
	}
}

/* Whose messages it is about: the author in a group, else who it is for. */
static struct sim_phone *author(const struct sim_client *c, const struct wa_node *n,
                                struct wa_jid *jid)
{
	const char *participant = wa_node_attr(n, "participant");

	return find_phone(c->sim, participant == NULL ? wa_node_attr(n, "to") : participant, jid);
}

static void on_id(struct sim_client *c, const struct wa_node *n, const char *id)
{
	const struct wa_node *retry = wa_node_child(n, "retry");
	struct wa_jid jid;
	struct sim_phone *phone = author(c, n, &jid);

	if (phone != NULL)
		note(phone, c->session.device, id, wa_node_attr(n, "to"), wa_node_attr(n, "type"),
		     retry == NULL ? 0 : number_of(wa_node_attr(retry, "count")));
}

/* To the author's companions, as the server hands it on. */
static void relay(struct sim_client *c, const struct wa_node *n, struct sim_device *to)
{
	const struct sim_device *from = c->session.device;
	const char *chat = wa_node_attr(n, "to"), *participant = wa_node_attr(n, "participant");
	struct wa_node *r = wa_node_new("receipt");
	bool lid = chat != NULL && strstr(chat, "@lid") != NULL;

	wa_node_set_jid(r, "from", participant == NULL ? device_jid(from, lid) : chat);
	wa_node_set(r, "id", wa_node_attr(n, "id"));
	wa_node_set(r, "type", wa_node_attr(n, "type"));
	wa_node_set_int(r, "t", clock_unix_s());
	if (participant != NULL)
		wa_node_set_jid(r, "participant",
		                device_jid(from, strstr(participant, "@lid") != NULL));
	wa_node_set_jid(r, "recipient", wa_node_attr(n, "recipient"));
	copy_rest(r, n);
	if (sim_online_push(to, r) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", to->jid));
}

static void relay_all(struct sim_client *c, const struct wa_node *n)
{
	bool retry = wa_node_attr_is(n, "type", "retry");
	struct wa_jid jid;
	struct sim_phone *phone = author(c, n, &jid);

	if (phone == NULL)
		return;
	if (retry && jid.device == 0) {
		sim_send_again(c->sim, phone, c->session.device, n);
		return;
	}
	for (struct sim_device *d = sim_device_first(c->sim->devices, phone->number); d != NULL;
	     d = d->next) {
		if (d != c->session.device && (!retry || d->id == jid.device))
			relay(c, n, d);
	}
}

/* A receipt of that type is all that the server waits for. */
static bool is_ack(const char *type)
{
	return type == NULL || strcmp(type, "inactive") == 0 || strcmp(type, "sender") == 0 ||
	       strcmp(type, "peer_msg") == 0;
}

void sim_online_receipt(struct sim_client *c, const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id"), *type = wa_node_attr(n, "type");

	if (id == NULL) {
		sim_online_send_ack(c, n, 400);
		return;
	}
	if (is_ack(type))
		(void)sim_queue_ack(c->session.device->queue, "message", id);
	sim_online_send_ack(c, n, 0);
	if (c->session.device == NULL)
		return;
	each_id(n, on_id, c);
	if (!sim_sync_receipt(c->sim, c->session.device, n))
		relay_all(c, n);
}

void sim_online_acked(struct sim_client *c, const struct wa_node *n)
{
	const uint32_t error = number_of(wa_node_attr(n, "error"));
	struct wa_jid jid;
	struct sim_phone *phone = author(c, n, &jid);

	if (phone != NULL)
		note(phone, c->session.device, wa_node_attr(n, "id"), wa_node_attr(n, "to"),
		     error == 0 ? "ack" : "nack", error);
}

void sim_online_call(struct sim_client *c, const struct wa_node *n)
{
	const struct wa_node *child = n->content == WA_CONTENT_NODES ? n->first_child : NULL;
	const char *id = child == NULL ? NULL : wa_node_attr(child, "call-id");
	struct wa_jid jid;
	struct sim_phone *phone = find_phone(c->sim, wa_node_attr(n, "to"), &jid);
	char type[16];

	if (id != NULL && phone != NULL) {
		snprintf(type, sizeof(type), "call:%.10s", child->tag);
		note(phone, c->session.device, id, wa_node_attr(n, "to"), type, 0);
	}
	sim_online_send_ack(c, n, 0);
}
