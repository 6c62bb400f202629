/* simulator/server/sim_client.c - one connection of a client, from accept to close */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "simulator/base/sim_log.h"
#include "simulator/server/sim_client_fault.h"
#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_server.h"
#include "simulator/wire/sim_http.h"
#include "simulator/wire/sim_tls.h"

#define SETUP_MS 60000 /* from accept to the end of the handshake */

static void on_input(void *arg);
static void on_secure(void *arg);
static void on_drained(void *arg);
static void on_closed(void *arg);
static void on_deadline(evutil_socket_t fd, short what, void *arg);

static const struct sim_wire_ops wire_ops = {
	.on_input = on_input,
	.on_secure = on_secure,
	.on_drained = on_drained,
	.on_closed = on_closed,
};

/* ---- life ------------------------------------------------------------------------------------ */

int sim_client_new(struct sim *s, uint32_t id, int fd, struct sim_client **c_out)
{
	struct sim_client *c = calloc(1, sizeof(*c));
	struct sim_wire *wire = NULL;
	int rc = sim_wire_new(s->base, fd, &wire_ops, c, &wire);

	if (rc < 0 || c == NULL) {
		sim_wire_free(wire);
		free(c);
		return -ENOMEM;
	}
	c->sim = s;
	c->id = id;
	c->wire = wire;
	c->connected_unix_ms = clock_unix_ms();
	c->stage = s->tls != NULL ? SIM_TLS : SIM_UPGRADE;
	rc = sim_rand_fork(&s->rnd, "client", id, &c->rnd);
	c->timer = evtimer_new(s->base, on_deadline, c);
	if (rc == 0 && c->timer == NULL)
		rc = -ENOMEM;
	if (rc < 0)
		sim_client_free(c);
	else
		*c_out = c;
	return rc;
}

void sim_client_free(struct sim_client *c)
{
	if (c == NULL)
		return;
	sim_online_gone(c);
	sim_stream_free(c->stream);
	sim_media_request_free(c->media);
	sim_wire_free(c->wire);
	sim_pair_clear(&c->pairing);
	buf_free(&c->held);
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->held_timer != NULL)
		event_free(c->held_timer);
	free(c->wrong);
	secret_wipe(&c->rnd, sizeof(c->rnd));
	free(c);
}

void sim_client_start(struct sim_client *c)
{
	sim_client_deadline(c, SETUP_MS);
	if (sim_client_meet(c, SIM_TCP) && c->fault.kind == SIM_F_GARBAGE)
		sim_client_fault_tcp(c);
}

void sim_client_end(struct sim_client *c, const char *why)
{
	if (c->ended)
		return;
	c->ended = true;
	LOG(NULL, LOG_DEBUG, "client_ended", LF_INT("client", c->id), LF_STR("why", why),
	    LF_STR("stage", sim_stage_name(c->stage)));
	event_del(c->timer);
	sim_online_gone(c);
	sim_client_flush(c);
	sim_wire_end(c->wire, true);
}

static void on_drained(void *arg)
{
	struct sim_client *c = arg;

	if (c->media != NULL)
		sim_media_request_drained(c->media);
	else if (c->stage == SIM_ONLINE)
		sim_online_on_drained(c);
}

static void on_closed(void *arg)
{
	struct sim_client *c = arg;

	c->ended = true;
	sim_online_gone(c);
	event_del(c->timer);
	if (c->held_timer != NULL)
		event_del(c->held_timer);
	sim_server_client_gone(c->sim->server, c);
}

void sim_client_deadline(struct sim_client *c, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		                    .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (ms == 0)
		event_del(c->timer);
	else if (evtimer_add(c->timer, &tv) < 0)
		sim_client_end(c, "no memory for a timer");
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct sim_client *c = arg;

	(void)fd;
	(void)what;
	if (!sim_wire_is_live(c->wire)) /* a stalled connection stays */
		return;
	if (c->stage == SIM_PAIRING)
		sim_pair_on_deadline(c);
	else if (c->stage == SIM_ONLINE)
		sim_online_on_deadline(c);
	else
		sim_client_end(c, "too slow");
}

bool sim_client_is_live(const struct sim_client *c)
{
	return !c->ended;
}

void sim_client_info(const struct sim_client *c, struct sim_client_info *info_out)
{
	*info_out = (struct sim_client_info){
		.id = c->id,
		.number = c->number[0] == '\0' ? NULL : c->number,
		.jid = c->jid[0] == '\0' ? NULL : c->jid,
		.handshake =
		    c->stream == NULL ? NULL : sim_handshake_name(sim_stream_handshake(c->stream)),
		.routing = c->session.routing,
		.stage = c->stage,
		.connected_unix_ms = c->connected_unix_ms,
	};
}

bool sim_client_set_number(struct sim_client *c, const char *number)
{
	snprintf(c->number, sizeof(c->number), "%s", number);
	return sim_client_meet_number(c);
}

void sim_client_linked(struct sim_client *c, const struct sim_device *device)
{
	snprintf(c->number, sizeof(c->number), "%s", device->account->number);
	snprintf(c->jid, sizeof(c->jid), "%s", device->jid);
}

/* ---- handshake and payload ---------------------------------------------------------------------
 */

static void on_output(const void *data, size_t len, void *arg)
{
	struct sim_client *c = arg;

	sim_wire_write(c->wire, data, len);
}

static void on_shaped(enum sim_shape shape, void *arg)
{
	struct sim_client *c = arg;

	if (shape == SIM_SHAPE_MUTE)
		sim_wire_mute(c->wire);
	if (shape == SIM_SHAPE_CUT) {
		c->ended = true;
		sim_wire_end(c->wire, false);
	}
}

static bool on_hello(struct sim_noise_server *server_out, void *arg)
{
	struct sim_client *c = arg;
	const struct sim_chain *chain;

	if (!sim_client_meet(c, SIM_HANDSHAKE) || !sim_client_fault_handshake(c))
		return false;
	chain = c->wrong != NULL ? c->wrong : &c->sim->chain;
	*server_out = (struct sim_noise_server){
		.identity = &c->sim->identity,
		.chain = chain->data,
		.chain_len = chain->len,
		.no_ik = c->sim->no_ik,
	};
	return true;
}

static int on_registration(struct sim_client *c)
{
	c->stage = SIM_REGISTRATION;
	sim_client_deadline(c, 0);
	if (sim_client_meet(c, SIM_REGISTRATION) && sim_client_fault_stanza(c))
		sim_pair_begin(c);
	return 0;
}

static void set_number(struct sim_client *c)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, c->payload.username);

	if (len > 0 && (size_t)len < sizeof(c->number))
		memcpy(c->number, text, (size_t)len + 1);
}

static int on_login(struct sim_client *c)
{
	c->stage = SIM_LOGIN;
	set_number(c);
	sim_client_deadline(c, 0);
	if (sim_client_meet(c, SIM_LOGIN) && sim_client_fault_stanza(c))
		sim_online_begin(c);
	return 0;
}

static int on_payload(const uint8_t *payload, size_t payload_len,
                      const uint8_t client_static[WA_KEY_LEN], void *arg)
{
	struct sim_client *c = arg;
	struct sim_refusal refusal = { .why = "" };
	int rc = sim_payload_check(payload, payload_len, c->sim->revision_min,
	                           c->sim->options->strict, &c->payload, &refusal);

	memcpy(c->noise_key, client_static, WA_KEY_LEN);
	if (rc == 0)
		return c->payload.kind == SIM_PAYLOAD_LOGIN ? on_login(c) : on_registration(c);
	LOG(NULL, LOG_NOTICE, "payload_refused", LF_INT("client", c->id),
	    LF_INT("reason", refusal.reason), LF_STR("why", refusal.why));
	if (refusal.reason == 0)
		return rc;
	sim_client_fail(c, (uint32_t)refusal.reason);
	return 0;
}

static int on_stanza(const uint8_t *stanza, size_t stanza_len, void *arg)
{
	struct sim_client *c = arg;

	sim_log_add(c->sim->log, c->id, false, clock_unix_ms(), stanza, stanza_len);
	if (c->stage == SIM_ONLINE)
		return sim_online_on_stanza(c, stanza, stanza_len);
	if (c->stage != SIM_REGISTRATION && c->stage != SIM_PAIRING)
		return 0; /* a login that was refused: nobody listens */
	return sim_pair_on_stanza(c, stanza, stanza_len);
}

/* ---- stages ---------------------------------------------------------------------------------- */

static int stream_begin(struct sim_client *c)
{
	static const struct sim_stream_ops ops = {
		.on_output = on_output,
		.on_hello = on_hello,
		.on_payload = on_payload,
		.on_stanza = on_stanza,
		.on_shaped = on_shaped,
	};
	struct wa_keypair ephemeral;
	int rc = sim_rand_keypair(&c->rnd, &ephemeral);

	if (rc == 0)
		rc = sim_stream_new(&ephemeral, &ops, c, &c->stream);
	wa_keypair_wipe(&ephemeral);
	return rc;
}

static int answer_version(struct sim *s, struct buf *answer)
{
	s->lookups++;
	return sim_http_answer_version(s->revision, answer);
}

static void answer_http(struct sim_client *c, const struct sim_http_request *req, int status)
{
	struct buf answer = { 0 };
	bool upgrade = status == 0 && req->kind == SIM_HTTP_UPGRADE;
	int rc;

	if (upgrade && !(sim_client_meet(c, SIM_UPGRADE) && sim_client_fault_upgrade(c)))
		return;
	if (upgrade)
		rc = sim_http_answer_upgrade(req, &answer);
	else if (status == 0)
		rc = answer_version(c->sim, &answer);
	else
		rc = sim_http_answer_status((unsigned)status, &answer);
	if (rc == 0)
		sim_client_write_http(c, answer.p, answer.len);
	buf_free(&answer);
	if (rc < 0 || !upgrade) {
		sim_client_end(c, upgrade ? "no memory" : "answered");
		return;
	}
	c->stage = SIM_HANDSHAKE;
	if (stream_begin(c) < 0)
		sim_client_end(c, "no memory");
}

/* A request to the media host: its body and answer are sim_media_http.c's. */
static void begin_media(struct sim_client *c, const struct sim_http_request *req,
                        struct evbuffer *in, size_t head_len)
{
	int rc = sim_media_request_new(c, req, &c->media);

	evbuffer_drain(in, head_len);
	if (rc < 0)
		sim_client_end(c, "no memory");
	else
		sim_media_request_feed(c->media, in);
}

static void read_http(struct sim_client *c, struct evbuffer *in)
{
	struct sim_http_request req = { .kind = SIM_HTTP_VERSION };
	size_t have = evbuffer_get_length(in);
	const uint8_t *data;
	size_t head_len;
	int status;

	if (have > SIM_HTTP_HEAD_MAX)
		have = SIM_HTTP_HEAD_MAX;
	data = evbuffer_pullup(in, (ev_ssize_t)have);
	if (data == NULL)
		return;
	head_len = sim_http_head_len(data, have);
	if (head_len == 0 && have < SIM_HTTP_HEAD_MAX)
		return;
	status = head_len == 0 ? 400 : sim_http_parse(data, head_len, &req);
	if (status == 0 && req.kind == SIM_HTTP_MEDIA) {
		begin_media(c, &req, in, head_len);
		return;
	}
	evbuffer_drain(in, head_len);
	answer_http(c, &req, status);
}

static void read_stream(struct sim_client *c, struct evbuffer *in)
{
	const char *why = "";
	int rc = sim_stream_feed(c->stream, in, &why);

	if (rc == 0)
		return;
	if (rc == WA_EAUTH && sim_stream_is_open(c->stream))
		sim_client_stream_error(c, 0, "bad-mac");
	sim_client_end(c, why);
}

static void begin_tls(struct sim_client *c)
{
	SSL_CTX *ctx;

	if (!sim_client_meet(c, SIM_TLS) || !sim_client_fault_tls(c))
		return;
	ctx = sim_tls_ctx(c->sim->tls, sim_client_tls_cert(c));
	if (ctx == NULL || sim_wire_start_tls(c->wire, ctx) < 0)
		sim_client_end(c, "TLS");
}

static void on_secure(void *arg)
{
	struct sim_client *c = arg;

	c->stage = SIM_UPGRADE;
	sim_client_leave(c);
}

static void on_input(void *arg)
{
	struct sim_client *c = arg;
	struct evbuffer *in = sim_wire_input(c->wire);

	if (c->stage == SIM_TLS) {
		begin_tls(c);
		return;
	}
	if (c->media != NULL)
		sim_media_request_feed(c->media, in);
	else if (c->stage == SIM_UPGRADE)
		read_http(c, in);
	if (c->stream != NULL && sim_wire_is_live(c->wire) && evbuffer_get_length(in) > 0)
		read_stream(c, in);
}
