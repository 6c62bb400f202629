/* simulator/phone/sim_group_send.c - a phone sends to a group, or a status, under its sender key */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/phone/sim_group_priv.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/phone/sim_peer_priv.h"
#include "simulator/server/sim_online.h"
#include "simulator/sim.h"

/* One message on its way to many. */
struct round {
	struct sim *s;
	struct sim_out *o;
	const char *chat;
	bool pn;
	uint32_t key_id;
	struct buf skdm;   /* Message with the sender key's distribution */
	struct buf cipher; /* the skmsg, the same for all */
};

static bool is_pairwise(enum sim_spoil_kind spoil)
{
	return spoil == SIM_SPOIL_PREKEY || spoil == SIM_SPOIL_SIGNED;
}

/* Message{2 senderKeyDistributionMessage{1 group, 2 SKDM}} */
int sim_send_skdm(struct sim *s, struct sim_phone *from, const char *chat, struct buf *out,
                  uint32_t *key_id_out)
{
	struct buf skdm = { 0 }, inner = { 0 };
	int rc = sim_peer_skdm(s, from, chat, &skdm, key_id_out);

	if (rc == 0)
		rc = sim_msg_put_text(&inner, 1, chat);
	if (rc == 0)
		rc = sim_msg_put(&inner, 2, skdm.p, skdm.len);
	if (rc == 0)
		rc = sim_msg_put(out, 2, inner.p, inner.len);
	buf_free(&skdm);
	buf_free(&inner);
	return rc;
}

static int begin(struct round *r)
{
	struct sim_seal how = r->o->seal;
	int rc;

	if (r->o->unix_s == 0)
		r->o->unix_s = clock_unix_s();
	rc = r->o->id[0] != '\0' ? 0 : sim_send_make_id(r->o->from, r->o->id);
	if (how.spoil == SIM_SPOIL_NO_SKDM)
		sim_peer_rotate_group(r->o->from, r->chat);
	/* The distribution first: it must describe the key as this message uses it. */
	if (rc == 0)
		rc = sim_send_skdm(r->s, r->o->from, r->chat, &r->skdm, &r->key_id);
	if (is_pairwise(how.spoil))
		how.spoil = SIM_SPOIL_NO;
	if (rc == 0)
		rc = sim_peer_seal_group(r->s, r->o->from, r->chat, r->o->msg, r->o->msg_len, &how,
		                         &r->cipher);
	return rc;
}

static int add_encs(const struct round *r, struct sim_device *to, struct wa_node *n)
{
	struct sim_seal pairwise = { .spoil = SIM_SPOIL_NO }, how = r->o->seal;
	int rc = 0;

	if (how.spoil == SIM_SPOIL_UNAVAILABLE)
		wa_node_set(wa_node_add(n, "unavailable"), "type", "view_once");
	if (how.spoil == SIM_SPOIL_UNAVAILABLE || how.spoil == SIM_SPOIL_EMPTY)
		return 0;
	if (is_pairwise(how.spoil)) {
		sim_peer_unmark_skdm(r->o->from, r->chat, to);
		pairwise.spoil = how.spoil;
		how.spoil = SIM_SPOIL_NO;
	}
	if (!sim_peer_mark_skdm(r->o->from, r->chat, to, r->key_id) &&
	    how.spoil != SIM_SPOIL_NO_SKDM)
		rc = sim_peer_seal(r->s, r->o->from, to, r->skdm.p, r->skdm.len, &pairwise, n);
	if (rc == 0)
		sim_peer_add_enc(n, WA_ENC_SKMSG, &how, &r->cipher);
	return rc;
}

static int to_device(const struct round *r, struct sim_device *to)
{
	const struct sim_phone *from = r->o->from;
	struct wa_node *n = sim_send_stanza(r->o);
	int rc;

	wa_node_set_jid(n, "from", r->chat);
	wa_node_set_jid(n, "participant", r->pn ? from->jid : from->lid);
	wa_node_set_jid(n, r->pn ? "participant_lid" : "participant_pn",
	                r->pn ? from->lid : from->jid);
	wa_node_set(n, "addressing_mode", r->pn ? "pn" : "lid");
	rc = add_encs(r, to, n);
	if (rc == 0)
		return sim_send_push(to, n, r->o);
	wa_node_free(n);
	return rc;
}

static int to_phone(const struct round *r, struct sim_phone *to)
{
	struct sim_device *d = sim_device_first(r->s->devices, to->number);
	int rc = 0;

	if (to != r->o->from)
		rc = sim_send_to_phone(r->o, to, r->chat);
	else if (r->o->silent)
		return 0;
	for (; d != NULL && rc == 0; d = d->next)
		rc = to_device(r, d);
	return rc;
}

static void end(struct round *r)
{
	buf_free(&r->skdm);
	buf_free(&r->cipher);
}

int sim_send_group(struct sim *s, struct sim_out *o, const struct sim_group *g)
{
	struct round r = { .s = s, .o = o, .chat = g->jid, .pn = g->pn };
	int rc = begin(&r);

	if (rc == 0)
		rc = sim_send_record(o, g->jid);
	for (size_t i = 0; i < g->n && rc == 0; i++)
		rc = to_phone(&r, g->members[i].phone);
	end(&r);
	return rc;
}

int sim_send_status(struct sim *s, struct sim_out *o, struct sim_phone *const *audience, size_t n)
{
	struct round r = { .s = s, .o = o, .chat = SIM_STATUS, .pn = o->pn };
	int rc = begin(&r);

	if (rc == 0)
		rc = sim_send_record(o, SIM_STATUS);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (audience[i] != o->from)
			rc = to_phone(&r, audience[i]);
	}
	if (rc == 0)
		rc = to_phone(&r, o->from);
	end(&r);
	return rc;
}
