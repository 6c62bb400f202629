/* worker/history/wk_media_hosts.c - which media servers there are, as WhatsApp says */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "worker/history/wk_media_priv.h"
#include "worker/session/wk_timer.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/stanza/wa_stanza.h"

#define HOSTS_WAIT_MS 5000 /* for the answer to ask_hosts */
#define TTL_MIN_S 60
#define TTL_MAX_S 86400
#define WHATSAPP ".whatsapp.net"

static void add_host(struct wk_media *m, const char *host)
{
	snprintf(m->hosts[m->hosts_n++], WK_MEDIA_HOST_CAP, "%s", host);
}

/* Where nothing is known: WhatsApp's own; a test server's are where its chat is. */
static void default_hosts(struct wk_media *m)
{
	const char *host = m->p.chat->host;
	size_t len = strlen(host), tail = strlen(WHATSAPP);

	m->hosts_n = 0;
	if (len > tail && strcasecmp(host + len - tail, WHATSAPP) == 0) {
		add_host(m, "mmg.whatsapp.net");
		add_host(m, "mmg-fallback.whatsapp.net");
	} else {
		add_host(m, m->p.chat->hostport);
	}
	m->hosts_until_ms = clock_ms() + wk_media_scaled(m, TTL_MIN_S * 1000);
}

static void take_hosts(struct wk_media *m, const struct wa_node *conn, const char *type)
{
	const struct wa_node *n;

	for (n = conn->content == WA_CONTENT_NODES ? conn->first_child : NULL; n != NULL;
	     n = n->next) {
		const char *name = wa_node_attr(n, "hostname");
		bool fallback = wa_node_attr_is(n, "type", "fallback");

		if (!wa_node_is(n, "host") || name == NULL || strlen(name) >= WK_MEDIA_HOST_CAP ||
		    fallback != (strcmp(type, "fallback") == 0) || m->hosts_n == WK_MEDIA_HOSTS_MAX)
			continue;
		add_host(m, name);
	}
}

void wk_media_hosts(struct wk_media *m, const struct wa_node *iq)
{
	const struct wa_node *conn = iq != NULL ? wa_node_child(iq, "media_conn") : NULL;
	uint64_t ttl = 0;

	m->asking = false;
	(void)event_del(m->hosts_timer);
	if (conn != NULL) {
		m->hosts_n = 0;
		take_hosts(m, conn, "primary");
		take_hosts(m, conn, "fallback");
		if (wa_node_attr_u64(conn, "ttl", TTL_MAX_S, &ttl) < 0 || ttl < TTL_MIN_S)
			ttl = TTL_MIN_S;
		m->hosts_until_ms = clock_ms() + ttl * 1000;
	}
	if (m->hosts_n == 0)
		default_hosts(m);
	wk_media_poke(m);
}

void wk_media_on_hosts_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wk_media_hosts(arg, NULL);
}

bool wk_media_have_hosts(struct wk_media *m)
{
	if (m->asking)
		return false;
	if (m->hosts_n > 0 && clock_ms() < m->hosts_until_ms)
		return true;
	m->asking = wk_timer_set(m->hosts_timer, wk_media_scaled(m, HOSTS_WAIT_MS)) == 0 &&
	            m->p.ask_hosts(m->p.arg);
	if (m->asking)
		return false;
	(void)event_del(m->hosts_timer);
	if (m->hosts_n == 0)
		default_hosts(m);
	return true;
}
