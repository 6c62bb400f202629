/* worker/online/wk_online_ask.c - requests: what each says, how long it waits, who is told of the
 * answer
 */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/online/wk_online_priv.h"
#include "worker/send/wk_send.h"
#include "worker/send/wk_sessions.h"
#include "worker/wa/stanza/wa_prekey.h"
#include "worker/wa/stanza/wa_stanza.h"
#include "worker/wa/stanza/wa_usync.h"

#define BRING_UP_MS 20000 /* before online: without this answer there is no session */
#define ANSWER_MS 60000   /* later */
#define LOGOUT_MS 10000
#define TRIES_MAX 5 /* repetitions of a request whose answer can be done without */
#define BACKOFF_MAX_S 3600

/* ---- what they say ------------------------------------------------------------------------------
 */

static struct wa_node *build_props(const struct wk_online *o, const char *id)
{
	struct wa_node *iq = wa_iq("get", "abt", id);
	struct wa_node *props = wa_node_add(iq, "props");

	wa_node_set(props, "protocol", "1");
	if (o->abt_hash[0] != '\0')
		wa_node_set(props, "hash", o->abt_hash);
	return iq;
}

static struct wa_node *build_privacy(const char *id)
{
	struct wa_node *iq = wa_iq("get", "privacy", id);

	wa_node_add(iq, "privacy");
	return iq;
}

static struct wa_node *build_groups(const char *id)
{
	struct wa_node *iq = wa_iq("get", "w:g2", id);
	struct wa_node *all = wa_node_add(iq, "participating");

	wa_node_set_jid(iq, "to", "g.us");
	wa_node_add(all, "participants");
	wa_node_add(all, "description");
	return iq;
}

/* Of the account itself, under both identities. */
static struct wa_node *build_devices(const struct wk_online *o, const char *id)
{
	struct wa_node *iq = wa_usync_devices(id, "notification");

	wa_usync_devices_add(iq, o->p.creds->jid);
	wa_usync_devices_add(iq, o->p.creds->lid);
	return iq;
}

static struct wa_node *build_media(const char *id)
{
	struct wa_node *iq = wa_iq("set", "w:m", id);

	wa_node_add(iq, "media_conn");
	return iq;
}

static int build(struct wk_online *o, enum wk_request req, const char *id, struct wa_node **out)
{
	struct wa_node *iq = NULL;
	int rc = 0;

	switch (req) {
	case WK_REQ_COUNT:
		iq = wa_prekey_count_get(id);
		break;
	case WK_REQ_UPLOAD:
		rc = wk_prekeys_upload(&o->keys, id, &iq);
		break;
	case WK_REQ_ACTIVE:
		iq = wa_active(id);
		break;
	case WK_REQ_PROPS:
		iq = build_props(o, id);
		break;
	case WK_REQ_BLOCKLIST:
		iq = wa_iq("get", "blocklist", id);
		break;
	case WK_REQ_PRIVACY:
		iq = build_privacy(id);
		break;
	case WK_REQ_DIGEST:
		iq = wa_prekey_digest_get(id);
		break;
	case WK_REQ_DEVICES:
		iq = build_devices(o, id);
		break;
	case WK_REQ_GROUPS:
		iq = build_groups(id);
		break;
	case WK_REQ_APPSTATE:
		iq = wk_appstate_build(o->appstate, id);
		break;
	case WK_REQ_CLEAN:
		iq = wk_online_clean(o, id);
		break;
	case WK_REQ_LOGOUT:
		iq = wa_remove_companion(id, o->p.creds->jid);
		break;
	case WK_REQ_MEDIA:
		iq = build_media(id);
		break;
	case WK_REQ_SEND_TO:
		iq = wk_send_build(o->send, id);
		break;
	case WK_REQ_TOKEN:
		iq = wk_send_build_token(o->send, id);
		break;
	case WK_REQ_SESSIONS:
		iq = wk_sessions_build(o->sessions, id);
		break;
	case WK_REQ_ROTATE:
		iq = wa_prekey_rotate(&o->p.creds->device, id);
		break;
	case WK_REQ_N:
		break;
	}
	if (rc == 0 && iq == NULL)
		rc = -ENOMEM;
	if (rc == 0)
		*out = iq;
	return rc;
}

/* ---- who is told --------------------------------------------------------------------------------
 */

static void on_logout(struct wk_online *o, const struct wk_answer *a)
{
	struct wk_failure f;

	if (a->result != NULL) {
		o->p.ops->on_logout(NULL, o->p.arg);
		return;
	}
	if (a->code == 0)
		wk_failure_set(&f, WA_ETIMEOUT, "WhatsApp did not answer the log-out within %d s",
		               LOGOUT_MS / 1000);
	else
		wk_failure_set(&f, WA_EPROTO, "WhatsApp refused the log-out with error %u",
		               a->code);
	f.reason = a->code;
	o->p.ops->on_logout(&f, o->p.arg);
}

static void on_media(struct wk_online *o, const struct wk_answer *a)
{
	if (o->p.ops->on_media_hosts != NULL)
		o->p.ops->on_media_hosts(a->result, o->p.arg);
}

/* For those whose answer is only a sign that it has been made: dirty bits wait for it. */
static void on_nothing(struct wk_online *o, const struct wk_answer *a)
{
	(void)o;
	(void)a;
}

enum again { ONCE, SOME, ALWAYS };

static const struct {
	const char *name;
	enum again again; /* after an error that may pass */
	void (*on_end)(struct wk_online *o, const struct wk_answer *a);
} requests[WK_REQ_N] = {
	[WK_REQ_COUNT] = { "prekey count", SOME, wk_online_on_count },
	[WK_REQ_UPLOAD] = { "prekey upload", ALWAYS, wk_online_on_upload },
	[WK_REQ_ACTIVE] = { "active", SOME, wk_online_on_active },
	[WK_REQ_PROPS] = { "props", SOME, wk_online_on_props },
	[WK_REQ_BLOCKLIST] = { "blocklist", SOME, on_nothing },
	[WK_REQ_PRIVACY] = { "privacy", SOME, wk_online_on_privacy },
	[WK_REQ_DIGEST] = { "prekey digest", SOME, wk_online_on_digest },
	[WK_REQ_DEVICES] = { "devices", SOME, on_nothing },
	[WK_REQ_GROUPS] = { "groups", SOME, wk_online_on_groups },
	[WK_REQ_APPSTATE] = { "app state", ONCE,
	                      wk_online_on_appstate }, /* it asks again by itself */
	[WK_REQ_CLEAN] = { "clean", SOME, wk_online_on_clean },
	[WK_REQ_LOGOUT] = { "logout", ONCE, on_logout },
	[WK_REQ_MEDIA] = { "media servers", ONCE, on_media },
	[WK_REQ_SEND_TO] = { "devices of a person", SOME, wk_online_on_send_to },
	[WK_REQ_TOKEN] = { "privacy token", ONCE, wk_online_on_token },
	[WK_REQ_ROTATE] = { "signed pre-key", SOME, wk_online_on_rotate },
	[WK_REQ_SESSIONS] = { "keys of devices", SOME, wk_online_on_sessions },
};

/* ---- asking and being answered ------------------------------------------------------------------
 */

static uint64_t deadline_ms(const struct wk_online *o, enum wk_request req)
{
	if (req == WK_REQ_LOGOUT)
		return LOGOUT_MS;
	return o->phase < WK_PHASE_ONLINE ? BRING_UP_MS : ANSWER_MS;
}

/* Some ask by themselves when there is something to ask for. */
static bool is_due(const struct wk_online *o, enum wk_request req)
{
	switch ((int)req) {
	case WK_REQ_APPSTATE:
		return wk_appstate_is_due(o->appstate);
	case WK_REQ_SEND_TO:
		return wk_send_is_due(o->send);
	case WK_REQ_TOKEN:
		return wk_send_gives(o->send);
	case WK_REQ_SESSIONS:
		return wk_sessions_is_due(o->sessions);
	}
	return true;
}

void wk_online_ask(struct wk_online *o, enum wk_request req)
{
	struct wa_node *iq = NULL;
	char id[WK_IQ_ID_CAP];
	int rc;

	if (wk_online_is_over(o) || !wk_iq_is_idle(&o->iq, req))
		return;
	if (!is_due(o, req))
		return;
	wk_iq_ask(&o->iq, req, clock_ms(), deadline_ms(o, req), id);
	rc = build(o, req, id, &iq);
	if (rc < 0)
		wk_online_fail(o, rc, "a request can't be made");
	else
		wk_online_send(o, iq);
}

/* Rate limits and trouble at the server pass; "not implemented" does not. */
static bool may_pass(enum wk_request req, unsigned code)
{
	return requests[req].again == ALWAYS || code == 429 ||
	       (code >= 500 && code <= 599 && code != 501);
}

/* Plan the next try of a request that went wrong. False: that was the last. */
static bool rest(struct wk_online *o, enum wk_request req, uint64_t backoff_s)
{
	uint32_t rnd;

	if (requests[req].again == ONCE)
		return false;
	if (requests[req].again == SOME && o->iq.slots[req].rests >= TRIES_MAX)
		return false;
	if (secret_random(&rnd, sizeof(rnd)) < 0)
		return false;
	wk_iq_rest(&o->iq, req, clock_ms(), backoff_s * 1000, rnd);
	return true;
}

static void end(struct wk_online *o, enum wk_request req, const struct wk_answer *a)
{
	if (!a->again)
		wk_iq_fine(&o->iq, req);
	requests[req].on_end(o, a);
	if (!wk_online_is_over(o))
		wk_online_dirty_ended(o, req, a);
}

static void refused(struct wk_online *o, enum wk_request req, const struct wa_node *n,
                    unsigned code)
{
	struct wk_answer a = { .code = code };
	uint64_t backoff_s = 0;

	if (wa_node_attr_u64(wa_node_child(n, "error"), "backoff", BACKOFF_MAX_S, &backoff_s) < 0)
		backoff_s = 0;
	a.again = may_pass(req, code) && rest(o, req, backoff_s);
	LOG(o->p.log, LOG_WARNING, "request_refused", LF_STR("request", requests[req].name),
	    LF_INT("code", code), LF_BOOL("again", a.again));
	end(o, req, &a);
}

bool wk_online_answered(struct wk_online *o, const struct wa_node *n)
{
	int kind = wk_iq_answer(&o->iq, wa_node_attr(n, "id"));
	struct wk_answer a = { .result = n };
	unsigned code;

	if (kind < 0)
		return false;
	code = wa_iq_error_code(n, NULL);
	if (code == 0)
		end(o, (enum wk_request)kind, &a);
	else
		refused(o, (enum wk_request)kind, n, code);
	return true;
}

/* No answer: before online that ends the stream, later it is one request that came to nothing. */
static void late(struct wk_online *o, enum wk_request req)
{
	struct wk_answer a = { 0 };

	if (o->phase < WK_PHASE_ONLINE) {
		wk_online_fail(o, WA_ETIMEOUT,
		               "WhatsApp left the request \"%s\" unanswered for %d s",
		               requests[req].name, BRING_UP_MS / 1000);
		return;
	}
	a.again = requests[req].again == ALWAYS && rest(o, req, 0);
	LOG(o->p.log, LOG_WARNING, "request_unanswered", LF_STR("request", requests[req].name),
	    LF_BOOL("again", a.again));
	end(o, req, &a);
}

void wk_online_overdue(struct wk_online *o, uint64_t now_ms)
{
	enum wk_iq_due due;
	unsigned kind;

	while (!wk_online_is_over(o) && (due = wk_iq_due(&o->iq, now_ms, &kind)) != WK_IQ_NOTHING) {
		if (due == WK_IQ_LATE)
			late(o, (enum wk_request)kind);
		else
			wk_online_ask(o, (enum wk_request)kind);
	}
}
