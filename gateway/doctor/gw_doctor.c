/* gateway/doctor/gw_doctor.c - everything that wardenctl doctor asks, gathered */
#include "gateway/doctor/gw_doctor.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/secret.h"
#include "gateway/doctor/gw_doctor_disk.h"
#include "gateway/doctor/gw_doctor_host.h"
#include "gateway/doctor/gw_doctor_reach.h"
#include "gateway/doctor/gw_probe.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/registry/gw_master_key.h"

struct gw_doctor {
	struct gw *gw;
	void (*on_done)(const struct gw_findings *fs, void *arg);
	void *arg;
	struct event *ev_end; /* the deadline, or all is there */
	struct gw_doctor_disk *disk;
	struct gw_probe *probe;
	struct gw_limit_ping *ping;
	struct gw_proxy via; /* as the probe goes, but for user and password */
	struct gw_findings fs;
};

/* From the loop: whoever started us may still be in gw_doctor_start(). */
static void finish_soon(struct gw_doctor *d)
{
	event_active(d->ev_end, EV_WRITE, 0);
}

static void look_whether_all(struct gw_doctor *d)
{
	for (int i = 0; i < GW_CHECK_N; i++)
		if (d->fs.of[i].verdict == GW_UNKNOWN)
			return;
	finish_soon(d);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct gw_doctor *d = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		gw_findings_close(&d->fs, "no answer within 30 s",
		                  "look again; where it stays so, what is asked hangs");
	d->on_done(&d->fs, d->arg);
}

/* ---- the disk ----------------------------------------------------------------------------------
 */

static void take(struct gw_doctor *d, const struct gw_findings *fs)
{
	for (int i = 0; i < GW_CHECK_N; i++)
		if (d->fs.of[i].verdict == GW_UNKNOWN)
			d->fs.of[i] = fs->of[i];
}

static void on_disk(const struct gw_findings *fs, void *arg)
{
	struct gw_doctor *d = arg;

	take(d, fs);
	look_whether_all(d);
}

static int start_disk(struct gw_doctor *d)
{
	const struct gw_config *cfg = &d->gw->cfg;
	struct gw_doctor_disk_params p = { .data_dir = cfg->data_dir };
	char path[PATH_MAX];
	int rc = gw_master_key_where(cfg->master_key_file, cfg->data_dir, path, sizeof(path),
	                             &p.key_from);

	if (rc == 0)
		rc = gw_master_key_derive(d->gw->master_key, GW_DOCTOR_KEY_OWNER, 0, &p.key);
	if (rc == 0) {
		p.key_path = path;
		rc = gw_doctor_disk_start(d->gw->base, &p, on_disk, d, &d->disk);
	}
	secret_wipe(&p.key, sizeof(p.key));
	return rc;
}

/* ---- Redis -------------------------------------------------------------------------------------
 */

static void on_ping(int rc, uint64_t us, void *arg)
{
	struct gw_doctor *d = arg;

	d->ping = NULL;
	gw_doctor_judge_redis(rc, us, &d->fs);
	look_whether_all(d);
}

static void start_ping(struct gw_doctor *d)
{
	int rc;

	if (d->fs.of[GW_CHECK_REDIS].verdict != GW_UNKNOWN)
		return;
	rc = gw_limit_ping(d->gw->limit, on_ping, d, &d->ping);
	if (rc < 0)
		gw_doctor_judge_redis(rc, 0, &d->fs);
}

/* ---- WhatsApp ----------------------------------------------------------------------------------
 */

static void on_probe(const struct gw_probe_result *r, void *arg)
{
	struct gw_doctor *d = arg;

	gw_doctor_judge_sandbox(r, geteuid(), &d->fs);
	gw_doctor_judge_reach(r, &d->via, d->gw->cfg.wa_url, &d->fs);
	look_whether_all(d);
}

static void start_probe(struct gw_doctor *d, const struct gw_instance *inst)
{
	const struct gw_proxy *proxy = inst != NULL ? gw_instance_proxy(inst) : NULL;
	const struct gw_probe_result none = { .rc = WA_EWORKER_START, .detail = "out of memory" };

	if (proxy != NULL) {
		d->via.enabled = proxy->enabled;
		d->via.protocol = proxy->protocol;
		d->via.port = proxy->port;
		memcpy(d->via.host, proxy->host, sizeof(d->via.host));
	}
	if (gw_probe_start(d->gw->prober, proxy, on_probe, d, &d->probe) < 0)
		on_probe(&none, d);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void note_not_started(struct gw_doctor *d, int rc)
{
	for (int i = GW_CHECK_DATA_DIR; i <= GW_CHECK_MASTER_KEY; i++)
		gw_finding_set(&d->fs, (enum gw_check)i, GW_FAILED,
		               "the host may be out of memory or of processes",
		               "could not be looked at: %s", wa_err_name(rc));
}

int gw_doctor_start(struct gw *gw, const struct gw_instance *inst,
                    void (*on_done)(const struct gw_findings *fs, void *arg), void *arg,
                    struct gw_doctor **doctor_out)
{
	const struct timeval limit = { .tv_sec = GW_DOCTOR_MS / 1000 };
	struct gw_doctor *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->gw = gw;
	d->on_done = on_done;
	d->arg = arg;
	d->ev_end = evtimer_new(gw->base, on_end, d);
	if (d->ev_end == NULL || event_add(d->ev_end, &limit) < 0) {
		gw_doctor_free(d);
		return -ENOMEM;
	}
	gw_doctor_host_look(gw, &d->fs);
	start_ping(d);
	rc = start_disk(d);
	if (rc < 0)
		note_not_started(d, rc);
	start_probe(d, inst);
	look_whether_all(d);
	*doctor_out = d;
	return 0;
}

void gw_doctor_free(struct gw_doctor *d)
{
	if (d == NULL)
		return;
	if (d->ev_end != NULL)
		event_free(d->ev_end);
	gw_doctor_disk_free(d->disk);
	gw_probe_free(d->probe);
	gw_limit_ping_cancel(d->ping);
	free(d);
}
