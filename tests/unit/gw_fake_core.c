/* tests/unit/gw_fake_core.c - registry and instances that only remember what they were asked */
#include "gw_fake_core.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/doctor/gw_doctor.h"
#include "gateway/http/gw_auth.h"
#include "gateway/registry/gw_invite.h"
#include "gateway/supervision/gw_supervisor.h"
#include "gateway/supervision/gw_upgrade.h"
#include "gateway/supervision/gw_worker.h"
#include "gateway/supervision/gw_survey.h"
#include "gateway/supervision/gw_worker_ask.h"
#include "gateway/webhook/gw_hooks.h"

struct gw_instance {
	int unused;
};
struct gw_watch {
	gw_watch_cb *cb;
	void *arg;
};
struct gw_logout {
	gw_logout_cb *cb;
	void *arg;
};

struct fake_core core;
static struct gw_instance shop;
static struct gw_account acme = { .name = "acme", .quota = GW_QUOTA_NONE };
static struct gw_watch watch;
static struct gw_logout logout;

void fake_core_init(struct gw *gw)
{
	memset(&core, 0, sizeof(core));
	core.gw = gw;
}

void fake_core_clear(void)
{
	json_decref(core.passkey.public_key);
	free(core.code.png_data_url);
	free(core.settings);
	gw_hook_config_free(core.hooks);
}

static void show(const char *text, bool pairing)
{
	free(core.code.png_data_url);
	core.code = (struct gw_code){ .pairing = pairing,
		                      .expires_at_ms = clock_ms() + 60500,
		                      .expires_unix_ms = clock_unix_ms() + 60500 };
	strncpy(core.code.text, text, sizeof(core.code.text) - 1);
	fake_core_tell(GW_WATCH_CODE, NULL);
}

void fake_core_show_qr(const char *text)
{
	show(text, false);
}

void fake_core_show_pairing(const char *text)
{
	show(text, true);
}

void fake_core_tell(enum gw_watch_event ev, const struct gw_reason *reason)
{
	if (!core.watched)
		return;
	core.watched = ev == GW_WATCH_CODE || ev == GW_WATCH_PASSKEY || ev == GW_WATCH_CONNECTING;
	watch.cb(&shop, ev, reason, watch.arg);
}

void fake_core_logged_out(const struct gw_reason *reason)
{
	if (!core.logging_out)
		return;
	core.logging_out = false;
	logout.cb(&shop, reason, logout.arg);
}

/* ---- gw_instance.h ----------------------------------------------------------- */

const char *gw_conn_state_name(enum gw_conn_state st)
{
	return st == GW_CONNECTED ? "connected" : "disconnected";
}

void gw_reason_code(const struct gw_reason *r, char *out)
{
	snprintf(out, GW_REASON_CODE_CAP, "%s", wa_err_name(r->rc));
}

const char *gw_passkey_status_name(enum gw_passkey_status st)
{
	static const char *const names[] = { "none", "required", "confirm", "done" };

	return names[st];
}

int gw_instance_connect(struct gw_instance *inst, const struct gw_connect_params *params,
                        gw_watch_cb *cb, void *arg, struct gw_watch **watch_out)
{
	(void)inst;
	core.connects_n++;
	snprintf(core.number, sizeof(core.number), "%s", params->number ? params->number : "");
	snprintf(core.request_id, sizeof(core.request_id), "%s", params->request_id);
	core.history_days = params->history_days;
	if (core.connect_rc < 0)
		return core.connect_rc;
	watch = (struct gw_watch){ cb, arg };
	core.watched = true;
	*watch_out = &watch;
	return 0;
}

unsigned gw_instance_number_wait_s(const struct gw_instance *inst, const char *number)
{
	(void)inst;
	return strcmp(number, core.number) == 0 ? core.wait_s : 0;
}

int gw_instance_reconnect(struct gw_instance *inst, const char *request_id)
{
	(void)inst;
	core.reconnects_n++;
	snprintf(core.request_id, sizeof(core.request_id), "%s", request_id);
	return core.reconnect_rc;
}

int gw_instance_logout(struct gw_instance *inst, const char *request_id, gw_logout_cb *cb,
                       void *arg, struct gw_logout **logout_out)
{
	(void)inst;
	core.logouts_n++;
	snprintf(core.request_id, sizeof(core.request_id), "%s", request_id);
	if (core.logout_rc < 0)
		return core.logout_rc;
	logout = (struct gw_logout){ cb, arg };
	core.logging_out = true;
	*logout_out = &logout;
	return 0;
}

void gw_logout_forget(struct gw_logout *l)
{
	(void)l;
	core.logging_out = false;
}

const struct gw_passkey *gw_instance_passkey(const struct gw_instance *inst)
{
	(void)inst;
	return &core.passkey;
}

int gw_instance_passkey_answer(struct gw_instance *inst, const char *credential,
                               const char *request_id)
{
	(void)inst;
	(void)request_id;
	if (core.answer_rc < 0)
		return core.answer_rc;
	snprintf(core.credential, sizeof(core.credential), "%s", credential);
	core.passkey.status = GW_PASSKEY_CONFIRM;
	return 0;
}

int gw_instance_passkey_confirm(struct gw_instance *inst, const char *request_id)
{
	(void)inst;
	(void)request_id;
	if (core.passkey.code[0] == '\0')
		return WA_ESTATE;
	core.passkey.status = GW_PASSKEY_DONE;
	return core.confirm_rc;
}

void gw_watch_cancel(struct gw_watch *w)
{
	if (w != NULL)
		core.watched = false;
}

struct gw_code *gw_instance_code(struct gw_instance *inst)
{
	(void)inst;
	return core.code.text[0] == '\0' ? NULL : &core.code;
}

const struct gw_proxy *gw_instance_proxy(const struct gw_instance *inst)
{
	(void)inst;
	return &core.proxy;
}

const struct gw_hook_config *gw_instance_hooks(const struct gw_instance *inst)
{
	static const struct gw_hook_config none;

	(void)inst;
	return core.hooks != NULL ? core.hooks : &none;
}

const struct gw_websocket *gw_websocket_config(const struct gw_instance *inst)
{
	return &gw_instance_hooks(inst)->websocket;
}

static const char *const protocols[] = { "http", "https", "socks5" };

const char *gw_proxy_protocol_name(enum gw_proxy_protocol p)
{
	return protocols[p];
}

int gw_proxy_protocol_parse(const char *name)
{
	for (int i = 0; i < 3; i++)
		if (strcmp(protocols[i], name) == 0)
			return i;
	return -EINVAL;
}

json_t *gw_instance_settings_json(const struct gw_instance *inst)
{
	(void)inst;
	return core.settings != NULL ? json_loads(core.settings, 0, NULL)
	                             : json_pack("{s:b}", "ignoreStatus", 0);
}

const char *gw_instance_id(const struct gw_instance *inst)
{
	(void)inst;
	return "aaaaaaaaaaaaaaaa";
}

const char *gw_instance_name(const struct gw_instance *inst)
{
	(void)inst;
	return "shop";
}

struct gw_account *gw_instance_account(const struct gw_instance *inst)
{
	(void)inst;
	return &acme;
}

enum gw_conn_state gw_instance_state(const struct gw_instance *inst)
{
	(void)inst;
	return core.state;
}

bool gw_instance_is_linked(const struct gw_instance *inst)
{
	(void)inst;
	return core.linked;
}

const char *gw_instance_number_jid(const struct gw_instance *inst)
{
	(void)inst;
	return core.linked ? FAKE_JID : "";
}

const struct log_ctx *gw_instance_log(const struct gw_instance *inst)
{
	(void)inst;
	return NULL;
}

json_t *gw_instance_json(const struct gw_instance *inst)
{
	(void)inst;
	return json_pack("{s:s}", "name", "shop");
}

int gw_instance_json_text(struct gw_instance *inst, struct buf *out)
{
	(void)inst;
	return buf_append_str(out, "{\"name\":\"shop\"}");
}

int gw_instance_json_text_memory(struct gw_instance *inst, bool look, struct buf *out)
{
	(void)look;
	return gw_instance_json_text(inst, out);
}

/* ---- gw_registry.h ----------------------------------------------------------- */

bool gw_name_valid(const char *name)
{
	size_t len =
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return name[len] == '\0' && len >= 1 && len <= GW_NAME_MAX;
}

static bool is_token(const uint8_t *hash, const char *token)
{
	uint8_t other[GW_TOKEN_HASH_LEN];

	gw_token_hash(token, strlen(token), other);
	return memcmp(hash, other, sizeof(other)) == 0;
}

struct gw_account *gw_registry_account_by_token(struct gw_registry *reg, const uint8_t *hash)
{
	(void)reg;
	return is_token(hash, FAKE_ACME) ? &acme : NULL;
}

struct gw_instance *gw_registry_instance_by_token(struct gw_registry *reg, const uint8_t *hash)
{
	(void)reg;
	return is_token(hash, FAKE_SHOP) ? &shop : NULL;
}

struct gw_instance *gw_registry_instance(struct gw_registry *reg, const struct gw_account *acc,
                                         const char *name)
{
	(void)reg;
	(void)acc;
	return strcmp(name, "shop") == 0 && !core.gone ? &shop : NULL;
}

struct gw_instance *gw_registry_next(struct gw_registry *reg, const struct gw_account *acc,
                                     struct gw_instance *prev)
{
	(void)reg;
	(void)acc;
	return prev == NULL ? &shop : NULL;
}

struct gw_account *gw_registry_next_account(struct gw_registry *reg, struct gw_account *prev)
{
	(void)reg;
	return prev == NULL ? &acme : NULL;
}

struct gw_account *gw_registry_account_by_name(struct gw_registry *reg, const char *name)
{
	(void)reg;
	return strcmp(name, "acme") == 0 ? &acme : NULL;
}

int gw_registry_invite_create(struct gw_registry *reg, struct gw_instance *inst,
                              const uint8_t *hash, const struct gw_invite_terms *terms,
                              gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	(void)hash;
	(void)terms;
	(void)done;
	(void)arg;
	return -ENOMEM;
}

struct gw_instance *gw_registry_invite_find(struct gw_registry *reg, const uint8_t *hash,
                                            int64_t now_unix_ms,
                                            const struct gw_invite_terms **terms_out)
{
	(void)reg;
	(void)hash;
	(void)now_unix_ms;
	(void)terms_out;
	return NULL;
}

bool gw_registry_ok(const struct gw_registry *reg)
{
	(void)reg;
	return true;
}

struct stored {
	gw_registry_done *done;
	void *arg;
};

static void on_stored(evutil_socket_t fd, short what, void *arg)
{
	struct stored s = *(struct stored *)arg;

	(void)fd;
	(void)what;
	free(arg);
	s.done(core.stored_rc, &shop, s.arg);
}

static int change(gw_registry_done *done, void *arg)
{
	const struct timeval now = { 0 };
	struct stored *s;

	core.changes_n++;
	if (core.change_rc < 0)
		return core.change_rc;
	s = malloc(sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	*s = (struct stored){ done, arg };
	return event_base_once(core.gw->base, -1, EV_TIMEOUT, on_stored, s, &now);
}

static void take_settings(const char *text)
{
	free(core.settings);
	core.settings = text == NULL ? NULL : strdup(text);
}

/* Laid over what there is at once, as if the commit were done. */
static void take_hooks(const json_t *patch)
{
	if (patch != NULL && core.change_rc == 0 && core.stored_rc == 0)
		(void)!gw_hook_config_apply(&core.hooks, patch);
}

int gw_registry_instance_hooks(struct gw_registry *reg, struct gw_instance *inst, json_t *patch,
                               gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	take_hooks(patch);
	return change(done, arg);
}

int gw_registry_instance_create(struct gw_registry *reg, struct gw_account *acc, const char *name,
                                const uint8_t *token_hash, const char *settings_json,
                                const struct gw_proxy *proxy, const json_t *hooks,
                                gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)acc;
	take_hooks(hooks);
	(void)name;
	memcpy(core.token_hash, token_hash, GW_TOKEN_HASH_LEN);
	take_settings(settings_json);
	core.with_proxy = proxy != NULL;
	if (proxy != NULL)
		core.proxy = *proxy;
	return change(done, arg);
}

int gw_registry_instance_settings(struct gw_registry *reg, struct gw_instance *inst,
                                  const char *settings_json, gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	take_settings(settings_json);
	return change(done, arg);
}

int gw_registry_instance_proxy(struct gw_registry *reg, struct gw_instance *inst,
                               const struct gw_proxy *proxy, gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	core.proxy = *proxy;
	return change(done, arg);
}

int gw_registry_instance_rotate(struct gw_registry *reg, struct gw_instance *inst,
                                const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	memcpy(core.token_hash, token_hash, GW_TOKEN_HASH_LEN);
	return change(done, arg);
}

int gw_registry_instance_delete(struct gw_registry *reg, struct gw_instance *inst,
                                gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)inst;
	core.deletes_n++;
	return change(done, arg);
}

int gw_registry_account_create(struct gw_registry *reg, const char *name, int64_t quota,
                               const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)name;
	(void)quota;
	(void)token_hash;
	return change(done, arg);
}

int gw_registry_account_rotate(struct gw_registry *reg, struct gw_account *acc,
                               const uint8_t *token_hash, gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)acc;
	(void)token_hash;
	return change(done, arg);
}

int gw_registry_account_quota(struct gw_registry *reg, struct gw_account *acc, int64_t quota,
                              gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)acc;
	core.quota = quota;
	return change(done, arg);
}

void gw_registry_on_token_end(struct gw_registry *reg, gw_registry_token_end *cb, void *arg)
{
	(void)reg;
	core.token_end = cb;
	core.token_end_arg = arg;
}

int gw_registry_account_delete(struct gw_registry *reg, struct gw_account *acc,
                               gw_registry_done *done, void *arg)
{
	(void)reg;
	(void)acc;
	return change(done, arg);
}

/* ---- gw_supervisor.h, gw_worker.h -------------------------------------------- */

size_t gw_supervisor_count(const struct gw_supervisor *sup)
{
	(void)sup;
	return 0;
}

bool gw_supervisor_ok(const struct gw_supervisor *sup)
{
	(void)sup;
	return true;
}

struct gw_instance *gw_registry_next_any(struct gw_registry *reg, struct gw_instance *prev)
{
	(void)reg;
	return prev == NULL ? &shop : NULL;
}

struct gw_worker *gw_supervisor_next(struct gw_supervisor *sup, struct gw_worker *prev)
{
	(void)sup;
	(void)prev;
	return NULL;
}

pid_t gw_worker_pid(const struct gw_worker *w)
{
	(void)w;
	return 0;
}

struct gw_survey_list *gw_supervisor_surveys(struct gw_supervisor *sup)
{
	static struct gw_survey_list surveys = TAILQ_HEAD_INITIALIZER(surveys);

	(void)sup;
	return &surveys;
}

int64_t gw_worker_memory_bytes(struct gw_worker *w, bool look)
{
	(void)w;
	(void)look;
	return -1;
}

void gw_worker_memory(struct gw_worker *w, uint32_t max_age_ms, struct gw_worker_memory *out)
{
	(void)w;
	(void)max_age_ms;
	(void)out;
}

void gw_worker_info(struct gw_worker *w, struct gw_worker_info *info_out)
{
	(void)w;
	(void)info_out;
}

const char *gw_instance_last_log(const struct gw_instance *inst)
{
	(void)inst;
	return NULL;
}

size_t gw_upgrade_start(struct gw_upgrade *u, unsigned per_minute)
{
	(void)u;
	(void)per_minute;
	return 0;
}

/* ---- gw_doctor.h ------------------------------------------------------------- */

int gw_doctor_start(struct gw *gw, const struct gw_instance *inst,
                    void (*on_done)(const struct gw_findings *fs, void *arg), void *arg,
                    struct gw_doctor **doctor_out)
{
	(void)gw;
	(void)inst;
	(void)on_done;
	(void)arg;
	(void)doctor_out;
	return -ENOMEM;
}

void gw_doctor_free(struct gw_doctor *d)
{
	(void)d;
}

/* ---- gw_hooks.h: nobody delivers ---------------------------------------------- */

const uint32_t gw_hooks_bucket_ms[GW_HOOKS_BUCKETS] = { 0 };

const char *gw_hooks_result_name(enum gw_hooks_result r)
{
	(void)r;
	return "delivered";
}

void gw_hooks_stats(const struct gw_hooks *hooks, struct gw_hooks_stats *stats_out)
{
	(void)hooks;
	*stats_out = (struct gw_hooks_stats){ .lanes_n = 0 };
}

bool gw_hooks_lane(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                   struct gw_hooks_lane_info *info_out)
{
	(void)hooks;
	(void)inst;
	(void)label;
	(void)info_out;
	return false;
}

size_t gw_hooks_rewind(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                       uint64_t sequence)
{
	(void)hooks;
	(void)inst;
	(void)label;
	(void)sequence;
	return 0;
}

int gw_hooks_dead_again(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                        gw_hook_job_done *done, void *arg)
{
	(void)hooks;
	(void)inst;
	(void)label;
	(void)done;
	(void)arg;
	return -ENOMEM;
}

int gw_hooks_dead_list(struct gw_hooks *hooks, struct gw_instance *inst, const char *label,
                       gw_hook_job_done *done, void *arg)
{
	return gw_hooks_dead_again(hooks, inst, label, done, arg);
}

/* ---- events ----------------------------------------------------------------- */

void gw_worker_event_commit(struct gw_worker *w, uint64_t store, uint64_t number, bool again)
{
	(void)w;
	(void)store;
	(void)number;
	(void)again;
}

/* ---- gw_worker_ask.h: nobody answers ------------------------------------------ */

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
