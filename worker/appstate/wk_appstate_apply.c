/*
 * worker/appstate/wk_appstate_apply.c - what records of app state say: contacts, names, labels, marks
 *
 * A record that makes no sense is passed over: its MACs count all the same.
 */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_appstate.pb-c.h"
#include "worker/appstate/wk_appstate_priv.h"
#include "worker/events/wk_emit.h"
#include "worker/events/wk_event_priv.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_name.h"

#define MUTED_FOR_EVER (-1)

static const char *part(const struct wa_appstate_record *r, size_t i)
{
	return i < r->parts_n ? r->parts[i] : NULL;
}

/* ---- people -------------------------------------------------------------------------------------
 */

static int learn_pair(struct wk_appstate *a, const struct wa_jid *one, const char *other_text)
{
	struct wa_jid other;

	if (wk_jid_user_of(other_text, &other) < 0)
		return 0;
	if (wk_jid_is(one, WK_SERVER_LID) && wk_jid_is(&other, WK_SERVER_PN))
		return wk_store_lid_learn(a->p.store, other.user, one->user, NULL);
	if (wk_jid_is(one, WK_SERVER_PN) && wk_jid_is(&other, WK_SERVER_LID))
		return wk_store_lid_learn(a->p.store, one->user, other.user, NULL);
	return 0;
}

static const char *name_of(const char *full, const char *first)
{
	return full != NULL && full[0] != '\0' ? full : first;
}

static int apply_contact(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	const Wa__ContactAction *c = r->value == NULL ? NULL : r->value->contact_action;
	const Wa__LidContactAction *l = r->value == NULL ? NULL : r->value->lid_contact_action;
	const char *name = NULL;
	struct wa_jid jid;
	int rc = 0;

	if (wk_jid_user_of(part(r, 1), &jid) < 0)
		return 0;
	if (!r->removed && c != NULL) {
		name = name_of(c->full_name, c->first_name);
		rc = learn_pair(a, &jid, wk_jid_is(&jid, WK_SERVER_LID) ? c->pn_jid : c->lid_jid);
	} else if (!r->removed && l != NULL) {
		name = name_of(l->full_name, l->first_name);
	}
	return rc < 0 ? rc : wk_store_name_learn(a->p.store, &jid, WK_NAME_BOOK, name);
}

static int apply_pair(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	struct wa_jid lid;

	if (r->removed || r->value == NULL || r->value->pn_for_lid_chat_action == NULL ||
	    wk_jid_user_of(part(r, 1), &lid) < 0)
		return 0;
	return learn_pair(a, &lid, r->value->pn_for_lid_chat_action->pn_jid);
}

static void take_push_name(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	const Wa__PushNameSetting *s = r->value == NULL ? NULL : r->value->push_name_setting;

	if (r->removed || s == NULL || s->name == NULL || s->name[0] == '\0')
		return;
	wk_creds_set_text(a->push_name, sizeof(a->push_name), s->name);
	a->has_push_name = true;
}

/* ---- chats --------------------------------------------------------------------------------------
 */

static int64_t mark_of(const struct wa_appstate_record *r, enum wk_chat_mark mark)
{
	const Wa__SyncActionValue *v = r->removed ? NULL : r->value;

	if (v == NULL)
		return 0;
	switch (mark) {
	case WK_CHAT_MUTED:
		if (v->mute_action == NULL || !v->mute_action->has_muted || !v->mute_action->muted)
			return 0;
		return v->mute_action->has_mute_end_timestamp ? v->mute_action->mute_end_timestamp
		                                              : MUTED_FOR_EVER;
	case WK_CHAT_PINNED:
		return v->pin_action != NULL && v->pin_action->has_pinned && v->pin_action->pinned;
	case WK_CHAT_ARCHIVED:
		return v->archive_chat_action != NULL && v->archive_chat_action->has_archived &&
		       v->archive_chat_action->archived;
	case WK_CHAT_UNREAD:
		return v->mark_chat_as_read_action != NULL &&
		       v->mark_chat_as_read_action->has_read && !v->mark_chat_as_read_action->read;
	case WK_CHAT_MARK_N:
		break;
	}
	return 0;
}

static int apply_mark(struct wk_appstate *a, const struct wa_appstate_record *r,
                      enum wk_chat_mark mark)
{
	struct wa_jid chat;

	if (wk_jid_user_of(part(r, 1), &chat) < 0)
		return 0;
	return wk_store_chat_mark(a->p.store, &chat, mark, mark_of(r, mark));
}

/* ---- labels -------------------------------------------------------------------------------------
 */

static int tell(struct wk_appstate *a, const struct wk_emit_label *l)
{
	return a->p.emit == NULL ? 0 : wk_emit_label(a->p.emit, l);
}

static int apply_label(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	const Wa__LabelEditAction *e = r->value == NULL ? NULL : r->value->label_edit_action;
	struct wk_emit_label l = { .label = part(r, 1), .unix_ms = r->unix_ms, .first = a->first };
	int rc;

	if (l.label == NULL || l.label[0] == '\0')
		return 0;
	l.added = !r->removed && e != NULL && !(e->has_deleted && e->deleted);
	if (e != NULL) {
		l.name = e->name;
		l.has_color = e->has_color;
		l.color = e->color;
	}
	rc = wk_store_label_put(a->p.store, l.label, l.added ? l.name : NULL);
	return rc < 0 ? rc : tell(a, &l);
}

static int apply_labelled(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	const Wa__LabelAssociationAction *s =
	    r->value == NULL ? NULL : r->value->label_association_action;
	struct wk_emit_label l = { .label = part(r, 1), .unix_ms = r->unix_ms, .first = a->first };
	struct buf name = { 0 };
	int rc;

	if (l.label == NULL || l.label[0] == '\0' || wk_jid_user_of(part(r, 2), &l.chat) < 0)
		return 0;
	if (r->action == WA_ACTION_LABEL_MESSAGE) {
		l.message_id = part(r, 3);
		if (l.message_id == NULL)
			return 0;
	}
	l.added = !r->removed && s != NULL && s->has_labeled && s->labeled;
	rc = wk_store_label(a->p.store, l.label, &name);
	if (rc == 0)
		rc = buf_append_u8(&name, 0);
	if (rc == 0)
		l.name = (const char *)name.p;
	if (rc == 0 || rc == -ENOENT)
		rc = tell(a, &l);
	buf_wipe(&name);
	return rc;
}

/* What messages to strangers are to carry. */
static int apply_nct_salt(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	const Wa__NctSaltSyncAction *s = r->value == NULL ? NULL : r->value->nct_salt_sync_action;
	int rc;

	if (!r->removed && (s == NULL || !s->has_salt || s->salt.len == 0))
		return 0;
	rc = r->removed ? wk_store_nct_salt_set(a->p.store, NULL, 0)
	                : wk_store_nct_salt_set(a->p.store, s->salt.data, s->salt.len);
	return rc == WA_ELIMIT ? 0 : rc;
}

int wk_appstate_apply(struct wk_appstate *a, const struct wa_appstate_record *r)
{
	switch (r->action) {
	case WA_ACTION_CONTACT:
	case WA_ACTION_LID_CONTACT:
		return apply_contact(a, r);
	case WA_ACTION_PN_FOR_LID:
		return apply_pair(a, r);
	case WA_ACTION_PUSH_NAME:
		take_push_name(a, r);
		return 0;
	case WA_ACTION_MUTE:
		return apply_mark(a, r, WK_CHAT_MUTED);
	case WA_ACTION_PIN:
		return apply_mark(a, r, WK_CHAT_PINNED);
	case WA_ACTION_ARCHIVE:
		return apply_mark(a, r, WK_CHAT_ARCHIVED);
	case WA_ACTION_MARK_READ:
		return apply_mark(a, r, WK_CHAT_UNREAD);
	case WA_ACTION_LABEL_EDIT:
		return apply_label(a, r);
	case WA_ACTION_LABEL_CHAT:
	case WA_ACTION_LABEL_MESSAGE:
		return apply_labelled(a, r);
	case WA_ACTION_NCT_SALT:
		return apply_nct_salt(a, r);
	case WA_ACTION_STAR:
	case WA_ACTION_SENTINEL:
	case WA_ACTION_OTHER:
		break;
	}
	return 0;
}
