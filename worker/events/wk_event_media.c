/* worker/events/wk_event_media.c - files, places and contacts of a message in event data */
#include <string.h>

#include "worker/events/wk_event_priv.h"

/* ---- media and places ---------------------------------------------------------------------------
 */

static void put_picture(struct wk_event_w *w, const char *name, struct wa_bytes b)
{
	if (b.len > w->picture_max)
		w->cut = true;
	else
		jout_b64(&w->j, name, b.p, b.len);
}

void wk_event_media(struct wk_event_w *w, const struct wa_msg_view *v)
{
	const struct wa_msg_media *m = &v->media;

	if (!v->has_media)
		return;
	jout_obj(&w->j, "media");
	wk_event_text_set(w, "mimeType", m->mimetype);
	wk_event_text_set(w, "fileName", m->file_name);
	wk_event_text_set(w, "title", m->title);
	jout_int_set(&w->j, "size", m->file_len > INT64_MAX ? INT64_MAX : (int64_t)m->file_len);
	jout_int_set(&w->j, "width", m->width);
	jout_int_set(&w->j, "height", m->height);
	jout_int_set(&w->j, "seconds", m->seconds);
	jout_int_set(&w->j, "pages", m->pages);
	jout_hex(&w->j, "sha256", m->sha256.p, m->sha256.len == 32 ? 32 : 0);
	wk_event_text_set(w, "caption", v->text);
	jout_flag(&w->j, "voiceNote", m->voice_note);
	jout_flag(&w->j, "gif", m->gif);
	jout_flag(&w->j, "videoNote", m->video_note);
	jout_flag(&w->j, "animated", m->animated);
	put_picture(w, "thumbnail", m->thumbnail);
	put_picture(w, "waveform", m->waveform);
	jout_obj_end(&w->j);
}

void wk_event_location(struct wk_event_w *w, const struct wa_msg_view *v)
{
	const struct wa_msg_location *l = &v->location;

	if (!v->has_location)
		return;
	jout_obj(&w->j, "location");
	jout_real(&w->j, "latitude", l->latitude);
	jout_real(&w->j, "longitude", l->longitude);
	wk_event_text_set(w, "name", l->name);
	wk_event_text_set(w, "address", l->address);
	wk_event_text_set(w, "url", l->url);
	jout_int_set(&w->j, "accuracy", l->accuracy_m);
	jout_flag(&w->j, "live", l->live);
	jout_int_set(&w->j, "sequence", l->sequence);
	jout_obj_end(&w->j);
}

/* ---- contacts -----------------------------------------------------------------------------------
 */

/* Does a line of a vCard hold a phone number? "TEL;...:" or "item1.TEL;...:". */
static const char *tel_of(const char *line, size_t len, const char **number_out)
{
	const char *colon = memchr(line, ':', len);
	const char *dot;

	if (colon == NULL)
		return NULL;
	dot = memchr(line, '.', (size_t)(colon - line));
	if (dot != NULL)
		line = dot + 1;
	if (colon - line < 3 || strncmp(line, "TEL", 3) != 0 || (line[3] != ';' && line[3] != ':'))
		return NULL;
	*number_out = colon + 1;
	return line;
}

/* "waid=5511..." among the parameters of a TEL line. */
static size_t waid_of(const char *params, const char *end, const char **out)
{
	for (; end - params > 5; params++) {
		if (strncmp(params, "waid=", 5) == 0) {
			*out = params + 5;
			return strspn(*out, "0123456789");
		}
	}
	return 0;
}

static void put_phones(struct wk_event_w *w, const char *vcard)
{
	size_t n = 0;

	jout_arr(&w->j, "phones");
	for (const char *line = vcard; *line != '\0' && n < w->list_max;) {
		size_t len = strcspn(line, "\r\n");
		const char *number, *waid, *tel = tel_of(line, len, &number);

		if (tel != NULL) {
			size_t waid_len = waid_of(tel, number, &waid);

			n++;
			jout_obj(&w->j, NULL);
			jout_str_n(&w->j, "number", number, (size_t)(line + len - number));
			if (waid_len > 0)
				jout_str_n(&w->j, "waId", waid, waid_len);
			jout_obj_end(&w->j);
		}
		line += len;
		line += strspn(line, "\r\n");
	}
	jout_arr_end(&w->j);
}

static void put_contact(struct wk_event_w *w, const char *name, struct wa_msg_contact c)
{
	jout_obj(&w->j, name);
	wk_event_text(w, "name", c.name == NULL ? "" : c.name);
	if (c.vcard != NULL && strlen(c.vcard) <= w->text_max)
		put_phones(w, c.vcard);
	wk_event_text(w, "vcard", c.vcard);
	jout_obj_end(&w->j);
}

size_t wk_event_some(struct wk_event_w *w, size_t n)
{
	if (n <= w->list_max)
		return n;
	w->cut = true;
	return w->list_max;
}

void wk_event_contacts(struct wk_event_w *w, const struct wa_msg_view *v)
{
	size_t n = wk_event_some(w, v->contacts_n);

	if (n > 0)
		put_contact(w, "contact", wa_msg_contact(v, 0));
	if (n < 2)
		return;
	jout_arr(&w->j, "contacts");
	for (size_t i = 0; i < n; i++)
		put_contact(w, NULL, wa_msg_contact(v, i));
	jout_arr_end(&w->j);
}
