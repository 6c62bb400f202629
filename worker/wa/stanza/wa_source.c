/* worker/wa/stanza/wa_source.c - who a message stanza is from, in which chat */
#include "worker/wa/stanza/wa_source.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

#define SERVER_PN "s.whatsapp.net"
#define SERVER_LID "lid"

static bool is_server(const struct wa_jid *jid, const char *server)
{
	return strcmp(jid->server, server) == 0;
}

static void set_server(struct wa_jid *jid, const char *server)
{
	snprintf(jid->server, sizeof(jid->server), "%s", server);
}

/* Business devices hosted elsewhere, and an old spelling: the account is the usual one. */
static void normalise(struct wa_jid *jid)
{
	if (is_server(jid, "hosted") || is_server(jid, "c.us"))
		set_server(jid, SERVER_PN);
	else if (is_server(jid, "hosted.lid"))
		set_server(jid, SERVER_LID);
}

/* 0 with an absent JID when there is no such attribute. */
static int jid_attr(const struct wa_node *n, const char *name, struct wa_jid *out)
{
	const char *text = wa_node_attr(n, name);
	int rc;

	memset(out, 0, sizeof(*out));
	if (text == NULL)
		return 0;
	rc = wa_jid_parse(text, strlen(text), out);
	if (rc == 0 && out->user[0] == '\0')
		rc = WA_EPROTO;
	if (rc == 0)
		normalise(out);
	return rc;
}

bool wa_jid_is_bot(const struct wa_jid *jid)
{
	size_t n = strlen(jid->user);

	if (is_server(jid, "bot"))
		return true;
	if (!is_server(jid, SERVER_PN) || strspn(jid->user, "0123456789") != n)
		return false;
	return (n == 11 && strncmp(jid->user, "1313555", 7) == 0) ||
	       (n == 11 && strncmp(jid->user, "131655500", 9) == 0);
}

bool wa_jid_is_own(const struct wa_jid *jid, const struct wa_own_users *own)
{
	if (is_server(jid, SERVER_LID))
		return own->lid[0] != '\0' && strcmp(jid->user, own->lid) == 0;
	return is_server(jid, SERVER_PN) && own->pn[0] != '\0' && strcmp(jid->user, own->pn) == 0;
}

static struct wa_jid without_device(struct wa_jid jid)
{
	jid.device = 0;
	return jid;
}

void wa_jid_to_user(struct wa_jid *jid)
{
	normalise(jid);
	jid->device = 0;
}

/* The other identity, as the attribute for the server that jid does not have says. */
static int alt_attr(const struct wa_node *n, const struct wa_jid *jid, const char *pn_name,
                    const char *lid_name, struct wa_jid *out)
{
	bool lid = is_server(jid, SERVER_LID);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!lid && !is_server(jid, SERVER_PN))
		return 0;
	rc = jid_attr(n, lid ? pn_name : lid_name, out);
	/* An identity in the space it should not be in is not believed. */
	if (rc == 0 && out->server[0] != '\0' && !is_server(out, lid ? SERVER_PN : SERVER_LID))
		memset(out, 0, sizeof(*out));
	return rc;
}

/* Of a chat that is a group's or a broadcast. */
static void take_kind(struct wa_source *s)
{
	s->kind = is_server(&s->chat, "g.us") ? WA_CHAT_GROUP : WA_CHAT_BROADCAST;
	s->is_status = s->kind == WA_CHAT_BROADCAST && strcmp(s->chat.user, "status") == 0;
}

static int read_group(const struct wa_node *m, const struct wa_own_users *own, struct wa_source *s)
{
	int rc;

	take_kind(s);
	rc = jid_attr(m, "participant", &s->sender);
	if (rc == 0 && s->sender.server[0] == '\0')
		rc = WA_EPROTO;
	if (rc == 0)
		rc = alt_attr(m, &s->sender, "participant_pn", "participant_lid", &s->sender_alt);
	s->from_me = wa_jid_is_own(&s->sender, own);
	return rc;
}

static int read_own(const struct wa_node *m, struct wa_source *s)
{
	struct wa_jid recipient;
	int rc;

	s->from_me = true;
	rc = jid_attr(m, "recipient", &recipient);
	if (rc < 0)
		return rc;
	if (recipient.server[0] == '\0') { /* a note to self, or between devices */
		s->chat = without_device(s->sender);
		return 0;
	}
	s->chat = without_device(recipient);
	if (is_server(&s->chat, "g.us") || is_server(&s->chat, "broadcast"))
		take_kind(s);
	rc = alt_attr(m, &s->chat, "peer_recipient_pn", "peer_recipient_lid", &s->chat_alt);
	if (rc == 0 && s->chat_alt.server[0] == '\0')
		rc = alt_attr(m, &s->chat, "recipient_pn", "recipient_lid", &s->chat_alt);
	return rc;
}

static int read_bot(const struct wa_node *m, struct wa_source *s)
{
	const struct wa_node *meta = wa_node_child(m, "meta");
	struct wa_jid chat = { 0 };
	int rc = 0;

	if (meta != NULL)
		rc = jid_attr(meta, "target_chat_jid", &chat);
	if (rc == 0)
		s->chat = without_device(chat.server[0] != '\0' ? chat : s->sender);
	return rc;
}

/* s->chat is the stanza's from. */
static int read_parties(const struct wa_node *m, const struct wa_own_users *own,
                        struct wa_source *s)
{
	int rc;

	if (is_server(&s->chat, "g.us") || is_server(&s->chat, "broadcast"))
		return read_group(m, own, s);
	s->sender = s->chat;
	s->chat = without_device(s->chat);
	if (is_server(&s->sender, "newsletter")) {
		s->kind = WA_CHAT_NEWSLETTER;
		return 0;
	}
	if (wa_jid_is_own(&s->sender, own))
		return read_own(m, s);
	s->from_bot = wa_jid_is_bot(&s->sender);
	if (s->from_bot)
		return read_bot(m, s);
	rc = alt_attr(m, &s->sender, "sender_pn", "sender_lid", &s->sender_alt);
	s->chat_alt = without_device(s->sender_alt);
	return rc;
}

int wa_source_read(const struct wa_node *message, const struct wa_own_users *own,
                   struct wa_source *s_out)
{
	struct wa_source s = {
		.id = wa_node_attr(message, "id"),
		.type = wa_node_attr(message, "type"),
		.edit = wa_node_attr(message, "edit"),
		.push_name = wa_node_attr(message, "notify"),
		.is_peer = wa_node_attr_is(message, "category", "peer"),
		.is_offline = wa_node_attr(message, "offline") != NULL,
	};
	int rc;

	if (!wa_node_is(message, "message") || s.id == NULL)
		return WA_EPROTO;
	if (wa_node_attr_u64(message, "t", INT64_MAX, &s.unix_s) < 0)
		s.unix_s = 0;
	if (s.push_name != NULL && (s.push_name[0] == '\0' || strcmp(s.push_name, "-") == 0))
		s.push_name = NULL;
	rc = jid_attr(message, "from", &s.chat);
	if (rc == 0 && s.chat.server[0] == '\0')
		rc = WA_EPROTO;
	if (rc == 0)
		rc = read_parties(message, own, &s);
	if (rc < 0)
		return rc;
	if (s.sender_alt.server[0] != '\0')
		s.sender_alt.device = s.sender.device; /* they come without */
	*s_out = s;
	return 0;
}
