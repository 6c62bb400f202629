/* worker/net/wk_probe.c - is WhatsApp reached from here, the way a session goes? */
#include "worker/net/wk_probe.h"

#include <errno.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "proto/ipc.pb-c.h"
#include "worker/control/wk_target.h"
#include "worker/net/wk_conn.h"
#include "worker/net/wk_dial.h"
#include "worker/net/wk_version.h"
#include "worker/session/wk_timer.h"

#define TCP_MS 10000

struct wk_probe {
	struct event_base *base;
	const struct wk_tls *tls;
	struct wk_target target;
	unsigned speed;
	void (*on_done)(const struct wk_probe_result *r, void *arg);
	void *arg;
	uint64_t start_us;
	struct event *deadline;
	struct event *next; /* what is freed in a callback of its own goes on from here */
	struct wk_dial *dial;
	struct wk_conn *conn;
	struct wk_version *time; /* GET /sw.js */
	int step;                /* that runs */
	bool way_over;           /* the way to the server has been gone, or has failed */
	bool over;
	struct wk_probe_result result;
};

static void go_on(struct wk_probe *p)
{
	event_active(p->next, EV_TIMEOUT, 0);
}

static uint64_t elapsed_us(const struct wk_probe *p)
{
	return clock_us() - p->start_us;
}

static void set_deadline(struct wk_probe *p, uint32_t ms)
{
	if (wk_timer_set(p->deadline, ms / p->speed) < 0)
		go_on(p);
}

/* ---- the way there -----------------------------------------------------------------------------
 */

static void end_way(struct wk_probe *p, const struct wk_failure *f)
{
	if (p->way_over)
		return;
	p->way_over = true;
	if (f != NULL) {
		p->result.failure = *f;
		p->result.step = p->step;
	}
	go_on(p);
}

static void on_tls(void *arg)
{
	struct wk_probe *p = arg;

	p->result.timing.tls_us = elapsed_us(p);
}

static void on_open(void *arg)
{
	struct wk_probe *p = arg;

	p->result.timing.upgrade_us = elapsed_us(p);
	p->step = IPC__STEP__NAME__HANDSHAKE;
}

static void on_ready(const struct wa_server_key *key, void *arg)
{
	struct wk_probe *p = arg;

	(void)key;
	p->result.timing.handshake_us = elapsed_us(p);
	end_way(p, NULL);
}

static void on_stanza(const struct wa_node *n, void *arg)
{
	(void)n;
	(void)arg;
}

static void on_bad_stanza(int rc, void *arg)
{
	(void)rc;
	(void)arg;
}

static void on_conn_end(const struct wk_failure *f, void *arg)
{
	end_way(arg, f);
}

/* A key pair that nobody has seen, and a payload that is never sent. */
static int open_conn(struct wk_probe *p, struct wk_pipe pipe, struct wk_failure *f)
{
	static const struct wk_conn_ops ops = {
		.on_tls = on_tls,
		.on_open = on_open,
		.on_ready = on_ready,
		.on_stanza = on_stanza,
		.on_bad_stanza = on_bad_stanza,
		.on_end = on_conn_end,
	};
	struct buf payload = { 0 };
	struct wa_keypair key;
	const struct wk_conn_params params = {
		.tls = p->tls,
		.url = &p->target.url,
		.origin = p->target.origin,
		.ca_file = p->target.ca_file,
		.noise = &key,
		.root = &p->target.root,
		.payload = &payload,
		.look_only = true,
	};
	int rc = wa_keypair_new(&key);

	if (rc == 0)
		rc = buf_append_u8(&payload, 0);
	if (rc == 0) {
		rc = wk_conn_new(p->base, pipe, &params, &ops, p, f, &p->conn);
	} else {
		wk_pipe_close(&pipe);
		wk_failure_set(f, rc, "out of memory");
	}
	wa_keypair_wipe(&key);
	buf_free(&payload);
	return rc;
}

static void on_resolved(void *arg)
{
	struct wk_probe *p = arg;

	p->step = IPC__STEP__NAME__TCP;
}

static void on_connected(struct wk_pipe pipe, void *arg)
{
	struct wk_probe *p = arg;
	struct wk_failure f;

	p->result.timing.tcp_us = elapsed_us(p);
	p->step = IPC__STEP__NAME__TLS;
	if (p->way_over)
		wk_pipe_close(&pipe);
	else if (open_conn(p, pipe, &f) < 0)
		end_way(p, &f);
}

static void on_dial_failed(const struct wk_failure *f, void *arg)
{
	end_way(arg, f);
}

static int dial(struct wk_probe *p)
{
	static const struct wk_dial_ops ops = {
		.on_resolved = on_resolved,
		.on_connected = on_connected,
		.on_failed = on_dial_failed,
	};
	const struct wk_dial_params params = {
		.base = p->base,
		.host = p->target.url.host,
		.port = p->target.url.port,
		.proxy = &p->target.proxy,
		.tls = p->tls,
		.ca_file = p->target.ca_file,
		.connect_ms = TCP_MS / p->speed,
	};

	return wk_dial_new(&params, &ops, p, &p->dial);
}

static void end_way_late(struct wk_probe *p)
{
	static const char *const words[] = {
		[IPC__STEP__NAME__DNS] = "the look-up of the name",
		[IPC__STEP__NAME__TCP] = "the connection",
		[IPC__STEP__NAME__TLS] = "TLS or the WebSocket upgrade",
		[IPC__STEP__NAME__HANDSHAKE] = "the Noise handshake",
	};
	struct wk_failure f;

	wk_failure_set(&f, WA_ETIMEOUT, "%s took too long", words[p->step]);
	end_way(p, &f);
}

/* ---- what time it is there ---------------------------------------------------------------------
 */

static void take_time(struct wk_probe *p)
{
	p->result.server_unix_s = wk_version_date(p->time);
	p->result.unix_s = clock_unix_s();
	p->over = true;
	go_on(p);
}

static void on_version(uint32_t revision, void *arg)
{
	(void)revision;
	take_time(arg);
}

/* Also an answer that names no version says what time it is. */
static void on_no_version(const struct wk_failure *f, void *arg)
{
	(void)f;
	take_time(arg);
}

/* Worth asking only where the server, or somebody in its place, has answered. */
static bool answered(const struct wk_probe *p)
{
	return p->result.failure.rc == 0 || p->result.failure.rc == WA_EHANDSHAKE;
}

static void ask_time(struct wk_probe *p)
{
	static const struct wk_version_ops ops = {
		.on_version = on_version,
		.on_failed = on_no_version,
	};

	if (!answered(p) ||
	    wk_version_new(p->base, p->tls, &p->target.url, &p->target.proxy, p->target.ca_file,
	                   WK_PROBE_TIME_MS / p->speed, &ops, p, &p->time) < 0) {
		p->over = true;
		go_on(p);
		return;
	}
	set_deadline(p, WK_PROBE_TIME_MS);
}

/* ---- from one to the next ----------------------------------------------------------------------
 */

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	struct wk_probe *p = arg;

	(void)fd;
	(void)what;
	if (p->over) {
		p->on_done(&p->result, p->arg);
		return;
	}
	if (!p->way_over || p->time != NULL)
		return;
	wk_dial_free(p->dial);
	p->dial = NULL;
	wk_conn_free(p->conn);
	p->conn = NULL;
	ask_time(p);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct wk_probe *p = arg;

	(void)fd;
	(void)what;
	if (!p->way_over) {
		end_way_late(p);
		return;
	}
	p->over = true;
	go_on(p);
}

int wk_probe_new(struct event_base *base, const struct wk_tls *tls, struct wk_target *target,
                 unsigned speed, void (*on_done)(const struct wk_probe_result *r, void *arg),
                 void *arg, struct wk_probe **probe_out)
{
	struct wk_probe *p = secret_alloc(sizeof(*p)); /* the proxy's password */

	if (p == NULL) {
		wk_target_clear(target);
		return -ENOMEM;
	}
	p->base = base;
	p->tls = tls;
	p->target = *target;
	secret_wipe(target, sizeof(*target));
	p->speed = speed > 0 ? speed : 1;
	p->on_done = on_done;
	p->arg = arg;
	p->step = IPC__STEP__NAME__DNS;
	p->result.step = -1;
	p->start_us = clock_us();
	p->deadline = evtimer_new(base, on_deadline, p);
	p->next = evtimer_new(base, on_next, p);
	if (p->deadline == NULL || p->next == NULL ||
	    wk_timer_set(p->deadline, WK_PROBE_MS / p->speed) < 0 || dial(p) < 0) {
		wk_probe_free(p);
		return -ENOMEM;
	}
	*probe_out = p;
	return 0;
}

void wk_probe_free(struct wk_probe *p)
{
	if (p == NULL)
		return;
	wk_dial_free(p->dial);
	wk_conn_free(p->conn);
	wk_version_free(p->time);
	if (p->deadline != NULL)
		event_free(p->deadline);
	if (p->next != NULL)
		event_free(p->next);
	wk_target_clear(&p->target);
	secret_free(p);
}
