/*
 * simulator/history/sim_history.h - what the history of a phone holds, by number (no I/O)
 *
 * Nothing is stored: each chat and each message follows from the phone's key, the number of the
 * chat and the number of the message in it (0 is the oldest), so that a test can compute what must
 * have arrived and history may be of any size. All kinds of messages come in turn.
 * Source: protocol notes 06 section 4.7 and 07 section 4.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/base/sim_pbw.h"
#include "simulator/media/sim_media.h"
#include "simulator/phone/sim_phone.h"

#define SIM_HISTORY_ID_CAP 40
#define SIM_HISTORY_TEXT_CAP 400
#define SIM_HISTORY_DAYS_MAX 36500

struct sim_history {
	uint8_t key[32]; /* of everything that is drawn */
	char number[SIM_NUMBER_CAP];
	char jid[SIM_JID_CAP], lid[SIM_JID_CAP]; /* our own */
	char name[SIM_NAME_CAP];
	uint32_t chats, messages, days;
	int64_t until_unix_s; /* the newest message is just before it */
};

/* until: now, when the phone is made. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_history_init(struct sim_history *h, const struct sim_phone *phone,
                                    int64_t until_unix_s);

/* ---- chats and people --------------------------------------------------------------------------
 */

/* How a chat is told: by chat number modulo the number of forms. */
#define SIM_CHAT_LIST(X) \
	X(SIM_CHAT_LID, "lid")           /* id is a LID, pnJid beside it */ \
	X(SIM_CHAT_LID_2, "lid")         /* the usual form once more */ \
	X(SIM_CHAT_GROUP_LID, "group")   /* addressed by LID */ \
	X(SIM_CHAT_PN_LID, "pn_lid")     /* id is a PN, lidJid beside it */ \
	X(SIM_CHAT_LID_MAPPED, "mapped") /* id is a LID; its PN only in the list of mappings */ \
	X(SIM_CHAT_PN, "pn")             /* id is a PN, and no LID is known */ \
	X(SIM_CHAT_GROUP_PN, "group_pn") /* addressed by PN */ \
	X(SIM_CHAT_SELF, "self")         /* with ourselves: chat 7 only; later ones are as LID */

enum sim_chat_form {
#define X(id, word) id,
	SIM_CHAT_LIST(X)
#undef X
	    SIM_CHAT_FORMS_N
};

struct sim_person {
	char pn[SIM_JID_CAP];
	char lid[SIM_JID_CAP];
	char name[SIM_NAME_CAP]; /* push name */
};

struct sim_chat {
	uint32_t number;
	enum sim_chat_form form;
	bool group, by_lid;
	char id[SIM_JID_CAP];  /* as the phone names it */
	char pn[SIM_JID_CAP];  /* private: the person's; "": group */
	char lid[SIM_JID_CAP]; /* "": none is known, or a group */
	char name[SIM_NAME_CAP];
	uint32_t messages;
	uint32_t members; /* of a group, without us */
	bool archived, pinned, muted;
	uint32_t unread;
};

const char *sim_chat_word(enum sim_chat_form form);
ATTR_NODISCARD int sim_history_chat(const struct sim_history *h, uint32_t chat,
                                    struct sim_chat *chat_out);
/* Whom private chat `number` is with; members of groups are of the same people. */
ATTR_NODISCARD int sim_history_person(const struct sim_history *h, uint32_t number,
                                      struct sim_person *person_out);
/* The member of a group, below chat->members. */
ATTR_NODISCARD int sim_history_member(const struct sim_history *h, const struct sim_chat *chat,
                                      uint32_t member, struct sim_person *person_out);

/* ---- messages ----------------------------------------------------------------------------------
 */

struct sim_history_msg {
	uint32_t number; /* in its chat; 0 is the oldest */
	char id[SIM_HISTORY_ID_CAP];
	bool from_me;
	char sender[SIM_JID_CAP]; /* groups, not ours: as the key's participant; else "" */
	char push_name[SIM_NAME_CAP];
	int64_t unix_s;
	uint64_t order;
	const char *type;                /* "text", "image", ..., "stub"; static */
	unsigned slot;                   /* internal: which of the kinds in turn */
	uint32_t stub;                   /* messageStubType; 0: none */
	char text[SIM_HISTORY_TEXT_CAP]; /* text or caption; "": none */
	uint64_t random;                 /* internal */
	bool has_media;
	enum sim_media_kind media_kind;
};

/* When message `number` of the chat was sent: rises with it. */
int64_t sim_history_time(const struct sim_history *h, uint32_t chat, uint32_t number);
/* How many of the chat's messages are older than that. */
uint32_t sim_history_before(const struct sim_history *h, const struct sim_chat *chat,
                            int64_t unix_s);
ATTR_NODISCARD int sim_history_msg(const struct sim_history *h, const struct sim_chat *chat,
                                   uint32_t number, struct sim_history_msg *msg_out);
/* Which message has that id? False: none of this history. */
bool sim_history_find(const struct sim_history *h, const char *id, uint32_t *chat_out,
                      uint32_t *number_out);

/* The file of a message that has one: as put on the media host, and its content again. */
ATTR_NODISCARD int sim_history_file(const struct sim_history *h, const struct sim_chat *chat,
                                    const struct sim_history_msg *msg, struct buf *stored_out,
                                    struct sim_media_file *file_out);
/* The chat and message that a path of the media host belongs to (SIM_MEDIA_SOURCE_PREFIX...). */
ATTR_NODISCARD bool sim_history_path(const char *path, char number_out[SIM_NUMBER_CAP],
                                     uint32_t *chat_out, uint32_t *msg_out);

/* Append the fields of a WebMessageInfo (sim_history_msg.c). */
ATTR_NODISCARD int sim_history_put(const struct sim_history *h, const struct sim_chat *chat,
                                   const struct sim_history_msg *msg, struct sim_pbw *w);

/* ---- drawing -----------------------------------------------------------------------------------
 */

/* 32 bytes that follow from label and two numbers. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_history_draw(const struct sim_history *h, const char *label, uint32_t a,
                                    uint32_t b, uint8_t out[32]);

#endif
