/* simulator/history/sim_sync_note.c - notices of history: the blob, where it is, what the message says */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "simulator/history/sim_sync_priv.h"
#include "simulator/phone/sim_send.h"

#define MSG_PROTOCOL 12
#define PROTOCOL_TYPE 2
#define HISTORY_SYNC_NOTIFICATION 5

/* HistorySyncNotification, with its wrapping. */
static int make_notice(const struct sim_sync_note *n, const struct sim_media_file *f,
                       const struct sim_sync_blob *blob, struct buf *out)
{
	struct sim_pbw w;
	size_t protocol, notice;

	sim_pbw_init(&w, out);
	protocol = sim_pbw_begin(&w, MSG_PROTOCOL);
	sim_pbw_uint(&w, PROTOCOL_TYPE, HISTORY_SYNC_NOTIFICATION);
	notice = sim_pbw_begin(&w, 6);
	if (!n->is_inline) {
		sim_pbw_bytes(&w, 1, f->sha256, sizeof(f->sha256));
		sim_pbw_uint(&w, 2, blob->claimed_len != 0 ? blob->claimed_len : f->len);
		sim_pbw_bytes(&w, 3, f->key, sizeof(f->key));
		sim_pbw_bytes(&w, 4, f->enc_sha256, sizeof(f->enc_sha256));
		sim_pbw_text(&w, 5, f->direct_path);
	}
	sim_pbw_uint(&w, 6, (uint64_t)n->part.type);
	sim_pbw_uint(&w, 7, n->part.order);
	sim_pbw_uint(&w, 9, blob->progress);
	if (n->written.oldest_unix_s != 0)
		sim_pbw_uint(&w, 10, (uint64_t)n->written.oldest_unix_s);
	if (n->is_inline)
		sim_pbw_bytes(&w, 11, blob->zlib, blob->zlib_len);
	if (n->request[0] != '\0')
		sim_pbw_text(&w, 12, n->request);
	sim_pbw_end(&w, notice);
	sim_pbw_end(&w, protocol);
	return w.err;
}

static int keep(struct sim_sync *sync, const struct sim_sync_note *n)
{
	if (sync->notes_n == sync->notes_cap) {
		size_t cap = sync->notes_cap == 0 ? 32 : sync->notes_cap * 2;
		struct sim_sync_note *notes = realloc(sync->notes, cap * sizeof(*notes));

		if (notes == NULL)
			return -ENOMEM;
		sync->notes = notes;
		sync->notes_cap = cap;
	}
	sync->notes[sync->notes_n++] = *n;
	return 0;
}

static int put_file(struct sim *s, struct sim_sync_note *n, const struct sim_sync_blob *blob,
                    struct sim_media_file *f)
{
	int rc =
	    sim_media_put(s->media, SIM_MEDIA_HISTORY, blob->flaw, blob->zlib, blob->zlib_len, f);

	if (rc < 0)
		return rc;
	n->file = f->number;
	memcpy(n->key, f->key, sizeof(n->key));
	if (blob->gone)
		sim_sync_forget_file(s, n);
	return 0;
}

int sim_sync_tell(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                  struct sim_sync_note *n, const struct sim_sync_blob *blob)
{
	struct sim_media_file f = { .len = 0 };
	struct sim_sync *sync = device->sync;
	struct buf msg = { 0 };
	int rc = 0;

	n->is_inline = blob->is_inline;
	n->zlib_len = blob->zlib_len;
	n->state = SIM_SYNC_SENT;
	n->file = 0;
	if (!n->is_inline)
		rc = put_file(s, n, blob, &f);
	if (rc == 0)
		rc = make_notice(n, &f, blob, &msg);
	if (rc == 0)
		rc = sim_send_make_id(phone, n->id);
	if (rc == 0) /* before it is sent: the answer may come at once */
		rc = keep(sync, n);
	if (rc == 0) {
		rc = sim_peer_send_own(s, phone, device, n->id, msg.p, msg.len, NULL);
		if (rc < 0)
			sync->notes_n--;
	}
	if (rc < 0) {
		LOG(NULL, LOG_WARNING, "history_not_sent", LF_STR("device", device->jid),
		    LF_ERR("err", rc));
		sim_sync_forget_file(s, n);
	}
	buf_free(&msg);
	return rc;
}

int sim_sync_tell_again(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                        size_t index)
{
	struct sim_sync *sync = device->sync;
	struct sim_sync_note n = sync->notes[index];
	struct sim_sync_blob blob = { .type = n.part.type, .is_inline = n.is_inline };
	struct buf zlib = { 0 };
	int rc = sim_history_write(&sync->history, &n.part, &zlib, &n.written);

	blob.zlib = zlib.p;
	blob.zlib_len = zlib.len;
	blob.progress = n.written.progress;
	sim_sync_spare_file(s, &sync->notes[index]);
	sync->notes[index].state = SIM_SYNC_REPLACED;
	if (rc == 0)
		rc = sim_sync_tell(s, phone, device, &n, &blob);
	buf_free(&zlib);
	return rc;
}

void sim_sync_spare_file(struct sim *s, struct sim_sync_note *n)
{
	struct sim_media_blob *b = n->file == 0 ? NULL : sim_media_find_number(s->media, n->file);

	if (b != NULL)
		sim_media_spare(s->media, b);
}

void sim_sync_forget_file(struct sim *s, struct sim_sync_note *n)
{
	struct sim_media_blob *b = n->file == 0 ? NULL : sim_media_find_number(s->media, n->file);

	if (b != NULL)
		sim_media_drop(s->media, b);
	n->file = 0;
}
