/* worker/history/wk_history.c - history: one notice after the other, from the phone into the store */
#include "worker/history/wk_history.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/json_out.h"
#include "common/secret.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/history/wk_history_blob.h"
#include "worker/history/wk_media.h"
#include "worker/session/wk_failure.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/wa_jid.h"
#include "worker/wa/wa_media.h"
#include "worker/wa/wa_node.h"
#include "worker/wa/wa_receipt.h"

#define AHEAD_N 4096 /* events that wait for the gateway before history waits, too */
#define AHEAD_BYTES (4 * 1024 * 1024)
#define AHEAD_MS 20
#define FILE_NAME "history.part" /* unnamed as soon as it is open */
#define FETCH_MS (15 * 60 * 1000)
#define SLICE_MS 50          /* of reading, then others have their turn */
#define SLICE_MESSAGES 4096  /* in one transaction at most */
#define READ_LEN (16 * 1024) /* of the blob at a time */
#define REST_MIN_MS 5000     /* after a fetch that failed, doubling */
#define REST_MAX_MS (10 * 60 * 1000)
#define QUIET_MS (120 * 1000) /* without a chunk: the phone pauses, or has no more */
#define BROKEN_MAX 3          /* times that a chunk is asked for again */
#define BROKEN_KEPT 8
#define FULL_FROM_DAYS 90 /* more than these: the phone was asked for a full sync */
#define DAY_S 86400

enum work { IDLE, FETCHING, READING, RESTING };

struct job {
	int64_t id;                    /* in the store */
	char *message_id, *request_id; /* request_id NULL: unasked */
	int type;
	uint32_t chunk, progress;
	uint8_t *payload; /* inline; NULL: a file, or nothing at all */
	size_t payload_len;
	char *path; /* NULL: no file */
	uint8_t media_key[32], sha256[32], enc_sha256[32];
	uint64_t file_len;
};

struct wk_history {
	struct wk_history_params p;
	struct wk_history_state state;
	struct event *timer; /* the next slice, notice or try */
	struct event *quiet;
	unsigned depth; /* calls into it that run */
	bool freed, started, failed;
	bool bulk; /* the store is set for much */
	enum work work;
	unsigned tries; /* to fetch this one, in a row */
	struct job job;
	/* the file: closed, as WhatsApp has it */
	struct wk_media_get *get;
	int fd;
	off_t fd_len, fd_pos;
	/* being read */
	struct wk_history_blob *blob;
	struct wa_media *media;
	enum wk_history_pass pass;
	bool whole; /* all of its bytes were fed */
	struct {
		int type;
		uint32_t chunk;
		unsigned n;
	} broken[BROKEN_KEPT];
	unsigned broken_at;
};

/* ---- life --------------------------------------------------------------------------------------
 */

static void job_clear(struct job *j)
{
	free(j->message_id);
	free(j->request_id);
	if (j->payload != NULL)
		secret_wipe(j->payload, j->payload_len);
	free(j->payload);
	free(j->path);
	secret_wipe(j, sizeof(*j));
}

static void drop_reader(struct wk_history *h)
{
	wk_history_blob_free(h->blob);
	h->blob = NULL;
	wa_media_free(h->media);
	h->media = NULL;
}

static void drop_work(struct wk_history *h)
{
	wk_media_cancel(h->get);
	h->get = NULL;
	drop_reader(h);
	if (h->fd >= 0)
		(void)close(h->fd);
	h->fd = -1;
	job_clear(&h->job);
	h->work = IDLE;
}

static void set_bulk(struct wk_history *h, bool on)
{
	if (h->bulk != on)
		wk_store_bulk(h->p.store, on);
	h->bulk = on;
}

static void destroy(struct wk_history *h)
{
	drop_work(h);
	if (h->timer != NULL)
		event_free(h->timer);
	if (h->quiet != NULL)
		event_free(h->quiet);
	free(h);
}

void wk_history_free(struct wk_history *h)
{
	if (h == NULL)
		return;
	/* At once: the store may be gone before what is on the stack has returned. */
	h->freed = true;
	set_bulk(h, false);
	wk_media_cancel(h->get);
	h->get = NULL;
	if (h->depth == 0)
		destroy(h);
}

static void enter(struct wk_history *h)
{
	h->depth++;
}

static void leave(struct wk_history *h)
{
	if (--h->depth == 0 && h->freed)
		destroy(h);
}

static uint64_t scaled(const struct wk_history *h, uint64_t ms)
{
	return ms / h->p.speed;
}

/* The session can't go on. */
static void fail(struct wk_history *h, int rc)
{
	if (h->failed || h->freed)
		return;
	h->failed = true;
	h->p.ops->on_failed(rc, h->p.arg);
}

static void soon(struct wk_history *h, uint64_t ms)
{
	if (wk_timer_set(h->timer, ms) < 0)
		fail(h, -ENOMEM);
}

/* ---- who wants it ------------------------------------------------------------------------------
 */

bool wk_history_is_wanted(const struct wk_creds *creds, const struct wk_settings *settings)
{
	return creds->history_days > 0 || !settings->disable_history_sync;
}

static bool has_content(const struct wk_history *h)
{
	switch (h->job.type) {
	case WA_HISTORY_INITIAL_BOOTSTRAP:
	case WA_HISTORY_FULL:
	case WA_HISTORY_RECENT:
	case WA_HISTORY_PUSH_NAME:
	case WA_HISTORY_NON_BLOCKING_DATA:
		return wk_history_is_wanted(h->p.creds, h->p.settings);
	case WA_HISTORY_ON_DEMAND:
		return true; /* we have asked for it */
	default:
		return false; /* others' status, or nothing at all: acknowledged alone */
	}
}

/* What we asked for by itself may be of any age. */
static int64_t oldest_unix_s(const struct wk_history *h)
{
	if (h->job.type == WA_HISTORY_ON_DEMAND || h->p.creds->history_days == 0)
		return 0;
	return clock_unix_s() - (int64_t)h->p.creds->history_days * DAY_S;
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static bool expects_full(const struct wk_creds *creds)
{
	return creds->history_days > FULL_FROM_DAYS;
}

uint32_t wk_history_overall(const struct wk_history_state *s, const struct wk_creds *creds)
{
	uint32_t v = expects_full(creds) ? (s->recent + s->full) / 2 : s->recent;

	return s->done ? 100 : v < 99 ? v : 99;
}

void wk_history_progress(const struct wk_history *h, uint32_t *progress_out, uint64_t *messages_out)
{
	*progress_out = wk_history_overall(&h->state, h->p.creds);
	*messages_out = h->state.messages;
}

static void tell_state(struct wk_history *h)
{
	uint32_t progress;
	uint64_t messages;

	wk_history_progress(h, &progress, &messages);
	h->p.ops->on_state(progress, messages, h->p.arg);
}

static const char *phase_name(int type)
{
	switch (type) {
	case WA_HISTORY_INITIAL_BOOTSTRAP:
		return "initial";
	case WA_HISTORY_RECENT:
		return "recent";
	case WA_HISTORY_FULL:
		return "full";
	case WA_HISTORY_PUSH_NAME:
		return "push_name";
	default:
		return NULL; /* not one that the user hears of */
	}
}

/* history.sync, within the batch. */
static int add_event(struct wk_history *h, const char *phase, uint32_t progress, uint32_t chunk,
                     uint64_t conversations, uint64_t messages)
{
	int64_t oldest = oldest_unix_s(h);
	struct buf b = { 0 };
	struct json_out j = json_out(&b);
	int rc;

	jout_obj(&j, NULL);
	jout_str(&j, "phase", phase);
	jout_int(&j, "progress", progress);
	jout_int(&j, "chunk", chunk);
	jout_int(&j, "conversations", (int64_t)conversations);
	jout_int(&j, "messages", (int64_t)messages);
	if (oldest > 0)
		jout_time(&j, "skippedOlderThan", oldest * 1000);
	jout_obj_end(&j);
	rc = j.err;
	if (rc == 0)
		rc = wk_store_outbox_add(h->p.store, IPC__EVENT__KIND__HISTORY_SYNC, 0,
		                         clock_unix_ms(), b.p, b.len);
	buf_free(&b);
	return rc;
}

static int say_done(struct wk_history *h)
{
	h->state.done = true;
	return add_event(h, "done", 100, 0, h->state.conversations, h->state.messages);
}

static bool is_complete(const struct wk_history *h)
{
	const struct wk_history_state *s = &h->state;

	return s->recent == 100 && (!expects_full(h->p.creds) || s->full == 100);
}

/* ---- receipts ----------------------------------------------------------------------------------
 */

static void own_pn(const struct wk_history *h, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid jid = { .server = "s.whatsapp.net" };

	if (wa_jid_parse(h->p.creds->jid, strlen(h->p.creds->jid), &jid) == 0)
		jid.device = 0;
	(void)wa_jid_format(&jid, out);
}

static struct wa_node *stored_receipt(const struct wk_history *h)
{
	char to[WA_JID_TEXT_CAP];

	own_pn(h, to);
	return wa_receipt_to_self(h->job.message_id, to, WA_RECEIPT_HIST_SYNC);
}

/* Please upload it again: 09 section 7. */
static struct wa_node *broken_receipt(const struct wk_history *h)
{
	char to[WA_JID_TEXT_CAP];
	uint8_t iv[WA_IV_LEN];
	struct buf enc_p = { 0 };
	struct wa_node *n = NULL, *enc;

	own_pn(h, to);
	if (secret_random(iv, sizeof(iv)) == 0 &&
	    wa_media_retry_seal(h->job.media_key, h->job.message_id, iv, &enc_p) == 0)
		n = wa_receipt_to_self(h->job.message_id, to, WA_RECEIPT_SERVER_ERROR);
	if (n != NULL) {
		wa_node_set(n, "category", "peer");
		enc = wa_node_add(n, "encrypt");
		wa_node_set_bytes(wa_node_add(enc, "enc_p"), enc_p.p, enc_p.len);
		wa_node_set_bytes(wa_node_add(enc, "enc_iv"), iv, sizeof(iv));
	}
	buf_free(&enc_p);
	return n;
}

/* ---- the end of a notice -----------------------------------------------------------------------
 */

static void next(struct wk_history *h);

static void quiet_soon(struct wk_history *h)
{
	if (!h->state.done && h->state.initial && wk_timer_set(h->quiet, scaled(h, QUIET_MS)) < 0)
		fail(h, -ENOMEM);
}

/* In the batch: what the chunk means for the whole, and the notice is gone. */
static int settle(struct wk_history *h, bool stored)
{
	struct wk_history_state *s = &h->state;
	const struct wa_history_counts *c = NULL;
	const char *phase = phase_name(h->job.type);
	uint64_t messages = 0;
	int rc = 0;

	if (stored && h->blob != NULL) {
		c = wk_history_blob_counts(h->blob);
		messages = wk_history_blob_stored(h->blob);
		s->conversations += c->conversations;
		s->last_unix_s = clock_unix_s();
		if (h->job.type == WA_HISTORY_INITIAL_BOOTSTRAP)
			s->initial = true;
		if (h->job.type == WA_HISTORY_RECENT && h->job.progress > s->recent)
			s->recent = h->job.progress;
		if (h->job.type == WA_HISTORY_FULL && h->job.progress > s->full)
			s->full = h->job.progress;
	}
	if (c != NULL && phase != NULL)
		rc = add_event(h, phase, h->job.progress, h->job.chunk, c->conversations, messages);
	if (rc == 0 && !s->done && (is_complete(h) || h->job.type == WA_HISTORY_NO_HISTORY))
		rc = say_done(h);
	if (rc == 0)
		rc = wk_store_history_save(h->p.store, s);
	if (rc == 0)
		rc = wk_store_history_drop(h->p.store, h->job.id);
	return rc;
}

/* Within the batch of the last slice, which the caller leaves. */
static int finish(struct wk_history *h, bool stored, bool ask_again)
{
	int rc = settle(h, stored);

	if (rc == 0)
		wk_batch_after(h->p.batch, ask_again ? broken_receipt(h) : stored_receipt(h));
	LOG(h->p.log, LOG_INFO, "history_chunk", LF_STR("type", wa_history_type_name(h->job.type)),
	    LF_INT("chunk", h->job.chunk), LF_INT("progress", h->job.progress),
	    LF_BOOL("stored", stored), LF_BOOL("asked_again", ask_again),
	    LF_INT("messages", h->blob != NULL ? (int64_t)wk_history_blob_stored(h->blob) : 0),
	    LF_INT("too_old",
	           h->blob != NULL ? (int64_t)wk_history_blob_counts(h->blob)->dropped_old : 0),
	    LF_ERR("err", rc));
	return rc;
}

/* After the batch was left: on to the next one. */
static void finished(struct wk_history *h)
{
	if (h->freed || h->failed)
		return;
	tell_state(h);
	if (h->job.request_id != NULL && h->p.ops->on_answer != NULL)
		h->p.ops->on_answer(h->job.request_id, h->p.arg);
	if (h->freed)
		return;
	drop_work(h);
	h->tries = 0;
	quiet_soon(h);
	soon(h, 0);
}

/* A notice whose blob is of no interest, or beyond repair. */
static void finish_unread(struct wk_history *h, bool ask_again)
{
	int rc = wk_batch_enter(h->p.batch);

	if (rc < 0)
		return;
	wk_batch_leave(h->p.batch, finish(h, false, ask_again));
	finished(h);
}

/* The phone sends it again, if it is asked; but not for ever. */
static bool may_ask_again(struct wk_history *h)
{
	unsigned i;

	if (h->job.path == NULL)
		return false;
	for (i = 0; i < BROKEN_KEPT; i++)
		if (h->broken[i].n > 0 && h->broken[i].type == h->job.type &&
		    h->broken[i].chunk == h->job.chunk)
			break;
	if (i == BROKEN_KEPT) {
		i = h->broken_at++ % BROKEN_KEPT;
		h->broken[i].type = h->job.type;
		h->broken[i].chunk = h->job.chunk;
		h->broken[i].n = 0;
	}
	return ++h->broken[i].n <= BROKEN_MAX;
}

static void broken(struct wk_history *h, int rc)
{
	LOG(h->p.log, LOG_WARNING, "history_broken",
	    LF_STR("type", wa_history_type_name(h->job.type)), LF_INT("chunk", h->job.chunk),
	    LF_ERR("err", rc));
	finish_unread(h, may_ask_again(h));
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int on_plain(void *arg, const uint8_t *data, size_t data_len)
{
	struct wk_history *h = arg;

	return wk_history_blob_feed(h->blob, data, data_len);
}

static int open_reader(struct wk_history *h, enum wk_history_pass pass)
{
	const struct wk_history_blob_params params = {
		.store = h->p.store,
		.creds = h->p.creds,
		.pass = pass,
		/* what was asked for with a request is the answer's, not news */
		.emit = h->job.type == WA_HISTORY_ON_DEMAND ? NULL : h->p.emit,
		.settings = h->p.settings,
		.asked = h->job.type == WA_HISTORY_ON_DEMAND,
		.oldest_unix_s = oldest_unix_s(h),
	};
	/* verified while it came */
	const struct wa_media_expect expect = { .len_max = WK_HISTORY_FILE_MAX };
	int rc = 0;

	drop_reader(h);
	h->pass = pass;
	h->fd_pos = 0;
	h->whole = false;
	if (h->job.payload == NULL)
		rc = wa_media_open(h->job.media_key, WA_MEDIA_HISTORY, &expect, on_plain, h,
		                   &h->media);
	return rc < 0 ? rc : wk_history_blob_new(&params, &h->blob);
}

static int feed_file(struct wk_history *h)
{
	uint8_t data[READ_LEN];
	ssize_t n = pread(h->fd, data, sizeof(data), h->fd_pos);

	if (n < 0)
		return errno == EINTR ? 0 : WA_ESTORAGE;
	h->fd_pos += n;
	h->whole = n == 0;
	return h->whole ? wa_media_end(h->media) : wa_media_feed(h->media, data, (size_t)n);
}

static int feed_payload(struct wk_history *h)
{
	size_t left = h->job.payload_len - (size_t)h->fd_pos;
	size_t n = left < READ_LEN ? left : READ_LEN;
	const uint8_t *p = h->job.payload + h->fd_pos;

	h->fd_pos += (off_t)n;
	h->whole = left == 0;
	return h->whole ? 0 : wk_history_blob_feed(h->blob, p, n);
}

/* Until the time or the messages of a slice are used up, or the blob. */
static int read_slice(struct wk_history *h)
{
	uint64_t end_ms = clock_ms() + SLICE_MS, first = wk_history_blob_seen(h->blob);
	int rc = 0;

	while (rc == 0 && !h->whole && clock_ms() < end_ms &&
	       wk_history_blob_seen(h->blob) - first < SLICE_MESSAGES)
		rc = h->job.payload != NULL ? feed_payload(h) : feed_file(h);
	if (rc == 0 && h->whole)
		rc = wk_history_blob_end(h->blob);
	return rc;
}

static void count_slice(struct wk_history *h, uint64_t before)
{
	h->state.messages += wk_history_blob_stored(h->blob) - before;
}

/* So much waits for the gateway that more would be in the way of what comes live. */
static bool is_ahead(struct wk_history *h)
{
	struct wk_outbox_stock stock;

	return h->p.emit != NULL && wk_store_outbox_stock(h->p.store, &stock) == 0 &&
	       (stock.n > AHEAD_N || stock.bytes > AHEAD_BYTES);
}

static void slice(struct wk_history *h)
{
	uint64_t before = wk_history_blob_stored(h->blob);
	bool done = false;
	int rc, read;

	if (is_ahead(h)) {
		soon(h, scaled(h, AHEAD_MS));
		return;
	}
	rc = wk_batch_enter(h->p.batch);
	if (rc < 0)
		return; /* the batch has told */
	read = read_slice(h);
	count_slice(h, before);
	rc = wk_history_store_failed(read) ? read : 0;
	if (read == 0 && h->whole && h->pass == WK_HISTORY_WHO) {
		rc = open_reader(h, WK_HISTORY_ALL);
	} else if (read == 0 && h->whole) {
		rc = finish(h, true, false);
		done = true;
	} else if (read == 0) {
		rc = wk_store_history_save(h->p.store, &h->state);
	}
	wk_batch_leave(h->p.batch, rc);
	if (h->freed || h->failed || rc < 0)
		return;
	if (read < 0)
		broken(h, read);
	else if (done)
		finished(h);
	else
		soon(h, 0);
}

static void begin_reading(struct wk_history *h)
{
	int rc = open_reader(h, WK_HISTORY_WHO);

	set_bulk(h, true);
	h->work = READING;
	if (rc < 0)
		fail(h, rc);
	else
		soon(h, 0);
}

/* ---- fetching ----------------------------------------------------------------------------------
 */

static int make_file(struct wk_history *h)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" FILE_NAME, h->p.dir);

	if (h->fd >= 0)
		return 0;
	if (n < 0 || n >= (int)sizeof(path))
		return WA_ESTORAGE;
	h->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->fd < 0)
		return WA_ESTORAGE;
	(void)unlink(path);
	return 0;
}

static int on_begin(void *arg)
{
	struct wk_history *h = arg;
	int rc = make_file(h);

	h->fd_len = 0;
	return rc == 0 && ftruncate(h->fd, 0) < 0 ? WA_ESTORAGE : rc;
}

static int on_stored(void *arg, const uint8_t *data, size_t data_len)
{
	struct wk_history *h = arg;

	while (data_len > 0) {
		ssize_t n = pwrite(h->fd, data, data_len, h->fd_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return WA_ESTORAGE;
		data += n;
		data_len -= (size_t)n;
		h->fd_len += n;
	}
	return 0;
}

/* Verified, but not read before all of it is. */
static int on_data(void *arg, const uint8_t *data, size_t data_len)
{
	(void)arg;
	(void)data;
	(void)data_len;
	return 0;
}

static void rest(struct wk_history *h)
{
	uint64_t ms = (uint64_t)REST_MIN_MS << (h->tries < 8 ? h->tries : 8);

	h->tries++;
	h->work = RESTING;
	soon(h, scaled(h, ms < REST_MAX_MS ? ms : REST_MAX_MS));
}

static void on_fetched(const struct wk_failure *f, void *arg)
{
	struct wk_history *h = arg;

	enter(h);
	h->get = NULL;
	if (f->rc == 0) {
		begin_reading(h);
	} else if (f->rc == WA_EMEDIA_GONE || f->rc == WA_EAUTH || f->rc == WA_EPROTO ||
	           f->rc == WA_ETRUNC || f->rc == WA_ELIMIT || f->rc == -EINVAL) {
		broken(h, f->rc);
	} else {
		LOG(h->p.log, LOG_WARNING, "history_not_fetched", LF_ERR("err", f->rc),
		    LF_STR("detail", f->detail));
		rest(h);
	}
	leave(h);
}

static void fetch(struct wk_history *h)
{
	static const struct wk_media_ops ops = {
		.on_begin = on_begin,
		.on_data = on_data,
		.on_stored = on_stored,
		.on_done = on_fetched,
	};
	const struct wk_media_file file = {
		.kind = WA_MEDIA_HISTORY,
		.media_key = h->job.media_key,
		.direct_path = h->job.path,
		.sha256 = h->job.sha256,
		.enc_sha256 = h->job.enc_sha256,
		.has_len = h->job.file_len > 0,
		.len = h->job.file_len,
		.len_max = WK_HISTORY_FILE_MAX,
		.deadline_ms = FETCH_MS,
	};
	int rc = wk_media_fetch(h->p.media, &file, &ops, h, &h->get);

	h->work = FETCHING;
	if (rc == -EINVAL)
		broken(h, rc);
	else if (rc < 0)
		rest(h);
}

/* ---- the next one ------------------------------------------------------------------------------
 */

static char *copy_text(const char *s, int *rc)
{
	char *copy = s != NULL ? strdup(s) : NULL;

	if (s != NULL && copy == NULL)
		*rc = -ENOMEM;
	return copy;
}

static int take_notice(struct job *j, const struct wa_history_notice *n)
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

/* body: message id, NUL, ProtocolMessage: of our own making. */
static int read_job(struct job *j, const struct buf *body)
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
		rc = take_notice(j, &n);
	wa_pool_free(pool);
	return rc == -ENOMEM ? rc : rc < 0 ? WA_ESTORE_CORRUPT : 0;
}

static int load_job(struct wk_history *h)
{
	struct buf body = { 0 };
	int rc = wk_store_history_next(h->p.store, 0, &h->job.id, &body);

	if (rc == 0)
		rc = read_job(&h->job, &body);
	buf_wipe(&body);
	return rc;
}

static void next(struct wk_history *h)
{
	int rc = load_job(h);

	if (rc == -ENOENT) {
		job_clear(&h->job);
		set_bulk(h, false);
		return;
	}
	if (rc < 0) {
		fail(h, rc);
		return;
	}
	(void)event_del(h->quiet);
	if (!has_content(h) || (h->job.payload == NULL && h->job.path == NULL))
		finish_unread(h, false);
	else if (h->job.payload != NULL)
		begin_reading(h);
	else
		fetch(h);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_history *h = arg;

	(void)fd;
	(void)what;
	if (h->failed)
		return;
	enter(h);
	switch (h->work) {
	case IDLE:
		next(h);
		break;
	case READING:
		slice(h);
		break;
	case RESTING:
		fetch(h);
		break;
	case FETCHING:
		break;
	}
	leave(h);
}

/* Nothing has come for so long: what there was is all, or more comes when the phone likes. */
static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct wk_history *h = arg;
	bool over = h->state.recent == 0 || h->state.recent == 100;
	int rc;

	(void)fd;
	(void)what;
	if (h->work != IDLE || h->state.done || !over || h->failed)
		return;
	enter(h);
	if (wk_batch_enter(h->p.batch) == 0) {
		rc = say_done(h);
		if (rc == 0)
			rc = wk_store_history_save(h->p.store, &h->state);
		wk_batch_leave(h->p.batch, rc);
		if (rc == 0 && !h->freed)
			tell_state(h);
	}
	leave(h);
}

/* ---- from outside ------------------------------------------------------------------------------
 */

int wk_history_new(const struct wk_history_params *params, struct wk_history **h_out)
{
	struct wk_history *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return -ENOMEM;
	h->p = *params;
	h->fd = -1;
	h->timer = evtimer_new(params->base, on_timer, h);
	h->quiet = evtimer_new(params->base, on_quiet, h);
	rc = h->timer == NULL || h->quiet == NULL ? -ENOMEM
	                                          : wk_store_history_load(params->store, &h->state);
	if (rc < 0) {
		destroy(h);
		return rc;
	}
	*h_out = h;
	return 0;
}

void wk_history_start(struct wk_history *h)
{
	h->started = true;
	tell_state(h);
	quiet_soon(h);
	soon(h, 0);
}

static int pack_notice(const char *message_id, const Wa__ProtocolMessage *p, struct buf *out)
{
	Wa__ProtocolMessage only = WA__PROTOCOL_MESSAGE__INIT;
	int rc = buf_append(out, message_id, strlen(message_id) + 1);

	only.has_type = true;
	only.type = WA_PROTO_HISTORY_SYNC_NOTIFICATION;
	only.history_sync_notification = p->history_sync_notification;
	if (rc == 0)
		rc = buf_reserve(out, wa__protocol_message__get_packed_size(&only));
	if (rc == 0)
		out->len += wa__protocol_message__pack(&only, out->p + out->len);
	return rc;
}

int wk_history_notice(struct wk_history *h, const char *message_id,
                      const struct Wa__ProtocolMessage *p)
{
	struct wa_history_notice n;
	struct buf body = { 0 };
	int rc = wa_history_notice_read(p, &n);

	if (rc < 0) {
		LOG(h->p.log, LOG_WARNING, "history_notice_bad", LF_ERR("err", rc));
		return 0;
	}
	rc = pack_notice(message_id, p, &body);
	if (rc == 0)
		rc = wk_store_history_add(h->p.store, body.p, body.len);
	buf_wipe(&body);
	if (rc == WA_ELIMIT) {
		LOG(h->p.log, LOG_WARNING, "history_notice_too_much");
		return 0;
	}
	if (rc == 0 && h->started && h->work == IDLE)
		soon(h, 0);
	return rc;
}
