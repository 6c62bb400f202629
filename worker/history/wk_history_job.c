/* worker/history/wk_history_job.c - a notice of the phone: written for the store, read back */
#include "worker/history/wk_history_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/store/wk_store_history.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/message/wa_pool.h"

#define BY_LID "lid" /* the server of the one who sent it */

void wk_history_job_clear(struct wk_history_job *j)
{
	free(j->message_id);
	free(j->request_id);
	if (j->payload != NULL)
		secret_wipe(j->payload, j->payload_len);
	free(j->payload);
	free(j->path);
	secret_wipe(j, sizeof(*j));
}

static char *copy_text(const char *s, int *rc)
{
	char *copy = s != NULL ? strdup(s) : NULL;

	if (s != NULL && copy == NULL)
		*rc = -ENOMEM;
	return copy;
}

static int take_notice(struct wk_history_job *j, const struct wa_history_notice *n)
{
	int rc = 0;

	j->type = n->type;
	j->chunk = n->chunk;
	j->progress = n->progress;
	j->request_id = copy_text(n->request_id, &rc);
	if (n->inline_payload.p != NULL) {
		j->payload = malloc(n->inline_payload.len);
		if (j->payload == NULL)
			return -ENOMEM;
		j->payload_len = n->inline_payload.len;
		memcpy(j->payload, n->inline_payload.p, n->inline_payload.len);
	} else if (n->direct_path != NULL) {
		j->path = copy_text(n->direct_path, &rc);
		memcpy(j->media_key, n->media_key, sizeof(j->media_key));
		memcpy(j->sha256, n->sha256, sizeof(j->sha256));
		memcpy(j->enc_sha256, n->enc_sha256, sizeof(j->enc_sha256));
		j->file_len = n->file_len;
	}
	return rc;
}

static bool is_by_lid(const Wa__ProtocolMessage *p)
{
	return p->key != NULL && p->key->remote_jid != NULL &&
	       strcmp(p->key->remote_jid, BY_LID) == 0;
}

/* body: message id, NUL, ProtocolMessage: of our own making. */
static int read_job(struct wk_history_job *j, const struct buf *body)
{
	struct wa_pool *pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	const uint8_t *nul = memchr(body->p, '\0', body->len);
	ProtobufCMessage *msg = NULL;
	struct wa_history_notice n;
	int rc = 0;

	if (pool == NULL)
		return -ENOMEM;
	if (nul == NULL)
		rc = WA_ESTORE_CORRUPT;
	else
		j->message_id = copy_text((const char *)body->p, &rc);
	if (rc == 0)
		rc = wa_pool_unpack(pool, &wa__protocol_message__descriptor, nul + 1,
		                    body->len - (size_t)(nul + 1 - body->p), &wa_msg_limits, &msg);
	if (rc == 0)
		rc = wa_history_notice_read((const Wa__ProtocolMessage *)msg, &n);
	if (rc == 0)
		j->by_lid = is_by_lid((const Wa__ProtocolMessage *)msg);
	if (rc == 0)
		rc = take_notice(j, &n);
	wa_pool_free(pool);
	return rc == -ENOMEM ? rc : rc < 0 ? WA_ESTORE_CORRUPT : 0;
}

int wk_history_job_load(struct wk_store *st, struct wk_history_job *j)
{
	struct buf body = { 0 };
	int rc = wk_store_history_next(st, 0, &j->id, &body);

	if (rc == 0)
		rc = read_job(j, &body);
	buf_wipe(&body);
	return rc;
}

int wk_history_job_pack(const char *message_id, bool by_lid, const Wa__ProtocolMessage *p,
                        struct buf *out)
{
	Wa__ProtocolMessage only = WA__PROTOCOL_MESSAGE__INIT;
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	int rc = buf_append(out, message_id, strlen(message_id) + 1);

	key.remote_jid = (char *)(uintptr_t)BY_LID;
	only.key = by_lid ? &key : NULL;
	only.has_type = true;
	only.type = WA_PROTO_HISTORY_SYNC_NOTIFICATION;
	only.history_sync_notification = p->history_sync_notification;
	if (rc == 0)
		rc = buf_reserve(out, wa__protocol_message__get_packed_size(&only));
	if (rc == 0)
		out->len += wa__protocol_message__pack(&only, out->p + out->len);
	return rc;
}
