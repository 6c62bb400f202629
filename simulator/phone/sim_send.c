/* simulator/phone/sim_send.c - a phone sends to an account, and to its own companions */
#include "simulator/phone/sim_send.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"

#define ID_RANDOM 9

int sim_send_make_id(struct sim_phone *phone, char out[SIM_MSG_ID_CAP])
{
	uint8_t raw[ID_RANDOM];
	int rc = sim_rand_bytes(&phone->rnd, raw, sizeof(raw));

	memcpy(out, "3A", 3);
	if (rc == 0)
		hex_encode(raw, sizeof(raw), out + 2);
	for (char *p = out; *p != '\0'; p++)
		*p = *p >= 'a' && *p <= 'f' ? (char)(*p - 'a' + 'A') : *p;
	return rc;
}

static int prepare(struct sim_out *o)
{
	if (o->unix_s == 0)
		o->unix_s = clock_unix_s();
	return o->id[0] != '\0' ? 0 : sim_send_make_id(o->from, o->id);
}

/* ---- parts -------------------------------------------------------------------------------------
 */

struct wa_node *sim_send_stanza(const struct sim_out *o)
{
	struct wa_node *n = wa_node_new("message");

	wa_node_set_jid(n, "from", o->pn ? o->from->jid : o->from->lid);
	wa_node_set(n, "id", o->id);
	wa_node_set_int(n, "t", o->unix_s);
	wa_node_set(n, "type", o->type);
	wa_node_set(n, "edit", o->edit);
	if (o->from->name[0] != '\0')
		wa_node_set(n, "notify", o->from->name);
	return n;
}

static struct wa_node *copy(const struct wa_node *node)
{
	struct wa_node *n = NULL;
	struct buf b = { 0 };
	int rc = wa_stanza_encode(node, &b);

	if (rc == 0)
		rc = wa_stanza_decode(b.p, b.len, &n);
	buf_free(&b);
	return rc == 0 ? n : NULL;
}

int sim_send_push(struct sim_device *device, struct wa_node *node, const struct sim_out *o)
{
	struct wa_node *twice = o->seal.spoil == SIM_SPOIL_DUPLICATE ? copy(node) : NULL;
	int rc = sim_online_push(device, node);

	if (rc == 0 && twice != NULL)
		return sim_online_push(device, twice);
	wa_node_free(twice);
	return rc;
}

int sim_send_wrap(const char *chat, const uint8_t *msg, size_t msg_len, struct buf *out)
{
	struct buf sent = { 0 };
	int rc = sim_msg_put(&sent, 1, chat, strlen(chat));

	if (rc == 0)
		rc = sim_msg_put(&sent, 2, msg, msg_len);
	if (rc == 0)
		rc = sim_msg_put(out, 31, sent.p, sent.len);
	buf_free(&sent);
	return rc;
}

/* What both ends of a message write down. */
static struct sim_mail_entry entry_of(const struct sim_out *o, const char *chat,
                                      struct sim_msg_info *info)
{
	sim_msg_describe(o->msg, o->msg_len, info);
	return (struct sim_mail_entry){
		.id = o->id,
		.from = o->from->jid,
		.chat = chat,
		.type = info->type,
		.text = info->text,
		.unix_s = o->unix_s,
		.msg = o->msg,
		.msg_len = o->msg_len,
		.no_retry = o->no_retry,
	};
}

int sim_send_record(struct sim_out *o, const char *chat)
{
	struct sim_msg_info info;
	struct sim_mail_entry e = entry_of(o, chat, &info);

	e.mediatype = o->seal.mediatype;
	e.stanza_type = o->type;
	e.edit = o->edit;
	e.hide = o->seal.hide;
	return sim_mail_sent(o->from, &e);
}

/* Of one of the phone's own companions. */
static bool is_own(const struct sim_phone *phone, const char *device_jid)
{
	size_t n = strlen(phone->number);

	return strncmp(device_jid, phone->number, n) == 0 && device_jid[n] == ':';
}

int sim_send_to_phone(const struct sim_out *o, struct sim_phone *to, const char *chat)
{
	struct sim_msg_info info;
	struct sim_mail_entry e = entry_of(o, chat, &info);

	return sim_mail_got(to, &e);
}

int sim_send_to_inbox(struct sim_phone *to, const char *from, const char *chat, const char *id,
                      int64_t unix_s, const uint8_t *msg, size_t msg_len)
{
	struct sim_mail_entry e = {
		.id = id,
		.from = from,
		.chat = chat,
		.unix_s = unix_s,
		.msg = msg,
		.msg_len = msg_len,
	};
	struct sim_msg_info info;
	int rc;

	sim_msg_describe(msg, msg_len, &info);
	e.type = info.type;
	e.text = info.text;
	rc = sim_mail_got(to, &e);
	return rc == 0 && is_own(to, from) ? sim_mail_own(to, &e) : rc;
}

/* <enc>, or what a spoilt one has in its place. */
static int add_enc(struct sim *s, const struct sim_out *o, struct sim_device *to, const void *msg,
                   size_t msg_len, struct wa_node *n)
{
	if (o->seal.spoil == SIM_SPOIL_UNAVAILABLE) {
		wa_node_set(wa_node_add(n, "unavailable"), "type", "view_once");
		return 0;
	}
	if (o->seal.spoil == SIM_SPOIL_EMPTY)
		return 0;
	return sim_peer_seal(s, o->from, to, msg, msg_len, &o->seal, n);
}

/* ---- to an account -----------------------------------------------------------------------------
 */

static int to_theirs(struct sim *s, const struct sim_out *o, struct sim_device *to)
{
	struct wa_node *n = sim_send_stanza(o);
	int rc;

	wa_node_set_jid(n, o->pn ? "sender_lid" : "sender_pn", o->pn ? o->from->lid : o->from->jid);
	rc = add_enc(s, o, to, o->msg, o->msg_len, n);
	if (rc == 0)
		return sim_send_push(to, n, o);
	wa_node_free(n);
	return rc;
}

static int to_own(struct sim *s, const struct sim_out *o, struct sim_device *to,
                  const struct sim_phone *chat, const struct buf *wrapped)
{
	struct wa_node *n = sim_send_stanza(o);
	int rc;

	wa_node_set_jid(n, "recipient", o->pn ? chat->jid : chat->lid);
	wa_node_set_jid(n, o->pn ? "peer_recipient_lid" : "peer_recipient_pn",
	                o->pn ? chat->lid : chat->jid);
	rc = add_enc(s, o, to, wrapped->p, wrapped->len, n);
	if (rc == 0)
		return sim_send_push(to, n, o);
	wa_node_free(n);
	return rc;
}

static int to_own_all(struct sim *s, const struct sim_out *o, const struct sim_phone *to)
{
	struct sim_device *d = sim_device_first(s->devices, o->from->number);
	struct buf wrapped = { 0 };
	int rc;

	if (d == NULL || o->silent)
		return 0;
	rc = sim_send_wrap(o->pn ? to->jid : to->lid, o->msg, o->msg_len, &wrapped);
	for (; d != NULL && rc == 0; d = d->next)
		rc = to_own(s, o, d, to, &wrapped);
	buf_free(&wrapped);
	return rc;
}

int sim_send_direct(struct sim *s, struct sim_out *o, struct sim_phone *to)
{
	int rc = prepare(o);

	if (rc == 0)
		rc = sim_send_record(o, to->jid);
	if (rc == 0 && to != o->from)
		rc = sim_send_to_phone(o, to, o->from->jid);
	for (struct sim_device *d = sim_device_first(s->devices, to->number);
	     to != o->from && d != NULL && rc == 0; d = d->next)
		rc = to_theirs(s, o, d);
	return rc < 0 ? rc : to_own_all(s, o, to);
}

/* ---- to one of the own companions --------------------------------------------------------------
 */

static int push_peer(struct sim *s, const struct sim_out *o, struct sim_device *device)
{
	struct wa_node *n = wa_node_new("message");
	int rc;

	wa_node_set_jid(n, "from", o->from->jid);
	wa_node_set(n, "id", o->id);
	wa_node_set_int(n, "t", o->unix_s);
	wa_node_set(n, "type", "text");
	wa_node_set(n, "category", "peer");
	rc = sim_peer_seal(s, o->from, device, o->msg, o->msg_len, &o->seal, n);
	if (rc == 0)
		return sim_online_push(device, n);
	wa_node_free(n);
	return rc;
}

int sim_peer_send_own(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                      const char *id, const uint8_t *msg, size_t msg_len,
                      char id_out[SIM_MSG_ID_CAP])
{
	struct sim_out o = { .from = phone, .msg = msg, .msg_len = msg_len, .type = "text" };
	int rc;

	if (id != NULL)
		snprintf(o.id, sizeof(o.id), "%s", id);
	rc = prepare(&o);
	if (rc == 0)
		rc = sim_send_record(&o, device->jid);
	if (rc == 0)
		rc = push_peer(s, &o, device);
	if (rc == 0 && id_out != NULL)
		memcpy(id_out, o.id, SIM_MSG_ID_CAP);
	return rc;
}
