/* worker/wk_ask_media.c - a message's file for the gateway */
#include "worker/wk_ask_media.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/ipc_memfd.h"
#include "worker/wa/wa_msg.h"
#include "worker/wk_failure.h"
#include "worker/wk_media.h"
#include "worker/wk_store_msg.h"

#define PIECE 3072   /* bytes that are encoded at a time: a multiple of three */
#define TEXT_MAX 512 /* of a MIME type or file name */

struct wk_ask_media {
	wk_ask_answer_fn *on_answer;
	void *arg;
	struct wk_media_get *get;
	int fd;            /* -1: none yet */
	uint64_t text_len; /* in it */
	uint8_t rest[PIECE];
	size_t rest_len;
	char *mime_type, *file_name; /* NULL: not told */
};

void wk_ask_media_free(struct wk_ask_media *a)
{
	if (a == NULL)
		return;
	wk_media_cancel(a->get);
	if (a->fd >= 0)
		(void)close(a->fd);
	free(a->mime_type);
	free(a->file_name);
	free(a);
}

/* ---- the text ----------------------------------------------------------------------------------
 */

static int write_rest(struct wk_ask_media *a)
{
	char text[B64_CAP(PIECE)];
	size_t len;
	int rc;

	if (a->rest_len == 0)
		return 0;
	b64_encode(a->rest, a->rest_len, text);
	len = strlen(text);
	rc = ipc_memfd_write(a->fd, text, len);
	a->text_len += len;
	a->rest_len = 0;
	return rc;
}

static int on_begin(void *arg)
{
	struct wk_ask_media *a = arg;

	if (a->fd >= 0)
		(void)close(a->fd);
	a->fd = ipc_memfd_begin();
	a->text_len = a->rest_len = 0;
	return a->fd < 0 ? a->fd : 0;
}

static int on_data(void *arg, const uint8_t *data, size_t data_len)
{
	struct wk_ask_media *a = arg;
	int rc = 0;

	while (rc == 0 && data_len > 0) {
		size_t n = PIECE - a->rest_len < data_len ? PIECE - a->rest_len : data_len;

		memcpy(a->rest + a->rest_len, data, n);
		a->rest_len += n;
		data += n;
		data_len -= n;
		if (a->rest_len == PIECE)
			rc = write_rest(a);
	}
	return rc;
}

static void on_done(const struct wk_failure *f, void *arg)
{
	struct wk_ask_media *a = arg;
	Ipc__Answer m = IPC__ANSWER__INIT;
	int rc = f->rc;

	a->get = NULL;
	if (rc == 0)
		rc = write_rest(a);
	if (rc == 0)
		rc = ipc_memfd_seal(a->fd);
	m.has_rc = true;
	m.rc = rc;
	if (rc < 0) {
		m.detail = (char *)(uintptr_t)f->detail;
	} else {
		m.has_data_len = true;
		m.data_len = a->text_len;
		m.mime_type = a->mime_type;
		m.file_name = a->file_name;
	}
	a->on_answer(&m, rc == 0 && a->text_len > 0 ? a->fd : -1, a->arg);
	wk_ask_media_free(a);
}

/* ---- the message -------------------------------------------------------------------------------
 */

struct search {
	struct wa_pool *pool;
	struct wa_msg_view view;
	bool found;
};

/* Several chats may have a message of that id: the first with a file is as good as any. */
static int on_msg(void *arg, const struct wk_msg *m)
{
	struct Wa__Message *msg = NULL;
	struct search *f = arg;
	int rc;

	if (!(m->flags & WK_MSG_MEDIA))
		return 0;
	wa_pool_reset(f->pool);
	rc = wa_msg_parse(f->pool, m->message, m->message_len, &msg);
	if (rc == 0)
		rc = wa_msg_view(msg, &f->view);
	if (rc == -ENOMEM)
		return rc;
	f->found = rc == 0 && f->view.has_media;
	return f->found;
}

static enum wa_media_kind kind_of(const struct wa_msg_view *v)
{
	if (v->type == WA_MSG_VIDEO)
		return WA_MEDIA_VIDEO;
	if (v->type == WA_MSG_AUDIO)
		return WA_MEDIA_AUDIO;
	if (v->type == WA_MSG_DOCUMENT)
		return WA_MEDIA_DOCUMENT;
	if (v->type == WA_MSG_STICKER_PACK)
		return WA_MEDIA_STICKER_PACK;
	return WA_MEDIA_IMAGE;
}

static int take_text(const char *text, char **out)
{
	if (text == NULL || text[0] == '\0')
		return 0;
	*out = strndup(text, TEXT_MAX);
	return *out == NULL ? -ENOMEM : 0;
}

static const uint8_t *hash_of(const struct wa_bytes *b)
{
	return b->p != NULL && b->len == WA_MEDIA_HASH_LEN ? b->p : NULL;
}

static int fetch(struct wk_ask_media *a, struct wk_media *media, const struct wa_msg_view *v,
                 const Ipc__Ask *m)
{
	static const struct wk_media_ops ops = {
		.on_begin = on_begin,
		.on_data = on_data,
		.on_done = on_done,
	};
	const struct wa_msg_media *file = &v->media;
	const struct wk_media_file wanted = {
		.kind = kind_of(v),
		.media_key = hash_of(&file->media_key),
		.direct_path = file->direct_path,
		.url = file->url,
		.sha256 = hash_of(&file->sha256),
		.enc_sha256 = hash_of(&file->enc_sha256),
		.has_len = file->file_len > 0,
		.len = file->file_len,
		.len_max = m->len_max,
		.deadline_ms = m->deadline_ms,
	};
	int rc;

	/* a file that nothing vouches for is none of ours */
	if (wanted.sha256 == NULL && wanted.enc_sha256 == NULL)
		return -ENOENT;
	rc = take_text(file->mimetype, &a->mime_type);
	if (rc == 0)
		rc = take_text(file->file_name, &a->file_name);
	if (rc == 0)
		rc = wk_media_fetch(media, &wanted, &ops, a, &a->get);
	return rc == -EINVAL ? -ENOENT : rc;
}

int wk_ask_media_new(struct wk_media *media, struct wk_store *store, const Ipc__Ask *m,
                     wk_ask_answer_fn *on_answer, void *arg, struct wk_ask_media **ask_out)
{
	struct search f = { .pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX) };
	const struct wk_store_msg_each each = { on_msg, &f };
	struct wk_ask_media *a = calloc(1, sizeof(*a));
	int rc = a == NULL || f.pool == NULL ? -ENOMEM : 0;

	if (rc == 0 && m->message_id == NULL)
		rc = -EINVAL;
	if (rc == 0) {
		a->fd = -1;
		a->on_answer = on_answer;
		a->arg = arg;
		rc = wk_store_msg_by_id(store, m->message_id, &each);
	}
	if (rc >= 0)
		rc = f.found ? fetch(a, media, &f.view, m) : -ENOENT;
	wa_pool_free(f.pool);
	if (rc < 0) {
		if (a != NULL)
			wk_ask_media_free(a);
		return rc;
	}
	*ask_out = a;
	return 0;
}
