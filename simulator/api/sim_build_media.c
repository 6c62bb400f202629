/* simulator/api/sim_build_media.c - messages with a file on the media host */
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_api_media.h"
#include "simulator/api/sim_build.h"
#include "simulator/sim.h"

/* Where each kind of message has what (09 section 5); 0: nowhere. */
static const struct fields {
	uint32_t message, url, mimetype, caption, sha256, len, height, width, seconds, key,
	    enc_sha256, path, key_time, thumbnail, context;
	const char *usual; /* mimetype */
} fields_of[] = {
	[SIM_MEDIA_IMAGE] = { 3, 1, 2, 3, 4, 5, 6, 7, 0, 8, 9, 11, 12, 16, 17, "image/jpeg" },
	[SIM_MEDIA_VIDEO] = { 9, 1, 2, 7, 3, 4, 9, 10, 5, 6, 11, 13, 14, 16, 17, "video/mp4" },
	[SIM_MEDIA_AUDIO] = { 8, 1, 2, 0, 3, 4, 0, 0, 5, 7, 8, 9, 10, 0, 17,
	                      "audio/ogg; codecs=opus" },
	[SIM_MEDIA_DOCUMENT] = { 7, 1, 2, 20, 4, 5, 0, 0, 0, 7, 9, 10, 11, 16, 17,
	                         "application/pdf" },
	[SIM_MEDIA_STICKER] = { 26, 1, 5, 0, 2, 9, 6, 7, 0, 4, 3, 8, 10, 0, 17, "image/webp" },
};

static void put_text(struct sim_build *b, struct buf *to, uint32_t number, const char *text)
{
	if (number != 0)
		sim_build_text(b, to, number, text);
}

static void put_num(struct sim_build *b, struct buf *to, uint32_t number, uint64_t v)
{
	if (number != 0 && v != 0)
		sim_build_int(b, to, number, v);
}

static void put_file(struct sim_build *b, struct buf *m, const struct fields *f,
                     const struct sim_media_file *file)
{
	sim_build_text(b, m, f->url, file->url);
	sim_build_bytes(b, m, f->sha256, file->sha256, sizeof(file->sha256));
	sim_build_bytes(b, m, f->enc_sha256, file->enc_sha256, sizeof(file->enc_sha256));
	sim_build_bytes(b, m, f->key, file->key, sizeof(file->key));
	sim_build_int(b, m, f->len, file->len);
	sim_build_text(b, m, f->path, file->direct_path);
	sim_build_int(b, m, f->key_time, (uint64_t)clock_unix_s());
}

/* What only one kind has. */
static void put_own(struct sim_build *b, struct buf *m, enum sim_media_kind kind,
                    const json_t *spec)
{
	if (kind == SIM_MEDIA_VIDEO && sim_build_flag(spec, "gif"))
		sim_build_int(b, m, 8, 1);
	if (kind == SIM_MEDIA_AUDIO && sim_build_flag(spec, "ptt"))
		sim_build_int(b, m, 6, 1);
	if (kind == SIM_MEDIA_DOCUMENT) {
		put_text(b, m, 8, sim_build_str(spec, "fileName"));
		put_text(b, m, 3, sim_build_str(spec, "title"));
		put_num(b, m, 6, sim_build_num(spec, "pages", 0));
	}
	if (kind == SIM_MEDIA_STICKER && sim_build_flag(spec, "animated"))
		sim_build_int(b, m, 13, 1);
}

static const char *mediatype(enum sim_media_kind kind, const json_t *spec)
{
	if (kind == SIM_MEDIA_VIDEO && sim_build_flag(spec, "gif"))
		return "gif";
	if (kind == SIM_MEDIA_VIDEO && sim_build_flag(spec, "ptv"))
		return "ptv";
	if (kind == SIM_MEDIA_AUDIO && sim_build_flag(spec, "ptt"))
		return "ptt";
	return sim_media_word(kind);
}

void sim_build_media(struct sim_build *b, const json_t *spec)
{
	const char *mime = sim_build_str(spec, "mimetype");
	struct sim_media_file file;
	enum sim_media_kind kind;
	const struct fields *f;
	struct buf m = { 0 };

	if (!sim_api_take_media(b->call, spec, &kind, &file)) {
		b->err = -EINVAL;
		return;
	}
	if ((size_t)kind >= ARRAY_LEN(fields_of)) {
		sim_build_refuse(b, "media of that kind is in no message");
		return;
	}
	f = &fields_of[kind];
	b->type = "media";
	b->mediatype = mediatype(kind, spec);
	put_file(b, &m, f, &file);
	sim_build_text(b, &m, f->mimetype, mime == NULL ? f->usual : mime);
	put_text(b, &m, f->caption, sim_build_str(spec, "caption"));
	put_num(b, &m, f->height, sim_build_num(spec, "height", 0));
	put_num(b, &m, f->width, sim_build_num(spec, "width", 0));
	put_num(b, &m, f->seconds, sim_build_num(spec, "seconds", 0));
	put_own(b, &m, kind, spec);
	sim_build_context(b, &m, f->context);
	sim_build_part(b, &b->msg, sim_build_flag(spec, "ptv") ? 66 : f->message, &m);
	/* A document with a caption is wrapped. */
	if (kind == SIM_MEDIA_DOCUMENT && sim_build_str(spec, "caption") != NULL) {
		struct buf inner = { 0 };

		sim_build_part(b, &inner, 1, &b->msg);
		sim_build_part(b, &b->msg, 53, &inner);
	}
}
