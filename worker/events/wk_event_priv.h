/* worker/events/wk_event_priv.h - what the renderers of event data share */
#ifndef WK_EVENT_PRIV_H
#define WK_EVENT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json_out.h"
#include "worker/events/wk_event_msg.h"

#define WK_SERVER_PN "s.whatsapp.net"
#define WK_SERVER_LID "lid"

/* One event's data being written. */
struct wk_event_w {
	struct json_out j;
	const struct wk_event_lookup *look; /* never NULL */
	struct wa_pool *pool;               /* NULL: nothing can be decoded */
	/* Longer texts and lists are cut, larger pictures left out: bytes, items, bytes. */
	size_t text_max, list_max, picture_max;
	bool cut; /* something was */
};

bool wk_jid_is_set(const struct wa_jid *jid);
bool wk_jid_is(const struct wa_jid *jid, const char *server);
/* Without a device, and devices hosted elsewhere as the account they belong to. 0 or WA_EPROTO. */
ATTR_NODISCARD int wk_jid_user_of(const char *text, struct wa_jid *jid_out);

/* Foreign text, cut at a character; NULL: left out. */
void wk_event_text(struct wk_event_w *w, const char *name, const char *text);
void wk_event_text_set(struct wk_event_w *w, const char *name, const char *text); /* "": likewise */
/* A JID as text without device; absent: left out. */
void wk_event_jid(struct wk_event_w *w, const char *name, const struct wa_jid *jid);
/*
 * {"jid","lid","name"} of a user under either identity (alt may be absent), "jid" being the phone
 * number where it is known. called: the name that came along; NULL: none. Left out when jid is
 * absent.
 */
void wk_event_who(struct wk_event_w *w, const char *name, const struct wa_jid *jid,
                  const struct wa_jid *alt, const char *called);
/* As wk_event_who(), without the brackets; what a chat has, too. */
void wk_event_who_members(struct wk_event_w *w, const struct wa_jid *jid, const struct wa_jid *alt,
                          const char *called);
/* The kind of a chat by its JID: "private", "group", "newsletter", "status", "broadcast". */
const char *wk_event_chat_type(const struct wa_jid *jid);
/* {"jid","lid","name","type"}. */
void wk_event_chat(struct wk_event_w *w, const char *name, const struct wa_jid *jid,
                   const struct wa_jid *alt, const char *called);

/* ---- wk_event_open.c: what is sealed under the secret of another message ------------------------
 */

/* What m's view shows, with what could be opened in its place. */
struct wk_event_opened {
	struct wa_msg_view view;
	bool sealed; /* there is something that could not be opened */
	/* a vote: hashes of options, and the poll they are of */
	const struct Wa__PollVoteMessage *vote;
	bool has_poll;
	struct wa_msg_view poll;
	int event_answer; /* enum of EventResponseMessage; 0: unknown */
};

void wk_event_open(const struct wk_event_w *w, const struct wk_event_msg *m,
                   struct wk_event_opened *out);

/* A message that m points at: by whom, as this account sees it. */
struct wk_event_target {
	const char *id;
	struct wa_jid author, author_alt; /* server "": not known */
	bool from_me;
};

struct wk_event_target wk_event_target_of(const struct wk_event_w *w, const struct wk_event_msg *m,
                                          const struct wa_msg_key *key);

/* ---- wk_event_media.c: files, places, contacts --------------------------------------------------
 */

/* How many of n go in. */
size_t wk_event_some(struct wk_event_w *w, size_t n);
/* "media", "location", "contact" and "contacts", where there are any. */
void wk_event_media(struct wk_event_w *w, const struct wa_msg_view *v);
void wk_event_location(struct wk_event_w *w, const struct wa_msg_view *v);
void wk_event_contacts(struct wk_event_w *w, const struct wa_msg_view *v);

/* ---- wk_event_parts.c: the parts of "message" ---------------------------------------------------
 */

void wk_event_content(struct wk_event_w *w, const struct wk_event_msg *m);

#endif
