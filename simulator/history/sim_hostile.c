/* simulator/history/sim_hostile.c - history as a hostile or broken phone would send it */
#include "simulator/history/sim_hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/base/sim_pbw.h"
#include "simulator/base/sim_zip.h"

#define CHAT "99900000001@s.whatsapp.net"
#define ID "3AFFFFFFFF00000000"
#define ZEROS 65536
#define UNKNOWN_TYPE 42

struct making {
	const struct sim_hostile *h;
	uint64_t size;
	struct buf *out;
	struct sim_sync_blob *blob;
};

/* ---- pieces ------------------------------------------------------------------------------------
 */

static int zip(const struct buf *plain, int level, struct buf *out)
{
	struct sim_zip z;
	int rc = sim_zip_begin(&z, level, out), end;

	if (rc < 0)
		return rc;
	rc = sim_zip_add(&z, plain->p, plain->len);
	end = sim_zip_end(&z);
	return rc < 0 ? rc : end;
}

static void begin(struct sim_pbw *w, struct buf *plain, enum sim_history_type type)
{
	sim_pbw_init(w, plain);
	sim_pbw_uint(w, 1, (uint64_t)type);
}

/* One chat with one message, whose content is written by put (NULL: a text). */
static void put_chat(struct sim_pbw *w, const char *chat, const char *id,
                     void (*put)(struct sim_pbw *w, const struct making *x), const struct making *x)
{
	size_t conversation = sim_pbw_begin(w, 2), msg, web, part;

	sim_pbw_text(w, 1, chat);
	msg = sim_pbw_begin(w, 2);
	web = sim_pbw_begin(w, 1);
	part = sim_pbw_begin(w, 1);
	sim_pbw_text(w, 1, chat);
	sim_pbw_uint(w, 2, 0);
	sim_pbw_text(w, 3, id);
	sim_pbw_end(w, part);
	part = sim_pbw_begin(w, 2);
	if (put != NULL)
		put(w, x);
	else
		sim_pbw_text(w, 1, "hostile");
	sim_pbw_end(w, part);
	sim_pbw_uint(w, 3, (uint64_t)x->h->history->until_unix_s - 60);
	sim_pbw_end(w, web);
	sim_pbw_end(w, msg);
	sim_pbw_end(w, conversation);
}

static int finish(const struct making *x, struct sim_pbw *w, struct buf *plain)
{
	int rc = w->err == 0 ? zip(plain, 6, x->out) : w->err;

	buf_free(plain);
	return rc;
}

/* ---- kinds -------------------------------------------------------------------------------------
 */

/* A field of zeros: a thousand bytes out for a byte in. */
static int make_bomb(const struct making *x)
{
	static const uint8_t zeros[ZEROS];
	struct buf head = { 0 };
	struct sim_pbw w;
	struct sim_zip z;
	uint64_t left = x->size;
	int rc = sim_zip_begin(&z, 9, x->out), end;

	if (rc < 0)
		return rc;
	begin(&w, &head, x->h->type);
	rc = w.err;
	if (rc == 0)
		rc = buf_append_u8(&head, 9 << 3 | 2);
	for (uint64_t v = x->size; rc == 0; v >>= 7) {
		rc = buf_append_u8(&head, (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
		if (v <= 0x7f)
			break;
	}
	if (rc == 0)
		rc = sim_zip_add(&z, head.p, head.len);
	for (; rc == 0 && left > 0; left -= left < ZEROS ? left : ZEROS)
		rc = sim_zip_add(&z, zeros, left < ZEROS ? (size_t)left : ZEROS);
	end = sim_zip_end(&z);
	buf_free(&head);
	return rc < 0 ? rc : end;
}

/* Small conversations that inflate to much: the same one again and again. */
static int make_many_chats(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;

	begin(&w, &plain, x->h->type);
	for (uint64_t i = 0; w.err == 0 && i < x->size; i++) {
		char jid[40];
		size_t at = sim_pbw_begin(&w, 2);

		snprintf(jid, sizeof(jid), "9991%08u@s.whatsapp.net", (unsigned)i);
		sim_pbw_text(&w, 1, jid);
		sim_pbw_end(&w, at);
	}
	return finish(x, &w, &plain);
}

/* A message that quotes a message that quotes a message; written from the inside. */
static int make_levels(const struct making *x, bool wrapped)
{
	struct buf inner = { 0 }, outer = { 0 }, plain = { 0 };
	struct sim_pbw w;
	size_t at, msg, web, key;
	int rc;

	sim_pbw_init(&w, &inner);
	sim_pbw_text(&w, 1, "deep inside");
	rc = w.err;
	for (uint64_t i = 0; rc == 0 && i < x->size; i++) {
		sim_pbw_init(&w, &outer);
		at = sim_pbw_begin(&w, wrapped ? 40 : 6);
		if (wrapped) {
			sim_pbw_bytes(&w, 1, inner.p, inner.len);
		} else {
			sim_pbw_text(&w, 1, "x");
			key = sim_pbw_begin(&w, 17);
			sim_pbw_bytes(&w, 3, inner.p, inner.len);
			sim_pbw_end(&w, key);
		}
		sim_pbw_end(&w, at);
		rc = w.err;
		buf_free(&inner);
		inner = outer;
		outer = (struct buf){ 0 };
	}
	begin(&w, &plain, x->h->type);
	at = sim_pbw_begin(&w, 2);
	sim_pbw_text(&w, 1, CHAT);
	msg = sim_pbw_begin(&w, 2);
	web = sim_pbw_begin(&w, 1);
	key = sim_pbw_begin(&w, 1);
	sim_pbw_text(&w, 1, CHAT);
	sim_pbw_text(&w, 3, ID);
	sim_pbw_end(&w, key);
	sim_pbw_bytes(&w, 2, inner.p, inner.len);
	sim_pbw_uint(&w, 3, (uint64_t)x->h->history->until_unix_s - 60);
	sim_pbw_end(&w, web);
	sim_pbw_end(&w, msg);
	sim_pbw_end(&w, at);
	buf_free(&inner);
	if (rc < 0) {
		buf_free(&plain);
		return rc;
	}
	return finish(x, &w, &plain);
}

static int make_nesting(const struct making *x)
{
	return make_levels(x, false);
}

static int make_wrapped(const struct making *x)
{
	return make_levels(x, true);
}

static void put_giant(struct sim_pbw *w, const struct making *x)
{
	struct buf b = { 0 };

	if (w->err == 0)
		w->err = sim_media_make(SIM_MEDIA_DOCUMENT, 7, (size_t)x->size, &b);
	for (size_t i = 0; i < b.len; i++)
		b.p[i] = (uint8_t)('a' + b.p[i] % 26);
	sim_pbw_bytes(w, 1, b.p, b.len);
	buf_free(&b);
}

static int make_giant_message(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;

	begin(&w, &plain, x->h->type);
	put_chat(&w, CHAT, ID, put_giant, x);
	put_chat(&w, CHAT, "3AFFFFFFFF00000001", NULL, x);
	return finish(x, &w, &plain);
}

/* The id of a chat is endless. */
static int make_giant_field(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;
	size_t at;

	begin(&w, &plain, x->h->type);
	at = sim_pbw_begin(&w, 2);
	put_giant(&w, x);
	sim_pbw_end(&w, at);
	return finish(x, &w, &plain);
}

/* What is there is no JID, no UTF-8, no id; and one that is well. */
static int make_bad_values(const struct making *x)
{
	static const char *const chats[] = {
		"", "no jid", "@", "x@y@z", "1\xff\xfe@lid", "../../etc/passwd", "status@broadcast"
	};
	struct buf plain = { 0 };
	struct sim_pbw w;
	size_t at;

	begin(&w, &plain, x->h->type);
	for (size_t i = 0; i < ARRAY_LEN(chats); i++)
		put_chat(&w, chats[i], i % 2 ? ID : "\xc3\x28'\"<>\n", NULL, x);
	at = sim_pbw_begin(&w, 7);
	sim_pbw_text(&w, 1, "no jid");
	sim_pbw_text(&w, 2, "\xf0\x28\x8c\xbc");
	sim_pbw_end(&w, at);
	at = sim_pbw_begin(&w, 15);
	sim_pbw_text(&w, 1, "1@lid");
	sim_pbw_text(&w, 2, "2@s.whatsapp.net"); /* the wrong way round */
	sim_pbw_end(&w, at);
	put_chat(&w, CHAT, "3AFFFFFFFF00000002", NULL, x);
	return finish(x, &w, &plain);
}

static int make_not_zlib(const struct making *x)
{
	return sim_media_make(SIM_MEDIA_DOCUMENT, 3, (size_t)x->size, x->out);
}

static int make_not_protobuf(const struct making *x)
{
	struct buf plain = { 0 };
	int rc = sim_media_make(SIM_MEDIA_HISTORY, 5, (size_t)x->size, &plain);

	if (rc == 0)
		plain.p[0] = 0xff;
	if (rc == 0)
		rc = zip(&plain, 6, x->out);
	buf_free(&plain);
	return rc;
}

static int make_no_type(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;

	sim_pbw_init(&w, &plain);
	put_chat(&w, CHAT, ID, NULL, x);
	return finish(x, &w, &plain);
}

/* The notice says one thing, the blob another. */
static int make_wrong_type(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;

	begin(&w, &plain,
	      x->h->type == SIM_HISTORY_RECENT ? SIM_HISTORY_PUSH_NAME : SIM_HISTORY_RECENT);
	put_chat(&w, CHAT, ID, NULL, x);
	return finish(x, &w, &plain);
}

static int make_unknown_type(const struct making *x)
{
	struct buf plain = { 0 };
	struct sim_pbw w;

	x->blob->type = (enum sim_history_type)UNKNOWN_TYPE;
	begin(&w, &plain, x->blob->type);
	put_chat(&w, CHAT, ID, NULL, x);
	return finish(x, &w, &plain);
}

/* A part as it should be, for what is wrong around it. */
static int make_part(const struct making *x)
{
	const struct sim_history_part part = {
		.type = SIM_HISTORY_RECENT, .order = 1, .to_unix_s = INT64_MAX, .max = 20
	};
	struct sim_history_written w;

	return sim_history_write(x->h->history, &part, x->out, &w);
}

static int make_cut(const struct making *x)
{
	int rc = make_part(x);

	if (rc == 0)
		x->out->len /= 2;
	return rc;
}

static int make_trailing(const struct making *x)
{
	int rc = make_part(x);

	return rc < 0 ? rc : sim_media_make(SIM_MEDIA_DOCUMENT, 9, 1000, x->out);
}

static int make_empty(const struct making *x)
{
	(void)x;
	return 0;
}

static int make_gone(const struct making *x)
{
	x->blob->gone = true;
	return make_part(x);
}

static int make_claim(const struct making *x)
{
	x->blob->claimed_len = x->size;
	return make_part(x);
}

static int make_flaw(const struct making *x)
{
	if (!sim_media_flaw_find(x->h->kind, &x->blob->flaw))
		return -ENOENT;
	return make_part(x);
}

static const struct kind {
	const char *name;
	uint64_t size;
	int (*make)(const struct making *x);
} kinds[] = {
	{ "zip_bomb", 512u << 20, make_bomb },
	{ "many_chats", 100000, make_many_chats },
	{ "nesting", 2000, make_nesting },
	{ "wrapped", 2000, make_wrapped },
	{ "giant_message", 8u << 20, make_giant_message },
	{ "giant_field", 8u << 20, make_giant_field },
	{ "bad_values", 0, make_bad_values },
	{ "not_zlib", 5000, make_not_zlib },
	{ "not_protobuf", 5000, make_not_protobuf },
	{ "no_type", 0, make_no_type },
	{ "wrong_type", 0, make_wrong_type },
	{ "unknown_type", 0, make_unknown_type },
	{ "cut_zlib", 0, make_cut },
	{ "trailing", 0, make_trailing },
	{ "empty", 0, make_empty },
	{ "gone", 0, make_gone },
	{ "claimed_length", UINT64_C(1) << 40, make_claim },
	{ "mac", 0, make_flaw },
	{ "ciphertext", 0, make_flaw },
	{ "sha256", 0, make_flaw },
	{ "encSha256", 0, make_flaw },
	{ "padding", 0, make_flaw },
	{ "length", 0, make_flaw },
	{ "key", 0, make_flaw },
	{ "truncated", 0, make_flaw },
};

const char *sim_hostile_name(size_t index)
{
	return index < ARRAY_LEN(kinds) ? kinds[index].name : NULL;
}

int sim_hostile_make(const struct sim_hostile *h, struct buf *zlib_out,
                     struct sim_sync_blob *blob_out)
{
	struct sim_sync_blob blob = { .type = h->type, .order = 1, .progress = 50 };
	struct making x = { .h = h, .out = zlib_out, .blob = &blob };
	size_t from = zlib_out->len;
	int rc = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, h->kind) != 0)
			continue;
		x.size = h->size != 0 ? h->size : kinds[i].size;
		rc = kinds[i].make(&x);
		break;
	}
	if (rc < 0) {
		zlib_out->len = from;
		return rc;
	}
	if (zlib_out->len > from) {
		blob.zlib = zlib_out->p + from;
		blob.zlib_len = zlib_out->len - from;
	}
	*blob_out = blob;
	return 0;
}
