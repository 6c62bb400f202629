/* worker/history/wk_history_fetch.c - the file of a notice, as WhatsApp has it, into a file of ours
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "common/err.h"
#include "worker/history/wk_history_priv.h"
#include "worker/history/wk_media.h"
#include "worker/session/wk_failure.h"
#include "worker/wa/history/wa_media.h"

#define FILE_NAME "history.part" /* unnamed as soon as it is open */
#define FETCH_MS (15 * 60 * 1000)
#define REST_MIN_MS 5000 /* after a fetch that failed, doubling */
#define REST_MAX_MS (10 * 60 * 1000)

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
	h->work = WK_HISTORY_RESTING;
	wk_history_soon(h, wk_history_scaled(h, ms < REST_MAX_MS ? ms : REST_MAX_MS));
}

static void on_fetched(const struct wk_failure *f, void *arg)
{
	struct wk_history *h = arg;

	wk_history_enter(h);
	h->get = NULL;
	if (f->rc == 0) {
		wk_history_read(h);
	} else if (f->rc == WA_EMEDIA_GONE || f->rc == WA_EAUTH || f->rc == WA_EPROTO ||
	           f->rc == WA_ETRUNC || f->rc == WA_ELIMIT || f->rc == -EINVAL) {
		wk_history_broken(h, f->rc);
	} else {
		LOG(h->p.log, LOG_WARNING, "history_not_fetched", LF_ERR("err", f->rc),
		    LF_STR("detail", f->detail));
		rest(h);
	}
	wk_history_leave(h);
}

void wk_history_fetch(struct wk_history *h)
{
	static const struct wk_media_ops ops = {
		.on_begin = on_begin,
		.on_data = on_data,
		.on_stored = on_stored,
		.on_done = on_fetched,
	};
	const struct wk_media_file file = {
		.kind = WA_MEDIA_HISTORY,
		.hand = h->hand,
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

	h->work = WK_HISTORY_FETCHING;
	if (rc == -EINVAL)
		wk_history_broken(h, rc);
	else if (rc < 0)
		rest(h);
}
