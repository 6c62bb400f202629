/*
 * worker/wa/message/wa_msg.h - what a message says: the Message protobuf, unwrapped and classified
 *
 * wa_msg_parse() decodes, wa_msg_view() finds out what kind it is and points at its parts. A view
 * borrows everything from the decoded message, so both live until the pool is reset. Strings are
 * as the sender wrote them: NUL-terminated, possibly no UTF-8.
 * Source: protocol notes 06 section 4, 05 section 5.3, 09 section 5.
 */
#ifndef WA_MSG_H
#define WA_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/message/wa_pool.h"

#define WA_MSG_MAX_LEN (4u * 1024 * 1024)     /* an <enc> is no larger */
#define WA_MSG_MEMORY_MAX (16u * 1024 * 1024) /* decoded; history comes inside such a message */
#define WA_MSG_WRAP_MAX 8                     /* wrappers around one another */

struct Wa__Message; /* proto/wa_msg.pb-c.h */
struct Wa__MessageKey;
struct Wa__ProtocolMessage;

/* Of a pool that one message at a time is decoded into. */
#define WA_MSG_POOL_FIRST 16384

extern const struct pb_limits wa_msg_limits; /* size and depth */

/* Decode a plaintext. 0, WA_ETRUNC, WA_EPROTO or WA_ELIMIT. */
ATTR_NODISCARD int wa_msg_parse(struct wa_pool *a, const uint8_t *data, size_t data_len,
                                struct Wa__Message **msg_out);

/* ---- kinds --------------------------------------------------------------------------------------
 */

#define WA_MSG_TYPE_LIST(X) \
	X(WA_MSG_NONE, "none")         /* nothing to show: keys, context */ \
	X(WA_MSG_PROTOCOL, "protocol") /* between the account's own devices */ \
	X(WA_MSG_TEXT, "text") \
	X(WA_MSG_IMAGE, "image") \
	X(WA_MSG_VIDEO, "video") \
	X(WA_MSG_AUDIO, "audio") \
	X(WA_MSG_DOCUMENT, "document") \
	X(WA_MSG_STICKER, "sticker") \
	X(WA_MSG_STICKER_PACK, "sticker_pack") \
	X(WA_MSG_LOCATION, "location") \
	X(WA_MSG_CONTACT, "contact") \
	X(WA_MSG_REACTION, "reaction") \
	X(WA_MSG_POLL, "poll") \
	X(WA_MSG_POLL_VOTE, "poll_vote") \
	X(WA_MSG_POLL_RESULT, "poll_result") \
	X(WA_MSG_EVENT, "event") \
	X(WA_MSG_EVENT_RESPONSE, "event_response") \
	X(WA_MSG_COMMENT, "comment") \
	X(WA_MSG_SECRET_EDIT, "encrypted_edit") /* see enc */ \
	X(WA_MSG_REVOKE, "revoke") \
	X(WA_MSG_PIN, "pin") \
	X(WA_MSG_KEEP, "keep") \
	X(WA_MSG_DISAPPEARING, "disappearing") /* the chat's timer: expiration_s */ \
	X(WA_MSG_GROUP_INVITE, "group_invite") \
	X(WA_MSG_ALBUM, "album") \
	X(WA_MSG_PRODUCT, "product") \
	X(WA_MSG_ORDER, "order") \
	X(WA_MSG_LIST, "list") \
	X(WA_MSG_BUTTONS, "buttons") \
	X(WA_MSG_TEMPLATE, "template") \
	X(WA_MSG_INTERACTIVE, "interactive") \
	X(WA_MSG_REPLY, "button_reply") /* what was chosen: choice_id, text */ \
	X(WA_MSG_CALL, "call") \
	X(WA_MSG_UNSUPPORTED, "unsupported") /* something we have no field for */

enum wa_msg_type {
#define X(id, name) id,
	WA_MSG_TYPE_LIST(X)
#undef X
};

const char *wa_msg_type_name(enum wa_msg_type t);

/* ProtocolMessage.type */
enum wa_protocol_type {
	WA_PROTO_REVOKE = 0,
	WA_PROTO_EPHEMERAL_SETTING = 3,
	WA_PROTO_EPHEMERAL_SYNC_RESPONSE = 4,
	WA_PROTO_HISTORY_SYNC_NOTIFICATION = 5,
	WA_PROTO_APP_STATE_SYNC_KEY_SHARE = 6,
	WA_PROTO_APP_STATE_SYNC_KEY_REQUEST = 7,
	WA_PROTO_APP_STATE_FATAL_EXCEPTION = 10,
	WA_PROTO_MESSAGE_EDIT = 14,
	WA_PROTO_PEER_DATA_REQUEST = 16,
	WA_PROTO_PEER_DATA_RESPONSE = 17,
	WA_PROTO_LID_MIGRATION_MAPPING_SYNC = 22,
};

/* ---- the view -----------------------------------------------------------------------------------
 */

struct wa_bytes {
	const uint8_t *p; /* NULL: absent */
	size_t len;
};

/* A message that is pointed at. from_me is from the viewpoint of who sent the pointing one. */
struct wa_msg_key {
	const char *chat, *id, *participant; /* NULL: absent */
	bool from_me;
};

struct wa_msg_media {
	const char *url, *direct_path, *mimetype, *file_name, *title;
	struct wa_bytes media_key, sha256, enc_sha256, thumbnail, waveform;
	uint64_t file_len; /* bytes */
	int64_t key_unix_s;
	uint32_t width, height, seconds, pages;
	bool voice_note, gif, video_note, animated;
};

struct wa_msg_location {
	double latitude, longitude;
	const char *name, *address, *url;
	uint32_t accuracy_m;
	bool live;
	int64_t sequence; /* of a live one */
};

struct wa_msg_contact {
	const char *name, *vcard;
};

#define WA_USE_POLL_EDIT "Poll Edit"
#define WA_USE_POLL_ADD_OPTION "Poll Add Option"

/* Sealed under the secret of the message it is about: wa_msg_secret.h opens it. */
struct wa_msg_enc {
	const char *use_case; /* "Poll Vote", ...; NULL: nothing of the kind */
	struct wa_bytes payload, iv;
};

struct wa_msg_view {
	enum wa_msg_type type;
	const char *text; /* text, caption, name, reaction ("": taken back), description; or NULL */
	const char *title, *footer,
	    *choice_id; /* of lists, buttons and replies; title also of links */

	/* the wrappers it came in */
	bool ephemeral, view_once, status, from_own_device;
	const char *destination; /* from_own_device: the chat it was sent to */

	/* context */
	struct wa_msg_key quoted; /* id NULL: no reply */
	struct wa_bytes quoted_message;
	char *const *mentions;
	size_t mentions_n;
	bool mentions_everyone, forwarded;
	uint32_t forwarding_score;
	uint32_t expiration_s;   /* disappearing after; 0: not */
	struct wa_msg_key album; /* the album it belongs to; id NULL: none */

	/* parts; which apply follows from type and the has_ flags */
	bool has_media, has_location;
	struct wa_msg_media media;
	struct wa_msg_location location;
	size_t contacts_n, options_n; /* wa_msg_contact(), wa_msg_option() */
	uint32_t selectable_n;        /* poll: how many may be chosen; 0: any number */
	struct wa_msg_key target;     /* reaction, vote, pin, keep, revoke, comment: about which */
	int64_t sender_unix_ms;       /* of a reaction, vote, edit, pin; 0: unknown */
	bool undone;                  /* pin: unpinned; keep: let go; event: cancelled */
	bool is_edit;                 /* type and parts are the new content of `edited` */
	struct wa_msg_key edited;
	struct wa_msg_enc enc;
	int64_t start_unix_s, end_unix_s; /* event; invite: end is when it expires */
	const char *invite_code, *group_jid;

	/* for the session, not for users */
	struct wa_bytes message_secret; /* 32 bytes when present */
	struct wa_bytes sender_key_distribution;
	const struct Wa__ProtocolMessage *protocol; /* type PROTOCOL */
	const struct Wa__Message *inner;            /* what the view is of */
};

/* 0, or WA_ELIMIT (wrapped more than WA_MSG_WRAP_MAX deep). */
ATTR_NODISCARD int wa_msg_view(const struct Wa__Message *msg, struct wa_msg_view *view_out);

struct wa_msg_contact wa_msg_contact(const struct wa_msg_view *v, size_t i); /* i < contacts_n */
const char *wa_msg_option(const struct wa_msg_view *v, size_t i);            /* i < options_n */
struct wa_msg_key wa_msg_key_view(const struct Wa__MessageKey *key);         /* NULL: all absent */

/* ---- beside the content -------------------------------------------------------------------------
 */

/* What kind of client made a message id: "android", "ios", "web" or "unknown". */
const char *wa_msg_source(const char *id);

#endif
