/* worker/wk_session_rx.c - what a stanza means while an attempt runs */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/wa/wa_node.h"
#include "worker/wa/wa_pair.h"
#include "worker/wk_conn.h"
#include "worker/wk_session_priv.h"
#include "worker/wk_timer.h"

#define ERROR_INTERNAL 500

/* Send a node that was built for this and release it. False: the attempt has failed with that. */
static bool send_node(struct wk_session *s, struct wa_node *n)
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

/* A number in an attribute; 0 when it is missing or is none. */
static uint32_t attr_number(const struct wa_node *n, const char *name)
{
	const char *text = wa_node_attr(n, name);
	unsigned long v = 0;
	char *end = NULL;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	v = strtoul(text, &end, 10);
	return *end == '\0' && v <= UINT32_MAX ? (uint32_t)v : 0;
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

void wk_session_on_alive_timer(int fd, short what, void *session)
{
	struct wk_session *s = session;
	uint64_t now = clock_ms();
	char id[WK_ALIVE_ID_CAP];
	struct wk_failure f;

	(void)fd;
	(void)what;
	switch (wk_alive_tick(&s->alive, now)) {
	case WK_ALIVE_DEAD:
		wk_failure_set(&f, WA_ENETWORK, "%s no longer answers", s->target.url.hostport);
		wk_session_fail(s, &f);
		return;
	case WK_ALIVE_PING:
		wk_alive_id(&s->alive, id);
		if (!send_node(s, wa_ping(id)))
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

static void on_iq_answer(struct wk_session *s, const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");
	uint64_t now = clock_ms();
	uint32_t rnd = 0;

	(void)!secret_random(&rnd, sizeof(rnd)); /* only spreads the pings */
	if (id == NULL || !wk_alive_answer(&s->alive, id, now, rnd) ||
	    wk_timer_set(s->alive_timer, s->alive.due_ms - now) < 0)
		unknown(s, n);
}

/* The request's id is optional, so the answer's is too. */
static void on_server_ping(struct wk_session *s, const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");
	struct wa_node *answer;

	if (id != NULL) {
		(void)send_node(s, wa_iq_result(id));
		return;
	}
	answer = wa_node_new("iq");
	if (answer != NULL) {
		wa_node_set_jid(answer, "to", WA_SERVER_JID);
		wa_node_set(answer, "type", "result");
	}
	(void)send_node(s, answer);
}

/* ---- pairing ----------------------------------------------------------------------------- */

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

/* The phone has scanned; storing the link comes with the session store. */
static void on_pair_success(struct wk_session *s, const struct wa_node *n)
{
	const char *id = wa_node_attr(n, "id");

	if (!send_node(s,
	               wa_iq_error(id != NULL ? id : "", ERROR_INTERNAL, "internal-server-error")))
		return;
	wk_failure_set(&s->failure, WA_EPROTO,
	               "the code was scanned, but this version does not complete a link yet");
	wk_session_raise(s, WK_EV_REFUSED);
}

static void on_iq(struct wk_session *s, const struct wa_node *n)
{
	if (wa_node_attr_is(n, "type", "result") || wa_node_attr_is(n, "type", "error"))
		on_iq_answer(s, n);
	else if (wa_node_attr_is(n, "type", "set") && wa_node_child(n, "pair-device") != NULL)
		on_pair_device(s, n);
	else if (wa_node_attr_is(n, "type", "set") && wa_node_child(n, "pair-success") != NULL)
		on_pair_success(s, n);
	else if (wa_node_attr_is(n, "xmlns", "urn:xmpp:ping") || wa_node_child(n, "ping") != NULL)
		on_server_ping(s, n);
	else
		unknown(s, n);
}

static void on_notification(struct wk_session *s, const struct wa_node *n)
{
	struct wk_failure f;
	int rc;

	if (!wa_node_attr_is(n, "type", "companion_reg_refresh") || s->pair == NULL) {
		(void)send_node(s, wa_notification_ack(n));
		return;
	}
	LOG(s->p.log, LOG_INFO, "code_refreshed");
	rc = wk_pair_refresh(s->pair, n);
	if (rc == 0)
		return;
	wk_failure_set(&f, rc, "the code could not be renewed: %s", wa_err_name(rc));
	wk_session_fail(s, &f);
}

/* Information bulletins: only one of them ends an attempt. */
static void on_ib(struct wk_session *s, const struct wa_node *n)
{
	struct wk_failure f;

	if (wa_node_child(n, "downgrade_webclient") != NULL) {
		wk_failure_set(&f, WA_EPAIRING_REFUSED,
		               "the phone does not support linked devices");
		wk_session_fail(s, &f);
	} else if (wa_node_child(n, "client_expiration") != NULL) {
		LOG(s->p.log, LOG_WARNING, "client_expires",
		    LF_INT("version", s->target.version.tertiary),
		    LF_INT("at_unix_s", attr_number(wa_node_child(n, "client_expiration"), "t")));
	} else {
		unknown(s, n);
	}
}

/* ---- ends -------------------------------------------------------------------------------- */

static void on_outdated(struct wk_session *s)
{
	const struct wa_version *v = &s->target.version;

	wk_failure_set(&s->failure, WA_ECLIENT_OUTDATED,
	               "WhatsApp refused client version %u.%u.%u as outdated", v->primary,
	               v->secondary, v->tertiary);
	s->failure.reason = 405;
	if (s->target.version_auto && !s->looked_up && s->state == WK_REGISTERING)
		wk_session_raise(s, WK_EV_OUTDATED);
	else
		wk_session_fail(s, &s->failure);
}

static void on_failure(struct wk_session *s, const struct wa_node *n)
{
	uint32_t reason = attr_number(n, "reason");
	struct wk_failure f;

	if (reason == 405) {
		on_outdated(s);
		return;
	}
	wk_failure_set(&f, reason == 403 || reason == 406 ? WA_EBANNED : WA_EPAIRING_REFUSED,
	               "WhatsApp refused the device with reason %u", reason);
	f.reason = reason;
	wk_session_fail(s, &f);
}

/* Protocol notes 04 section 5: a conflict counts before the code, the code before other children.
 */
static int stream_error_rc(const struct wa_node *n, uint32_t code)
{
	const struct wa_node *conflict = wa_node_child(n, "conflict");

	if (conflict != NULL)
		return wa_node_attr_is(conflict, "type", "device_removed") ? WA_EPAIRING_REFUSED
		                                                           : WA_ESTREAM_REPLACED;
	if (code == 409)
		return WA_ESTREAM_REPLACED;
	if (code == 429 || code == 515 || (code >= 500 && code != 516 && code < 600))
		return WA_ENETWORK;
	return code != 0 ? WA_EPAIRING_REFUSED : WA_EPROTO;
}

static void on_stream_error(struct wk_session *s, const struct wa_node *n)
{
	const struct wa_node *child = wa_node_child(n, NULL);
	uint32_t code = attr_number(n, "code");
	struct wk_failure f;

	wk_failure_set(&f, stream_error_rc(n, code), "%s ended the stream with an error%s%s",
	               s->target.url.hostport, child != NULL ? ": " : "",
	               child != NULL ? child->tag : "");
	if (code != 0)
		wk_failure_add(&f, " (code %u)", code);
	f.reason = code;
	wk_session_fail(s, &f);
}

static void on_stream_end(struct wk_session *s, const struct wa_node *n)
{
	struct wk_failure f;

	(void)n;
	wk_failure_set(&f, WA_ENETWORK, "%s ended the stream", s->target.url.hostport);
	wk_session_fail(s, &f);
}

/* ---- dispatch ---------------------------------------------------------------------------- */

static const struct {
	const char *tag;
	void (*handle)(struct wk_session *s, const struct wa_node *n);
} handlers[] = {
	{ "iq", on_iq },
	{ "notification", on_notification },
	{ "ib", on_ib },
	{ "failure", on_failure },
	{ "stream:error", on_stream_error },
	{ "xmlstreamend", on_stream_end },
};

void wk_session_on_stanza(const struct wa_node *n, void *session)
{
	struct wk_session *s = session;

	LOG(s->p.log, LOG_DEBUG, "stanza", LF_STR("tag", n->tag));
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		if (wa_node_is(n, handlers[i].tag)) {
			handlers[i].handle(s, n);
			return;
		}
	}
	unknown(s, n);
}
