/* worker/online/wk_online_ib.c - information bulletins (protocol notes 04 section 6) */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/online/wk_online_priv.h"
#include "worker/wa/stanza/wa_stanza.h"

/* Where the next connection is to be led to. Saved when it is news. */
static void on_edge_routing(struct wk_online *o, const struct wa_node *ib)
{
	const struct wa_node *info =
	    wa_node_child(wa_node_child(ib, "edge_routing"), "routing_info");
	struct wk_creds *c = o->p.creds;
	uint8_t old[WK_ROUTING_MAX];
	uint32_t old_len = c->routing_len;

	if (info == NULL || info->content != WA_CONTENT_BYTES || info->bytes_len == 0 ||
	    info->bytes_len > WK_ROUTING_MAX) {
		o->counts.bad++;
		LOG(o->p.log, wk_online_level(o->counts.bad), "edge_routing_bad");
		return;
	}
	if (old_len == info->bytes_len && memcmp(c->routing, info->bytes, old_len) == 0)
		return;
	memcpy(old, c->routing, sizeof(old));
	memcpy(c->routing, info->bytes, info->bytes_len);
	c->routing_len = (uint32_t)info->bytes_len;
	if (wk_online_save(o) < 0) {
		memcpy(c->routing, old, sizeof(old));
		c->routing_len = old_len;
	}
}

/* Told once: the gateway looks for a newer version then. */
static void on_expiration(struct wk_online *o, const struct wa_node *ib)
{
	uint64_t unix_s = 0;

	if (o->expiry_told)
		return;
	if (wa_node_attr_u64(wa_node_child(ib, "client_expiration"), "t", INT64_MAX, &unix_s) < 0)
		unix_s = 0;
	o->expiry_told = true;
	o->p.ops->on_client_expires((int64_t)unix_s, o->p.arg);
}

static void on_dirty(struct wk_online *o, const struct wa_node *ib)
{
	const struct wa_node *d = wa_node_child(ib, "dirty");

	for (; d != NULL && !wk_online_is_over(o); d = wa_node_next(d, "dirty"))
		wk_online_on_dirty(o, d);
}

static void on_preview(struct wk_online *o, const struct wa_node *ib)
{
	(void)ib;
	wk_online_queue_begins(o);
}

static void on_offline(struct wk_online *o, const struct wa_node *ib)
{
	(void)ib;
	wk_online_queue_ends(o);
}

/*
 * One bulletin holds one child as a rule. Whatever it holds, each kind is acted on once, in this
 * order: what is saved comes before what ends the queue.
 */
static const struct {
	const char *tag;
	void (*take)(struct wk_online *o, const struct wa_node *ib);
} bulletins[] = {
	{ "edge_routing", on_edge_routing },
	{ "client_expiration", on_expiration },
	{ "dirty", on_dirty },
	{ "offline_preview", on_preview },
	{ "offline", on_offline },
};

void wk_online_on_ib(struct wk_online *o, const struct wa_node *n)
{
	for (size_t i = 0; i < ARRAY_LEN(bulletins) && !wk_online_is_over(o); i++) {
		if (wa_node_child(n, bulletins[i].tag) != NULL)
			bulletins[i].take(o, n);
	}
}
