/* worker/wa/history/wa_history_ask.c - the notice of a history blob, and asking the phone for more
 */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/wa/history/wa_history.h"

#define HASH_LEN 32

#define ASK_OLDER 3 /* of enum PeerDataOperationRequestType */

/* ---- the notice ---------------------------------------------------------------------------------
 */

static bool is_hash(protobuf_c_boolean has, const ProtobufCBinaryData *b)
{
	return has && b->len == HASH_LEN;
}

int wa_history_notice_read(const struct Wa__ProtocolMessage *p, struct wa_history_notice *n_out)
{
	const Wa__HistorySyncNotification *m = p->history_sync_notification;
	struct wa_history_notice n = { 0 };

	if (m == NULL || !m->has_sync_type)
		return WA_EPROTO;
	n.type = m->sync_type;
	n.chunk = m->has_chunk_order ? m->chunk_order : 0;
	n.progress = m->has_progress ? m->progress : 0;
	n.progress = n.progress > 100 ? 100 : n.progress;
	n.request_id = m->peer_data_request_session_id != NULL ? m->peer_data_request_session_id
	                                                       : m->original_message_id;
	n.enc_handle = m->enc_handle;
	if (m->has_initial_hist_bootstrap_inline_payload &&
	    m->initial_hist_bootstrap_inline_payload.len > 0) {
		n.inline_payload.p = m->initial_hist_bootstrap_inline_payload.data;
		n.inline_payload.len = m->initial_hist_bootstrap_inline_payload.len;
	} else if (m->direct_path != NULL) {
		if (!is_hash(m->has_media_key, &m->media_key) ||
		    !is_hash(m->has_file_sha256, &m->file_sha256) ||
		    !is_hash(m->has_file_enc_sha256, &m->file_enc_sha256))
			return WA_EPROTO;
		n.direct_path = m->direct_path;
		n.media_key = m->media_key.data;
		n.sha256 = m->file_sha256.data;
		n.enc_sha256 = m->file_enc_sha256.data;
		n.file_len = m->has_file_length ? m->file_length : 0;
	} else if (m->has_media_key || m->has_file_enc_sha256) {
		return WA_EPROTO; /* half a file */
	}
	*n_out = n;
	return 0;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

/* Message{protocolMessage{type 16, request}} */
static int pack(Wa__PeerDataOperationRequestMessage *request, struct buf *out)
{
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	int rc;

	request->has_peer_data_operation_request_type = 1;
	p.has_type = 1;
	p.type = WA_PROTO_PEER_DATA_REQUEST;
	p.peer_data_operation_request_message = request;
	m.protocol_message = &p;
	rc = buf_reserve(out, wa__message__get_packed_size(&m));
	if (rc == 0)
		out->len += wa__message__pack(&m, out->p + out->len);
	return rc;
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)s; /* only read */
}

int wa_history_ask_older(const char *chat, const char *oldest_id, bool oldest_from_me,
                         int64_t oldest_unix_s, unsigned messages_n, struct buf *out)
{
	Wa__PeerDataOperationRequestMessage r = WA__PEER_DATA_OPERATION_REQUEST_MESSAGE__INIT;
	Wa__HistorySyncOnDemandRequest o = WA__HISTORY_SYNC_ON_DEMAND_REQUEST__INIT;

	o.chat_jid = text(chat);
	o.oldest_msg_id = text(oldest_id);
	o.has_oldest_msg_from_me = o.has_on_demand_msg_count = o.has_oldest_msg_timestamp_ms = 1;
	o.oldest_msg_from_me = oldest_from_me;
	o.on_demand_msg_count = messages_n > 50 ? 50 : (int32_t)messages_n;
	o.oldest_msg_timestamp_ms = oldest_unix_s;
	r.peer_data_operation_request_type = ASK_OLDER;
	r.history_sync_on_demand_request = &o;
	return pack(&r, out);
}
