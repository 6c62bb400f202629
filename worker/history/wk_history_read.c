/* worker/history/wk_history_read.c - a blob, read into the store slice by slice */
#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/history/wk_history_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/history/wa_media.h"

#define AHEAD_N 4096 /* events that wait for the gateway before history waits, too */
#define AHEAD_BYTES (4 * 1024 * 1024)
#define AHEAD_MS 20
#define SLICE_MS 50          /* of reading, then others have their turn */
#define SLICE_MESSAGES 4096  /* in one transaction at most */
#define READ_LEN (16 * 1024) /* of the blob at a time */
#define DAY_S 86400

void wk_history_drop_reader(struct wk_history *h)
{
	wk_history_blob_free(h->blob);
	h->blob = NULL;
	wa_media_free(h->media);
	h->media = NULL;
}

/* What we asked for by itself may be of any age. */
int64_t wk_history_oldest(const struct wk_history *h)
{
	if (h->job.type == WA_HISTORY_ON_DEMAND || h->p.creds->history_days == 0)
		return 0;
	return clock_unix_s() - (int64_t)h->p.creds->history_days * DAY_S;
}

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
		.oldest_unix_s = wk_history_oldest(h),
	};
	/* verified while it came */
	const struct wa_media_expect expect = { .len_max = WK_HISTORY_FILE_MAX };
	int rc = 0;

	wk_history_drop_reader(h);
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

void wk_history_slice(struct wk_history *h)
{
	uint64_t before = wk_history_blob_stored(h->blob);
	bool done = false;
	int rc, read;

	if (is_ahead(h)) {
		wk_history_soon(h, wk_history_scaled(h, AHEAD_MS));
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
		rc = wk_history_finish(h, true, false);
		done = true;
	} else if (read == 0) {
		rc = wk_store_history_save(h->p.store, &h->state);
	}
	wk_batch_leave(h->p.batch, rc);
	if (h->freed || h->failed || rc < 0)
		return;
	if (read < 0)
		wk_history_broken(h, read);
	else if (done)
		wk_history_finished(h);
	else
		wk_history_soon(h, 0);
}

void wk_history_read(struct wk_history *h)
{
	int rc = open_reader(h, WK_HISTORY_WHO);

	wk_history_set_bulk(h, true);
	h->work = WK_HISTORY_READING;
	if (rc < 0)
		wk_history_fail(h, rc);
	else
		wk_history_soon(h, 0);
}
