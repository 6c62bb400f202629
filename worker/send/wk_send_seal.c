/* worker/send/wk_send_seal.c - one message, sealed for each device it goes to */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/receive/wk_signal.h"
#include "worker/send/wk_send_priv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/wa/message/wa_send.h"
#include "worker/wa/stanza/wa_privacy_token.h"

/* What the device gets to read: other own devices learn which chat it is of. */
static int content(const struct wk_sent *m, bool own, struct buf *out)
{
	char to[WA_JID_TEXT_CAP];

	if (!own)
		return buf_append(out, m->message.p, m->message.len);
	(void)wa_jid_format(&m->to, to);
	return wa_send_to_own(m->message.p, m->message.len, to, out);
}

int wk_send_seal_one(struct wk_send *s, const struct wk_sent *m, const struct wa_jid *device,
                     bool own, int *type_out, struct buf *out)
{
	struct wa_signal_addr addr;
	struct buf plain = { 0 };
	struct wa_signal *signal;
	enum wa_enc type = WA_ENC_UNKNOWN;
	int rc = wk_signal_get(s->p.signal, &signal);

	if (rc == 0)
		rc = wk_signal_addr(s->p.signal, device, NULL, &addr);
	if (rc == 0)
		rc = content(m, own, &plain);
	if (rc == 0)
		rc = wa_signal_encrypt(signal, &addr, plain.p, plain.len, &type, out);
	buf_wipe(&plain);
	if (rc == 0)
		*type_out = type;
	return rc;
}

/* The number, where the stanza goes to a LID. */
static const char *number_of(struct wk_send *s, char out[WA_JID_TEXT_CAP])
{
	struct wa_jid pn;

	if (strcmp(s->cur.to.server, "lid") != 0 ||
	    wk_store_jid_alt(s->p.store, &s->cur.to, &pn) < 0)
		return NULL;
	(void)wa_jid_format(&pn, out);
	return out;
}

struct sealing {
	struct wa_node *stanza;
	unsigned peers; /* devices of who it is for, that it was sealed for */
	unsigned all;
	bool begins; /* one of them begins a session */
};

/* A device without keys is left out; it will be told of by the server's hash. */
static int seal_for(struct wk_send *s, const struct wk_send_target *t, struct sealing *out)
{
	const struct wk_sent_device d = { .served = 0 };
	char text[WA_JID_TEXT_CAP];
	struct buf sealed = { 0 };
	int type = WA_ENC_UNKNOWN;
	int rc = wk_send_seal_one(s, &s->cur, &t->jid, t->own, &type, &sealed);

	(void)wa_jid_format(&t->jid, text);
	if (rc == 0) {
		wa_send_add(out->stanza, text, (enum wa_enc)type, &sealed);
		out->begins |= type == WA_ENC_PKMSG;
		out->peers += !t->own;
		out->all++;
		rc = wk_store_sent_device_save(s->p.store, s->cur.id, text, &d);
	} else if (!wk_send_is_fatal(rc)) {
		LOG(s->p.log, LOG_INFO, "device_left_out", LF_STR("err", wa_signal_err_name(rc)));
		rc = 0;
	}
	buf_free(&sealed);
	return rc;
}

/* The recipient's token, while it is good; else what follows from the account's salt. */
static int add_token(struct wk_send *s, const char *to, struct wa_node *stanza)
{
	struct buf b = { 0 };
	uint8_t token[32];
	int64_t unix_s = 0;
	int rc = wk_store_tc_token_get(s->p.store, &s->cur.to, &b, &unix_s);

	if (rc == 0 && wa_privacy_token_is_good(unix_s, clock_unix_s())) {
		wa_send_token(stanza, "tctoken", b.p, b.len);
	} else if ((rc == 0 || rc == -ENOENT) && strcmp(s->cur.to.server, "lid") == 0) {
		buf_wipe(&b);
		rc = wk_store_nct_salt_get(s->p.store, &b);
		if (rc == 0)
			rc = wa_cstoken(b.p, b.len, to, token);
		if (rc == 0)
			wa_send_token(stanza, "cstoken", token, sizeof(token));
	}
	buf_wipe(&b);
	return rc == -ENOENT ? 0 : rc;
}

static int finish(struct wk_send *s, const char *to, struct sealing *out)
{
	const struct wk_creds *c = s->p.creds;
	char self_text[WA_JID_TEXT_CAP];
	struct wa_jid self;
	int rc = wk_send_self(s, &s->cur.to, &self);

	if (rc < 0)
		return rc;
	if (out->begins)
		wa_send_identity(out->stanza, c->account.p, c->account.len);
	(void)wa_jid_format(&self, self_text);
	rc = wa_send_report(out->stanza, s->cur.id, self_text, to, s->cur.message.p,
	                    s->cur.message.len);
	if (rc == 0)
		rc = add_token(s, to, out->stanza);
	if (rc < 0 || s->extra)
		return rc;
	buf_wipe(&s->cur.stanza);
	rc = wa_stanza_encode(out->stanza, &s->cur.stanza);
	s->cur.state = WK_SENT_LEFT;
	s->cur.tries++;
	return rc == 0 ? wk_store_sent_save(s->p.store, &s->cur) : rc;
}

int wk_send_seal(struct wk_send *s)
{
	char to[WA_JID_TEXT_CAP], pn[WA_JID_TEXT_CAP];
	struct sealing out = { .stanza = NULL };
	int rc = 0;

	(void)wa_jid_format(&s->cur.to, to);
	out.stanza = wa_send_stanza(s->cur.id, to, number_of(s, pn));
	for (size_t i = 0; rc == 0 && i < s->targets_n; i++)
		rc = seal_for(s, &s->targets[i], &out);
	if (rc == 0 && (s->extra ? out.all : out.peers) == 0)
		rc = WA_SIG_ENOSESSION;
	if (rc == 0)
		rc = finish(s, to, &out);
	if (rc == 0)
		wk_batch_after(s->p.batch, out.stanza);
	else
		wa_node_free(out.stanza);
	return rc;
}
