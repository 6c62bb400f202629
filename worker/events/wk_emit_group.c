/*
 * worker/events/wk_emit_group.c - what happens to groups, as group.flow events
 *
 * Two sources: <notification type="w:gp2"> and, in history, messages that are nothing but a stub.
 * Source: protocol notes 06 section 10.1, 10 section 3.
 */
#include <string.h>

#include "common/err.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit_priv.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/stanza/wa_stanza.h"

#define MEMBERS_MAX 4096 /* of one event */

/* What is told of, under the name it has there. */
static const char *const tags[] = {
	"create",
	"add",
	"remove",
	"leave",
	"promote",
	"demote",
	"modify",
	"change_number",
	"subject",
	"description",
	"locked",
	"unlocked",
	"announcement",
	"not_announcement",
	"ephemeral",
	"not_ephemeral",
	"invite",
	"revoke",
	"growth_locked",
	"growth_unlocked",
	"membership_approval_mode",
	"membership_approval_request",
	"created_membership_requests",
	"revoked_membership_requests",
	"member_add_mode",
	"member_link_mode",
	"link",
	"unlink",
	"delete",
	"suspended",
	"unsuspended",
};

/* A change being told of. */
struct flow {
	struct wk_emit *e;
	struct wk_event_w w;
	const struct wa_node *stanza; /* NULL: of history */
	struct wa_jid group, by, by_alt;
	uint64_t unix_s;
};

/* ---- names and identities that come along -------------------------------------------------------
 */

/* Both identities of a <participant>, which are learned. 0, WA_EPROTO or a code of the store. */
static int read_member(struct flow *f, const struct wa_node *p, struct wa_jid *jid,
                       struct wa_jid *alt)
{
	bool lid;
	int rc = wk_jid_user_of(wa_node_attr(p, "jid"), jid);

	memset(alt, 0, sizeof(*alt));
	if (rc < 0)
		return rc;
	lid = wk_jid_is(jid, WK_SERVER_LID);
	if (wk_jid_user_of(wa_node_attr(p, lid ? "phone_number" : "lid"), alt) < 0)
		return 0;
	if (!wk_jid_is(alt, lid ? WK_SERVER_PN : WK_SERVER_LID)) {
		memset(alt, 0, sizeof(*alt));
		return 0;
	}
	return wk_store_lid_learn(f->e->p.store, lid ? alt->user : jid->user,
	                          lid ? jid->user : alt->user, NULL);
}

static int learn_subject(struct flow *f, const char *subject)
{
	if (subject == NULL || subject[0] == '\0')
		return 0;
	return wk_store_name_learn(f->e->p.store, &f->group, WK_NAME_OWN, subject);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void begin(struct flow *f, const char *type)
{
	f->w = wk_emit_begin(f->e);
	jout_obj(&f->w.j, NULL);
	wk_event_jid(&f->w, "jid", &f->group);
	jout_str(&f->w.j, "type", type);
	wk_event_who(&f->w, "by", &f->by, &f->by_alt,
	             f->stanza == NULL ? NULL : wa_node_attr(f->stanza, "notify"));
	wk_emit_time(&f->w, "timestamp", f->unix_s);
}

static int end(struct flow *f, uint32_t flags)
{
	jout_obj_end(&f->w.j);
	return f->w.j.err != 0 ? f->w.j.err
	                       : wk_emit_add(f->e, IPC__EVENT__KIND__GROUP_FLOW, flags);
}

static int put_member(struct flow *f, const struct wa_node *p)
{
	struct wa_jid jid, alt;
	const char *rank = wa_node_attr(p, "type");
	int rc = read_member(f, p, &jid, &alt);

	if (rc == WA_EPROTO)
		return 0;
	if (rc < 0)
		return rc;
	jout_obj(&f->w.j, NULL);
	wk_event_who_members(&f->w, &jid, &alt, NULL);
	wk_event_text_set(&f->w, "rank", rank);
	jout_obj_end(&f->w.j);
	return 0;
}

/* In <create> they stand in its <group>; requests name one as <requested_user>. */
static int put_members(struct flow *f, const struct wa_node *change)
{
	const struct wa_node *group = wa_node_child(change, "group");
	const struct wa_node *parent =
	    group != NULL && wa_node_is(change, "create") ? group : change;
	static const char *const names[] = { "participant", "requested_user" };
	unsigned n = 0;
	int rc = 0;

	jout_arr(&f->w.j, "participants");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (const struct wa_node *p = wa_node_child(parent, names[i]);
		     p != NULL && rc == 0 && n < MEMBERS_MAX; p = wa_node_next(p, names[i]), n++)
			rc = put_member(f, p);
	}
	jout_arr_end(&f->w.j);
	return rc;
}

static void put_content(struct wk_event_w *w, const char *name, const struct wa_node *n)
{
	if (n != NULL && n->content == WA_CONTENT_BYTES && n->bytes_len <= w->text_max)
		jout_str_n(&w->j, name, n->bytes, n->bytes_len);
}

/* What the change is, beyond who and whom. */
static void put_details(struct flow *f, const struct wa_node *c)
{
	const struct wa_node *group = wa_node_child(c, "group");
	const struct wa_node *join = wa_node_child(c, "group_join");
	uint64_t seconds;

	wk_event_text_set(&f->w, "reason", wa_node_attr(c, "reason"));
	if (wa_node_is(c, "subject"))
		wk_event_text(&f->w, "name", wa_node_attr(c, "subject"));
	if (wa_node_is(c, "create"))
		wk_event_text(&f->w, "name", wa_node_attr(group, "subject"));
	if (wa_node_is(c, "description") && wa_node_child(c, "delete") == NULL)
		put_content(&f->w, "description", wa_node_child(c, "body"));
	if (wa_node_is(c, "description") && wa_node_child(c, "delete") != NULL)
		jout_str(&f->w.j, "description", "");
	if (wa_node_is(c, "ephemeral") &&
	    wa_node_attr_u64(c, "expiration", UINT32_MAX, &seconds) == 0)
		jout_int(&f->w.j, "seconds", (int64_t)seconds);
	if (wa_node_is(c, "not_ephemeral"))
		jout_int(&f->w.j, "seconds", 0);
	if (wa_node_is(c, "invite"))
		wk_event_text_set(&f->w, "code", wa_node_attr(c, "code"));
	if (join != NULL)
		wk_event_text_set(&f->w, "state", wa_node_attr(join, "state"));
	if (wa_node_is(c, "member_add_mode") || wa_node_is(c, "member_link_mode"))
		put_content(&f->w, "state", c);
}

/* Who is taken out by himself has left. */
static const char *type_of(const struct flow *f, const struct wa_node *c)
{
	const struct wa_node *first = wa_node_child(c, "participant");
	struct wa_jid jid;

	if (!wa_node_is(c, "remove") || first == NULL || wa_node_next(first, "participant") != NULL)
		return c->tag;
	if (wk_jid_user_of(wa_node_attr(first, "jid"), &jid) == 0 &&
	    (wa_jid_same_user(&jid, &f->by) || wa_jid_same_user(&jid, &f->by_alt)))
		return "leave";
	return c->tag;
}

static bool is_told(const struct wa_node *c)
{
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (wa_node_is(c, tags[i]))
			return true;
	}
	return false;
}

static int take_change(struct flow *f, const struct wa_node *c)
{
	int rc = 0;

	if (wa_node_is(c, "subject"))
		rc = learn_subject(f, wa_node_attr(c, "subject"));
	else if (wa_node_is(c, "create"))
		rc = learn_subject(f, wa_node_attr(wa_node_child(c, "group"), "subject"));
	if (rc < 0 || !is_told(c) || f->e->p.settings->ignore_group_messages)
		return rc;
	begin(f, type_of(f, c));
	rc = put_members(f, c);
	put_details(f, c);
	return rc < 0 ? rc : end(f, 0);
}

int wk_emit_group(struct wk_emit *e, const struct wa_node *n)
{
	struct flow f = { .e = e, .stanza = n };
	int rc = 0;

	if (wk_jid_user_of(wa_node_attr(n, "from"), &f.group) < 0)
		return 0;
	(void)wk_emit_lookup(e);
	if (wk_jid_user_of(wa_node_attr(n, "participant"), &f.by) < 0)
		memset(&f.by, 0, sizeof(f.by));
	if (wk_jid_user_of(wa_node_attr(n, wk_jid_is(&f.by, WK_SERVER_LID) ? "participant_pn"
	                                                                   : "participant_lid"),
	                   &f.by_alt) < 0)
		memset(&f.by_alt, 0, sizeof(f.by_alt));
	if (wa_node_attr_u64(n, "t", INT64_MAX, &f.unix_s) < 0)
		f.unix_s = 0;
	for (const struct wa_node *c = wa_node_child(n, NULL); c != NULL && rc == 0;
	     c = wa_node_next(c, NULL))
		rc = take_change(&f, c);
	buf_reset(&e->data);
	return rc;
}

int wk_emit_groups(struct wk_emit *e, const struct wa_node *result)
{
	struct flow f = { .e = e };
	int rc = 0;

	for (const struct wa_node *g = wa_node_child(wa_node_child(result, "groups"), "group");
	     g != NULL && rc == 0; g = wa_node_next(g, "group")) {
		const char *id = wa_node_attr(g, "id");
		struct wa_jid jid = { .server = "g.us" };

		if (id == NULL || strlen(id) > WA_JID_USER_MAX)
			continue;
		if (strchr(id, '@') == NULL)
			memcpy(jid.user, id, strlen(id) + 1);
		else if (wk_jid_user_of(id, &jid) < 0)
			continue;
		f.group = jid;
		rc = learn_subject(&f, wa_node_attr(g, "subject"));
	}
	return rc;
}

/* ---- history ------------------------------------------------------------------------------------
 */

enum stub_params { NOTHING, MEMBERS, NAME, TEXT };

/* Types of WebMessageInfo.StubType that say the same as a notification. */
static const struct {
	int type;
	const char *name;
	enum stub_params params;
} stubs[] = {
	{ 20, "create", NAME },           { 21, "subject", NAME },
	{ 23, "invite", NOTHING },        { 24, "description", TEXT },
	{ 25, "locked", NOTHING },        { 26, "announcement", NOTHING },
	{ 27, "add", MEMBERS },           { 28, "remove", MEMBERS },
	{ 29, "promote", MEMBERS },       { 30, "demote", MEMBERS },
	{ 31, "invite_member", MEMBERS }, { 32, "leave", MEMBERS },
	{ 33, "change_number", MEMBERS }, { 43, "delete", NOTHING },
	{ 71, "add", MEMBERS },           { 140, "add", MEMBERS },
	{ 141, "add", MEMBERS },
};

/* 25 and 26 say by "on" and "off" which way it went. */
static const char *stub_name(size_t i, const Wa__WebMessageInfo *info)
{
	const char *first =
	    info->n_message_stub_parameters > 0 ? info->message_stub_parameters[0] : "";

	if (strcmp(first, "off") == 0 && stubs[i].type == 25)
		return "unlocked";
	if (strcmp(first, "off") == 0 && stubs[i].type == 26)
		return "not_announcement";
	return stubs[i].name;
}

static void put_stub(struct flow *f, size_t i, const Wa__WebMessageInfo *info)
{
	size_t n = info->n_message_stub_parameters;
	struct wa_jid jid;

	jout_arr(&f->w.j, "participants");
	for (size_t k = 0; stubs[i].params == MEMBERS && k < n && k < MEMBERS_MAX; k++) {
		if (wk_jid_user_of(info->message_stub_parameters[k], &jid) == 0)
			wk_event_who(&f->w, NULL, &jid, NULL, NULL);
	}
	jout_arr_end(&f->w.j);
	if (stubs[i].params == NAME && n > 0)
		wk_event_text(&f->w, "name", info->message_stub_parameters[0]);
	if (stubs[i].params == TEXT && n > 0)
		wk_event_text(&f->w, "description", info->message_stub_parameters[n - 1]);
	jout_bool(&f->w.j, "fromHistory", true);
}

/* Which one of them; ARRAY_LEN(stubs): none. */
static size_t stub_of(const Wa__WebMessageInfo *info)
{
	size_t i = info->has_message_stub_type ? 0 : ARRAY_LEN(stubs);

	while (i < ARRAY_LEN(stubs) && stubs[i].type != info->message_stub_type)
		i++;
	return i;
}

bool wk_emit_is_group_stub(const struct Wa__WebMessageInfo *info)
{
	return stub_of(info) < ARRAY_LEN(stubs);
}

int wk_emit_stub(struct wk_emit *e, const struct wa_jid *chat,
                 const struct Wa__WebMessageInfo *info)
{
	struct flow f = { .e = e, .group = *chat };
	size_t i = stub_of(info);

	if (i == ARRAY_LEN(stubs) || !wk_jid_is(chat, "g.us") ||
	    e->p.settings->ignore_group_messages)
		return 0;
	(void)wk_emit_lookup(e);
	if (wk_jid_user_of(info->participant, &f.by) < 0 &&
	    (info->key == NULL || wk_jid_user_of(info->key->participant, &f.by) < 0))
		memset(&f.by, 0, sizeof(f.by));
	if (info->has_message_timestamp && info->message_timestamp <= INT64_MAX)
		f.unix_s = info->message_timestamp;
	begin(&f, stub_name(i, info));
	put_stub(&f, i, info);
	return end(&f, WK_EVENT_FROM_HISTORY);
}
