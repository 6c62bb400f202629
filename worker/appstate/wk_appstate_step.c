/* worker/appstate/wk_appstate_step.c - an answer, piece by piece, and the files it names */
#include "worker/appstate/wk_appstate_step.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "worker/appstate/wk_appstate_priv.h"
#include "worker/history/wk_media.h"
#include "worker/session/wk_failure.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/history/wa_media.h"
#include "worker/wa/stanza/wa_stanza.h"

#define FILE_DEADLINE_MS 120000
#define BEHIND_TRIES_MAX 5 /* for a version that the server spoke of and does not give */

/* ---- files --------------------------------------------------------------------------------------
 */

static int on_begin(void *arg)
{
	struct wk_appstate *a = arg;

	buf_reset(&a->file);
	return 0;
}

static int on_data(void *arg, const uint8_t *data, size_t data_len)
{
	struct wk_appstate *a = arg;

	if (data_len > WK_APPSTATE_FILE_MAX - a->file.len)
		return WA_ELIMIT;
	return buf_append(&a->file, data, data_len);
}

static void skip_collection(struct wk_appstate *a)
{
	a->has_file = false;
	buf_wipe(&a->file);
	a->at = wa_node_next(a->at, "collection");
	a->patch = NULL;
	a->begun = false;
}

static void on_fetched(const struct wk_failure *f, void *arg)
{
	struct wk_appstate *a = arg;

	a->get = NULL;
	a->has_file = f->rc == 0;
	if (!a->has_file) {
		LOG(a->p.log, LOG_WARNING, "appstate_file_missing", LF_ERR("err", f->rc),
		    LF_STR("detail", f->detail));
		skip_collection(a); /* still asked for: it is tried again later */
	}
	wk_appstate_go_on(a);
}

/* 1: it is on its way; 0: it can't be had. */
static int fetch(struct wk_appstate *a, const struct wa_appstate_blob *b)
{
	static const struct wk_media_ops media_ops = { .on_begin = on_begin,
		                                       .on_data = on_data,
		                                       .on_done = on_fetched };
	const struct wk_media_file file = {
		.kind = WA_MEDIA_APP_STATE,
		.media_key = b->media_key,
		.direct_path = b->direct_path,
		.sha256 = b->sha256,
		.enc_sha256 = b->enc_sha256,
		.has_len = b->file_len != 0,
		.len = b->file_len,
		.len_max = WK_APPSTATE_FILE_MAX,
		.deadline_ms = FILE_DEADLINE_MS,
	};

	return a->p.media != NULL && wk_media_fetch(a->p.media, &file, &media_ops, a, &a->get) == 0;
}

/* ---- the answer, piece by piece -----------------------------------------------------------------
 */

static struct wa_bytes content_of(const struct wa_node *n)
{
	if (n == NULL || n->content != WA_CONTENT_BYTES)
		return (struct wa_bytes){ 0 };
	return (struct wa_bytes){ n->bytes, n->bytes_len };
}

static const struct wa_node *first_patch(const struct wa_node *collection)
{
	const struct wa_node *patches = wa_node_child(collection, "patches");

	return wa_node_child(patches != NULL ? patches : collection, "patch");
}

/* The collection is through. 0 or a code of the store. */
static int finish(struct wk_appstate *a, enum wk_collection c)
{
	struct wk_collection_state *s = &a->c[c];
	struct wk_appstate_row row;
	int rc = wk_store_appstate_load(a->p.store, c, &row);

	s->asked = false;
	s->snapshot = s->tolerant = false;
	if (rc == 0)
		rc = wk_appstate_is_sound(a, c);
	if (s->again || wa_node_attr_is(a->at, "has_more_patches", "true")) {
		s->wanted = true;
	} else if (rc == 0 && row.told > row.version && s->tries < BEHIND_TRIES_MAX) {
		/* the server spoke of a version that it does not have: once more, later */
		wk_appstate_back_off(a, c);
	} else {
		s->tries = 0;
	}
	if (rc == 0 && !row.synced && !s->wanted) {
		row.synced = true; /* what comes from now on is news */
		rc = wk_store_appstate_save(a->p.store, c, &row);
	}
	skip_collection(a);
	return rc;
}

/* <error>: of the collection as a whole. */
static void refused(struct wk_appstate *a, enum wk_collection c, unsigned code)
{
	struct wk_collection_state *s = &a->c[c];

	LOG(a->p.log, LOG_WARNING, "appstate_error", LF_STR("collection", wk_collection_name(c)),
	    LF_INT("code", code));
	s->asked = false;
	if (code == 400 || code == 404 || code == 405 || code == 406)
		s->given_up = true;
	else
		wk_appstate_back_off(a, c);
	skip_collection(a);
}

/* The file of a piece; *need_out: there is one, and it is not here yet. False: it makes no sense.
 */
static bool file_of(struct wk_appstate *a, bool snapshot, struct wa_bytes data,
                    struct wa_appstate_blob *b, bool *need_out)
{
	int rc = snapshot ? wa_appstate_blob_read(a->pool, data.p, data.len, b)
	                  : wa_appstate_patch_blob(a->pool, data.p, data.len, b);

	*need_out = rc == 0 && b->direct_path != NULL && !a->has_file;
	return rc == 0;
}

/* One snapshot or patch; then *done_out, unless its file has to be fetched first. */
static enum wk_appstate_next work(struct wk_appstate *a, enum wk_collection c, bool snapshot,
                                  struct wa_bytes data, bool *done_out)
{
	const struct wk_appstate_piece piece = { .kind =
		                                     snapshot ? WK_PIECE_SNAPSHOT : WK_PIECE_PATCH,
		                                 .data = data };
	struct wa_appstate_blob b;
	bool need = false;
	int rc;

	*done_out = false;
	if (file_of(a, snapshot, data, &b, &need) && need) {
		if (fetch(a, &b))
			return WK_STEP_WAIT;
		skip_collection(a); /* tried again later */
		return WK_STEP_MORE;
	}
	rc = wk_appstate_piece(a, c, &piece);
	a->has_file = false;
	buf_wipe(&a->file);
	if (rc < 0) {
		if (!a->freed)
			a->p.ops->on_failed(rc, a->p.arg);
		return WK_STEP_FAILED;
	}
	if (rc > 0)
		skip_collection(a);
	*done_out = rc == 0;
	return WK_STEP_MORE;
}

/* The patches, a few in a row: those without files are small. */
static enum wk_appstate_next patches(struct wk_appstate *a, enum wk_collection c)
{
	enum wk_appstate_next next;
	bool done;

	if (a->patch == NULL) {
		int rc = finish(a, c);

		if (rc < 0)
			a->p.ops->on_failed(rc, a->p.arg);
		return rc < 0 ? WK_STEP_FAILED : WK_STEP_MORE;
	}
	next = work(a, c, false, content_of(a->patch), &done);
	if (done)
		a->patch = wa_node_next(a->patch, "patch");
	return next;
}

enum wk_appstate_next wk_appstate_step(struct wk_appstate *a)
{
	const char *name = a->at == NULL ? NULL : wa_node_attr(a->at, "name");
	const struct wa_node *snapshot = wa_node_child(a->at, "snapshot");
	int c = name == NULL ? -1 : wk_collection_of(name);
	enum wk_appstate_next next = WK_STEP_MORE;
	bool done = true;

	if (a->at == NULL)
		return WK_STEP_DONE;
	if (c < 0 || !a->c[c].asked) {
		skip_collection(a); /* not what we asked for */
		return WK_STEP_MORE;
	}
	if (wa_appstate_error(a->at) != 0) {
		refused(a, (enum wk_collection)c, wa_appstate_error(a->at));
		return WK_STEP_MORE;
	}
	if (a->begun)
		return patches(a, (enum wk_collection)c);
	if (snapshot != NULL)
		next = work(a, (enum wk_collection)c, true, content_of(snapshot), &done);
	if (done) {
		a->begun = true;
		a->patch = first_patch(a->at);
	}
	return next;
}
