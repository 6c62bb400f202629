/* worker/send/wk_send.c - texts of our own: from the wish to the server's word */
#include "worker/send/wk_send.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/events/wk_event_msg.h"
#include "worker/receive/wk_recv.h"
#include "worker/receive/wk_signal.h"
#include "worker/send/wk_send_priv.h"
#include "worker/send/wk_sessions.h"
#include "worker/session/wk_timer.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/message/wa_send.h"
#include "worker/wa/stanza/wa_privacy_token.h"
#include "worker/wa/stanza/wa_stanza.h"

#define ACK_MS 75000
#define AGAIN_MS 10000 /* after an error that passes */
#define TRIES_MAX 3
#define LEFT_MAX_S (24 * 3600) /* later nobody wants what left and was never answered */

/* ---- life --------------------------------------------------------------------------------------
 */

static void on_timer(evutil_socket_t fd, short what, void *arg);

int wk_send_new(const struct wk_send_params *params, struct wk_send **s_out)
{
	struct wk_send *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->p = *params;
	s->timer = evtimer_new(params->base, on_timer, s);
	if (s->timer == NULL) {
		free(s);
		return -ENOMEM;
	}
	*s_out = s;
	return 0;
}

void wk_send_free(struct wk_send *s)
{
	if (s == NULL)
		return;
	event_free(s->timer);
	wk_sent_clear(&s->cur);
	wk_send_again_clear(s);
	free(s->targets);
	free(s);
}

bool wk_send_is_fatal(int rc)
{
	return wk_batch_is_fatal(rc) || rc == WA_ECRYPTO;
}

static void set_timer(struct wk_send *s, uint64_t ms)
{
	if (wk_timer_set(s->timer, ms / s->p.speed + 1) < 0)
		LOG(s->p.log, LOG_WARNING, "no_timer");
}

/* ---- the wish ----------------------------------------------------------------------------------
 */

static int add(struct wk_send *s, const struct wa_jid *to, const char *text)
{
	struct wk_sent m = { .to = *to, .unix_s = clock_unix_s() };
	uint8_t secret[WA_MSG_SECRET_LEN];
	int rc = secret_random(secret, sizeof(secret));

	m.to.device = 0;
	if (rc == 0)
		rc = wk_msg_id_new(m.id);
	if (rc == 0)
		rc = wa_send_text(text, secret, &m.message);
	if (rc == 0)
		rc = wk_store_sent_add(s->p.store, &m);
	secret_wipe(secret, sizeof(secret));
	wk_sent_clear(&m);
	return rc;
}

int wk_send_text(struct wk_send *s, const struct wa_jid *to, const struct wa_jid *alt,
                 const char *text)
{
	bool by_alt = alt != NULL && strcmp(alt->server, "lid") == 0;
	unsigned person = 0, all = 0;
	struct wa_jid jid;
	int rc = wk_store_jid(s->p.store, by_alt ? alt : to, &jid);

	if (rc == 0)
		rc = wk_store_sent_since(s->p.store, &jid, clock_unix_s() - WK_SEND_PERSON_GAP_S,
		                         &person, &all);
	if (rc < 0)
		return rc;
	if (person > 0 || all >= WK_SEND_HOUR_MAX) {
		LOG(s->p.log, LOG_INFO, "text_not_sent", LF_ID("user", jid.user),
		    LF_STR("why", person > 0 ? "one was sent lately" : "too many this hour"));
		return 0;
	}
	rc = add(s, &jid, text);
	s->maybe |= rc == 0;
	return rc;
}

/* ---- one after the other -----------------------------------------------------------------------
 */

static void ask_devices(struct wk_send *s)
{
	s->step = WK_SEND_DEVICES;
	s->targets_n = 0;
	s->told_own = s->told_peer = false;
	s->p.on_ask(s->p.arg);
}

/* In a batch of its own: how it stands now. False: it could not be written. */
static bool save(struct wk_send *s)
{
	int rc = wk_batch_enter(s->p.batch);

	if (rc < 0)
		return false;
	rc = wk_store_sent_save(s->p.store, &s->cur);
	wk_batch_leave(s->p.batch, rc);
	return rc == 0;
}

/* It is not to be had: the next one. False: nor can that be written down. */
static bool give_up(struct wk_send *s, const char *why)
{
	LOG(s->p.log, LOG_WARNING, "text_given_up", LF_STR("why", why),
	    LF_INT("tries", s->cur.tries));
	(void)evtimer_del(s->timer);
	s->step = WK_SEND_IDLE;
	s->cur.state = WK_SENT_GIVEN_UP;
	return save(s);
}

/* The same bytes: the server knows them by the id. */
static void leave_again(struct wk_send *s)
{
	struct wa_node *n = NULL;
	int rc = wk_batch_enter(s->p.batch);

	if (rc < 0)
		return;
	s->step = WK_SEND_ACK;
	s->cur.tries++;
	rc = wk_store_sent_save(s->p.store, &s->cur);
	if (rc == 0)
		rc = wa_stanza_decode(s->cur.stanza.p, s->cur.stanza.len, &n);
	if (rc == 0)
		wk_batch_after(s->p.batch, n);
	set_timer(s, ACK_MS);
	wk_batch_leave(s->p.batch, rc);
}

static bool is_stale(const struct wk_sent *m)
{
	int64_t age_s = clock_unix_s() - m->unix_s;

	return age_s > (m->state == WK_SENT_LEFT ? LEFT_MAX_S : WK_SEND_FRESH_S);
}

static void begin(struct wk_send *s)
{
	while (s->online && s->maybe && s->step == WK_SEND_IDLE) {
		s->extra = false;
		wk_sent_clear(&s->cur);
		s->maybe = wk_store_sent_next(s->p.store, &s->cur) == 0;
		if (!s->maybe)
			return;
		if (is_stale(&s->cur))
			s->maybe = give_up(s, "it could not leave in time");
		else if (s->cur.state == WK_SENT_LEFT)
			leave_again(s);
		else
			ask_devices(s);
	}
}

static void next(struct wk_send *s)
{
	(void)evtimer_del(s->timer);
	s->step = WK_SEND_IDLE;
	begin(s);
}

void wk_send_resume(struct wk_send *s)
{
	s->online = s->maybe = true;
	begin(s);
}

/* Not at once: who commits may be about to begin a transaction of his own. */
void wk_send_committed(struct wk_send *s)
{
	if (s->online && s->maybe && s->step == WK_SEND_IDLE && wk_timer_set(s->timer, 0) < 0)
		LOG(s->p.log, LOG_WARNING, "no_timer");
}

bool wk_send_is_due(const struct wk_send *s)
{
	return s->step == WK_SEND_DEVICES;
}

/* ---- sealed and gone ---------------------------------------------------------------------------
 */

static void seal(struct wk_send *s)
{
	int rc = wk_batch_enter(s->p.batch);

	if (rc < 0)
		return;
	rc = wk_send_seal(s);
	if (rc == 0) {
		s->step = WK_SEND_ACK;
		set_timer(s, ACK_MS);
	}
	wk_batch_leave(s->p.batch, wk_send_is_fatal(rc) ? rc : 0);
	if (rc == 0 || wk_send_is_fatal(rc))
		return;
	if (s->extra)
		next(s);
	else if (give_up(s, "no device could be reached"))
		begin(s);
}

static int want_sessions(struct wk_send *s, bool *any_out)
{
	struct wa_signal_session_info info;
	struct wa_signal_addr addr;
	struct wa_signal *signal;
	int rc = wk_signal_get(s->p.signal, &signal);

	*any_out = false;
	for (size_t i = 0; rc == 0 && i < s->targets_n; i++) {
		rc = wk_signal_addr(s->p.signal, &s->targets[i].jid, NULL, &addr);
		if (rc == 0)
			rc = wa_signal_session_info(signal, &addr, &info);
		if (rc == WA_SIG_ENOSESSION) {
			rc = wk_sessions_want(s->p.sessions, &s->targets[i].jid);
			*any_out |= rc == 0;
		}
		if (rc < 0 && !wk_send_is_fatal(rc))
			rc = 0; /* sealing will show */
	}
	return rc;
}

/* What the lists said is read: sessions next. */
static void on_targets(struct wk_send *s)
{
	bool any = false;
	int rc = wk_send_pick(s);

	if (rc == 0 && s->targets_n > 0)
		rc = want_sessions(s, &any);
	if (rc < 0 || s->targets_n == 0) {
		if (s->extra)
			next(s);
		else if (give_up(s, "its devices can't be used"))
			begin(s);
		return;
	}
	s->step = WK_SEND_SESSIONS;
	if (any)
		wk_sessions_ask(s->p.sessions);
	else
		seal(s);
}

void wk_send_devices(struct wk_send *s, const struct wa_node *result)
{
	struct wa_jid before = s->cur.to;
	int rc;

	if (s->step != WK_SEND_DEVICES)
		return;
	rc = wk_batch_enter(s->p.batch);
	if (rc < 0)
		return;
	rc = result == NULL ? WA_EPROTO : wk_send_read_devices(s, result);
	wk_batch_leave(s->p.batch, wk_send_is_fatal(rc) ? rc : 0);
	if (rc == 0 && !wa_jid_same_user(&before, &s->cur.to))
		ask_devices(s);
	else if (rc == 0 && s->told_peer)
		on_targets(s);
	else if (s->extra)
		next(s);
	else if (give_up(s, "nothing is known of its devices"))
		begin(s);
}

void wk_send_sessions(struct wk_send *s)
{
	if (s->step == WK_SEND_SESSIONS)
		seal(s);
	wk_send_again_go(s);
}

/* ---- the server's word -------------------------------------------------------------------------
 */

static int store_and_tell(struct wk_send *s, const struct wa_msg_view *v, int64_t unix_s)
{
	char chat[WA_JID_TEXT_CAP];
	struct wk_event_msg ev;
	struct wk_msg row = { .chat = s->cur.to,
		              .id = s->cur.id,
		              .unix_s = unix_s,
		              .flags = WK_MSG_FROM_ME,
		              .message = s->cur.message.p,
		              .message_len = s->cur.message.len };
	bool is_new = false;
	int rc = wk_send_self(s, &s->cur.to, &row.sender);

	if (v->message_secret.len == WA_MSG_SECRET_LEN)
		row.secret = v->message_secret.p;
	if (rc == 0)
		rc = wk_store_msg_put(s->p.store, &row, &is_new);
	if (rc < 0 || !is_new)
		return rc;
	(void)wa_jid_format(&s->cur.to, chat);
	rc = wk_event_msg_of_row(&ev, chat, NULL, true, s->cur.id, unix_s, v);
	return rc == 0 ? s->p.on_message(&ev, s->p.arg) : rc;
}

static int tell(struct wk_send *s, int64_t unix_s)
{
	struct wa_pool *pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	struct Wa__Message *m;
	struct wa_msg_view v;
	int rc =
	    pool == NULL ? -ENOMEM : wa_msg_parse(pool, s->cur.message.p, s->cur.message.len, &m);

	if (rc == 0)
		rc = wa_msg_view(m, &v);
	if (rc == 0)
		rc = store_and_tell(s, &v, unix_s);
	wa_pool_free(pool);
	return rc;
}

/* Once a week, along with a text: who has our token may write to us. */
static void give_token(struct wk_send *s)
{
	unsigned person = 0, all = 0;

	if (wk_store_sent_since(s->p.store, &s->cur.to, wa_privacy_token_since(clock_unix_s()) - 1,
	                        &person, &all) < 0 ||
	    person > 1)
		return;
	s->give_to = s->cur.to;
	s->p.on_give(s->p.arg);
}

static void taken(struct wk_send *s, const struct wa_node *ack)
{
	const char *phash = wa_node_attr(ack, "phash");
	uint64_t t = 0;
	int rc;

	if (wa_node_attr_u64(ack, "t", INT64_MAX, &t) < 0 || t == 0)
		t = (uint64_t)clock_unix_s();
	if (!s->extra) {
		rc = wk_batch_enter(s->p.batch);
		if (rc < 0)
			return;
		s->cur.state = WK_SENT_TAKEN;
		rc = tell(s, (int64_t)t);
		if (rc == 0)
			rc = wk_store_sent_save(s->p.store, &s->cur);
		wk_batch_leave(s->p.batch, rc);
		if (rc < 0)
			return;
		LOG(s->p.log, LOG_INFO, "text_sent", LF_ID("user", s->cur.to.user));
		give_token(s);
	}
	(void)evtimer_del(s->timer);
	/* The server knows of other devices: those that were missed get it, too. */
	if (!s->extra && phash != NULL && strcmp(phash, s->phash) != 0) {
		s->extra = true;
		ask_devices(s);
		return;
	}
	next(s);
}

static bool may_pass(uint64_t code)
{
	return code == 408 || code == 429 || code == 500 || code == 503;
}

static void refused(struct wk_send *s, uint64_t code)
{
	LOG(s->p.log, LOG_WARNING, "text_refused", LF_INT("code", (int64_t)code));
	if (s->extra) {
		next(s);
	} else if (may_pass(code) && s->cur.tries < TRIES_MAX) {
		set_timer(s, (uint64_t)AGAIN_MS << s->cur.tries);
	} else if (code == 479 && s->cur.tries < 2) {
		/* perhaps a stale session: from the start, once */
		(void)evtimer_del(s->timer);
		ask_devices(s);
	} else if (give_up(s, "WhatsApp refused it")) {
		begin(s);
	}
}

void wk_send_ack(struct wk_send *s, const struct wa_node *n)
{
	uint64_t code = 0;

	if (s->step != WK_SEND_ACK || !wa_node_attr_is(n, "class", "message") ||
	    !wa_node_attr_is(n, "id", s->cur.id))
		return;
	if (wa_node_attr(n, "error") == NULL)
		taken(s, n);
	else if (wa_node_attr_u64(n, "error", 1000000, &code) == 0)
		refused(s, code);
	else
		refused(s, 400);
}

/* ---- privacy tokens ----------------------------------------------------------------------------
 */

bool wk_send_gives(const struct wk_send *s)
{
	return s->give_to.server[0] != '\0';
}

struct wa_node *wk_send_build_token(struct wk_send *s, const char *id)
{
	char text[WA_JID_TEXT_CAP];

	(void)wa_jid_format(&s->give_to, text);
	s->give_to.server[0] = '\0';
	return wa_privacy_token_issue(id, text, clock_unix_s());
}

int wk_send_token_told(struct wk_send *s, const struct wa_node *n)
{
	struct wa_privacy_token t;
	int rc = wa_privacy_token_read(n, &t);

	if (rc < 0)
		return 0; /* nothing that could be kept */
	return wk_store_tc_token_put(s->p.store, &t.user, t.token, t.token_len, t.unix_s);
}

void wk_send_token_given(struct wk_send *s, const struct wa_node *result)
{
	if (result == NULL || wk_batch_enter(s->p.batch) < 0)
		return;
	wk_batch_leave(s->p.batch, wk_send_token_told(s, result));
}

/* Something is wanted; no answer came, or the time to try again has come. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wk_send *s = arg;
	void (*leave)(void *) = s->p.leave;
	void *whose = s->p.arg;

	(void)fd, (void)what;
	s->p.enter(whose);
	if (s->step == WK_SEND_IDLE)
		begin(s);
	else if (s->step == WK_SEND_ACK && s->extra)
		next(s);
	else if (s->step == WK_SEND_ACK && s->cur.tries < TRIES_MAX)
		leave_again(s);
	else if (s->step == WK_SEND_ACK && give_up(s, "WhatsApp does not answer"))
		begin(s);
	leave(whose);
}
