/* worker/events/wk_event_who.c - people, chats and foreign text in event data */
#include <string.h>

#include "common/err.h"
#include "worker/events/wk_event_priv.h"

bool wk_jid_is_set(const struct wa_jid *jid)
{
	return jid->server[0] != '\0';
}

bool wk_jid_is(const struct wa_jid *jid, const char *server)
{
	return strcmp(jid->server, server) == 0;
}

int wk_jid_user_of(const char *text, struct wa_jid *jid_out)
{
	struct wa_jid jid;
	int rc;

	if (text == NULL)
		return WA_EPROTO;
	rc = wa_jid_parse(text, strlen(text), &jid);
	if (rc < 0 || jid.user[0] == '\0')
		return WA_EPROTO;
	wa_jid_to_user(&jid);
	*jid_out = jid;
	return 0;
}

/* ---- text ---------------------------------------------------------------------------------------
 */

/* How much of text goes in: all, or up to the character that would pass the limit. */
static size_t fitting(struct wk_event_w *w, const char *text)
{
	size_t n = strnlen(text, w->text_max + 1);

	if (n <= w->text_max)
		return n;
	w->cut = true;
	n = w->text_max;
	/* back over the continuation bytes of a character that was cut */
	for (unsigned i = 0; i < 3 && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; i++)
		n--;
	return n;
}

void wk_event_text(struct wk_event_w *w, const char *name, const char *text)
{
	if (text != NULL)
		jout_str_n(&w->j, name, text, fitting(w, text));
}

void wk_event_text_set(struct wk_event_w *w, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		wk_event_text(w, name, text);
}

/* ---- people and chats ---------------------------------------------------------------------------
 */

void wk_event_jid(struct wk_event_w *w, const char *name, const struct wa_jid *jid)
{
	struct wa_jid bare = *jid;
	char text[WA_JID_TEXT_CAP];

	if (!wk_jid_is_set(jid))
		return;
	bare.device = 0;
	jout_str_n(&w->j, name, text, wa_jid_format(&bare, text));
}

static const char *name_of(const struct wk_event_w *w, const struct wa_jid *jid,
                           const struct wa_jid *alt)
{
	const char *name = NULL;

	if (w->look->name != NULL)
		name = w->look->name(w->look->arg, jid, alt);
	if (name == NULL && wa_jid_is_own(jid, &w->look->own))
		name = w->look->own_name;
	return name != NULL && name[0] != '\0' ? name : NULL;
}

static struct wa_jid bare_of(const struct wa_jid *jid)
{
	struct wa_jid bare = *jid;

	wa_jid_to_user(&bare);
	return bare;
}

void wk_event_who_members(struct wk_event_w *w, const struct wa_jid *jid, const struct wa_jid *alt,
                          const char *called)
{
	struct wa_jid me = bare_of(jid), other = { 0 }, pn, lid = { 0 };
	const char *name;

	if (alt != NULL && wk_jid_is_set(alt))
		other = bare_of(alt);
	else if ((wk_jid_is(&me, WK_SERVER_PN) || wk_jid_is(&me, WK_SERVER_LID)) &&
	         (w->look->other == NULL || !w->look->other(w->look->arg, &me, &other)))
		memset(&other, 0, sizeof(other));
	pn = me;
	if (wk_jid_is(&me, WK_SERVER_LID)) {
		lid = me;
		if (wk_jid_is(&other, WK_SERVER_PN))
			pn = other;
	} else if (wk_jid_is(&other, WK_SERVER_LID)) {
		lid = other;
	}
	wk_event_jid(w, "jid", &pn);
	wk_event_jid(w, "lid", &lid);
	name = name_of(w, &me, &other);
	wk_event_text_set(w, "name", name != NULL ? name : called);
}

void wk_event_who(struct wk_event_w *w, const char *name, const struct wa_jid *jid,
                  const struct wa_jid *alt, const char *called)
{
	if (!wk_jid_is_set(jid))
		return;
	jout_obj(&w->j, name);
	wk_event_who_members(w, jid, alt, called);
	jout_obj_end(&w->j);
}

const char *wk_event_chat_type(const struct wa_jid *jid)
{
	if (wk_jid_is(jid, "g.us"))
		return "group";
	if (wk_jid_is(jid, "newsletter"))
		return "newsletter";
	if (wk_jid_is(jid, "broadcast"))
		return strcmp(jid->user, "status") == 0 ? "status" : "broadcast";
	return "private";
}

void wk_event_chat(struct wk_event_w *w, const char *name, const struct wa_jid *jid,
                   const struct wa_jid *alt, const char *called)
{
	if (!wk_jid_is_set(jid))
		return;
	jout_obj(&w->j, name);
	wk_event_who_members(w, jid, alt, called);
	jout_str(&w->j, "type", wk_event_chat_type(jid));
	jout_obj_end(&w->j);
}
