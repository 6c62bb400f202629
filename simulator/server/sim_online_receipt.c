/* simulator/server/sim_online_receipt.c - <receipt>, <ack> and <call> of clients: noted, handed on */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "simulator/history/sim_sync.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_send.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/node/wa_jid.h"

/* ---- parts (of messages, too) ------------------------------------------------------------------
 */

struct sim_phone *sim_online_find(const struct sim *s, const char *jid_text, struct wa_jid *jid_out)
{
	if (jid_text == NULL || wa_jid_parse(jid_text, strlen(jid_text), jid_out) < 0)
		return NULL;
	if (strcmp(jid_out->server, WA_SERVER_JID) != 0 && strcmp(jid_out->server, "lid") != 0)
		return NULL;
	return sim_phones_find_user(s->phones, jid_out->user);
}

const char *sim_online_jid(const struct sim_device *d, bool lid)
{
	return lid ? d->lid : d->jid;
}

void sim_online_copy(struct wa_node *to, const struct wa_node *from)
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
		sim_online_copy(wa_node_add(to, n->tag), n);
}

/* What every device gets of a message beside its <enc>. */
void sim_online_copy_rest(struct wa_node *to, const struct wa_node *from)
{
	static const char *const left[] = { "participants", "enc", "reporting", "tctoken",
		                            "cstoken" };

	for (const struct wa_node *n = from->first_child;
	     from->content == WA_CONTENT_NODES && n != NULL; n = n->next) {
		bool skip = false;

		for (size_t i = 0; i < ARRAY_LEN(left); i++)
			skip |= wa_node_is(n, left[i]);
		if (!skip)
			sim_online_copy(wa_node_add(to, n->tag), n);
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

	return sim_online_find(c->sim, participant == NULL ? wa_node_attr(n, "to") : participant,
	                       jid);
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

	wa_node_set_jid(r, "from", participant == NULL ? sim_online_jid(from, lid) : chat);
	wa_node_set(r, "id", wa_node_attr(n, "id"));
	wa_node_set(r, "type", wa_node_attr(n, "type"));
	wa_node_set_int(r, "t", clock_unix_s());
	if (participant != NULL)
		wa_node_set_jid(r, "participant",
		                sim_online_jid(from, strstr(participant, "@lid") != NULL));
	wa_node_set_jid(r, "recipient", wa_node_attr(n, "recipient"));
	sim_online_copy_rest(r, n);
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
	struct sim_phone *phone = sim_online_find(c->sim, wa_node_attr(n, "to"), &jid);
	char type[16];

	if (id != NULL && phone != NULL) {
		snprintf(type, sizeof(type), "call:%.10s", child->tag);
		note(phone, c->session.device, id, wa_node_attr(n, "to"), type, 0);
	}
	sim_online_send_ack(c, n, 0);
}
