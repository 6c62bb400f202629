/* worker/session/wk_session_rx.c - stanzas: which part of the session they are for */
#include <errno.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/net/wk_conn.h"
#include "worker/online/wk_online.h"
#include "worker/session/wk_session_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/link/wa_pair.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

bool wk_session_send(struct wk_session *s, struct wa_node *n)
{
	struct wk_failure f;
	int rc = n == NULL ? -ENOMEM : wk_conn_send(s->conn, n);

	wa_node_free(n);
	if (rc == 0)
		return true;
	wk_failure_set(&f, rc, "an answer could not be sent: %s", wa_err_name(rc));
	wk_session_fail(s, &f);
	return false;
}

static void unknown(struct wk_session *s, const struct wa_node *n)
{
	s->unknown_stanzas++;
	LOG(s->p.log, LOG_DEBUG, "stanza_ignored", LF_STR("tag", n->tag),
	    LF_INT("count", s->unknown_stanzas));
}

void wk_session_on_bad_stanza(int rc, void *session)
{
	struct wk_session *s = session;

	s->bad_stanzas++;
	LOG(s->p.log, LOG_WARNING, "stanza_refused", LF_ERR("err", rc),
	    LF_INT("count", s->bad_stanzas));
}

/* ---- liveness ---------------------------------------------------------------------------- */

static void peer_is_dead(struct wk_session *s)
{
	const struct wk_retry_cause hint = { .at_once = true };
	struct wk_failure f;

	wk_failure_set(&f, WA_ENETWORK, "%s no longer answers", s->target.url.hostport);
	f.silent = true;
	wk_session_lose(s, &f, &hint);
}

void wk_session_on_alive_timer(int fd, short what, void *session)
{
	struct wk_session *s = session;
	uint64_t now = clock_ms();
	char id[WK_ALIVE_ID_CAP];
	struct wk_failure f;

	(void)fd;
	(void)what;
	if (s->paused) /* answers can't be seen: the peer has the benefit of the doubt */
		s->alive.waiting = 0;
	switch (wk_alive_tick(&s->alive, now)) {
	case WK_ALIVE_DEAD:
		peer_is_dead(s);
		return;
	case WK_ALIVE_PING:
		wk_alive_id(&s->alive, id);
		if (!wk_session_send(s, wa_ping(id)))
			return;
		break;
	case WK_ALIVE_WAIT:
		break;
	}
	if (wk_timer_set(s->alive_timer, s->alive.due_ms > now ? s->alive.due_ms - now : 0) < 0) {
		wk_failure_set(&f, -ENOMEM, "out of memory");
		wk_session_fail(s, &f);
	}
}

/* True when it was the answer to a keepalive ping. */
static bool is_alive_answer(struct wk_session *s, const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");
	uint64_t now = clock_ms();
	uint32_t rnd = 0;

	(void)!secret_random(&rnd, sizeof(rnd)); /* only spreads the pings */
	if (id == NULL || !wk_alive_answer(&s->alive, id, now, rnd) ||
	    wk_timer_set(s->alive_timer, s->alive.due_ms - now) < 0)
		return false;
	(void)!wk_timer_set(s->later,
	                    0); /* nobody waits: what it took, and other work, goes back */
	return true;
}

static bool is_answer(const struct wa_node *n)
{
	return wa_node_attr_is(n, "type", "result") || wa_node_attr_is(n, "type", "error");
}

static bool is_ping(const struct wa_node *n)
{
	return wa_node_attr_is(n, "xmlns", "urn:xmpp:ping") ||
	       (wa_node_attr_is(n, "type", "get") && wa_node_child(n, "ping") != NULL);
}

/* ---- before the login -------------------------------------------------------------------- */

static void on_pair_device(struct wk_session *s, const struct wa_node *n)
{
	struct wa_pair_device pd;
	struct wk_failure f;
	int rc = wa_pair_device_read(n, &pd);

	if (rc < 0) {
		wk_failure_set(&f, WA_EPROTO, "the codes sent by %s are malformed",
		               s->target.url.hostport);
		wk_session_fail(s, &f);
		return;
	}
	s->offer = &pd;
	wk_session_raise(s, WK_EV_REFS);
	s->offer = NULL;
}

static void on_iq(struct wk_session *s, const struct wa_node *n)
{
	bool set = wa_node_attr_is(n, "type", "set");

	if (is_answer(n) && wk_session_pair_answer(s, n))
		return;
	if (set && !s->linked && wa_node_child(n, "pair-device") != NULL)
		on_pair_device(s, n);
	else if (set && wa_node_child(n, "pair-success") != NULL)
		wk_session_on_pair_success(s, n);
	else
		unknown(s, n);
}

static void on_notification(struct wk_session *s, const struct wa_node *n)
{
	if (wa_node_attr(n, "id") != NULL)
		wk_session_pair_notification(s, n);
	else
		unknown(s, n);
}

/* Information bulletins: only one of them ends an attempt. */
static void on_ib(struct wk_session *s, const struct wa_node *n)
{
	const struct wa_node *expires = wa_node_child(n, "client_expiration");
	struct wk_failure f;
	uint64_t at = 0;

	if (!s->linked && wa_node_child(n, "downgrade_webclient") != NULL) {
		wk_failure_set(&f, WA_EPAIRING_REFUSED,
		               "the phone does not support linked devices");
		wk_session_fail(s, &f);
	} else if (expires != NULL) {
		(void)!wa_node_attr_u64(expires, "t", INT64_MAX, &at);
		LOG(s->p.log, LOG_WARNING, "client_expires",
		    LF_INT("version", s->target.version.tertiary), LF_INT("at_unix_s", at));
	} else {
		unknown(s, n);
	}
}

/* ---- dispatch ---------------------------------------------------------------------------- */

struct handler {
	const char *tag;
	void (*handle)(struct wk_session *s, const struct wa_node *n);
};

/* At any time. */
static const struct handler stream_handlers[] = {
	{ "failure", wk_session_on_failure },
	{ "stream:error", wk_session_on_stream_error },
	{ "xmlstreamend", wk_session_on_stream_end },
};

/* Before a login has succeeded. */
static const struct handler early_handlers[] = {
	{ "iq", on_iq },
	{ "notification", on_notification },
	{ "ib", on_ib },
	{ "success", wk_session_on_success },
};

static const struct handler *find(const struct handler *h, size_t n, const struct wa_node *node)
{
	for (size_t i = 0; i < n; i++)
		if (wa_node_is(node, h[i].tag))
			return &h[i];
	return NULL;
}

void wk_session_on_stanza(const struct wa_node *n, void *session)
{
	struct wk_session *s = session;
	const struct handler *h = find(stream_handlers, ARRAY_LEN(stream_handlers), n);

	LOG(s->p.log, LOG_DEBUG, "stanza", LF_STR("tag", n->tag));
	if (h != NULL) {
		h->handle(s, n);
		return;
	}
	if (wa_node_is(n, "iq")) {
		if (is_answer(n) && is_alive_answer(s, n))
			return;
		if (is_ping(n)) {
			(void)wk_session_send(s, wa_pong(n));
			return;
		}
	}
	if (s->online != NULL) {
		if (!wa_node_is(n, "success"))
			wk_online_stanza(s->online, n);
		return;
	}
	h = find(early_handlers, ARRAY_LEN(early_handlers), n);
	if (h != NULL)
		h->handle(s, n);
	else
		unknown(s, n);
}
