/*
 * worker/events/wk_emit_call.c - <call> stanzas as call.update events; calls declined when so set
 *
 * Source: protocol notes 06 section 11.
 */
#include <string.h>

#include "common/codec.h"
#include "common/secret.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/stanza/wa_stanza.h"

#define CALL_ID_LEN 16

/* What is told of; the rest is between the devices in a call. */
static const struct {
	const char *tag, *type;
} kinds[] = {
	{ "offer", "offer" },   { "offer_notice", "offer" },  { "accept", "accept" },
	{ "reject", "reject" }, { "terminate", "terminate" },
};

struct call {
	const struct wa_node *stanza, *child;
	const char *type, *id, *group, *reason;
	struct wa_jid from, alt; /* who calls, or answers */
	struct wa_jid creator, creator_alt;
	uint64_t unix_s, seconds;
	bool video, offline;
};

static bool read_kind(struct call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		c->child = wa_node_child(c->stanza, kinds[i].tag);
		if (c->child != NULL) {
			c->type = kinds[i].type;
			return true;
		}
	}
	return false;
}

/*
 * The number of a caller that comes under its LID, and the other way round. It belongs to who began
 * the call: whoever answers or ends it may be somebody else.
 */
static void read_alt(struct call *c)
{
	const char *creator = wa_node_attr(c->child, "call-creator");
	const char *name;

	c->creator = c->from;
	if (creator != NULL && wk_jid_user_of(creator, &c->creator) < 0)
		return;
	name = wk_jid_is(&c->creator, WK_SERVER_LID) ? "caller_pn" : "caller_lid";
	if (wk_jid_user_of(wa_node_attr(c->child, name), &c->creator_alt) < 0 ||
	    !wk_jid_is(&c->creator_alt,
	               strcmp(name, "caller_pn") == 0 ? WK_SERVER_PN : WK_SERVER_LID))
		memset(&c->creator_alt, 0, sizeof(c->creator_alt));
	if (wa_jid_same_user(&c->creator, &c->from))
		c->alt = c->creator_alt;
}

/* Both identities of who began it; our own are known better. */
static int learn_creator(const struct wk_emit *e, const struct call *c)
{
	bool lid = wk_jid_is(&c->creator, WK_SERVER_LID);
	const struct wa_jid *pn = lid ? &c->creator_alt : &c->creator;

	if (c->creator_alt.server[0] == '\0' || !(lid || wk_jid_is(pn, WK_SERVER_PN)) ||
	    wa_jid_is_own(&c->creator, &e->look.own) ||
	    wa_jid_is_own(&c->creator_alt, &e->look.own))
		return 0;
	return wk_store_lid_learn(e->p.store, pn->user, lid ? c->creator.user : c->creator_alt.user,
	                          NULL);
}

static bool read_call(const struct wa_node *n, struct call *c)
{
	*c = (struct call){ .stanza = n };
	if (!read_kind(c) || wk_jid_user_of(wa_node_attr(n, "from"), &c->from) < 0)
		return false;
	c->id = wa_node_attr(c->child, "call-id");
	if (c->id == NULL || c->id[0] == '\0')
		return false;
	read_alt(c);
	c->group = wa_node_attr(c->child, "group-jid");
	c->reason = wa_node_attr(c->child, "reason");
	c->offline = wa_node_attr(n, "offline") != NULL;
	c->video =
	    wa_node_child(c->child, "video") != NULL || wa_node_attr_is(c->child, "media", "video");
	if (wa_node_attr_u64(n, "t", INT64_MAX, &c->unix_s) < 0)
		c->unix_s = 0;
	if (wa_node_attr_u64(c->child, "duration", INT64_MAX, &c->seconds) < 0)
		c->seconds = 0;
	if (c->reason != NULL && strcmp(c->reason, "timeout") == 0 &&
	    strcmp(c->type, "terminate") == 0)
		c->type = "timeout";
	return true;
}

static int emit(struct wk_emit *e, const struct call *c, const char *type, bool by_setting)
{
	struct wk_event_w w = wk_emit_begin(e);

	jout_obj(&w.j, NULL);
	wk_event_text(&w, "id", c->id);
	jout_str(&w.j, "type", type);
	wk_event_who(&w, "from", &c->from, &c->alt, wa_node_attr(c->stanza, "notify"));
	wk_emit_time(&w, "timestamp", c->unix_s);
	if (strcmp(type, "offer") == 0) {
		jout_bool(&w.j, "video", c->video);
		wk_event_text_set(&w, "group", c->group);
	}
	wk_event_text_set(&w, "reason", c->reason);
	jout_int_set(&w.j, "seconds", (int64_t)c->seconds);
	jout_flag(&w.j, "automatic", by_setting);
	jout_obj_end(&w.j);
	return w.j.err != 0 ? w.j.err : wk_emit_add(e, IPC__EVENT__KIND__CALL_UPDATE, 0);
}

/* It rings now, and the user wants none of it. */
static bool is_unwanted(const struct wk_emit *e, const struct call *c)
{
	return e->p.settings->auto_reject_calls && wa_node_is(c->child, "offer") && !c->offline &&
	       !wa_jid_is_own(&c->from, &e->look.own);
}

static struct wa_node *build_reject(const struct wk_emit *e, const struct call *c)
{
	uint8_t random[CALL_ID_LEN];
	char id[HEX_CAP(CALL_ID_LEN)], own[WA_JID_TEXT_CAP];
	const char *creator = wa_node_attr(c->child, "call-creator");
	struct wa_node *n, *reject;
	struct wa_jid self;

	if (secret_random(random, sizeof(random)) < 0 || wk_jid_user_of(e->p.creds->jid, &self) < 0)
		return NULL;
	hex_encode(random, sizeof(random), id);
	(void)wa_jid_format(&self, own);
	n = wa_node_new("call");
	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "from", own);
	wa_node_set_jid(n, "to", wa_node_attr(c->stanza, "from"));
	reject = wa_node_add(n, "reject");
	wa_node_set(reject, "call-id", c->id);
	wa_node_set_jid(reject, "call-creator",
	                creator != NULL ? creator : wa_node_attr(c->stanza, "from"));
	wa_node_set(reject, "count", "0");
	return n;
}

int wk_emit_call(struct wk_emit *e, const struct wa_node *n)
{
	struct call c;
	int rc;

	if (!read_call(n, &c))
		return 0;
	(void)wk_emit_lookup(e);
	rc = learn_creator(e, &c);
	if (rc == 0)
		rc = emit(e, &c, c.type, false);
	if (rc < 0 || !is_unwanted(e, &c))
		return rc;
	if (e->p.batch != NULL)
		wk_batch_after(e->p.batch, build_reject(e, &c));
	rc = emit(e, &c, "reject", true);
	/* A text to a group would be to people who have not called. */
	if (rc == 0 && c.group == NULL && e->p.on_declined != NULL)
		rc = e->p.on_declined(&c.from, &c.alt, e->p.arg);
	return rc;
}
