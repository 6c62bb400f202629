/* worker/events/wk_emit.c - what happens in a session becomes events in its outbox */
#include "worker/events/wk_emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_name.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/wa/stanza/wa_receipt.h"

#define POOL_FIRST 4096
#define SMALL_TEXT_MAX (16u * 1024) /* of texts in events that are no messages */

/* ---- look-ups -----------------------------------------------------------------------------------
 *
 * What can't be read is as good as unknown: the event is more than one of its names. The store says
 * so again when it is written to.
 */

static const char *name_of(void *arg, const struct wa_jid *jid, const struct wa_jid *alt)
{
	struct wk_emit *e = arg;
	const char *name;

	if (wk_store_name(e->p.store, jid, alt, &name) == 0)
		return name;
	e->lacks_group |= wk_jid_is(jid, "g.us");
	return NULL;
}

static bool other_of(void *arg, const struct wa_jid *jid, struct wa_jid *out)
{
	struct wk_emit *e = arg;

	return wk_store_jid_alt(e->p.store, jid, out) == 0;
}

/* A message that is looked for, and what was found. */
struct search {
	struct wk_emit *e;
	struct wa_jid author; /* as the store keeps it; server "" when any will do */
	struct wk_event_stored *out;
	bool found;
};

/* The caller's view of it must outlive the row. */
static int on_stored(void *arg, const struct wk_msg *m)
{
	struct search *f = arg;
	struct wk_emit *e = f->e;
	int rc;

	if (f->author.server[0] != '\0' && !(m->flags & WK_MSG_FROM_ME) &&
	    !wa_jid_same_user(&m->sender, &f->author))
		return 0;
	buf_reset(&e->stored);
	rc = buf_append(&e->stored, m->message, m->message_len);
	if (rc < 0)
		return rc;
	*f->out = (struct wk_event_stored){ .message = e->stored.p,
		                            .message_len = e->stored.len,
		                            .author = m->sender };
	if (m->secret != NULL) {
		memcpy(e->secret, m->secret, sizeof(e->secret));
		f->out->secret = e->secret;
	}
	f->found = true;
	return 1; /* enough */
}

static bool stored_of(void *arg, const struct wa_jid *chat, const char *id,
                      const struct wa_jid *author, struct wk_event_stored *out)
{
	struct wk_emit *e = arg;
	struct search f = { .e = e, .out = out };
	const struct wk_store_msg_each each = { on_stored, &f };

	if (author->server[0] != '\0' && wk_store_jid(e->p.store, author, &f.author) < 0)
		return false;
	return wk_store_msg_in(e->p.store, chat, id, &each) >= 0 && f.found;
}

static void set_user(char *out, const char *jid_text)
{
	struct wa_jid jid;

	out[0] = '\0';
	if (wa_jid_parse(jid_text, strlen(jid_text), &jid) == 0)
		memcpy(out, jid.user, strlen(jid.user) + 1);
}

const struct wk_event_lookup *wk_emit_lookup(struct wk_emit *e)
{
	set_user(e->look.own.pn, e->p.creds->jid);
	set_user(e->look.own.lid, e->p.creds->lid);
	e->look.own_name = e->p.creds->push_name;
	return &e->look;
}

/* ---- the object ---------------------------------------------------------------------------------
 */

int wk_emit_new(const struct wk_emit_params *params, struct wk_emit **e_out)
{
	struct wk_emit *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->p = *params;
	e->pool = wa_pool_new(POOL_FIRST, WA_MSG_MEMORY_MAX);
	if (e->pool == NULL) {
		free(e);
		return -ENOMEM;
	}
	e->look = (struct wk_event_lookup){
		.name = name_of,
		.other = other_of,
		.stored = stored_of,
		.arg = e,
	};
	*e_out = e;
	return 0;
}

void wk_emit_free(struct wk_emit *e)
{
	if (e == NULL)
		return;
	wa_pool_free(e->pool);
	buf_wipe(&e->stored);
	buf_wipe(&e->data);
	secret_wipe(e->secret, sizeof(e->secret));
	free(e);
}

bool wk_emit_lacks_group(const struct wk_emit *e)
{
	return e->lacks_group;
}

void wk_emit_read_receipts(struct wk_emit *e, bool off)
{
	e->receipts_off = off;
}

struct wk_event_w wk_emit_begin(struct wk_emit *e)
{
	buf_reset(&e->data); /* one that was not finished */
	return (struct wk_event_w){ .j = json_out(&e->data),
		                    .look = &e->look,
		                    .text_max = SMALL_TEXT_MAX,
		                    .list_max = SIZE_MAX };
}

void wk_emit_time(struct wk_event_w *w, const char *name, uint64_t unix_s)
{
	bool told = unix_s > 0 && unix_s < INT64_MAX / 1000;

	jout_time(&w->j, name, told ? (int64_t)unix_s * 1000 : clock_unix_ms());
}

int wk_emit_add(struct wk_emit *e, int kind, uint32_t flags)
{
	int rc =
	    wk_store_outbox_add(e->p.store, kind, flags, clock_unix_ms(), e->data.p, e->data.len);

	/* One that grew large is not kept for the next. */
	if (e->data.cap > DATA_KEPT)
		buf_wipe(&e->data);
	else
		buf_reset(&e->data);
	return rc;
}

/* ---- messages -----------------------------------------------------------------------------------
 */

static int learn(struct wk_emit *e, const struct wk_event_msg *m)
{
	if (m->push_name == NULL || m->from_me || m->sender.server[0] == '\0' ||
	    m->kind == WA_CHAT_NEWSLETTER)
		return 0;
	return wk_store_name_learn(e->p.store, &m->sender, WK_NAME_OWN, m->push_name);
}

/* The user has seen it, says the setting. */
static void mark_read(struct wk_emit *e, const struct wk_event_msg *m)
{
	char chat[WA_JID_TEXT_CAP], author[WA_JID_TEXT_CAP];
	struct wa_jid sender = m->sender;
	bool private = m->kind == WA_CHAT_PRIVATE;

	if (!e->p.settings->auto_read_messages || m->from_me || m->from_history ||
	    m->view == NULL || e->p.batch == NULL)
		return;
	sender.device = 0;
	(void)wa_jid_format(&m->chat, chat);
	(void)wa_jid_format(&sender, author);
	wk_batch_after(e->p.batch,
	               wa_receipt_read(chat, private ? NULL : author, &m->id, 1, clock_unix_s(),
	                               e->receipts_off || m->kind == WA_CHAT_NEWSLETTER
	                                   ? WA_RECEIPT_READ_SELF
	                                   : WA_RECEIPT_READ));
}

int wk_emit_message(struct wk_emit *e, const struct wk_event_msg *m)
{
	uint32_t flags = 0;
	int rc = learn(e, m);

	if (rc < 0 || !wk_event_msg_shows(m, e->p.settings))
		return rc;
	rc = wk_event_message(m, wk_emit_lookup(e), e->pool, &e->data);
	wa_pool_reset(e->pool);
	if (e->stored.cap > DATA_KEPT)
		buf_wipe(&e->stored);
	if (rc < 0)
		return rc;
	if (m->from_history)
		flags |= WK_EVENT_FROM_HISTORY;
	if (m->view != NULL && m->view->has_media)
		flags |= WK_EVENT_HAS_MEDIA;
	rc = wk_emit_add(e, IPC__EVENT__KIND__MESSAGE_EXCHANGE, flags);
	if (rc == 0)
		mark_read(e, m);
	return rc;
}
