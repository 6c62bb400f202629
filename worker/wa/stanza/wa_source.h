/*
 * worker/wa/stanza/wa_source.h - who a message stanza is from, in which chat, under which Signal
 * address
 *
 * Source: protocol notes 06 section 2, 05 section 2.
 */
#ifndef WA_SOURCE_H
#define WA_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"

enum wa_chat_kind { WA_CHAT_PRIVATE, WA_CHAT_GROUP, WA_CHAT_BROADCAST, WA_CHAT_NEWSLETTER };

/* Users of the own account; "" while unknown. */
struct wa_own_users {
	char pn[WA_JID_USER_MAX + 1], lid[WA_JID_USER_MAX + 1];
};

/* Texts are borrowed from the stanza. A JID with an empty server is absent. */
struct wa_source {
	enum wa_chat_kind kind;
	struct wa_jid chat;       /* without a device */
	struct wa_jid sender;     /* with its device */
	struct wa_jid sender_alt; /* the same device under its other identity */
	struct wa_jid chat_alt;   /* the other identity of a private chat's partner */
	bool from_me;             /* another device of the account, or we */
	bool from_bot;
	bool is_status;  /* status@broadcast */
	bool is_peer;    /* between the account's own devices */
	bool is_offline; /* was queued */
	const char *id;
	const char *type, *edit, *push_name; /* NULL: absent; "-" counts as absent */
	uint64_t unix_s;                     /* 0: not told */
};

/* 0, or WA_EPROTO (ack error 487): no message, no id, a JID that is none, a sender that is missing.
 */
ATTR_NODISCARD int wa_source_read(const struct wa_node *message, const struct wa_own_users *own,
                                  struct wa_source *s_out);

/* The account instead of one of its devices: no device, hosted servers and c.us as the usual one.
 */
void wa_jid_to_user(struct wa_jid *jid);
bool wa_jid_is_bot(const struct wa_jid *jid);
/* Of the own account, under either identity. */
bool wa_jid_is_own(const struct wa_jid *jid, const struct wa_own_users *own);

#endif
