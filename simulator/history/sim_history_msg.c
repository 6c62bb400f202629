/* simulator/history/sim_history_msg.c - a message of a history as WebMessageInfo */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simulator/history/sim_history.h"

#define THUMBNAIL_LEN 300
#define STATUS_READ 4
#define STATUS_DELIVERED 3

/* What is at hand while one message is written. */
struct writing {
	const struct sim_history *h;
	const struct sim_chat *chat;
	const struct sim_history_msg *m;
	struct sim_media_file file;
	struct sim_pbw *w;
};

/* ---- parts -------------------------------------------------------------------------------------
 */

static void put_key(struct writing *x, uint32_t field, const char *id, bool from_me,
                    const char *participant)
{
	size_t at = sim_pbw_begin(x->w, field);

	sim_pbw_text(x->w, 1, x->chat->id);
	sim_pbw_uint(x->w, 2, from_me);
	sim_pbw_text(x->w, 3, id);
	if (participant[0] != '\0')
		sim_pbw_text(x->w, 4, participant);
	sim_pbw_end(x->w, at);
}

static int put_thumbnail(struct writing *x, uint32_t field)
{
	struct buf b = { 0 };
	int rc = sim_media_make(SIM_MEDIA_IMAGE, x->m->random ^ 1, THUMBNAIL_LEN, &b);

	if (rc == 0)
		sim_pbw_bytes(x->w, field, b.p, b.len);
	buf_free(&b);
	return rc;
}

/* Which fields of a media message say what (protocol notes 09 section 5). */
struct media_fields {
	uint32_t mimetype, sha256, len, key, enc_sha256, path, time;
};

static void put_file(struct writing *x, const struct media_fields *f, const char *mimetype)
{
	const struct sim_media_file *file = &x->file;

	sim_pbw_text(x->w, 1, file->url);
	sim_pbw_text(x->w, f->mimetype, mimetype);
	sim_pbw_bytes(x->w, f->sha256, file->sha256, sizeof(file->sha256));
	sim_pbw_uint(x->w, f->len, file->len);
	sim_pbw_bytes(x->w, f->key, file->key, sizeof(file->key));
	sim_pbw_bytes(x->w, f->enc_sha256, file->enc_sha256, sizeof(file->enc_sha256));
	sim_pbw_text(x->w, f->path, file->direct_path);
	sim_pbw_uint(x->w, f->time, (uint64_t)x->m->unix_s);
}

/* ---- content -----------------------------------------------------------------------------------
 */

static int put_image(struct writing *x)
{
	static const struct media_fields fields = { 2, 4, 5, 8, 9, 11, 12 };
	size_t once = 0, at, in = 0;
	int rc;

	if (x->m->slot == 18) { /* viewOnceMessageV2 */
		once = sim_pbw_begin(x->w, 55);
		in = sim_pbw_begin(x->w, 1);
	}
	at = sim_pbw_begin(x->w, 3);
	put_file(x, &fields, "image/jpeg");
	if (x->m->text[0] != '\0')
		sim_pbw_text(x->w, 3, x->m->text);
	sim_pbw_uint(x->w, 6, 480);
	sim_pbw_uint(x->w, 7, 640);
	rc = put_thumbnail(x, 16);
	if (once != 0)
		sim_pbw_uint(x->w, 25, 1);
	sim_pbw_end(x->w, at);
	if (once != 0) {
		sim_pbw_end(x->w, in);
		sim_pbw_end(x->w, once);
	}
	return rc;
}

static int put_video(struct writing *x)
{
	static const struct media_fields fields = { 2, 3, 4, 6, 11, 13, 14 };
	size_t at = sim_pbw_begin(x->w, 9);
	int rc;

	put_file(x, &fields, "video/mp4");
	sim_pbw_uint(x->w, 5, 12);
	if (x->m->text[0] != '\0')
		sim_pbw_text(x->w, 7, x->m->text);
	else
		sim_pbw_uint(x->w, 8, 1); /* gifPlayback */
	sim_pbw_uint(x->w, 9, 360);
	sim_pbw_uint(x->w, 10, 640);
	rc = put_thumbnail(x, 16);
	sim_pbw_end(x->w, at);
	return rc;
}

static void put_audio(struct writing *x)
{
	static const struct media_fields fields = { 2, 3, 4, 7, 8, 9, 10 };
	bool voice = x->m->slot == 5;
	size_t at = sim_pbw_begin(x->w, 8);
	uint8_t waveform[64];

	put_file(x, &fields, voice ? "audio/ogg; codecs=opus" : "audio/mpeg");
	sim_pbw_uint(x->w, 5, 7);
	if (voice) {
		sim_pbw_uint(x->w, 6, 1);
		for (size_t i = 0; i < sizeof(waveform); i++)
			waveform[i] = (uint8_t)((x->m->random >> i % 48) % 101);
		sim_pbw_bytes(x->w, 19, waveform, sizeof(waveform));
	}
	sim_pbw_end(x->w, at);
}

static int put_document(struct writing *x)
{
	static const struct media_fields fields = { 2, 4, 5, 7, 9, 10, 11 };
	bool caption = x->m->text[0] != '\0';
	char name[40];
	size_t outer = 0, in = 0, at;

	snprintf(name, sizeof(name), "Report %" PRIu32 ".pdf", x->m->number);
	if (caption) { /* documentWithCaptionMessage */
		outer = sim_pbw_begin(x->w, 53);
		in = sim_pbw_begin(x->w, 1);
	}
	at = sim_pbw_begin(x->w, 7);
	put_file(x, &fields, "application/pdf");
	sim_pbw_text(x->w, 3, name);
	sim_pbw_uint(x->w, 6, 3);
	sim_pbw_text(x->w, 8, name);
	if (caption)
		sim_pbw_text(x->w, 20, x->m->text);
	sim_pbw_end(x->w, at);
	if (caption) {
		sim_pbw_end(x->w, in);
		sim_pbw_end(x->w, outer);
	}
	return 0;
}

static void put_sticker(struct writing *x)
{
	static const struct media_fields fields = { 5, 2, 9, 4, 3, 8, 10 };
	size_t at = sim_pbw_begin(x->w, 26);

	put_file(x, &fields, "image/webp");
	sim_pbw_uint(x->w, 6, 64);
	sim_pbw_uint(x->w, 7, 64);
	sim_pbw_end(x->w, at);
}

static void put_location(struct writing *x)
{
	bool live = x->m->slot == 25;
	size_t at = sim_pbw_begin(x->w, live ? 18 : 5);

	sim_pbw_double(x->w, 1, 52.5 + (double)(x->m->random % 1000) / 10000);
	sim_pbw_double(x->w, 2, 13.25 + (double)(x->m->random >> 10 & 1023) / 10000);
	if (live) {
		sim_pbw_text(x->w, 6, "on my way");
		sim_pbw_uint(x->w, 7, 5);
	} else {
		sim_pbw_text(x->w, 3, "Café am Ring");
		sim_pbw_text(x->w, 4, "Ringstraße 1, Berlin");
	}
	sim_pbw_end(x->w, at);
}

static void put_contact(struct writing *x, uint32_t field, uint32_t number)
{
	char name[32], card[200];
	size_t at = sim_pbw_begin(x->w, field);

	snprintf(name, sizeof(name), "Card %" PRIu32, number);
	snprintf(card, sizeof(card),
	         "BEGIN:VCARD\nVERSION:3.0\nN:;%s;;;\nFN:%s\nTEL;type=CELL;waid=99900%07" PRIu32
	         ":+999 00 %07" PRIu32 "\nEND:VCARD",
	         name, name, number % 10000000, number % 10000000);
	sim_pbw_text(x->w, 1, name);
	sim_pbw_text(x->w, 16, card);
	sim_pbw_end(x->w, at);
}

static void put_contacts(struct writing *x)
{
	size_t at;

	if (x->m->slot != 19) {
		put_contact(x, 4, x->m->number);
		return;
	}
	at = sim_pbw_begin(x->w, 13);
	sim_pbw_text(x->w, 1, "2 contacts");
	put_contact(x, 2, x->m->number);
	put_contact(x, 2, x->m->number + 1);
	sim_pbw_end(x->w, at);
}

static void put_poll(struct writing *x)
{
	static const char *const options[] = { "Monday", "Tuesday", "Neither" };
	char name[60];
	size_t at = sim_pbw_begin(x->w, x->m->random & 1 ? 64 : 49), option;

	snprintf(name, sizeof(name), "Poll %" PRIu32 ": when?", x->m->number);
	sim_pbw_text(x->w, 2, name);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		option = sim_pbw_begin(x->w, 3);
		sim_pbw_text(x->w, 1, options[i]);
		sim_pbw_end(x->w, option);
	}
	sim_pbw_uint(x->w, 4, x->m->random & 1);
	sim_pbw_end(x->w, at);
}

static void put_event(struct writing *x)
{
	char name[60];
	size_t at = sim_pbw_begin(x->w, 75);

	snprintf(name, sizeof(name), "Event %" PRIu32, x->m->number);
	sim_pbw_text(x->w, 3, name);
	sim_pbw_text(x->w, 4, "Bring cake");
	sim_pbw_uint(x->w, 7, (uint64_t)x->m->unix_s + 86400);
	sim_pbw_end(x->w, at);
}

static void put_list(struct writing *x)
{
	size_t at = sim_pbw_begin(x->w, 36), section, row;

	sim_pbw_text(x->w, 1, "Menu");
	sim_pbw_text(x->w, 2, "What would you like?");
	sim_pbw_text(x->w, 3, "Choose");
	sim_pbw_uint(x->w, 4, 1);
	section = sim_pbw_begin(x->w, 5);
	sim_pbw_text(x->w, 1, "Hot");
	row = sim_pbw_begin(x->w, 2);
	sim_pbw_text(x->w, 1, "Tea");
	sim_pbw_text(x->w, 3, "tea");
	sim_pbw_end(x->w, row);
	sim_pbw_end(x->w, section);
	sim_pbw_end(x->w, at);
}

static void put_invite(struct writing *x)
{
	size_t at = sim_pbw_begin(x->w, 28);

	sim_pbw_text(x->w, 1, "120363000000000001@g.us");
	sim_pbw_text(x->w, 2, "AbCdEfGhIjKlMnOp");
	sim_pbw_uint(x->w, 3, (uint64_t)x->m->unix_s + 259200);
	sim_pbw_text(x->w, 4, "A group to join");
	sim_pbw_end(x->w, at);
}

/* extendedTextMessage with contextInfo: an answer, a mention, a preview. */
static int put_extended(struct writing *x)
{
	struct sim_history_msg old;
	size_t at = sim_pbw_begin(x->w, 6), context, quoted;
	int rc = 0;

	sim_pbw_text(x->w, 1, x->m->text);
	if (x->m->slot == 7) {
		sim_pbw_text(x->w, 2, "https://example.org/");
		sim_pbw_text(x->w, 5, "A page about examples");
		sim_pbw_text(x->w, 6, "Example");
		rc = put_thumbnail(x, 16);
	}
	context = sim_pbw_begin(x->w, 17);
	if (x->m->slot == 17)
		sim_pbw_text(x->w, 15, x->chat->by_lid ? x->h->lid : x->h->jid);
	if (x->m->slot == 1 && x->m->number > 0) {
		rc = sim_history_msg(x->h, x->chat, x->m->number - 1, &old);
		sim_pbw_text(x->w, 1, old.id);
		sim_pbw_text(x->w, 2,
		             old.from_me             ? x->h->jid
		             : old.sender[0] != '\0' ? old.sender
		                                     : x->chat->id);
		quoted = sim_pbw_begin(x->w, 3);
		sim_pbw_text(x->w, 1, old.text[0] != '\0' ? old.text : "…");
		sim_pbw_end(x->w, quoted);
	}
	sim_pbw_end(x->w, context);
	sim_pbw_end(x->w, at);
	return rc;
}

static int put_text(struct writing *x)
{
	size_t outer, in;

	if (x->m->slot == 1 || x->m->slot == 7 || x->m->slot == 17)
		return put_extended(x);
	if (x->m->slot != 12) {
		sim_pbw_text(x->w, 1, x->m->text);
		return 0;
	}
	outer = sim_pbw_begin(x->w, 40); /* ephemeralMessage */
	in = sim_pbw_begin(x->w, 1);
	sim_pbw_text(x->w, 1, x->m->text);
	sim_pbw_end(x->w, in);
	sim_pbw_end(x->w, outer);
	return 0;
}

static int put_content(struct writing *x)
{
	const char *type = x->m->type;

	if (strcmp(type, "text") == 0)
		return put_text(x);
	if (strcmp(type, "image") == 0)
		return put_image(x);
	if (strcmp(type, "video") == 0)
		return put_video(x);
	if (strcmp(type, "document") == 0)
		return put_document(x);
	if (strcmp(type, "audio") == 0)
		put_audio(x);
	else if (strcmp(type, "sticker") == 0)
		put_sticker(x);
	else if (strcmp(type, "location") == 0)
		put_location(x);
	else if (strcmp(type, "contact") == 0)
		put_contacts(x);
	else if (strcmp(type, "poll") == 0)
		put_poll(x);
	else if (strcmp(type, "event") == 0)
		put_event(x);
	else if (strcmp(type, "list") == 0)
		put_list(x);
	else
		put_invite(x);
	return 0;
}

/* ---- the message -------------------------------------------------------------------------------
 */

static int put_message(struct writing *x)
{
	size_t at = sim_pbw_begin(x->w, 2), context;
	uint8_t secret[32];
	int rc = put_content(x);

	if (rc == 0)
		rc = sim_history_draw(x->h, "secret", x->chat->number, x->m->number, secret);
	context = sim_pbw_begin(x->w, 35); /* messageContextInfo */
	sim_pbw_bytes(x->w, 3, secret, sizeof(secret));
	sim_pbw_end(x->w, context);
	sim_pbw_end(x->w, at);
	return rc;
}

static int put_stub(struct writing *x)
{
	struct sim_person p;
	int rc = 0;

	sim_pbw_uint(x->w, 24, x->m->stub);
	if (x->m->stub == 21) {
		sim_pbw_text(x->w, 26, x->chat->name);
	} else if (x->m->stub == 27 || x->m->stub == 32) {
		rc = sim_history_member(x->h, x->chat, 0, &p);
		sim_pbw_text(x->w, 26, x->chat->by_lid ? p.lid : p.pn);
	}
	return rc;
}

static void put_receipt(struct writing *x)
{
	size_t at = sim_pbw_begin(x->w, 40);

	sim_pbw_text(x->w, 1, x->chat->pn);
	sim_pbw_uint(x->w, 2, (uint64_t)x->m->unix_s + 1);
	sim_pbw_uint(x->w, 3, (uint64_t)x->m->unix_s + 60);
	sim_pbw_end(x->w, at);
}

static void put_reaction(struct writing *x)
{
	size_t at = sim_pbw_begin(x->w, 41);
	char id[SIM_HISTORY_ID_CAP];

	snprintf(id, sizeof(id), "3EB0%.30sR", x->m->id);
	put_key(x, 1, id, !x->m->from_me, "");
	sim_pbw_text(x->w, 2, "👍");
	sim_pbw_uint(x->w, 4, ((uint64_t)x->m->unix_s + 30) * 1000);
	sim_pbw_end(x->w, at);
}

int sim_history_put(const struct sim_history *h, const struct sim_chat *chat,
                    const struct sim_history_msg *msg, struct sim_pbw *w)
{
	struct writing x = { .h = h, .chat = chat, .m = msg, .w = w };
	struct buf stored = { 0 };
	int rc = 0;

	if (msg->has_media)
		rc = sim_history_file(h, chat, msg, &stored, &x.file);
	buf_free(&stored);
	put_key(&x, 1, msg->id, msg->from_me, msg->sender);
	if (rc == 0 && msg->stub == 0)
		rc = put_message(&x);
	sim_pbw_uint(w, 3, (uint64_t)msg->unix_s);
	if (msg->from_me)
		sim_pbw_uint(w, 4, msg->random & 8 ? STATUS_READ : STATUS_DELIVERED);
	if (msg->sender[0] != '\0')
		sim_pbw_text(w, 5, msg->sender);
	if (msg->random % 32 == 0)
		sim_pbw_uint(w, 17, 1); /* starred */
	if (!msg->from_me)
		sim_pbw_text(w, 19, msg->push_name);
	if (rc == 0 && msg->stub != 0)
		rc = put_stub(&x);
	if (msg->from_me && !chat->group && chat->form != SIM_CHAT_SELF)
		put_receipt(&x);
	if (msg->slot == 23)
		put_reaction(&x);
	return rc < 0 ? rc : w->err;
}
