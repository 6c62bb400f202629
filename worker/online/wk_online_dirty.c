/*
 * worker/online/wk_online_dirty.c - dirty bits: data that changed while nobody listened
 *
 * The requests that renew it are made once online; when all of them have worked the server is told
 * that it is clean. A bit that is not cleaned comes again with the next login, so whatever can't be
 * done, or does not fit, is left alone. Source: protocol notes 04 section 7.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "worker/appstate/wk_appstate.h"
#include "worker/online/wk_online_priv.h"
#include "worker/wa/stanza/wa_stanza.h"

#define BIT(req) (1u << (req))

/* The parts of account_sync, and the request that renews each; WK_REQ_N: none is needed. */
static const struct {
	const char *tag;
	enum wk_request req;
} account_parts[] = {
	{ "devices", WK_REQ_DEVICES },
	{ "privacy", WK_REQ_PRIVACY },
	{ "blocklist", WK_REQ_BLOCKLIST },
	{ "picture", WK_REQ_N },
	{ "notice", WK_REQ_N },
};

static uint32_t account_work(const struct wa_node *dirty)
{
	bool all = wa_node_child(dirty, NULL) == NULL;
	uint32_t work = 0;

	for (size_t i = 0; i < ARRAY_LEN(account_parts); i++) {
		if (account_parts[i].req != WK_REQ_N &&
		    (all || wa_node_child(dirty, account_parts[i].tag) != NULL))
			work |= BIT(account_parts[i].req);
	}
	return work;
}

static bool is_app_state(const char *type)
{
	return strcmp(type, "syncd_app_state") == 0;
}

/* Newsletters are not kept, and app state without a key can't be: neither is brought up to date. */
static bool is_beyond_us(struct wk_online *o, const char *type)
{
	return (is_app_state(type) && !wk_appstate_renew(o->appstate)) ||
	       strcmp(type, "newsletter_metadata") == 0;
}

static enum wk_dirty_kind kind_of(const char *type)
{
	if (strcmp(type, "account_sync") == 0)
		return WK_DIRTY_ACCOUNT;
	return strcmp(type, "groups") == 0 ? WK_DIRTY_GROUPS : WK_DIRTY_OTHER;
}

static void advance(struct wk_online *o, struct wk_dirty *d)
{
	if (d->state != WK_DIRTY_WORK || d->work != 0)
		return;
	d->state = d->failed ? WK_DIRTY_NONE : WK_DIRTY_DONE;
	if (d->state == WK_DIRTY_DONE)
		wk_online_ask(o, WK_REQ_CLEAN);
}

static void start(struct wk_online *o, struct wk_dirty *d)
{
	uint32_t work = d->state == WK_DIRTY_WORK ? d->work : 0;

	for (unsigned req = 0; req < WK_REQ_N; req++) {
		if (work & BIT(req))
			wk_online_ask(o, (enum wk_request)req);
	}
	advance(o, d);
}

void wk_online_dirty_start(struct wk_online *o)
{
	for (size_t i = 0; i < WK_DIRTY_N && !wk_online_is_over(o); i++)
		start(o, &o->dirty[i]);
}

void wk_online_on_dirty(struct wk_online *o, const struct wa_node *dirty)
{
	const char *type = wa_node_attr(dirty, "type");
	enum wk_dirty_kind kind;
	struct wk_dirty *d;
	uint64_t time = 0;
	bool timed = wa_node_attr(dirty, "timestamp") != NULL;

	if (type == NULL || type[0] == '\0' || strlen(type) >= WK_DIRTY_TYPE_CAP ||
	    (timed && wa_node_attr_u64(dirty, "timestamp", UINT64_MAX, &time) < 0)) {
		o->counts.bad++;
		LOG(o->p.log, wk_online_level(o->counts.bad), "dirty_bit_bad");
		return;
	}
	kind = kind_of(type);
	d = &o->dirty[kind];
	if (d->state != WK_DIRTY_NONE || is_beyond_us(o, type))
		return;
	*d = (struct wk_dirty){ .state = WK_DIRTY_WORK };
	(void)snprintf(d->type, sizeof(d->type), "%s", type);
	if (timed)
		(void)snprintf(d->timestamp, sizeof(d->timestamp), "%" PRIu64, time);
	if (kind == WK_DIRTY_ACCOUNT)
		d->work = account_work(dirty);
	else if (kind == WK_DIRTY_GROUPS)
		d->work = BIT(WK_REQ_GROUPS);
	else if (is_app_state(type))
		d->work = BIT(WK_REQ_APPSTATE);
	if (o->phase == WK_PHASE_ONLINE)
		start(o, d);
}

/* A result can still say that the server could not look something up. */
static bool has_worked(enum wk_request req, const struct wk_answer *a)
{
	const struct wa_node *part = wa_node_child(wa_node_child(a->result, "usync"), "result");

	if (a->result == NULL)
		return false;
	return req != WK_REQ_DEVICES ||
	       wa_node_child(wa_node_child(part, "devices"), "error") == NULL;
}

void wk_online_dirty_ended(struct wk_online *o, enum wk_request req, const struct wk_answer *a)
{
	if (a->again)
		return;
	for (size_t i = 0; i < WK_DIRTY_N && !wk_online_is_over(o); i++) {
		struct wk_dirty *d = &o->dirty[i];

		if (d->state != WK_DIRTY_WORK || !(d->work & BIT(req)))
			continue;
		d->work &= ~BIT(req);
		d->failed |= !has_worked(req, a);
		advance(o, d);
	}
}

struct wa_node *wk_online_clean(struct wk_online *o, const char *id)
{
	struct wa_node *iq = wa_iq("set", "urn:xmpp:whatsapp:dirty", id);

	for (size_t i = 0; i < WK_DIRTY_N; i++) {
		struct wk_dirty *d = &o->dirty[i];
		struct wa_node *clean;

		if (d->state != WK_DIRTY_DONE)
			continue;
		clean = wa_node_add(iq, "clean");
		wa_node_set(clean, "type", d->type);
		if (d->timestamp[0] != '\0')
			wa_node_set(clean, "timestamp", d->timestamp);
		d->state = WK_DIRTY_CLEANING;
	}
	return iq;
}

void wk_online_on_clean(struct wk_online *o, const struct wk_answer *a)
{
	bool more = false;

	for (size_t i = 0; i < WK_DIRTY_N; i++) {
		struct wk_dirty *d = &o->dirty[i];

		if (d->state == WK_DIRTY_CLEANING)
			d->state = a->again ? WK_DIRTY_DONE : WK_DIRTY_NONE;
		more |= d->state == WK_DIRTY_DONE;
	}
	if (more)
		wk_online_ask(o, WK_REQ_CLEAN);
}
