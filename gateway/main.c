/* gateway/main.c - wardend, the map: settings, context, the parts in order, the loop, and back */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/pb_guard.h"
#include "gateway/doctor/gw_probe.h"
#include "gateway/events/gw_events.h"
#include "gateway/gw.h"
#include "gateway/gw_config.h"
#include "gateway/http/gw_http.h"
#include "gateway/instance/gw_dials.h"
#include "gateway/instance/gw_instance_priv.h"
#include "gateway/instance/gw_numbers.h"
#include "gateway/instance/gw_version.h"
#include "gateway/limit/gw_limit.h"
#include "gateway/metrics/gw_metrics.h"
#include "gateway/process/gw_activation.h"
#include "gateway/process/gw_notify.h"
#include "gateway/process/gw_reload.h"
#include "gateway/process/gw_sandbox.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/registry/gw_secrets.h"
#include "gateway/registry/gw_store.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_upgrade.h"
#include "gateway/webhook/gw_hooks.h"

#define ADOPT_MS 700 /* workers that need longer to answer must not keep clients waiting */

/* ---- the process ------------------------------------------------------------ */

/* Descriptors of our own must not take the place of a missing stdin, stdout or stderr. */
static void stdio_setup(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void process_setup(void)
{
	const struct rlimit no_core = { 0, 0 };
	struct rlimit files;

	umask(077);
	signal(SIGPIPE, SIG_IGN);
#ifndef WARDEN_TEST_HOOKS
	prctl(PR_SET_DUMPABLE, 0); /* no core file, no reading of our memory by others of our uid */
#endif
	(void)setrlimit(RLIMIT_CORE, &no_core); /* inherited by what it starts */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Must come first: the descriptors it names are the lowest ones after stderr. */
static int take_sockets(struct gw *gw, struct gw_activation *activation)
{
	int rc = gw_activation_init(activation);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "sockets_unusable", LF_ERR("err", rc));
	gw->activation = activation;
	return rc;
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct gw *gw = arg;

	(void)what;
	LOG(NULL, LOG_NOTICE, "signal", LF_INT("number", sig));
	if (gw->stopping)
		gw_supervisor_stop(gw->sup, NULL, NULL); /* asked twice: wait for nobody */
	gw_stop(gw);
}

static void on_hangup(evutil_socket_t sig, short what, void *arg)
{
	struct gw *gw = arg;

	(void)sig;
	(void)what;
	gw_reload_begin(gw->reload);
}

static void on_quit(evutil_socket_t sig, short what, void *arg)
{
	struct gw *gw = arg;

	(void)what;
	LOG(NULL, LOG_NOTICE, "signal", LF_INT("number", sig));
	gw_reload_leave(gw->reload);
}

/* ---- the parts -------------------------------------------------------------- */

static int start_store(struct gw *gw)
{
	int rc = gw_store_open(gw->base, gw->cfg.data_dir, &gw->store);
	const char *why = rc == WA_EALREADY_RUNNING ? "another wardend uses it"
	                  : rc == WA_ESTATE         ? "a newer version wrote it"
	                                            : "it can't be opened";

	if (rc < 0)
		LOG(NULL, LOG_ERR, "data_dir_unusable", LF_STR("data_dir", gw->cfg.data_dir),
		    LF_STR("why", why), LF_ERR("err", rc));
	return rc;
}

static int start_registry(struct gw *gw)
{
	int rc = gw_registry_new(gw, &gw->registry);

	if (rc < 0)
		LOG(NULL, LOG_ERR, "registry_not_loaded", LF_STR("data_dir", gw->cfg.data_dir),
		    LF_ERR("err", rc));
	return rc;
}

static int start_events(struct gw *gw)
{
	int rc = gw_events_new(gw, &gw->events);

	if (rc == 0)
		rc = gw_hooks_new(gw, &gw->hooks);
	if (rc < 0)
		LOG(NULL, LOG_ERR, "no_events", LF_ERR("err", rc));
	return rc;
}

/* What all workers of this host share. */
static int start_shared(struct gw *gw)
{
	int rc = gw_numbers_new(&gw->numbers);

	if (rc == 0)
		rc = gw_dials_new(gw->base, GW_DIALS_PER_S, &gw->dials);
	if (rc == 0)
		rc = gw_version_new(gw->base, gw->cfg.data_dir, &gw->version);
	if (rc == 0)
		rc = gw_upgrade_new(gw, &gw->upgrade);
	return rc;
}

/* One line for "systemctl status". */
static void on_status(char *out, void *arg)
{
	const struct gw *gw = arg;
	struct gw_instance *inst = NULL;
	unsigned linked = 0, online = 0;

	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL) {
		linked += gw_instance_is_linked(inst);
		online += gw_instance_state(inst) == GW_CONNECTED;
	}
	snprintf(out, GW_NOTIFY_STATUS_CAP, "%s: %zu workers, %u of %u linked instances online",
	         gw_http_address(gw->http), gw_supervisor_count(gw->sup), online, linked);
}

/* Without it systemd would wait in vain; a watchdog of its own tells it what is wrong. */
static void start_notify(struct gw *gw)
{
	int rc = gw_notify_new(gw->base, on_status, gw, &gw->notify);

	if (rc < 0)
		LOG(NULL, LOG_WARNING, "systemd_not_told", LF_ERR("err", rc));
}

/* Saved sessions without a worker, in the order of creation; the supervisor lets them through in
 * its own time. */
static void resume_sessions(struct gw *gw)
{
	struct gw_instance *inst = NULL;

	while ((inst = gw_registry_next_any(gw->registry, inst)) != NULL)
		gw_instance_autostart(inst);
}

/* Workers that were running have told what they are at: only now answers are true. */
static void on_adopted(void *arg)
{
	struct gw *gw = arg;

	if (gw->stopping)
		return;
	gw_http_accept(gw->http, true);
	LOG(NULL, LOG_NOTICE, "ready", LF_STR("address", gw_http_address(gw->http)),
	    LF_STR("version", WARDEN_VERSION));
	resume_sessions(gw);
	gw_hooks_start(gw->hooks);
	gw_notify_ready(gw->notify);
}

static int start_parts(struct gw *gw)
{
	int rc = start_store(gw);

	if (rc == 0)
		rc = gw_secrets_start(gw);
	if (rc == 0)
		rc = start_registry(gw);
	if (rc == 0)
		rc = start_events(gw);
	if (rc == 0)
		rc = start_shared(gw);
	if (rc == 0)
		rc = gw_metrics_new(gw->cfg.metrics_allow, &gw->metrics);
	if (rc == 0)
		rc = gw_supervisor_new(gw, NULL, &gw->sup);
	if (rc == 0)
		rc = gw_prober_new(gw, GW_PROBE_MS, &gw->prober);
	if (rc == 0)
		rc = gw_limit_new(gw, &gw->limit);
	if (rc == 0)
		rc = gw_http_start(gw, &gw->http);
	if (rc == 0) {
		gw_http_accept(gw->http, false);
		gw_supervisor_adopt(gw->sup, ADOPT_MS, on_adopted, gw);
	}
	return rc;
}

static void stop_parts(struct gw *gw)
{
	if (gw->store != NULL)
		gw_store_drain(gw->store); /* what was promised is done, and told */
	gw_hooks_stop(gw->hooks);
	if (gw->events != NULL)
		gw_events_drain(gw->events);
	gw_hooks_free(gw->hooks);
	gw->hooks = NULL;
	gw_http_free(gw->http);
	gw_limit_free(gw->limit);
	gw_prober_free(gw->prober);
	gw->prober = NULL;
	gw_supervisor_free(gw->sup);
	gw_registry_free(gw->registry);
	gw_events_free(gw->events);
	gw_store_free(gw->store);
	gw_upgrade_free(gw->upgrade);
	gw_version_free(gw->version);
	gw_dials_free(gw->dials);
	gw_numbers_free(gw->numbers);
	gw_master_key_free(gw->master_key);
	gw_metrics_free(gw->metrics);
	gw_notify_free(gw->notify);
}

static int run(struct gw *gw)
{
	struct event *term = evsignal_new(gw->base, SIGTERM, on_signal, gw);
	struct event *intr = evsignal_new(gw->base, SIGINT, on_signal, gw);
	struct event *hup = evsignal_new(gw->base, SIGHUP, on_hangup, gw);
	struct event *quit = evsignal_new(gw->base, SIGQUIT, on_quit, gw);
	int rc = -ENOMEM;

	if (term == NULL || intr == NULL || hup == NULL || quit == NULL ||
	    event_add(term, NULL) < 0 || event_add(intr, NULL) < 0 || event_add(hup, NULL) < 0 ||
	    event_add(quit, NULL) < 0)
		goto out;
	start_notify(gw);
	rc = start_parts(gw);
	if (rc < 0)
		goto out;
	if (gw_activation_clear(gw->activation) > 0)
		LOG(NULL, LOG_WARNING, "socket_not_used",
		    LF_STR("hint", "only listen=systemd takes one, and only one named http"));
	event_base_dispatch(gw->base);
	LOG(NULL, LOG_NOTICE, "stopped", LF_INT("ms", clock_ms() - gw->start_ms));
out:
	stop_parts(gw);
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	if (hup != NULL)
		event_free(hup);
	if (quit != NULL)
		event_free(quit);
	return rc;
}

static void start_reload(struct gw *gw, char **argv)
{
	int rc = gw->base == NULL ? -ENOMEM : gw_reload_init(gw, argv, &gw->reload);

	if (rc < 0)
		LOG(NULL, LOG_WARNING, "no_reload", LF_ERR("err", rc),
		    LF_STR("hint", "SIGHUP will do nothing"));
}

/* All parts are released; comes back only when it fails. */
static int reload(struct gw *gw)
{
	int rc = gw_reload_exec(gw->reload);

	LOG(NULL, LOG_ERR, "reload_failed", LF_ERR("err", rc),
	    LF_STR("hint", "the workers go on; start the gateway again"));
	return 1;
}

int main(int argc, char **argv)
{
	struct gw gw = { .start_ms = clock_ms() };
	struct gw_activation activation;
	enum settings_result settings;
	int status;

	stdio_setup();
	settings = gw_config_load(argc, argv, &gw.cfg);
	status = settings == SETTINGS_EXIT_2 ? 2 : 0;

	if (settings != SETTINGS_RUN)
		goto out;
	if (!gw_config_worker_usable(&gw.cfg)) {
		status = 2;
		goto out;
	}
	log_init("wardend", gw.cfg.log_level, (enum log_format)gw.cfg.log_format);
	log_open_journal();
	pb_check_version();
	process_setup();
	if (!gw_config_root_key_is_whatsapps(&gw.cfg))
		LOG(NULL, LOG_WARNING, "wa_root_key_is_not_whatsapps",
		    LF_STR("hint", "right for a test server only"));
	if (gw_sandbox_enter(&gw.cfg) == 0 && take_sockets(&gw, &activation) == 0)
		gw.base = event_base_new();
	start_reload(&gw, argv);
	if (gw.base == NULL || run(&gw) < 0)
		status = 1;
	else if (gw_reload_is_due(gw.reload))
		status = reload(&gw);
	gw_reload_free(gw.reload);
	if (gw.base != NULL)
		event_base_free(gw.base);
out:
	gw_config_clear(&gw.cfg);
	return status;
}
