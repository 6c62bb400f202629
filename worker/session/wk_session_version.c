/* worker/session/wk_session_version.c - which client version: the gateway knows, or we find out for it */
#include <event2/event.h>

#include "common/err.h"
#include "worker/net/wk_version.h"
#include "worker/session/wk_session_priv.h"

#define LOOKUP_MS 5000

/* What is known now is used; one try per question. */
static void go_on(struct wk_session *s)
{
	wk_version_free(s->lookup);
	s->lookup = NULL;
	s->target.version_stale = false;
	wk_session_go(s);
}

int wk_act_version(struct wk_session *s)
{
	wk_session_drop(s);
	LOG(s->p.log, LOG_NOTICE, "version_wanted", LF_INT("refused", s->refused));
	s->p.ops->on_version_ask(s->refused, s->p.arg);
	return 0;
}

/* Nobody knows in time: a try with the old one costs less than waiting on. */
int wk_act_version_late(struct wk_session *s)
{
	struct wk_failure f;

	wk_failure_set(&f, WA_ETIMEOUT, "the look-up of a newer one took too long");
	s->no_lookup = f;
	if (s->lookup != NULL)
		s->p.ops->on_version_found(&f, 0, s->p.arg);
	go_on(s);
	return 0;
}

/* Also the one that was used: a server may have changed its mind. */
static void on_version(uint32_t revision, void *arg)
{
	struct wk_session *s = arg;

	LOG(s->p.log, LOG_NOTICE, "client_version", LF_INT("used", s->target.version.tertiary),
	    LF_INT("found", revision));
	s->target.version.tertiary = revision;
	s->p.ops->on_version_found(NULL, revision, s->p.arg);
	go_on(s);
}

static void on_lookup_failed(const struct wk_failure *f, void *arg)
{
	struct wk_session *s = arg;

	LOG(s->p.log, LOG_WARNING, "version_look_up", LF_ERR("code", f->rc),
	    LF_STR("detail", f->detail));
	s->no_lookup = *f;
	s->p.ops->on_version_found(f, 0, s->p.arg);
	go_on(s);
}

static void look_up(struct wk_session *s)
{
	static const struct wk_version_ops ops = {
		.on_version = on_version,
		.on_failed = on_lookup_failed,
	};
	struct wk_failure f;
	int rc;

	if (s->lookup != NULL)
		return;
	wk_session_take_proxy(s);
	rc = wk_version_new(s->p.base, s->p.tls, &s->target.url, &s->target.proxy,
	                    s->target.ca_file, wk_session_ms(s, LOOKUP_MS), &ops, s, &s->lookup);
	if (rc == 0)
		return;
	wk_failure_set(&f, rc, "out of memory");
	on_lookup_failed(&f, s);
}

bool wk_session_alone(struct wk_session *s)
{
	if (s->state == WK_ASKING)
		wk_session_dial_go(s);
	else if (s->state == WK_VERSION && s->lookup == NULL)
		look_up(s);
	else
		return false;
	return true;
}

void wk_session_version(struct wk_session *s, uint32_t revision, bool wanted)
{
	if (s->state != WK_VERSION)
		return;
	if (wanted) {
		look_up(s);
		return;
	}
	if (revision != 0)
		s->target.version.tertiary = revision;
	go_on(s);
}
