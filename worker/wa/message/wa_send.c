/* worker/wa/message/wa_send.c - messages of our own: contents and stanzas */
#include "worker/wa/message/wa_send.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/message/wa_pool.h"

#define REPORT_LEN 16

/* ---- content -----------------------------------------------------------------------------------
 */

static int pack(const Wa__Message *m, struct buf *out)
{
	int rc = buf_reserve(out, wa__message__get_packed_size(m));

	if (rc == 0)
		out->len += wa__message__pack(m, out->p + out->len);
	return rc;
}

int wa_send_text(const char *text, const uint8_t secret[WA_MSG_SECRET_LEN], struct buf *out)
{
	Wa__MessageContextInfo context = WA__MESSAGE_CONTEXT_INFO__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

	context.has_message_secret = true;
	context.message_secret =
	    (ProtobufCBinaryData){ WA_MSG_SECRET_LEN, (uint8_t *)(uintptr_t)secret };
	m.conversation = (char *)(uintptr_t)text;
	m.message_context_info = &context;
	return pack(&m, out);
}

static int parse(const void *message, size_t message_len, struct wa_pool **pool_out,
                 Wa__Message **m_out)
{
	struct wa_pool *pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	int rc = pool == NULL ? -ENOMEM : wa_msg_parse(pool, message, message_len, m_out);

	if (rc < 0) {
		wa_pool_free(pool);
		return rc == -ENOMEM ? rc : WA_EPROTO;
	}
	*pool_out = pool;
	return 0;
}

int wa_send_to_own(const void *message, size_t message_len, const char *to, struct buf *out)
{
	Wa__DeviceSentMessage sent = WA__DEVICE_SENT_MESSAGE__INIT;
	Wa__Message outer = WA__MESSAGE__INIT;
	struct wa_pool *pool;
	Wa__Message *m;
	int rc = parse(message, message_len, &pool, &m);

	if (rc < 0)
		return rc;
	sent.destination_jid = (char *)(uintptr_t)to;
	sent.message = m;
	outer.device_sent_message = &sent;
	outer.message_context_info = m->message_context_info;
	rc = pack(&outer, out);
	wa_pool_free(pool);
	return rc;
}

/* What of a text the token is over: field 1 alone. */
static int reported(const Wa__Message *m, struct buf *out)
{
	Wa__Message only = WA__MESSAGE__INIT;

	only.conversation = m->conversation;
	return pack(&only, out);
}

int wa_send_report(struct wa_node *stanza, const char *id, const char *sender, const char *to,
                   const void *message, size_t message_len)
{
	struct wa_msg_secret s = {
		.id = id, .author = sender, .modifier = to, .use_case = "Report Token"
	};
	const Wa__MessageContextInfo *context;
	struct buf content = { 0 };
	uint8_t token[32];
	struct wa_pool *pool;
	struct wa_node *n;
	Wa__Message *m;
	int rc = parse(message, message_len, &pool, &m);

	if (rc < 0)
		return rc == WA_EPROTO ? 0 : rc;
	context = m->message_context_info;
	if (m->conversation != NULL && context != NULL &&
	    context->message_secret.len == WA_MSG_SECRET_LEN) {
		s.secret = context->message_secret.data;
		rc = reported(m, &content);
		if (rc == 0)
			rc = wa_msg_secret_token(&s, content.p, content.len, token);
		if (rc == 0) {
			n = wa_node_add(wa_node_add(stanza, "reporting"), "reporting_token");
			wa_node_set(n, "v", "2");
			wa_node_set_bytes(n, token, REPORT_LEN);
		}
	}
	buf_wipe(&content);
	wa_pool_free(pool);
	return rc;
}

/* ---- stanzas -----------------------------------------------------------------------------------
 */

struct wa_node *wa_send_stanza(const char *id, const char *to, const char *peer_pn)
{
	struct wa_node *n = wa_node_new("message");

	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "to", to);
	wa_node_set(n, "type", "text");
	if (peer_pn != NULL)
		wa_node_set_jid(n, "peer_recipient_pn", peer_pn);
	wa_node_add(n, "participants");
	return n;
}

static void add_enc(struct wa_node *parent, enum wa_enc type, const struct buf *sealed,
                    unsigned count)
{
	struct wa_node *enc = wa_node_add(parent, "enc");

	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", wa_enc_name(type));
	if (count > 0)
		wa_node_set_int(enc, "count", count);
	wa_node_set_bytes(enc, sealed->p, sealed->len);
}

void wa_send_add(struct wa_node *stanza, const char *device_jid, enum wa_enc type,
                 const struct buf *sealed)
{
	struct wa_node *to = stanza == NULL ? NULL : wa_node_add(stanza->first_child, "to");

	wa_node_set_jid(to, "jid", device_jid);
	add_enc(to, type, sealed, 0);
}

struct wa_node *wa_send_again(const struct wa_retry *ask, enum wa_enc type,
                              const struct buf *sealed)
{
	struct wa_node *n = wa_node_new("message");

	wa_node_set_jid(n, "to", ask->receipt.from);
	wa_node_set(n, "id", ask->message_id);
	wa_node_set(n, "type", "text");
	if (ask->message_unix_s != 0)
		wa_node_set_int(n, "t", (int64_t)ask->message_unix_s);
	if (ask->receipt.recipient != NULL)
		wa_node_set_jid(n, "recipient", ask->receipt.recipient);
	wa_node_set(n, "device_fanout", "false");
	add_enc(n, type, sealed, ask->count);
	return n;
}

void wa_send_token(struct wa_node *stanza, const char *tag, const void *token, size_t token_len)
{
	wa_node_set_bytes(wa_node_add(stanza, tag), token, token_len);
}

void wa_send_identity(struct wa_node *stanza, const void *identity, size_t identity_len)
{
	wa_node_set_bytes(wa_node_add(stanza, "device-identity"), identity, identity_len);
}
