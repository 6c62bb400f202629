/* worker/send/wk_send_again.c - devices that could not open what was sent, and ask again */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/receive/wk_signal.h"
#include "worker/send/wk_send_priv.h"
#include "worker/send/wk_sessions.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/message/wa_send.h"
#include "worker/wa/stanza/wa_stanza.h"

#define SERVED_MAX 10 /* of one message, to one device */

/* A retry receipt that is being answered. */
struct asking {
	struct wa_retry ask;
	struct wk_sent m;
	struct wa_jid device;
	char text[WA_JID_TEXT_CAP]; /* of the device, as it was sealed for */
	struct wk_sent_device d;
	bool own;
	bool fetched; /* a session was asked for already */
};

/* It is named as the stanza's addressing has it; kept it is as the list of devices had it. */
static int find_device(struct wk_send *s, struct asking *a)
{
	struct wa_jid alt;
	int rc;

	(void)wa_jid_format(&a->device, a->text);
	rc = wk_store_sent_device(s->p.store, a->m.id, a->text, &a->d);
	if (rc != -ENOENT)
		return rc;
	rc = wk_store_jid_alt(s->p.store, &a->device, &alt);
	if (rc < 0)
		return rc;
	alt.device = a->device.device;
	(void)wa_jid_format(&alt, a->text);
	return wk_store_sent_device(s->p.store, a->m.id, a->text, &a->d);
}

static int read_asking(struct wk_send *s, const struct wa_node *n, struct asking *a)
{
	int rc = wa_retry_read(n, &a->ask);

	if (rc < 0)
		return rc;
	rc = wk_store_sent_find(s->p.store, a->ask.message_id, &a->m);
	if (rc == 0)
		rc = wa_jid_parse(a->ask.receipt.from, strlen(a->ask.receipt.from), &a->device);
	if (rc == 0)
		a->own = wk_send_is_own(s, &a->device);
	return rc;
}

static int forget(struct wk_send *s, const struct wa_signal_addr *addr)
{
	int rc = wk_store_signal_forget_one(s->p.store, addr, false);

	return rc < 0 ? rc : -EAGAIN;
}

/*
 * A session that it can open: the one of the keys that it sent along; a new one where the old one
 * is of another registration, or has failed to change after it was asked to. -EAGAIN: keys have
 * to be fetched.
 */
static int renew(struct wk_send *s, struct asking *a, const struct wa_signal_addr *addr)
{
	struct wa_signal_session_info info;
	struct wa_signal *signal;
	bool other;
	int rc = wk_signal_get(s->p.signal, &signal);

	if (rc < 0)
		return rc;
	rc = wa_signal_session_info(signal, addr, &info);
	if (a->fetched || wk_send_is_fatal(rc))
		return rc;
	other = rc == 0 && info.remote_registration_id != a->ask.registration_id;
	if (a->ask.has_keys)
		return a->own && other ? WA_SIG_EIDENTITY
		                       : wa_signal_take_bundle(signal, addr, &a->ask.keys, NULL);
	if (rc < 0)
		return rc == WA_SIG_ENOSESSION ? -EAGAIN : rc;
	if (other)
		return forget(s, addr);
	if (a->ask.count > 2 && a->d.has_base_key &&
	    memcmp(a->d.base_key, info.base_key, WA_KEY_LEN) == 0)
		return forget(s, addr);
	if (a->ask.count == 2) {
		a->d.has_base_key = true;
		memcpy(a->d.base_key, info.base_key, WA_KEY_LEN);
	}
	return 0;
}

static int resend(struct wk_send *s, struct asking *a)
{
	const struct wk_creds *c = s->p.creds;
	struct buf sealed = { 0 };
	struct wa_node *n;
	int type = WA_ENC_UNKNOWN;
	int rc = wk_send_seal_one(s, &a->m, &a->device, a->own, &type, &sealed);

	a->d.served++;
	if (rc == 0)
		rc = wk_store_sent_device_save(s->p.store, a->m.id, a->text, &a->d);
	if (rc == 0) {
		n = wa_send_again(&a->ask, (enum wa_enc)type, &sealed);
		if (type == WA_ENC_PKMSG)
			wa_send_identity(n, c->account.p, c->account.len);
		wk_batch_after(s->p.batch, n);
	}
	buf_free(&sealed);
	return rc;
}

/* 0: it leaves again; -ENOENT: nothing of the kind; -EAGAIN: a session is wanted; or why not. */
static int answer(struct wk_send *s, struct asking *a)
{
	struct wa_signal_addr addr;
	int rc;

	if (a->ask.count >= WA_RETRY_COUNT_MAX || (a->own && a->ask.receipt.recipient == NULL))
		return WA_ELIMIT;
	rc = find_device(s, a);
	if (rc == 0 && a->d.served >= SERVED_MAX)
		rc = WA_ELIMIT;
	if (rc == 0)
		rc = wk_signal_addr(s->p.signal, &a->device, NULL, &addr);
	if (rc == 0)
		rc = renew(s, a, &addr);
	if (rc == -EAGAIN && wk_sessions_want(s->p.sessions, &a->device) < 0)
		rc = WA_ELIMIT;
	return rc == 0 ? resend(s, a) : rc;
}

/* Its ack waits for the session, too: should that not come, it is asked again. */
static bool put_aside(struct wk_send *s, const struct wa_node *n)
{
	struct buf *b = &s->again[s->again_n];

	if (s->again_n == WK_SEND_AGAIN_MAX || wa_stanza_encode(n, b) < 0)
		return false;
	s->again_n++;
	return true;
}

static void serve(struct wk_send *s, const struct wa_node *n, struct asking *a)
{
	int rc = wk_batch_enter(s->p.batch);

	if (rc < 0)
		return;
	rc = answer(s, a);
	if (rc == 0)
		LOG(s->p.log, LOG_INFO, "text_asked_again", LF_INT("count", a->ask.count));
	else if (rc != -EAGAIN && s->refused++ < 10)
		LOG(s->p.log, LOG_INFO, "text_not_resent", LF_INT("count", a->ask.count),
		    LF_ERR("rc", rc));
	if (rc != -EAGAIN || !put_aside(s, n))
		wk_batch_after(s->p.batch, wa_ack(n, s->p.creds->jid, 0));
	wk_batch_leave(s->p.batch, wk_send_is_fatal(rc) ? rc : 0);
	if (rc == -EAGAIN)
		wk_sessions_ask(s->p.sessions);
}

bool wk_send_retry(struct wk_send *s, const struct wa_node *n)
{
	struct asking a = { .fetched = false };
	bool ours;

	ours = read_asking(s, n, &a) == 0 && a.ask.receipt.participant == NULL;
	if (ours)
		serve(s, n, &a);
	wk_sent_clear(&a.m);
	return ours;
}

void wk_send_again_go(struct wk_send *s)
{
	struct buf waiting[WK_SEND_AGAIN_MAX];
	size_t n = s->again_n;

	memcpy(waiting, s->again, sizeof(waiting));
	memset(s->again, 0, sizeof(s->again));
	s->again_n = 0;
	for (size_t i = 0; i < n; i++) {
		struct asking a = { .fetched = true };
		struct wa_node *stanza = NULL;

		if (wa_stanza_decode(waiting[i].p, waiting[i].len, &stanza) == 0 &&
		    read_asking(s, stanza, &a) == 0)
			serve(s, stanza, &a);
		wk_sent_clear(&a.m);
		wa_node_free(stanza);
		buf_wipe(&waiting[i]);
	}
}

void wk_send_again_clear(struct wk_send *s)
{
	for (size_t i = 0; i < s->again_n; i++)
		buf_wipe(&s->again[i]);
	s->again_n = 0;
}
