/* gateway/supervision/gw_worker_talk.c - what a worker is told */
#include "gateway/supervision/gw_worker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_master_key.h"
#include "proto/ipc.pb-c.h"

/* protobuf-c's structs know no const; nothing is written through these. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static char *text_or_none(const char *s)
{
	return s != NULL && s[0] != '\0' ? text(s) : NULL;
}

/* ---- CONNECT and SETTINGS --------------------------------------------------- */

static void fill_settings(const struct gw_instance *inst, Ipc__SessionSettings *m)
{
	m->has_auto_reject_calls = m->has_ignore_group_messages = true;
	m->has_keep_online_status = m->has_auto_read_messages = true;
	m->has_disable_history_sync = m->has_ignore_status = true;
	m->auto_reject_calls = gw_instance_setting_on(inst, "autoRejectCalls");
	m->call_reject_message = text(gw_instance_setting_text(inst, "callRejectMessage"));
	m->ignore_group_messages = gw_instance_setting_on(inst, "ignoreGroupMessages");
	m->keep_online_status = gw_instance_setting_on(inst, "keepOnlineStatus");
	m->auto_read_messages = gw_instance_setting_on(inst, "autoReadMessages");
	m->disable_history_sync = gw_instance_setting_on(inst, "disableHistorySync");
	m->ignore_status = gw_instance_setting_on(inst, "ignoreStatus");
}

void gw_worker_fill_proxy(const struct gw_proxy *p, Ipc__Proxy *m)
{
	static const Ipc__Proxy__Kind kinds[] = {
		[GW_PROXY_HTTP] = IPC__PROXY__KIND__HTTP,
		[GW_PROXY_HTTPS] = IPC__PROXY__KIND__HTTPS,
		[GW_PROXY_SOCKS5] = IPC__PROXY__KIND__SOCKS5,
	};

	m->has_kind = m->has_port = true;
	m->kind = kinds[p->protocol];
	m->host = text(p->host);
	m->port = p->port;
	m->username = text_or_none(p->username);
	m->password = text_or_none(p->password);
}

void gw_worker_fill_target(struct gw_config *cfg, Ipc__Connect *m)
{
	m->wa_url = cfg->wa_url;
	m->wa_origin = cfg->wa_origin;
	m->has_wa_root_key = true;
	m->wa_root_key.data = cfg->wa_root_key_bytes;
	m->wa_root_key.len = sizeof(cfg->wa_root_key_bytes);
	m->wa_ca_file = cfg->wa_ca_file;
	m->wa_version = cfg->wa_version;
	m->wa_device_name = cfg->wa_device_name;
}

static void fill_version(const struct gw *gw, Ipc__Connect *m)
{
	bool stale;

	if (gw->cfg.wa_version == NULL || strcmp(gw->cfg.wa_version, "auto") != 0)
		return;
	gw_version_get(gw->version, &m->revision, &stale);
	m->has_revision = m->revision != 0;
	m->has_version_stale = true;
	m->version_stale = stale;
}

static void fill_attempt(struct gw_worker *w, Ipc__Connect *m)
{
	static const Ipc__Connect__Mode modes[] = {
		[GW_MODE_LINK] = IPC__CONNECT__MODE__LINK,
		[GW_MODE_RESUME] = IPC__CONNECT__MODE__RESUME,
		[GW_MODE_LOGOUT] = IPC__CONNECT__MODE__LOGOUT,
	};

	m->has_mode = true;
	m->mode = modes[w->mode];
	m->number = text_or_none(w->number);
	m->has_history_days = w->history_days > 0;
	m->history_days = w->history_days;
	m->request_id = text_or_none(w->request_id);
}

/* The worker can't open it: it may be another user, and sees no file but its own. -1: none. */
int gw_worker_open_ca_file(const struct gw_config *cfg)
{
	const char *path = cfg->wa_ca_file;
	int fd = path != NULL && path[0] != '\0' ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 && path != NULL && path[0] != '\0')
		LOG(NULL, LOG_WARNING, "wa_ca_file_unusable", LF_STR("file", path),
		    LF_ERR("err", -errno));
	return fd;
}

/* Files of an event are fetched by its message: it stays as long as the event. */
static uint32_t message_days(const struct gw_config *cfg)
{
	int64_t days = cfg->message_retention_days;

	if (days != 0 && days < cfg->event_retention_days)
		days = cfg->event_retention_days;
	return (uint32_t)days;
}

int gw_worker_say_connect(struct gw_worker *w)
{
	const struct gw_proxy *proxy = gw_instance_proxy(w->inst);
	const struct gw_deaths *deaths = gw_instance_deaths(w->inst);
	uint64_t aside[GW_DEATHS_KEPT];
	Ipc__SessionSettings settings = IPC__SESSION_SETTINGS__INIT;
	Ipc__Connect m = IPC__CONNECT__INIT;
	Ipc__Proxy via = IPC__PROXY__INIT;
	struct sealed_key key;
	int rc = gw_master_key_derive(w->gw->master_key, gw_instance_id(w->inst),
	                              gw_instance_link(w->inst)->key_epoch, &key);
	int ca_fd;

	if (rc < 0)
		return rc;
	ca_fd = gw_worker_open_ca_file(&w->gw->cfg);
	gw_worker_fill_target(&w->gw->cfg, &m);
	fill_version(w->gw, &m);
	fill_attempt(w, &m);
	fill_settings(w->inst, &settings);
	m.settings = &settings;
	if (proxy->enabled) {
		gw_worker_fill_proxy(proxy, &via);
		m.proxy = &via;
	}
	m.has_instance_key = m.has_key_epoch = true;
	m.instance_key.data = key.bytes;
	m.instance_key.len = sizeof(key.bytes);
	m.key_epoch = key.epoch;
	m.has_linked = m.has_store_generation = true;
	m.linked = gw_instance_link(w->inst)->linked;
	m.store_generation = (uint64_t)gw_instance_link(w->inst)->store_generation;
	m.has_message_days = true;
	m.message_days = message_days(&w->gw->cfg);
	m.n_set_aside = deaths->aside_n;
	m.set_aside = aside;
	memcpy(aside, deaths->aside, sizeof(aside));
	rc = ipc_chan_send(w->chan, IPC_CONNECT, 1, &m.base, ca_fd);
	if (ca_fd >= 0)
		close(ca_fd);
	secret_wipe(&key, sizeof(key));
	return rc;
}

bool gw_worker_listens(const struct gw_worker *w)
{
	return (w->phase == GW_W_STARTING || w->phase == GW_W_READY) && w->chan != NULL;
}

void gw_worker_settings(struct gw_worker *w)
{
	Ipc__SessionSettings m = IPC__SESSION_SETTINGS__INIT;

	if (!gw_worker_listens(w))
		return; /* one that waits gets them with CONNECT */
	fill_settings(w->inst, &m);
	(void)!ipc_chan_send(w->chan, IPC_SETTINGS, 0, &m.base, -1);
}

void gw_worker_proxy(struct gw_worker *w)
{
	const struct gw_proxy *p = gw_instance_proxy(w->inst);
	Ipc__Proxy proxy = IPC__PROXY__INIT;
	Ipc__Route m = IPC__ROUTE__INIT;

	if (!gw_worker_listens(w))
		return; /* one that waits gets it with CONNECT */
	if (p->enabled) {
		gw_worker_fill_proxy(p, &proxy);
		m.proxy = &proxy;
	}
	if (ipc_chan_send(w->chan, IPC_ROUTE, 0, &m.base, -1) < 0)
		gw_worker_kill(w); /* it would go on without the proxy */
}

/* ---- dials ------------------------------------------------------------------ */

static void say_dial(struct gw_worker *w)
{
	Ipc__DialGo go = IPC__DIAL_GO__INIT;
	Ipc__Resume resume = IPC__RESUME__INIT;

	resume.request_id = text_or_none(w->resume_id);
	if (w->dial_asked)
		(void)!ipc_chan_send(w->chan, IPC_DIAL_GO, 0, &go.base, -1);
	else
		(void)!ipc_chan_send(w->chan, IPC_RESUME, 0, &resume.base, -1);
	w->dial_asked = false;
}

void gw_worker_on_dial(struct gw_dial *d, void *arg)
{
	struct gw_worker *w = arg;

	(void)d;
	if (gw_worker_listens(w))
		say_dial(w);
}

int gw_worker_dial_ask(struct gw_worker *w)
{
	if (w->dial_asked)
		return WA_EPROTO; /* it has asked already */
	w->dial_asked = true;
	/* a RESUME that waits for its turn is not needed any more: the turn is the worker's */
	if (!w->dial.waits && gw_dials_ask(w->gw->dials, &w->dial))
		say_dial(w);
	return 0;
}

void gw_worker_resume(struct gw_worker *w, const char *request_id)
{
	if (!gw_worker_listens(w) || w->dial.waits)
		return; /* it is about to dial */
	snprintf(w->resume_id, sizeof(w->resume_id), "%s", request_id != NULL ? request_id : "");
	if (gw_dials_ask(w->gw->dials, &w->dial))
		say_dial(w);
}

/* ---- the client version ----------------------------------------------------- */

void gw_worker_on_version(struct gw_version_asker *a, uint32_t revision, bool look_up)
{
	struct gw_worker *w = a->arg;
	Ipc__VersionTell m = IPC__VERSION_TELL__INIT;

	m.has_revision = revision != 0;
	m.revision = revision;
	m.has_look_up = true;
	m.look_up = look_up;
	if (gw_worker_listens(w))
		(void)!ipc_chan_send(w->chan, IPC_VERSION_TELL, 0, &m.base, -1);
}

/* ---- events ----------------------------------------------------------------- */

void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again)
{
	Ipc__EventCommit m = IPC__EVENT_COMMIT__INIT;

	m.has_store = m.has_number = true;
	m.store = store;
	m.number = number;
	m.has_again = m.again = again;
	/* one that leaves has time until then to hear it */
	if (w->chan != NULL && w->phase != GW_W_WAITING)
		(void)!ipc_chan_send(w->chan, IPC_EVENT_COMMIT, 0, &m.base, -1);
}

/* ---- a person's wishes ------------------------------------------------------ */

void gw_worker_logout(struct gw_worker *w, const char *request_id)
{
	Ipc__Logout m = IPC__LOGOUT__INIT;

	if (w->phase == GW_W_WAITING) /* whatever comes of it: it leaves then */
		w->mode = w->inst->mode = GW_MODE_LOGOUT;
	if (!gw_worker_listens(w))
		return;
	m.request_id = text_or_none(request_id);
	(void)!ipc_chan_send(w->chan, IPC_LOGOUT, 0, &m.base, -1);
}

int gw_worker_passkey_answer(struct gw_worker *w, const char *credential, const char *request_id)
{
	Ipc__PasskeyAnswer m = IPC__PASSKEY_ANSWER__INIT;

	if (!gw_worker_listens(w))
		return WA_ESTATE;
	m.credential = text(credential);
	m.request_id = text_or_none(request_id);
	return ipc_chan_send(w->chan, IPC_PASSKEY_ANSWER, 0, &m.base, -1);
}

int gw_worker_passkey_confirm(struct gw_worker *w, const char *request_id)
{
	Ipc__PasskeyConfirm m = IPC__PASSKEY_CONFIRM__INIT;

	if (!gw_worker_listens(w))
		return WA_ESTATE;
	m.request_id = text_or_none(request_id);
	return ipc_chan_send(w->chan, IPC_PASSKEY_CONFIRM, 0, &m.base, -1);
}
