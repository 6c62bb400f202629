/* worker/receive/wk_recv_open.c - from <enc> to plaintext: who sealed it, and with what it opens */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/receive/wk_recv_priv.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/stanza/wa_stanza.h"

#define BOT_SECRET_LEN 32

/* ---- who --------------------------------------------------------------------------------------
 */

static bool is_server(const struct wa_jid *jid, const char *server)
{
	return strcmp(jid->server, server) == 0;
}

/* Two identities of one person, in either order; others are passed over. */
static int learn(struct wk_recv *r, const struct wa_jid *a, const struct wa_jid *b)
{
	if (is_server(a, "lid") && is_server(b, WA_SERVER_JID))
		return wk_store_lid_learn(r->p.store, b->user, a->user, NULL);
	if (is_server(b, "lid") && is_server(a, WA_SERVER_JID))
		return wk_store_lid_learn(r->p.store, a->user, b->user, NULL);
	return 0;
}

/* Our own pair is known for certain, and nobody may change it. */
static bool is_own_pair(const struct wk_recv *r, const struct wa_jid *a, const struct wa_jid *b)
{
	return wa_jid_is_own(a, &r->own) || wa_jid_is_own(b, &r->own);
}

int wk_recv_learn(struct wk_recv *r, const struct wa_jid *a, const struct wa_jid *b)
{
	return is_own_pair(r, a, b) ? 0 : learn(r, a, b);
}

int wk_recv_address(struct wk_recv_in *in)
{
	struct wk_recv *r = in->r;
	const struct wa_source *src = &in->src;
	int rc = 0;

	if (r->own.pn[0] != '\0' && r->own.lid[0] != '\0')
		rc = wk_store_lid_learn(r->p.store, r->own.pn, r->own.lid, NULL);
	if (rc == 0)
		rc = wk_recv_learn(r, &src->sender, &src->sender_alt);
	if (rc == 0)
		rc = wk_recv_learn(r, &src->chat, &src->chat_alt);
	if (rc < 0)
		return rc;
	return wk_signal_addr(&r->signal, &src->sender, &src->sender_alt, &in->addr);
}

/* ---- with what ---------------------------------------------------------------------------------
 */

static int open_pairwise(struct wk_recv_in *in, enum wa_enc type, const struct wa_node *enc,
                         struct buf *plain)
{
	struct wa_signal_note note = { .prekey_id = 0 };
	struct wa_signal *s;
	int rc = wk_signal_get(&in->r->signal, &s);

	if (rc == 0)
		rc =
		    wa_signal_decrypt(s, &in->addr, type, enc->bytes, enc->bytes_len, plain, &note);
	/* Trust on first use: the new key counts, and the message with it. */
	if (rc == 0 && note.identity_changed)
		LOG(in->r->p.log, LOG_INFO, "identity_changed", LF_ID("user", in->addr.name));
	return rc;
}

static int open_group(struct wk_recv_in *in, const struct wa_node *enc, struct buf *plain)
{
	char chat[WA_JID_TEXT_CAP];
	struct wa_signal *s;
	int rc;

	if (in->src.kind != WA_CHAT_GROUP && in->src.kind != WA_CHAT_BROADCAST)
		return WA_SIG_EMALFORMED;
	(void)wa_jid_format(&in->src.chat, chat);
	rc = wk_signal_get(&in->r->signal, &s);
	if (rc == 0)
		rc = wa_signal_group_decrypt(s, chat, &in->addr, enc->bytes, enc->bytes_len, plain);
	return rc;
}

/* ---- bots --------------------------------------------------------------------------------------
 */

/* What a bot's answer is sealed for: our message, whose secret it knows. */
struct bot_target {
	const char *answer_id; /* of the message, or of the one that it goes on with */
	const char *id, *author;
	struct wa_jid chat;
	char bot[WA_JID_TEXT_CAP];
};

static int read_bot_target(struct wk_recv_in *in, struct bot_target *t)
{
	const struct wa_node *meta = wa_node_child(in->node, "meta");
	const struct wa_node *bot = wa_node_child(in->node, "bot");
	const char *edit = bot == NULL ? NULL : wa_node_attr(bot, "edit");
	struct wa_jid jid = in->src.sender;

	if (meta == NULL)
		return -ENOENT;
	t->id = wa_node_attr(meta, "target_id");
	t->author = wa_node_attr(meta, "target_sender_jid");
	t->answer_id = in->src.id;
	if (edit != NULL && (strcmp(edit, "inner") == 0 || strcmp(edit, "last") == 0))
		t->answer_id = wa_node_attr(bot, "edit_target_id");
	t->chat = in->src.chat;
	jid.device = 0;
	(void)wa_jid_format(&jid, t->bot);
	return t->id == NULL || t->author == NULL || t->answer_id == NULL ? -ENOENT : 0;
}

static int bot_key(const struct bot_target *t, const uint8_t secret[WA_MSG_SECRET_LEN],
                   uint8_t key_out[32])
{
	static const char use[] = "Bot Message";
	uint8_t bot_secret[BOT_SECRET_LEN];
	struct buf info = { 0 };
	int rc = buf_append_str(&info, t->answer_id);

	if (rc == 0)
		rc = buf_append_str(&info, t->author);
	if (rc == 0)
		rc = buf_append_str(&info, t->bot);
	if (rc == 0)
		rc = wa_hkdf(secret, WA_MSG_SECRET_LEN, NULL, 0, use, sizeof(use) - 1, bot_secret,
		             sizeof(bot_secret));
	if (rc == 0)
		rc =
		    wa_hkdf(bot_secret, sizeof(bot_secret), NULL, 0, info.p, info.len, key_out, 32);
	secret_wipe(bot_secret, sizeof(bot_secret));
	buf_free(&info);
	return rc;
}

static int open_bot_payload(const struct bot_target *t, const uint8_t key[32],
                            const Wa__MessageSecretMessage *m, struct buf *plain)
{
	struct buf aad = { 0 };
	int rc;

	if (!m->has_enc_iv || m->enc_iv.len != WA_IV_LEN || !m->has_enc_payload ||
	    m->enc_payload.len < WA_TAG_LEN)
		return WA_SIG_EMALFORMED;
	rc = buf_append(&aad, t->answer_id, strlen(t->answer_id) + 1);
	if (rc == 0)
		rc = buf_append_str(&aad, t->bot);
	if (rc == 0)
		rc = buf_reserve(plain, m->enc_payload.len);
	if (rc == 0)
		rc = wa_gcm_open_iv(key, m->enc_iv.data, aad.p, aad.len, m->enc_payload.data,
		                    m->enc_payload.len, plain->p + plain->len);
	if (rc == 0)
		plain->len += m->enc_payload.len - WA_TAG_LEN;
	buf_free(&aad);
	return rc;
}

static int open_bot(struct wk_recv_in *in, const struct wa_node *enc, struct buf *plain)
{
	static const struct pb_limits limits = { .bytes_max = WA_MSG_MAX_LEN,
		                                 .memory_max = WA_MSG_MEMORY_MAX,
		                                 .depth_max = 4 };
	uint8_t secret[WA_MSG_SECRET_LEN], key[32];
	struct bot_target t = { .id = NULL };
	ProtobufCMessage *m;
	int rc = in->src.from_bot ? read_bot_target(in, &t) : WA_SIG_EMALFORMED;

	if (rc == 0)
		rc = wk_store_msg_secret(in->r->p.store, &t.chat, t.id, secret);
	if (rc == 0)
		rc = bot_key(&t, secret, key);
	if (rc < 0)
		return rc;
	wa_pool_reset(in->r->pool);
	rc = wa_pool_unpack(in->r->pool, &wa__message_secret_message__descriptor, enc->bytes,
	                    enc->bytes_len, &limits, &m);
	if (rc == 0)
		rc = open_bot_payload(&t, key, (const Wa__MessageSecretMessage *)m, plain);
	else if (rc != -ENOMEM)
		rc = WA_SIG_EMALFORMED;
	secret_wipe(secret, sizeof(secret));
	secret_wipe(key, sizeof(key));
	wa_pool_reset(in->r->pool);
	return rc;
}

int wk_recv_open(struct wk_recv_in *in, const struct wa_node *enc, struct buf *plain)
{
	enum wa_enc type = wa_enc_parse(wa_node_attr(enc, "type"));

	if (in->r->pool == NULL)
		in->r->pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	if (in->r->pool == NULL)
		return -ENOMEM;
	if (enc->content != WA_CONTENT_BYTES)
		return WA_SIG_EMALFORMED;
	switch (type) {
	case WA_ENC_MSG:
	case WA_ENC_PKMSG:
		return open_pairwise(in, type, enc, plain);
	case WA_ENC_SKMSG:
		return open_group(in, enc, plain);
	case WA_ENC_MSMSG:
		return open_bot(in, enc, plain);
	case WA_ENC_UNKNOWN:
		break;
	}
	return WA_SIG_EMALFORMED;
}
