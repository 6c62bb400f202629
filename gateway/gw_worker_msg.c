/* gateway/gw_worker_msg.c - what a worker says: checked, and passed on to its instance */
#include "gateway/gw_worker_priv.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "gateway/gw_instance_priv.h"
#include "proto/ipc.pb-c.h"

#define CODE_VALID_MAX_MS 600000

static const char *const step_names[] = {
	[IPC__STEP__NAME__DNS] = "dns",
	[IPC__STEP__NAME__TCP] = "tcp",
	[IPC__STEP__NAME__TLS] = "tls",
	[IPC__STEP__NAME__HANDSHAKE] = "handshake",
	[IPC__STEP__NAME__REGISTRATION] = "registration",
	[IPC__STEP__NAME__PAIRING] = "pairing",
};

/* A worker's text goes to clients and logs: printable ASCII, cut. */
static void text_take(const char *text, char *out, size_t cap)
{
	size_t n = 0;

	for (; text != NULL && text[n] != '\0' && n < cap - 1; n++)
		out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	out[n] = '\0';
}

static struct gw_reason reason_take(int rc, uint32_t number, const char *detail)
{
	struct gw_reason r = { .rc = rc, .number = number, .at_unix_ms = clock_unix_ms() };

	if (rc != 0 && !wa_err_is_outcome(rc))
		r.rc = WA_EPROTO; /* not a word that clients know */
	text_take(detail, r.detail, sizeof(r.detail));
	return r;
}

static int on_hello_reply(struct gw_worker *w, const Ipc__HelloReply *m)
{
	int rc = gw_instance_event(w->inst, GW_EV_READY, NULL);

	if (rc < 0 || w->phase != GW_W_STARTING)
		return rc;
	LOG(gw_worker_log(w), LOG_DEBUG, "worker_hello", LF_INT("pid", m->pid),
	    LF_INT("ms", (clock_us() - w->born_us) / 1000));
	w->spawn_us = clock_us() - w->born_us;
	gw_supervisor_release(w->sup, w);
	w->phase = GW_W_READY;
	gw_worker_timer(w, gw_supervisor_times(w->sup)->ping);
	return 0;
}

static int on_step(struct gw_worker *w, const Ipc__Step *m)
{
	struct gw_inst_input in = { 0 };

	if (!m->has_name || m->name < 0 || (size_t)m->name >= ARRAY_LEN(step_names))
		return WA_EPROTO;
	in.step = step_names[m->name];
	return gw_instance_event(w->inst, GW_EV_STEP, &in);
}

static bool code_is_sound(const Ipc__Qr *m)
{
	size_t n = m->code == NULL ? 0 : strlen(m->code);

	if (n == 0 || n >= sizeof(((struct gw_code *)0)->text))
		return false;
	for (size_t i = 0; i < n; i++)
		if (m->code[i] < ' ' || m->code[i] > '~')
			return false;
	return m->has_valid_ms && m->valid_ms > 0 && m->valid_ms <= CODE_VALID_MAX_MS;
}

static int on_qr(struct gw_worker *w, const Ipc__Qr *m)
{
	struct gw_inst_input in = { 0 };

	if (!code_is_sound(m))
		return WA_EPROTO;
	in.code.text = m->code;
	in.code.valid_ms = m->valid_ms;
	in.code.index = m->index;
	in.code.total = m->total;
	if (m->timing != NULL)
		in.code.timing = (struct gw_code_timing){
			.spawn_us = w->spawn_us,
			.start_us = m->timing->start_us,
			.tcp_us = m->timing->tcp_us,
			.tls_us = m->timing->tls_us,
			.upgrade_us = m->timing->upgrade_us,
			.handshake_us = m->timing->handshake_us,
			.code_us = m->timing->code_us,
		};
	return gw_instance_event(w->inst, GW_EV_CODE, &in);
}

static int on_failed(struct gw_worker *w, const Ipc__Failed *m)
{
	struct gw_reason r = reason_take(m->rc, m->reason, m->detail);
	const struct gw_inst_input in = { .reason = &r };

	if (m->rc == 0)
		return WA_EPROTO;
	return gw_instance_event(w->inst, GW_EV_FAILED, &in);
}

static int on_bye(struct gw_worker *w, const Ipc__Bye *m)
{
	struct gw_reason r = reason_take(m->rc, 0, m->detail);
	const struct gw_inst_input in = { .reason = &r };

	if (w->end_said)
		return WA_EPROTO;
	LOG(gw_worker_log(w), LOG_DEBUG, "worker_bye", LF_INT("pid", w->pid), LF_ERR("err", m->rc));
	w->end_said = true;
	if (w->phase != GW_W_LEAVING)
		gw_worker_leaving(w, gw_supervisor_times(w->sup)->leave);
	return gw_instance_event(w->inst, GW_EV_BYE, &in);
}

int gw_worker_on_msg(struct ipc_chan *c, struct ipc_msg *m, void *arg)
{
	struct gw_worker *w = arg;

	(void)c;
	switch (m->type) {
	case IPC_HELLO_REPLY:
		return on_hello_reply(w, (const Ipc__HelloReply *)m->body);
	case IPC_PONG:
		return 0;
	case IPC_STEP:
		return on_step(w, (const Ipc__Step *)m->body);
	case IPC_QR:
		return on_qr(w, (const Ipc__Qr *)m->body);
	case IPC_FAILED:
		return on_failed(w, (const Ipc__Failed *)m->body);
	case IPC_BYE:
		return on_bye(w, (const Ipc__Bye *)m->body);
	case IPC_HELLO:
	case IPC_PING:
	case IPC_CONNECT:
	case IPC_STOP:
	case IPC_SPAWN:
	case IPC_SPAWN_REPLY:
		break; /* never from a worker: the channel refuses them */
	}
	return WA_EPROTO;
}
