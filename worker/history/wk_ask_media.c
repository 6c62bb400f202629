/* worker/history/wk_ask_media.c - a message's file for the gateway */
#include "worker/history/wk_ask_media.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/io.h"
#include "common/ipc_memfd.h"
#include "common/secret.h"
#include "worker/history/wk_media.h"
#include "worker/online/wk_online.h"
#include "worker/session/wk_failure.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_receipt.h"

#define PIECE 3072   /* bytes that are encoded at a time: a multiple of three */
#define TEXT_MAX 512 /* of a MIME type or file name */

struct wk_ask_media {
	struct wk_ask_media_params p;
	wk_ask_answer_fn *on_answer;
	void *arg;
	struct wk_media_get *get;
	/* the file, for asking again; path and url are ours */
	struct wk_media_file file;
	uint8_t key[WA_MEDIA_KEY_LEN], sha256[WA_MEDIA_HASH_LEN], enc_sha256[WA_MEDIA_HASH_LEN];
	char *path, *url;
	/* its message */
	char id[WK_MSG_ID_MAX + 1];
	struct wa_jid chat, sender;
	bool from_me;
	struct event *timer; /* of the phone's answer; NULL: it was not asked */
	bool waits;          /* ... and has not answered */
	bool busy, dead;     /* in a call that may free it; freed in it */
	int fd;              /* -1: none yet */
	uint64_t text_len;   /* in it */
	uint8_t rest[PIECE];
	size_t rest_len;
	char *mime_type, *file_name; /* NULL: not told */
};

void wk_ask_media_free(struct wk_ask_media *a)
{
	if (a == NULL)
		return;
	wk_media_cancel(a->get);
	a->get = NULL;
	a->dead = true;
	if (a->busy)
		return;
	if (a->timer != NULL)
		event_free(a->timer);
	if (a->fd >= 0)
		(void)close(a->fd);
	secret_wipe(a->key, sizeof(a->key));
	free(a->path);
	free(a->url);
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
	rc = io_write_all(a->fd, text, len);
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

/* The last call. */
static void answer(struct wk_ask_media *a, int rc, const char *detail)
{
	Ipc__Answer m = IPC__ANSWER__INIT;

	if (rc == 0)
		rc = write_rest(a);
	if (rc == 0)
		rc = ipc_memfd_seal(a->fd);
	m.has_rc = true;
	m.rc = rc;
	if (rc < 0) {
		m.detail = (char *)(uintptr_t)detail;
	} else {
		m.has_data_len = true;
		m.data_len = a->text_len;
		m.mime_type = a->mime_type;
		m.file_name = a->file_name;
	}
	a->on_answer(&m, rc == 0 && a->text_len > 0 ? a->fd : -1, a->arg);
	wk_ask_media_free(a);
}

static bool ask_phone(struct wk_ask_media *a);

static void on_done(const struct wk_failure *f, void *arg)
{
	struct wk_ask_media *a = arg;
	bool asked, dead;

	a->get = NULL;
	if (f->rc == WA_EMEDIA_GONE) {
		a->busy = true; /* a batch that fails ends the session, and all that asks */
		asked = ask_phone(a);
		a->busy = false;
		dead = a->dead;
		if (dead)
			wk_ask_media_free(a);
		if (dead || asked)
			return;
	}
	answer(a, f->rc, f->detail);
}

static int fetch(struct wk_ask_media *a)
{
	static const struct wk_media_ops ops = {
		.on_begin = on_begin,
		.on_data = on_data,
		.on_done = on_done,
	};

	return wk_media_fetch(a->p.media, &a->file, &ops, a, &a->get);
}

/* ---- the phone uploads it again ----------------------------------------------------------------
 */

static const char gone[] = "WhatsApp no longer has this file";

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer(arg, WA_EMEDIA_GONE, gone);
}

static void bare_text(const struct wa_jid *jid, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid bare = *jid;

	bare.device = 0;
	(void)wa_jid_format(&bare, out);
}

/* The chat as the phone names it. */
static void chat_text(const struct wk_ask_media *a, char out[WA_JID_TEXT_CAP])
{
	bool none;

	if (wk_store_history_chat_get(a->p.store, &a->chat, out, &none) < 0)
		bare_text(&a->chat, out);
}

static struct wa_node *retry_receipt(const struct wk_ask_media *a)
{
	char to[WA_JID_TEXT_CAP], text[WA_JID_TEXT_CAP];
	struct wa_node *n = NULL, *encrypt, *rmr;
	struct wa_jid own = { .server = "s.whatsapp.net" };
	struct buf enc_p = { 0 };
	uint8_t iv[WA_IV_LEN];

	(void)!wa_jid_parse(a->p.creds->jid, strlen(a->p.creds->jid), &own);
	bare_text(&own, to);
	if (secret_random(iv, sizeof(iv)) == 0 &&
	    wa_media_retry_seal(a->key, a->id, iv, &enc_p) == 0)
		n = wa_receipt_to_self(a->id, to, WA_RECEIPT_SERVER_ERROR);
	if (n != NULL) {
		encrypt = wa_node_add(n, "encrypt");
		wa_node_set_bytes(wa_node_add(encrypt, "enc_p"), enc_p.p, enc_p.len);
		wa_node_set_bytes(wa_node_add(encrypt, "enc_iv"), iv, sizeof(iv));
		rmr = wa_node_add(n, "rmr");
		chat_text(a, text);
		wa_node_set_jid(rmr, "jid", text);
		wa_node_set(rmr, "from_me", a->from_me ? "true" : "false");
		if (strcmp(a->chat.server, "g.us") == 0) {
			bare_text(&a->sender, text);
			wa_node_set_jid(rmr, "participant", text);
		}
	}
	buf_free(&enc_p);
	return n;
}

/* False: it was asked already, or can't be. */
static bool ask_phone(struct wk_ask_media *a)
{
	struct wk_batch *batch = a->p.online != NULL ? wk_online_batch(a->p.online) : NULL;

	if (batch == NULL || a->timer != NULL || a->file.media_key == NULL)
		return false;
	a->timer = evtimer_new(a->p.base, on_timer, a);
	if (a->timer == NULL || wk_timer_set(a->timer, WK_MEDIA_RETRY_MS / a->p.speed) < 0 ||
	    wk_batch_enter(batch) < 0)
		return false;
	a->waits = true;
	wk_batch_after(batch, retry_receipt(a));
	wk_batch_leave(batch, 0);
	return a->waits;
}

/* <encrypt> holds where it is now; <error> that the phone does not have it either. */
static int read_retry(const struct wk_ask_media *a, const struct wa_node *n,
                      struct wa_media_retry *r)
{
	const struct wa_node *encrypt = wa_node_child(n, "encrypt");
	const struct wa_node *p = encrypt != NULL ? wa_node_child(encrypt, "enc_p") : NULL;
	const struct wa_node *iv = encrypt != NULL ? wa_node_child(encrypt, "enc_iv") : NULL;
	int rc;

	if (p == NULL || iv == NULL || p->content != WA_CONTENT_BYTES ||
	    iv->content != WA_CONTENT_BYTES || iv->bytes_len != WA_IV_LEN)
		return WA_EMEDIA_GONE;
	rc = wa_media_retry_open(a->key, a->id, iv->bytes, p->bytes, p->bytes_len, r);
	return rc == 0 && r->result != WA_MEDIA_RETRY_SUCCESS ? WA_EMEDIA_GONE : rc;
}

bool wk_ask_media_retry(struct wk_ask_media *a, const struct wa_node *n)
{
	struct wa_media_retry *r;
	int rc;

	if (!a->waits || !wa_node_attr_is(n, "id", a->id))
		return false;
	r = calloc(1, sizeof(*r)); /* its path is long */
	rc = r == NULL ? -ENOMEM : read_retry(a, n, r);
	if (rc == WA_EAUTH) { /* not from who has the key: the phone may still answer */
		free(r);
		return true;
	}
	a->waits = false;
	(void)event_del(a->timer);
	if (rc == 0) {
		free(a->path);
		a->path = strdup(r->direct_path);
		a->file.direct_path = a->path;
		rc = a->path == NULL ? -ENOMEM : fetch(a);
	}
	free(r);
	if (rc < 0)
		answer(a, rc == -ENOMEM ? rc : WA_EMEDIA_GONE, gone);
	return true;
}

bool wk_ask_media_offline(struct wk_ask_media *a)
{
	bool over = a->waits && !a->busy;

	a->p.online = NULL;
	a->waits = false;
	if (over)
		answer(a, WA_EMEDIA_GONE, gone);
	return over;
}

/* ---- the message -------------------------------------------------------------------------------
 */

struct search {
	struct wk_ask_media *a;
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
	if (f->found) {
		memcpy(f->a->id, m->id, strlen(m->id) + 1); /* fits: the store sees to that */
		f->a->chat = m->chat;
		f->a->sender = m->sender;
		f->a->from_me = (m->flags & WK_MSG_FROM_ME) != 0;
	}
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

static int take_text(const char *text, size_t max, char **out)
{
	if (text == NULL || text[0] == '\0')
		return 0;
	*out = strndup(text, max);
	return *out == NULL ? -ENOMEM : 0;
}

/* NULL: there is none of that length. */
static const uint8_t *take_hash(const struct wa_bytes *b, uint8_t out[WA_MEDIA_HASH_LEN])
{
	return b->p != NULL && b->len == WA_MEDIA_HASH_LEN ? memcpy(out, b->p, b->len) : NULL;
}

/* What the message says of its file, for as long as it may be asked for. */
static int take_file(struct wk_ask_media *a, const struct wa_msg_view *v, const Ipc__Ask *m)
{
	const struct wa_msg_media *file = &v->media;
	int rc = take_text(file->mimetype, TEXT_MAX, &a->mime_type);

	if (rc == 0)
		rc = take_text(file->file_name, TEXT_MAX, &a->file_name);
	if (rc == 0)
		rc = take_text(file->direct_path, WA_MEDIA_PATH_MAX + 1, &a->path);
	if (rc == 0)
		rc = take_text(file->url, WA_MEDIA_PATH_MAX + 1, &a->url);
	a->file = (struct wk_media_file){
		.kind = kind_of(v),
		.media_key = take_hash(&file->media_key, a->key),
		.direct_path = a->path,
		.url = a->url,
		.sha256 = take_hash(&file->sha256, a->sha256),
		.enc_sha256 = take_hash(&file->enc_sha256, a->enc_sha256),
		.has_len = file->file_len > 0,
		.len = file->file_len,
		.len_max = m->len_max,
		.deadline_ms = m->deadline_ms,
	};
	/* a file that nothing vouches for is none of ours */
	if (rc == 0 && a->file.sha256 == NULL && a->file.enc_sha256 == NULL)
		rc = -ENOENT;
	return rc;
}

int wk_ask_media_new(const struct wk_ask_media_params *params, const Ipc__Ask *m,
                     wk_ask_answer_fn *on_answer, void *arg, struct wk_ask_media **ask_out)
{
	struct search f = { .pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX) };
	const struct wk_store_msg_each each = { on_msg, &f };
	struct wk_ask_media *a = calloc(1, sizeof(*a));
	int rc = a == NULL || f.pool == NULL ? -ENOMEM : 0;

	if (rc == 0 && m->message_id == NULL)
		rc = -EINVAL;
	if (a != NULL)
		a->fd = -1;
	if (rc == 0) {
		f.a = a;
		a->p = *params;
		a->on_answer = on_answer;
		a->arg = arg;
		rc = wk_store_msg_by_id(params->store, m->message_id, &each);
	}
	if (rc >= 0)
		rc = f.found ? take_file(a, &f.view, m) : -ENOENT;
	if (rc == 0)
		rc = fetch(a);
	wa_pool_free(f.pool);
	if (rc < 0) {
		wk_ask_media_free(a);
		return rc == -EINVAL && f.found ? -ENOENT : rc;
	}
	*ask_out = a;
	return 0;
}
