/* worker/wa/message/wa_msg.c - what a message says: the Message protobuf, unwrapped and classified
 */
#include "worker/wa/message/wa_msg.h"

#include <string.h>

#include "common/err.h"
#include "worker/wa/message/wa_msg_priv.h"

const struct pb_limits wa_msg_limits = {
	.bytes_max = WA_MSG_MAX_LEN,
	.memory_max = WA_MSG_MEMORY_MAX,
	.depth_max = 32, /* eight wrappers of two levels, content, context, and some */
};

int wa_msg_parse(struct wa_pool *a, const uint8_t *data, size_t data_len,
                 struct Wa__Message **msg_out)
{
	ProtobufCMessage *msg;
	int rc;

	rc = wa_pool_unpack(a, &wa__message__descriptor, data, data_len, &wa_msg_limits, &msg);
	if (rc == 0)
		*msg_out = (Wa__Message *)msg;
	return rc;
}

const char *wa_msg_type_name(enum wa_msg_type t)
{
	static const char *const names[] = {
#define X(id, name) [id] = name,
		WA_MSG_TYPE_LIST(X)
#undef X
	};

	return names[t];
}

/* ---- what it is ---------------------------------------------------------------------------------
 */

/* A ProtocolMessage that is no edit. */
static void take_protocol(struct wa_msg_view *v, const Wa__ProtocolMessage *p)
{
	/* type 0 is not written by every client: its absence is a revoke, too */
	int32_t type = p->has_type ? p->type : WA_PROTO_REVOKE;

	v->protocol = p;
	v->type = WA_MSG_PROTOCOL;
	if (type == WA_PROTO_REVOKE && p->key != NULL) {
		v->type = WA_MSG_REVOKE;
		v->target = wa_msg_key_view(p->key);
	} else if (type == WA_PROTO_EPHEMERAL_SETTING || type == WA_PROTO_EPHEMERAL_SYNC_RESPONSE) {
		v->type = WA_MSG_DISAPPEARING;
		v->expiration_s = p->has_ephemeral_expiration ? p->ephemeral_expiration : 0;
	}
}

/* Fields that accompany content, whatever it is. */
static bool has_unknown_content(const Wa__Message *m)
{
	return m->base.n_unknown_fields > 0 || m->placeholder_message != NULL;
}

static void classify(struct wa_msg_view *v, const Wa__Message *m)
{
	v->inner = m;
	if (m->conversation != NULL) {
		v->type = WA_MSG_TEXT;
		v->text = m->conversation;
	} else if (m->extended_text_message != NULL) {
		wa_msg_take_text(v, m->extended_text_message);
	} else if (m->protocol_message != NULL) {
		take_protocol(v, m->protocol_message);
	} else if (!wa_msg_take_media(v, m) && !wa_msg_take_addon(v, m) &&
	           !wa_msg_take_other(v, m) && !wa_msg_take_business(v, m)) {
		v->type = has_unknown_content(m) ? WA_MSG_UNSUPPORTED : WA_MSG_NONE;
	}
}

/* ---- wrappers -----------------------------------------------------------------------------------
 */

#define WRAP_EPHEMERAL 1u
#define WRAP_VIEW_ONCE 2u
#define WRAP_STATUS 4u

static const struct wrapper {
	size_t at; /* of a pointer to a FutureProofMessage in Wa__Message */
	unsigned flags;
} wrappers[] = {
	{ offsetof(Wa__Message, ephemeral_message), WRAP_EPHEMERAL },
	{ offsetof(Wa__Message, view_once_message), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, view_once_message_v2), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, view_once_message_v2_extension), WRAP_VIEW_ONCE },
	{ offsetof(Wa__Message, document_with_caption_message), 0 },
	{ offsetof(Wa__Message, edited_message), 0 },
	{ offsetof(Wa__Message, lottie_sticker_message), 0 },
	{ offsetof(Wa__Message, group_mentioned_message), 0 },
	{ offsetof(Wa__Message, bot_invoke_message), 0 },
	{ offsetof(Wa__Message, event_cover_image), 0 },
	{ offsetof(Wa__Message, status_mention_message), WRAP_STATUS },
	{ offsetof(Wa__Message, poll_creation_option_image_message), 0 },
	{ offsetof(Wa__Message, associated_child_message), 0 },
	{ offsetof(Wa__Message, group_status_mention_message), WRAP_STATUS },
	{ offsetof(Wa__Message, poll_creation_message_v4), 0 },
	{ offsetof(Wa__Message, status_add_yours), WRAP_STATUS },
	{ offsetof(Wa__Message, group_status_message), WRAP_STATUS },
	{ offsetof(Wa__Message, limit_sharing_message), 0 },
	{ offsetof(Wa__Message, bot_task_message), 0 },
	{ offsetof(Wa__Message, question_message), 0 },
	{ offsetof(Wa__Message, group_status_message_v2), WRAP_STATUS },
	{ offsetof(Wa__Message, bot_forwarded_message), 0 },
	{ offsetof(Wa__Message, question_reply_message), 0 },
	{ offsetof(Wa__Message, newsletter_admin_profile_message), 0 },
	{ offsetof(Wa__Message, spoiler_message), 0 },
};

/* What m wraps, or NULL: it is the content. */
static const Wa__Message *unwrap(struct wa_msg_view *v, const Wa__Message *m)
{
	const Wa__ProtocolMessage *p = m->protocol_message;

	if (m->device_sent_message != NULL && m->device_sent_message->message != NULL) {
		v->from_own_device = true;
		v->destination = m->device_sent_message->destination_jid;
		return m->device_sent_message->message;
	}
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		Wa__FutureProofMessage *w;

		memcpy(&w, (const char *)m + wrappers[i].at, sizeof(w));
		if (w == NULL || w->message == NULL)
			continue;
		v->ephemeral |= (wrappers[i].flags & WRAP_EPHEMERAL) != 0;
		v->view_once |= (wrappers[i].flags & WRAP_VIEW_ONCE) != 0;
		v->status |= (wrappers[i].flags & WRAP_STATUS) != 0;
		return w->message;
	}
	if (p != NULL && p->has_type && p->type == WA_PROTO_MESSAGE_EDIT &&
	    p->edited_message != NULL && !v->is_edit) {
		v->is_edit = true;
		v->edited = wa_msg_key_view(p->key);
		v->sender_unix_ms = p->has_timestamp_ms ? p->timestamp_ms : 0;
		return p->edited_message;
	}
	return NULL;
}

/* What may stand beside content at any level; the innermost one counts. */
static void take_beside(struct wa_msg_view *v, const Wa__Message *m)
{
	const Wa__MessageContextInfo *c = m->message_context_info;
	const Wa__SenderKeyDistributionMessage *d = m->sender_key_distribution_message;

	if (d == NULL)
		d = m->fast_ratchet_key_sender_key_distribution_message;
	if (d != NULL)
		v->sender_key_distribution = BYTES(d, axolotl_sender_key_distribution_message);
	if (c == NULL)
		return;
	if (c->has_message_secret)
		v->message_secret = BYTES(c, message_secret);
	if (c->message_association != NULL && c->message_association->has_association_type &&
	    c->message_association->association_type == 1)
		v->album = wa_msg_key_view(c->message_association->parent_message_key);
}

int wa_msg_view(const struct Wa__Message *msg, struct wa_msg_view *view_out)
{
	const Wa__Message *inner = msg;
	struct wa_msg_view v = { 0 };
	unsigned n = 0;

	do {
		msg = inner;
		if (n++ > WA_MSG_WRAP_MAX)
			return WA_ELIMIT;
		take_beside(&v, msg);
		inner = unwrap(&v, msg);
	} while (inner != NULL);
	classify(&v, msg);
	*view_out = v;
	return 0;
}

/* ---- parts of a view ----------------------------------------------------------------------------
 */

struct wa_msg_contact wa_msg_contact(const struct wa_msg_view *v, size_t i)
{
	const Wa__ContactMessage *c = v->inner->contact_message;

	if (c == NULL)
		c = v->inner->contacts_array_message->contacts[i];
	return (struct wa_msg_contact){ c->display_name, c->vcard };
}

const char *wa_msg_option(const struct wa_msg_view *v, size_t i)
{
	const Wa__PollOption *o = wa_msg_poll(v->inner)->options[i];

	return o->option_name == NULL ? "" : o->option_name;
}

/* ---- beside the content -------------------------------------------------------------------------
 */

const char *wa_msg_source(const char *id)
{
	size_t n = strlen(id);

	if (strspn(id, "0123456789ABCDEF") != n)
		return "unknown";
	if (strncmp(id, "3EB0", 4) == 0)
		return "web";
	if (strncmp(id, "3A", 2) == 0 && n == 20)
		return "ios";
	if (n == 32 || (n >= 18 && n <= 22))
		return "android";
	return "unknown";
}
