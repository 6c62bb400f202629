/* simulator/history/sim_sync_own.c - what companions ask their phone: history again, older, files
 * again */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "simulator/appstate/sim_appstate_live.h"
#include "simulator/base/sim_pb.h"
#include "simulator/history/sim_sync_priv.h"
#include "simulator/phone/sim_send.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/node/wa_node.h"

#define RETRY_INFO "WhatsApp Media Retry Notification"
#define ATTEMPTS_MAX 5
#define ON_DEMAND_MAX 50 /* more is not answered with more */
#define ERRORS_PLAIN_MAX 512
#define MESSAGE_ID_MAX 128

enum request {
	REQ_ON_DEMAND = 3,
	REQ_PLACEHOLDER = 4,
	REQ_CHUNK_RETRY = 10,
};

/* A field of bytes; false when there is none of that number. */
static bool field(const uint8_t *data, size_t len, uint32_t number, struct sim_pb_field *out)
{
	struct rd r;

	rd_init(&r, data, len);
	while (sim_pb_next_any(&r, out)) {
		if (out->number == number)
			return true;
	}
	return false;
}

/* ---- server-error receipts ---------------------------------------------------------------------
 */

static int retry_key(const uint8_t media_key[SIM_MEDIA_KEY_LEN], uint8_t out[32])
{
	return wa_hkdf(media_key, SIM_MEDIA_KEY_LEN, NULL, 0, RETRY_INFO, strlen(RETRY_INFO), out,
	               32);
}

/* <encrypt><enc_p/><enc_iv/></encrypt> holds ServerErrorReceipt{1 stanzaId = id}. */
static bool opens(const struct wa_node *receipt, const char *id,
                  const uint8_t media_key[SIM_MEDIA_KEY_LEN])
{
	const struct wa_node *encrypt = wa_node_child(receipt, "encrypt");
	const struct wa_node *p = encrypt == NULL ? NULL : wa_node_child(encrypt, "enc_p");
	const struct wa_node *iv = encrypt == NULL ? NULL : wa_node_child(encrypt, "enc_iv");
	uint8_t key[32], plain[ERRORS_PLAIN_MAX];
	struct sim_pb_field f;
	struct rd r;

	if (p == NULL || iv == NULL || iv->bytes_len != WA_IV_LEN || p->bytes_len <= WA_TAG_LEN ||
	    p->bytes_len > sizeof(plain) || retry_key(media_key, key) < 0 ||
	    wa_gcm_open_iv(key, iv->bytes, id, strlen(id), p->bytes, p->bytes_len, plain) < 0)
		return false;
	rd_init(&r, plain, p->bytes_len - WA_TAG_LEN);
	return sim_pb_next(&r, &f) && sim_pb_is_bytes(&f, 1, strlen(id)) &&
	       memcmp(f.data, id, f.len) == 0;
}

/* A blob could not be read: it is put up again. */
static void notice_failed(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                          const struct wa_node *receipt, struct sim_sync_note *n)
{
	struct sim_sync *sync = device->sync;
	size_t index = (size_t)(n - sync->notes);

	if (n->is_inline || !opens(receipt, n->id, n->key)) {
		sync->bad_receipts++;
		LOG(NULL, LOG_NOTICE, "server_error_receipt_refused",
		    LF_STR("device", device->jid));
		return;
	}
	n->attempts++;
	if (n->hostile || n->attempts > ATTEMPTS_MAX) {
		n->state = SIM_SYNC_DONE;
		sim_sync_spare_file(s, n);
		return;
	}
	if (sim_sync_tell_again(s, phone, device, index) < 0)
		LOG(NULL, LOG_WARNING, "history_not_again", LF_STR("device", device->jid));
}

/* MediaRetryNotification{1 stanzaId, 2 directPath, 3 result 1} sealed as the receipt was. */
static int add_answer(struct sim_phone *phone, const char *id, const char *direct_path,
                      const uint8_t media_key[SIM_MEDIA_KEY_LEN], struct wa_node *n)
{
	struct wa_node *encrypt = wa_node_add(n, "encrypt");
	uint8_t key[32], iv[WA_IV_LEN];
	struct buf plain = { 0 };
	struct sim_pbw w;
	int rc = retry_key(media_key, key);

	sim_pbw_init(&w, &plain);
	sim_pbw_text(&w, 1, id);
	sim_pbw_text(&w, 2, direct_path);
	sim_pbw_uint(&w, 3, 1);
	if (rc == 0)
		rc = w.err;
	if (rc == 0)
		rc = buf_reserve(&plain, WA_TAG_LEN);
	if (rc == 0)
		rc = sim_rand_bytes(&phone->rnd, iv, sizeof(iv));
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, id, strlen(id), plain.p, plain.len, plain.p);
	if (rc == 0) {
		wa_node_set_bytes(wa_node_add(encrypt, "enc_p"), plain.p, plain.len + WA_TAG_LEN);
		wa_node_set_bytes(wa_node_add(encrypt, "enc_iv"), iv, sizeof(iv));
	}
	buf_free(&plain);
	secret_wipe(key, sizeof(key));
	return rc;
}

/* The file of a message of history, put up under a new path. False: there is none. */
static bool file_again(struct sim *s, struct sim_sync *sync, const char *id,
                       struct sim_media_file *f)
{
	struct sim_media_blob *blob;
	struct sim_history_msg m;
	struct buf stored = { 0 };
	struct sim_chat c;
	uint32_t chat, number;
	bool ok;

	if (!sim_history_find(&sync->history, id, &chat, &number) ||
	    sim_history_chat(&sync->history, chat, &c) < 0 ||
	    sim_history_msg(&sync->history, &c, number, &m) < 0 || !m.has_media)
		return false;
	ok = sim_history_file(&sync->history, &c, &m, &stored, f) == 0 &&
	     sim_media_store(s->media, m.media_kind, stored.p, stored.len, &blob) == 0;
	if (ok)
		sim_media_direct_path(blob, f->direct_path);
	buf_free(&stored);
	return ok;
}

/* The message inside its wrappers: each holds Message in its field 1. */
static void unwrap(struct sim_pb_field *msg)
{
	static const uint32_t wrappers[] = { 37, 40, 53, 55 };
	struct sim_pb_field outer, inner;

	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
		if (field(msg->data, msg->len, wrappers[i], &outer) && outer.type == SIM_PB_BYTES &&
		    field(outer.data, outer.len, 1, &inner) && inner.type == SIM_PB_BYTES) {
			*msg = inner;
			i = (size_t)-1; /* once more from the first */
		}
	}
}

/* The file of a message that the phone has got or sent, if the media host still has it. */
static bool mail_file_again(struct sim *s, const struct sim_phone *phone, const char *id,
                            struct sim_media_file *f)
{
	static const struct {
		uint32_t message, key, enc_sha256;
	} kinds[] = { { 3, 8, 9 }, { 9, 6, 11 }, { 8, 7, 8 }, { 7, 7, 9 }, { 26, 4, 3 } };
	struct sim_pb_field msg = { .number = 0 }, part, key, hash;
	struct sim_mail_entry e;
	struct sim_media_blob *b;

	if (!sim_mail_find_got(phone, id, &e) && !sim_mail_find_sent(phone, id, &e))
		return false;
	msg.data = e.msg;
	msg.len = e.msg_len;
	unwrap(&msg);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!field(msg.data, msg.len, kinds[i].message, &part) ||
		    part.type != SIM_PB_BYTES || !field(part.data, part.len, kinds[i].key, &key) ||
		    key.len != sizeof(f->key) ||
		    !field(part.data, part.len, kinds[i].enc_sha256, &hash) ||
		    hash.len != SIM_HASH_LEN)
			continue;
		b = sim_media_find_hash(s->media, hash.data);
		if (b == NULL || sim_media_move(s->media, b) < 0)
			return false;
		memcpy(f->key, key.data, sizeof(f->key));
		sim_media_direct_path(b, f->direct_path);
		return true;
	}
	return false;
}

static void message_failed(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                           const struct wa_node *receipt, const struct wa_node *rmr, const char *id)
{
	struct wa_node *n = wa_node_new("notification"), *back;
	struct sim_media_file f;
	struct sim_sync *sync;
	int rc = sim_sync_get(phone, device, &sync);

	wa_node_set(n, "type", "mediaretry");
	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "from", phone->jid);
	wa_node_set_int(n, "t", clock_unix_s());
	if (rc == 0 && (file_again(s, sync, id, &f) || mail_file_again(s, phone, id, &f))) {
		if (!opens(receipt, id, f.key)) {
			sync->bad_receipts++;
			wa_node_free(n);
			return;
		}
		rc = add_answer(phone, id, f.direct_path, f.key, n);
	} else {
		wa_node_set_int(wa_node_add(n, "error"), "code", 2);
	}
	back = wa_node_add(n, "rmr");
	wa_node_set_jid(back, "jid", wa_node_attr(rmr, "jid"));
	wa_node_set(back, "from_me", wa_node_attr(rmr, "from_me"));
	wa_node_set_jid(back, "participant", wa_node_attr(rmr, "participant"));
	if (rc < 0)
		wa_node_free(n);
	else if (sim_online_push(device, n) < 0)
		LOG(NULL, LOG_WARNING, "not_queued", LF_STR("device", device->jid));
}

void sim_sync_server_error(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                           const struct wa_node *receipt)
{
	const char *id = wa_node_attr(receipt, "id");
	const struct wa_node *rmr = wa_node_child(receipt, "rmr");
	struct sim_sync_note *n = sim_sync_find(device->sync, id);

	if (n != NULL && rmr == NULL)
		notice_failed(s, phone, device, receipt, n);
	else if (rmr != NULL)
		message_failed(s, phone, device, receipt, rmr, id);
}

/* ---- peer data requests ------------------------------------------------------------------------
 */

static bool text_field(const struct sim_pb_field *of, uint32_t number, char *out, size_t cap)
{
	struct sim_pb_field f;

	if (!field(of->data, of->len, number, &f) || f.type != SIM_PB_BYTES || f.len >= cap)
		return false;
	memcpy(out, f.data, f.len);
	out[f.len] = '\0';
	return true;
}

/* Older messages of one chat. A real phone says nothing when it does not know the anchor. */
static void on_demand(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                      const char *id, const struct sim_pb_field *ask)
{
	char anchor[MESSAGE_ID_MAX], chat_jid[SIM_JID_CAP], note_id[SIM_MSG_ID_CAP];
	struct sim_history_part part = { .type = SIM_HISTORY_ON_DEMAND, .order = 1 };
	struct sim_pb_field count;
	struct sim_sync *sync;
	struct sim_chat c;

	if (sim_sync_get(phone, device, &sync) < 0 ||
	    !text_field(ask, 1, chat_jid, sizeof(chat_jid)) ||
	    !text_field(ask, 2, anchor, sizeof(anchor)) || !field(ask->data, ask->len, 4, &count) ||
	    !sim_history_find(&sync->history, anchor, &part.chat, &part.before) ||
	    sim_history_chat(&sync->history, part.chat, &c) < 0 || strcmp(c.id, chat_jid) != 0) {
		LOG(NULL, LOG_INFO, "on_demand_not_answered", LF_STR("device", device->jid));
		return;
	}
	part.max = count.value < ON_DEMAND_MAX ? (uint32_t)count.value : ON_DEMAND_MAX;
	if (sim_sync_send(s, phone, device, &part, id, note_id) < 0)
		LOG(NULL, LOG_WARNING, "on_demand_failed", LF_STR("device", device->jid));
}

static void chunk_retry(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        const struct sim_pb_field *ask)
{
	char id[MESSAGE_ID_MAX];
	struct sim_sync_note *n;

	if (!text_field(ask, 3, id, sizeof(id)))
		return;
	n = sim_sync_find(device->sync, id);
	if (n == NULL || n->hostile)
		return;
	if (sim_sync_tell_again(s, phone, device, (size_t)(n - device->sync->notes)) < 0)
		LOG(NULL, LOG_WARNING, "history_not_again", LF_STR("device", device->jid));
}

/* The content of a message that the companion could not open, if it is one of history. */
static int put_web_message(struct sim_sync *sync, const char *id, struct sim_pbw *w)
{
	struct sim_history_msg m;
	struct sim_chat c;
	uint32_t chat, number;
	int rc;

	if (!sim_history_find(&sync->history, id, &chat, &number))
		return -ENOENT;
	rc = sim_history_chat(&sync->history, chat, &c);
	if (rc == 0)
		rc = sim_history_msg(&sync->history, &c, number, &m);
	return rc < 0 ? rc : sim_history_put(&sync->history, &c, &m, w);
}

/* One result for one message that was asked for; nothing for one that the phone does not have. */
static int put_result(struct sim_phone *phone, struct sim_sync *sync,
                      const struct sim_pb_field *ask, struct sim_pbw *w)
{
	size_t from = w->out->len, result, part, web;
	char wanted[MESSAGE_ID_MAX];
	struct sim_pb_field key;
	int rc;

	if (ask->type != SIM_PB_BYTES || !field(ask->data, ask->len, 1, &key) ||
	    key.type != SIM_PB_BYTES || !text_field(&key, 3, wanted, sizeof(wanted)))
		return 0;
	result = sim_pbw_begin(w, 3);
	part = sim_pbw_begin(w, 4);
	web = sim_pbw_begin(w, 1);
	rc = put_web_message(sync, wanted, w);
	if (rc == -ENOENT)
		rc = sim_send_put_web(phone, wanted, w);
	if (rc < 0) {
		w->out->len = from;
		return 0;
	}
	sim_pbw_end(w, web);
	sim_pbw_end(w, part);
	sim_pbw_end(w, result);
	return 1;
}

/* Messages that the companion could not open, as many as it has asked for at once. */
static void placeholder(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        const char *id, const struct sim_pb_field *request)
{
	struct sim_pb_field ask;
	struct sim_sync *sync;
	struct buf msg = { 0 };
	struct sim_pbw w;
	struct rd r;
	size_t protocol, response;
	int found = 0, rc = sim_sync_get(phone, device, &sync);

	if (rc < 0)
		return;
	sim_pbw_init(&w, &msg);
	protocol = sim_pbw_begin(&w, 12);
	sim_pbw_uint(&w, 2, 17);
	response = sim_pbw_begin(&w, 17);
	sim_pbw_uint(&w, 1, REQ_PLACEHOLDER);
	sim_pbw_text(&w, 2, id);
	rd_init(&r, request->data, request->len);
	while (sim_pb_next_any(&r, &ask)) {
		if (ask.number == 5)
			found += put_result(phone, sync, &ask, &w);
	}
	sim_pbw_end(&w, response);
	sim_pbw_end(&w, protocol);
	rc = w.err;
	if (rc == 0 && found > 0)
		rc = sim_peer_send_own(s, phone, device, NULL, msg.p, msg.len, NULL);
	if (rc < 0 || found == 0)
		LOG(NULL, LOG_INFO, "placeholder_not_answered", LF_STR("device", device->jid));
	buf_free(&msg);
}

static void on_request(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                       const char *id, const struct sim_pb_field *request)
{
	struct sim_pb_field type, part;

	if (!field(request->data, request->len, 1, &type) || type.type != SIM_PB_VARINT)
		return;
	if (type.value == REQ_ON_DEMAND && field(request->data, request->len, 4, &part))
		on_demand(s, phone, device, id, &part);
	else if (type.value == REQ_PLACEHOLDER)
		placeholder(s, phone, device, id, request);
	else if (type.value == REQ_CHUNK_RETRY && field(request->data, request->len, 8, &part))
		chunk_retry(s, phone, device, &part);
	else if (type.value == SIM_AS_REQUEST_TYPE &&
	         field(request->data, request->len, 7, &part) && part.type == SIM_PB_BYTES)
		sim_appstate_lost(s, phone, device, id, part.data, part.len);
}

void sim_sync_own(struct sim *s, struct sim_phone *phone, struct sim_device *device, const char *id,
                  const uint8_t *msg, size_t msg_len)
{
	struct sim_pb_field sent, inner, protocol, part;

	/* Baileys wraps what it sends to its phone, as if it were for another device of ours. */
	if (field(msg, msg_len, 31, &sent) && sent.type == SIM_PB_BYTES &&
	    field(sent.data, sent.len, 2, &inner) && inner.type == SIM_PB_BYTES) {
		msg = inner.data;
		msg_len = inner.len;
	}
	if (!field(msg, msg_len, 12, &protocol) || protocol.type != SIM_PB_BYTES)
		return;
	if (field(protocol.data, protocol.len, 16, &part) && part.type == SIM_PB_BYTES)
		on_request(s, phone, device, id, &part);
	if (field(protocol.data, protocol.len, 8, &part) && part.type == SIM_PB_BYTES)
		sim_appstate_asked(s, phone, device, part.data, part.len);
}
