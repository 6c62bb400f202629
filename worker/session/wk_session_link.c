/* worker/session/wk_session_link.c - the link: looked for on disk, made at pair-success, then logged in */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/session/wk_session_priv.h"
#include "worker/store/wk_store.h"
#include "worker/wa/link/wa_adv.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

/* ---- what is saved ----------------------------------------------------------------------- */

/* The store's codes, as an outcome with a sentence. */
static void explain(struct wk_failure *f, int rc)
{
	switch (rc) {
	case WA_ESTORE_CORRUPT:
		wk_failure_set(f, rc,
		               "the saved session is damaged, or was sealed with another key");
		break;
	case WA_EALREADY_RUNNING:
		wk_failure_set(f, rc, "another process holds the saved session");
		break;
	case -ESTALE:
		wk_failure_set(f, WA_ESTORE_CORRUPT,
		               "the saved session is an older copy that was put back; "
		               "it must not be used again");
		break;
	case WA_ESTATE: /* nothing heals it but another program */
		wk_failure_set(f, WA_ESTORE_CORRUPT,
		               "the saved session was written by a newer version of this program");
		break;
	default:
		wk_failure_set(f, rc, "the saved session can't be used: %s", wa_err_name(rc));
		break;
	}
}

/*
 * A file that the gateway knows a newer state of: its keys were used since, so it can't go on from
 * there, and what was linked is not for it to replace.
 */
static bool is_stale(const struct wk_session *s, int rc)
{
	return (rc == -ENOENT && s->target.linked) ||
	       (rc == 0 && wk_store_generation(s->store) < s->target.store_generation);
}

/* 0: s->creds is the saved link; -ENOENT: there is none; -ESTALE: there was a newer one. */
static int load(struct wk_session *s)
{
	int rc;

	if (s->store == NULL) {
		rc = wk_store_open(s->p.dir, s->p.instance_id, &s->target.key, false, &s->store);
		if (rc < 0)
			return rc;
	}
	rc = wk_store_load(s->store, &s->creds);
	if (is_stale(s, rc))
		rc = -ESTALE;
	if (rc < 0 && rc != -ENOENT) {
		wk_store_close(s->store);
		s->store = NULL;
	}
	return rc;
}

/* A temporary ban is kept to in any case, another device's login unless somebody asks. */
static bool must_wait(struct wk_session *s)
{
	int64_t left_s = s->creds.not_before_unix_s - clock_unix_s();

	if (left_s <= 0 || (s->creds.not_before_rc != WA_ETEMP_BANNED &&
	                    s->target.mode != IPC__CONNECT__MODE__RESUME))
		return false;
	s->wait_ms = (uint64_t)left_s * 1000 / (s->p.speed > 0 ? s->p.speed : 1);
	wk_failure_set(&s->failure, s->creds.not_before_rc,
	               s->creds.not_before_rc == WA_ETEMP_BANNED
	                   ? "WhatsApp has banned this account for a time"
	                   : "another login of this device has taken over");
	return true;
}

static void on_saved_link(struct wk_session *s)
{
	s->linked = s->had_link = true;
	secret_wipe(&s->target.key, sizeof(s->target.key));
	wk_session_events_open(s);
	if (!must_wait(s)) {
		wk_session_go(s);
		return;
	}
	if (s->logging_out)
		wk_session_logout_done(s, &s->failure);
	if (s->state == WK_OPENING)
		wk_session_raise(s, WK_EV_LOST);
}

static void on_no_link(struct wk_session *s)
{
	struct wk_failure f;

	if (s->target.mode == IPC__CONNECT__MODE__LINK) {
		wk_session_go(s);
		return;
	}
	if (s->logging_out) {
		wk_session_logout_done(s, NULL);
		return;
	}
	wk_failure_set(&f, WA_ENO_SESSION, "there is no saved session");
	wk_session_fail(s, &f);
}

int wk_act_open_store(struct wk_session *s)
{
	struct wk_failure f;
	int rc;

	wk_session_events_left(s);
	rc = load(s);
	s->opened = rc == 0 || rc == -ENOENT;
	if (rc == 0) {
		on_saved_link(s);
	} else if (rc == -ENOENT) {
		on_no_link(s);
	} else {
		explain(&f, rc);
		wk_session_fail(s, &f);
	}
	return 0;
}

int wk_session_make_store(struct wk_session *s)
{
	int rc;

	if (s->store != NULL)
		return 0;
	rc = wk_store_open(s->p.dir, s->p.instance_id, &s->target.key, true, &s->store);
	if (rc == 0) {
		secret_wipe(&s->target.key, sizeof(s->target.key));
		wk_store_follow(s->store, s->target.store_generation);
	}
	return rc;
}

/* ---- pair-success ------------------------------------------------------------------------ */

/* A word of printable ASCII. */
static void copy_word(char *out, size_t out_cap, const char *text)
{
	wk_creds_set_text(out, out_cap, text);
	for (; *out != '\0'; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
}

/* Everything a login needs; adv's account moves over. */
static void fill_creds(struct wk_session *s, const struct wa_pair_success *ps, struct wa_adv *adv)
{
	struct wk_creds *c = &s->creds;

	wk_creds_set_text(c->jid, sizeof(c->jid), ps->jid);
	wk_creds_set_text(c->lid, sizeof(c->lid), ps->lid);
	copy_word(c->platform, sizeof(c->platform), ps->platform);
	wk_creds_set_text(c->business_name, sizeof(c->business_name), ps->business_name);
	memcpy(c->account_key, adv->account_key, sizeof(c->account_key));
	buf_free(&c->account);
	c->account = adv->account;
	memset(&adv->account, 0, sizeof(adv->account));
	c->history_days = s->target.history_days;
	c->confirmed = false;
	c->linked_unix_s = clock_unix_s();
	secret_wipe(c->device.adv_secret, sizeof(c->device.adv_secret));
}

/* Nothing was kept: say so to the server, then to the gateway. */
static void refuse(struct wk_session *s, const char *id, int code, const char *text,
                   const struct wk_failure *f)
{
	if (!wk_session_send(s, wa_iq_error(id != NULL ? id : "", code, text)))
		return;
	s->failure = *f;
	wk_session_raise(s, WK_EV_REFUSED);
}

static void refuse_proof(struct wk_session *s, const char *id, int rc, const char *why)
{
	struct wk_failure f;

	if (rc == WA_EAUTH) {
		wk_failure_set(&f, WA_EPAIRING_REFUSED,
		               "the phone's proof of the link was wrong (%s); nothing was kept",
		               why != NULL ? why : "signature");
		refuse(s, id, 401, "not-authorized", &f);
		return;
	}
	wk_failure_set(&f, rc == WA_ELIMIT || rc == WA_ETRUNC ? WA_EPROTO : rc,
	               "the phone's answer could not be read: %s", wa_err_name(rc));
	refuse(s, id, 500, "internal-server-error", &f);
}

static int commit(struct wk_session *s)
{
	int rc = wk_session_make_store(s);

	return rc < 0 ? rc : wk_store_link(s->store, &s->creds);
}

static void refuse_commit(struct wk_session *s, const char *id, int rc)
{
	struct wk_failure f;

	explain(&f, rc);
	refuse(s, id, 500, "internal-server-error", &f);
}

/* Committed first, told second, answered last: whatever happens in between, nothing is half. */
static void link_up(struct wk_session *s, const struct wa_pair_success *ps, struct wa_adv *adv)
{
	int64_t offset_ms = 0;
	int rc;

	fill_creds(s, ps, adv);
	rc = commit(s);
	if (rc < 0) {
		refuse_commit(s, ps->id, rc);
		return;
	}
	s->linked = s->had_link = true;
	LOG(s->p.log, LOG_NOTICE, "linked", LF_INT("key_index", adv->key_index));
	s->p.ops->on_linked(wk_session_creds(s), s->p.arg);
	wk_session_events_open(s);
	if (ps->server_unix_s != 0)
		offset_ms = (ps->server_unix_s - clock_unix_s()) * 1000;
	if (wk_session_send(s, wa_pair_device_sign(ps->id, adv)) &&
	    wk_session_send(s,
	                    wa_unified_session(wa_unified_session_id(clock_unix_ms(), offset_ms))))
		wk_session_raise(s, WK_EV_LINKED);
}

void wk_session_on_pair_success(struct wk_session *s, const struct wa_node *n)
{
	struct wa_pair_success ps;
	struct wa_adv adv = { 0 };
	const char *why = NULL;
	int rc;

	if (s->linked || s->state != WK_PAIRING)
		return; /* it is being processed, or was */
	rc = wa_pair_success_read(n, &ps);
	if (rc < 0) {
		refuse_proof(s, wa_node_attr(n, "id"), WA_EPROTO, NULL);
		return;
	}
	rc =
	    wa_adv_verify(&s->creds.device, ps.device_identity, ps.device_identity_len, &adv, &why);
	if (rc < 0)
		refuse_proof(s, ps.id, rc, why);
	else
		link_up(s, &ps, &adv);
	wa_adv_clear(&adv);
}

/* ---- the first login --------------------------------------------------------------------- */

/* What pairing needed goes; the stream stays for the server to end. */
int wk_act_linking(struct wk_session *s)
{
	wk_session_pair_drop(s);
	return 0;
}

int wk_act_relogin(struct wk_session *s)
{
	wk_session_go(s);
	return 0;
}
