/* tests/unit/gw_fake_supervisor.c - stands in for gw_supervisor.c and gw_worker.c */
#include "gw_fake_supervisor.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_worker.h"

struct gw_worker {
	int dummy;
};

struct fake_supervisor fake;
static struct gw_worker the_worker;

struct gw_worker *fake_worker(void)
{
	return &the_worker;
}

int gw_supervisor_start(struct gw_supervisor *sup, struct gw_instance *inst,
                        const struct gw_attempt *attempt, struct gw_worker **worker_out)
{
	(void)sup;
	(void)inst;
	if (fake.start_rc < 0)
		return fake.start_rc;
	fake.starts_n++;
	fake.mode = (int)attempt->mode;
	snprintf(fake.number, sizeof(fake.number), "%s",
	         attempt->number == NULL ? "" : attempt->number);
	fake.history_days = attempt->history_days;
	snprintf(fake.request_id, sizeof(fake.request_id), "%s",
	         attempt->request_id == NULL ? "" : attempt->request_id);
	*worker_out = &the_worker;
	return 0;
}

void gw_worker_stop(struct gw_worker *w, enum gw_stop_reason reason)
{
	if (w != &the_worker)
		return;
	fake.stops_n++;
	fake.stop_reason = (int)reason;
}

void gw_worker_expect_exit(struct gw_worker *w)
{
	if (w == &the_worker)
		fake.expects_n++;
}

void gw_worker_saved(struct gw_worker *w)
{
	fake.saved_n += w == &the_worker;
}

void gw_worker_resume(struct gw_worker *w, const char *request_id)
{
	(void)request_id;
	fake.resumes_n += w == &the_worker;
}

int64_t gw_worker_memory_bytes(struct gw_worker *w, bool look)
{
	(void)w;
	(void)look;
	return -1;
}

void gw_worker_logout(struct gw_worker *w, const char *request_id)
{
	(void)request_id;
	fake.logouts_n += w == &the_worker;
}

void gw_worker_settings(struct gw_worker *w)
{
	fake.settings_n += w == &the_worker;
}

void gw_worker_proxy(struct gw_worker *w)
{
	fake.proxies_n += w == &the_worker;
}

int gw_worker_passkey_answer(struct gw_worker *w, const char *credential, const char *request_id)
{
	(void)w;
	(void)request_id;
	fake.answers_n++;
	snprintf(fake.credential, sizeof(fake.credential), "%s", credential);
	return 0;
}

int gw_worker_passkey_confirm(struct gw_worker *w, const char *request_id)
{
	(void)w;
	(void)request_id;
	fake.confirms_n++;
	return 0;
}

void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again)
{
	(void)w;
	(void)store;
	(void)number;
	(void)again;
}

void fake_worker_gone(struct gw_instance *inst)
{
	const struct gw_reason asked = { 0 };
	const struct gw_inst_input in = { .reason = &asked };

	(void)!gw_instance_event(inst, GW_EV_BYE, &in);
	(void)!gw_instance_event(inst, GW_EV_GONE, NULL);
}

/* ---- gw_worker_ask.h: no worker has anything to say --------------------------- */

int gw_worker_ask_media(struct gw_instance *inst, const char *message_id, uint64_t len_max,
                        gw_ask_cb *cb, void *arg, struct gw_ask **ask_out)
{
	(void)inst;
	(void)message_id;
	(void)len_max;
	(void)cb;
	(void)arg;
	(void)ask_out;
	return WA_ENO_SESSION;
}

int gw_worker_ask_messages(struct gw_instance *inst, const struct gw_ask_messages *q, gw_ask_cb *cb,
                           void *arg, struct gw_ask **ask_out)
{
	(void)inst;
	(void)q;
	(void)cb;
	(void)arg;
	(void)ask_out;
	return WA_ENO_SESSION;
}

void gw_ask_cancel(struct gw_ask *a)
{
	(void)a;
}
