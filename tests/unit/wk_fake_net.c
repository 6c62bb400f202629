/* tests/unit/wk_fake_net.c - network, server and phone for tests of the session */
#include "wk_fake_net.h"

#include "test.h"

#include <dirent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_adv.pb-c.h"
#include "worker/net/wk_conn.h"
#include "worker/net/wk_version.h"
#include "worker/store/wk_store.h"
#include "worker/wa/crypto/wa_keys.h"

/* Link-time stand-ins have no argument for it. */
static struct fake *fake;

/* ---- wk_dial ----------------------------------------------------------------------------- */

struct wk_dial {
	const struct wk_dial_ops *ops;
	void *arg;
};

static struct wk_dial *dial;

int wk_dial_new(const struct wk_dial_params *params, const struct wk_dial_ops *ops, void *arg,
                struct wk_dial **dial_out)
{
	assert_non_null(params->host);
	assert_null(dial);
	dial = calloc(1, sizeof(*dial));
	assert_non_null(dial);
	dial->ops = ops;
	dial->arg = arg;
	fake->dials++;
	fake->dial_proxy_port = params->proxy->kind != WK_PROXY_NONE ? params->proxy->port : 0;
	fake->dialling = true;
	*dial_out = dial;
	return 0;
}

void wk_dial_free(struct wk_dial *d)
{
	if (d == NULL)
		return;
	assert_ptr_equal(d, dial);
	free(d);
	dial = NULL;
	fake->dialling = false;
}

void wk_pipe_close(struct wk_pipe *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
}

/* ---- wk_conn ----------------------------------------------------------------------------- */

struct wk_conn {
	const struct wk_conn_ops *ops;
	void *arg;
};

static struct wk_conn *conn;

int wk_conn_new(struct event_base *base, struct wk_pipe pipe, const struct wk_conn_params *params,
                const struct wk_conn_ops *ops, void *arg, struct wk_failure *f,
                struct wk_conn **conn_out)
{
	(void)base;
	(void)f;
	wk_pipe_close(&pipe);
	assert_null(conn);
	conn = calloc(1, sizeof(*conn));
	assert_non_null(conn);
	conn->ops = ops;
	conn->arg = arg;
	fake->conns++;
	fake->open = true;
	fake->closing = false;
	fake->used_ik = params->server_static != NULL;
	fake->routing_len = params->routing_len;
	buf_reset(&fake->payload);
	assert_int_equal(buf_append(&fake->payload, params->payload->p, params->payload->len), 0);
	*conn_out = conn;
	return 0;
}

void wk_conn_free(struct wk_conn *c)
{
	if (c == NULL)
		return;
	assert_ptr_equal(c, conn);
	free(c);
	conn = NULL;
	fake->open = false;
}

/* Kept as the bytes say it, so that builders are tested, too. */
int wk_conn_send(struct wk_conn *c, const struct wa_node *n)
{
	struct buf bytes = { 0 };

	assert_ptr_equal(c, conn);
	if (fake->send_rc < 0)
		return fake->send_rc;
	assert_true(fake->sent_n < FAKE_SENT_MAX);
	assert_int_equal(wa_stanza_encode(n, &bytes), 0);
	assert_int_equal(wa_stanza_decode(bytes.p, bytes.len, &fake->sent[fake->sent_n]), 0);
	fake->sent_n++;
	buf_free(&bytes);
	return 0;
}

void wk_conn_pause(struct wk_conn *c, _Bool stop)
{
	(void)c;
	(void)stop;
}

_Bool wk_conn_close(struct wk_conn *c)
{
	assert_ptr_equal(c, conn);
	fake->closes++;
	fake->closing = true;
	return true;
}

/* ---- wk_version -------------------------------------------------------------------------- */

struct wk_version {
	const struct wk_version_ops *ops;
	void *arg;
};

static struct wk_version *lookup;

int wk_version_new(struct event_base *base, const struct wk_tls *tls, const struct wk_url *url,
                   const struct wk_proxy *proxy, const char *ca_file, uint32_t connect_ms,
                   const struct wk_version_ops *ops, void *arg, struct wk_version **version_out)
{
	(void)base;
	(void)tls;
	(void)url;
	(void)ca_file;
	(void)connect_ms;
	assert_non_null(proxy);
	lookup = calloc(1, sizeof(*lookup));
	assert_non_null(lookup);
	lookup->ops = ops;
	lookup->arg = arg;
	fake->lookups++;
	fake->looking_up = true;
	*version_out = lookup;
	return 0;
}

void wk_version_free(struct wk_version *v)
{
	if (v == NULL)
		return;
	free(v);
	lookup = NULL;
	fake->looking_up = false;
}

void fake_version(struct fake *f, int rc, uint32_t revision)
{
	struct wk_failure failure;

	assert_true(f->looking_up);
	if (rc == 0) {
		lookup->ops->on_version(revision, lookup->arg);
		return;
	}
	wk_failure_set(&failure, rc, "no such page");
	lookup->ops->on_failed(&failure, lookup->arg);
}

/* ---- what the session tells -------------------------------------------------------------- */

static void on_step(int step, uint64_t elapsed_us, void *arg)
{
	struct fake *f = arg;

	(void)elapsed_us;
	f->steps++;
	f->last_step = step;
}

static void on_code(const struct wk_code *code, const struct wk_timing *timing, void *arg)
{
	struct fake *f = arg;

	assert_int_equal(timing != NULL, f->codes == 0);
	f->codes++;
	f->code = *code;
}

static void on_pairing_code(const char *code, uint32_t valid_ms, const struct wk_timing *timing,
                            void *arg)
{
	struct fake *f = arg;

	assert_int_equal(timing != NULL, f->pairing_codes == 0);
	f->pairing_codes++;
	(void)snprintf(f->pairing_code, sizeof(f->pairing_code), "%s", code);
	f->pairing_code_ms = valid_ms;
}

static void on_passkey(const struct wk_passkey_view *view, void *arg)
{
	struct fake *f = arg;

	f->passkeys++;
	f->passkey = view->stage;
}

static void on_linked(const struct wk_creds *creds, void *arg)
{
	struct wk_creds saved = { .logins = 0 };
	struct fake *f = arg;

	f->linked++;
	assert_string_equal(creds->jid, FAKE_JID);
	f->stored_when_linked =
	    wk_store_load(f->s->store, &saved) == 0 && strcmp(saved.jid, FAKE_JID) == 0;
	wk_creds_clear(&saved);
}

static void on_online(const struct wk_creds *creds, uint64_t elapsed_us, uint64_t since_ms,
                      void *arg)
{
	(void)creds;
	(void)elapsed_us;
	(void)since_ms;
	((struct fake *)arg)->online++;
}

static void on_profile(const struct wk_creds *creds, void *arg)
{
	(void)creds;
	((struct fake *)arg)->profiles++;
}

static void on_down(const struct wk_failure *down, unsigned attempt, uint64_t retry_ms, void *arg)
{
	struct fake *f = arg;

	f->downs++;
	f->down = *down;
	f->down_attempt = attempt;
	f->down_ms = retry_ms;
}

static void on_logout_done(const struct wk_failure *failure, void *arg)
{
	struct fake *f = arg;

	f->logouts++;
	memset(&f->logout, 0, sizeof(f->logout));
	if (failure != NULL)
		f->logout = *failure;
}

static void on_dial_ask(void *arg)
{
	((struct fake *)arg)->dial_asks++;
}

static void on_version_ask(uint32_t used, void *arg)
{
	struct fake *f = arg;

	f->version_asks++;
	f->version_used = used;
}

static void on_version_found(const struct wk_failure *failure, uint32_t revision, void *arg)
{
	struct fake *f = arg;

	f->version_founds++;
	f->version_found = failure == NULL ? revision : 0;
}

static void on_failed(const struct wk_failure *failure, void *arg)
{
	struct fake *f = arg;

	f->failed++;
	f->failure = *failure;
}

static void on_end(void *arg)
{
	((struct fake *)arg)->ended++;
}

static const struct wk_session_ops ops = {
	.on_step = on_step,
	.on_code = on_code,
	.on_pairing_code = on_pairing_code,
	.on_passkey = on_passkey,
	.on_linked = on_linked,
	.on_online = on_online,
	.on_profile = on_profile,
	.on_down = on_down,
	.on_logout_done = on_logout_done,
	.on_dial_ask = on_dial_ask,
	.on_version_ask = on_version_ask,
	.on_version_found = on_version_found,
	.on_failed = on_failed,
	.on_end = on_end,
};

/* ---- life -------------------------------------------------------------------------------- */

static void new_session(struct fake *f, unsigned speed)
{
	struct wk_session_params params = {
		.base = f->base,
		.instance_id = "inst",
		.dir = f->dir,
		.speed = speed,
		.ops = &ops,
		.arg = f,
	};

	assert_int_equal(wk_session_new(&params, &f->s), 0);
	assert_int_equal(wk_url_parse("ws://" FAKE_ADDRESS "/", &f->s->target.url), 0);
}

void fake_setup_speed(struct fake *f, unsigned speed)
{
	memset(f, 0, sizeof(*f));
	fake = f;
	assert_int_equal(wa_keys_init(), 0);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-wk-session-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	memset(f->key, 9, sizeof(f->key));
	f->base = event_base_new();
	assert_non_null(f->base);
	new_session(f, speed);
}

void fake_setup(struct fake *f)
{
	fake_setup_speed(f, 1);
}

static void forget_sent(struct fake *f)
{
	for (unsigned i = 0; i < f->sent_n; i++)
		wa_node_free(f->sent[i]);
	f->sent_n = f->read_n = 0;
}

void fake_restart(struct fake *f)
{
	unsigned speed = f->s->p.speed;
	struct fake fresh = { .base = f->base };

	wk_session_free(f->s);
	assert_null(conn);
	assert_null(dial);
	forget_sent(f);
	buf_free(&f->payload);
	memcpy(fresh.dir, f->dir, sizeof(fresh.dir));
	memcpy(fresh.key, f->key, sizeof(fresh.key));
	*f = fresh;
	new_session(f, speed);
}

static void remove_dir(const char *path)
{
	char name[2 * PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(path);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		(void)unlink(name);
	}
	(void)closedir(d);
	(void)rmdir(path);
}

void fake_teardown(struct fake *f)
{
	wk_session_free(f->s);
	assert_null(conn);
	assert_null(dial);
	assert_null(lookup);
	forget_sent(f);
	buf_free(&f->payload);
	event_base_free(f->base);
	remove_dir(f->dir);
	fake = NULL;
}

void fake_connect(struct fake *f, Ipc__Connect__Mode mode, const char *number)
{
	struct wk_target t = { .version_auto = true, .mode = mode };

	assert_int_equal(wk_url_parse("ws://" FAKE_ADDRESS "/", &t.url), 0);
	t.origin = strdup("https://web.whatsapp.com");
	t.device_name = strdup("Warden");
	t.version = (struct wa_version){ WA_VERSION_PRIMARY, WA_VERSION_SECONDARY, 1000 };
	if (number != NULL)
		(void)snprintf(t.number, sizeof(t.number), "%s", number);
	memcpy(t.key.bytes, f->key, sizeof(t.key.bytes));
	t.linked = f->expect_link;
	t.store_generation = f->store_generation;
	assert_int_equal(wk_settings_take(&t.settings, NULL), 0);
	assert_int_equal(wk_session_connect(f->s, &t, clock_us()), 0);
}

void fake_pass(struct fake *f)
{
	(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
}

void fake_run(struct fake *f)
{
	for (int i = 0; i < 100000 && f->ended == 0; i++)
		(void)event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->ended, 1);
}

/* ---- network ----------------------------------------------------------------------------- */

void fake_dialled(struct fake *f)
{
	assert_true(f->dialling);
	if (f->s->state == WK_RESOLVING)
		dial->ops->on_resolved(dial->arg);
	dial->ops->on_connected((struct wk_pipe){ .fd = -1 }, dial->arg);
}

static void fake_ready(struct fake *f)
{
	struct wa_server_key key = { .until_unix_s = clock_unix_s() + 3600 };

	assert_true(f->open);
	conn->ops->on_open(conn->arg);
	conn->ops->on_ready(&key, conn->arg);
}

void fake_up(struct fake *f)
{
	if (f->s->state == WK_ASKING)
		wk_session_dial_go(f->s);
	fake_dialled(f);
	fake_ready(f);
}

void fake_dial_fails(struct fake *f, int rc)
{
	struct wk_failure failure;

	assert_true(f->dialling);
	wk_failure_set(&failure, rc, "no way");
	dial->ops->on_failed(&failure, dial->arg);
}

void fake_conn_ends(struct fake *f, int rc)
{
	struct wk_failure failure;

	assert_true(f->open);
	if (rc != 0)
		wk_failure_set(&failure, rc, "gone");
	conn->ops->on_end(rc != 0 ? &failure : NULL, conn->arg);
}

/* ---- the server -------------------------------------------------------------------------- */

void fake_rx(struct fake *f, struct wa_node *n)
{
	assert_true(f->open);
	assert_non_null(n);
	conn->ops->on_stanza(n, conn->arg);
	wa_node_free(n);
}

void fake_rx_failure(struct fake *f, const char *reason)
{
	struct wa_node *n = wa_node_new("failure");

	wa_node_set(n, "reason", reason);
	fake_rx(f, n);
}

void fake_rx_stream_error(struct fake *f, const char *code, const char *child, const char *type)
{
	struct wa_node *n = wa_node_new("stream:error");

	wa_node_set(n, "code", code);
	if (child != NULL)
		wa_node_set(wa_node_add(n, child), "type", type);
	fake_rx(f, n);
}

void fake_rx_pair_device(struct fake *f)
{
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *pd = wa_node_add(n, "pair-device");
	char ref[8] = "2@ref0";

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "set");
	wa_node_set(n, "id", "pd-1");
	for (int i = 0; i < 6; i++, ref[5]++)
		wa_node_set_bytes(wa_node_add(pd, "ref"), ref, strlen(ref));
	fake_rx(f, n);
}

void fake_rx_notification(struct fake *f, const char *type)
{
	struct wa_node *n = wa_node_new("notification");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", type);
	wa_node_set(n, "id", "nt-1");
	fake_rx(f, n);
}

static void pack(const ProtobufCMessage *msg, struct buf *out)
{
	assert_int_equal(buf_reserve(out, protobuf_c_message_get_packed_size(msg) + 1), 0);
	out->len += protobuf_c_message_pack(msg, out->p + out->len);
}

static void sign_device(const struct wa_device *d, struct buf *out)
{
	Wa__AdvSignedDeviceIdentity a = WA__ADV_SIGNED_DEVICE_IDENTITY__INIT;
	Wa__AdvDeviceIdentity id = WA__ADV_DEVICE_IDENTITY__INIT;
	struct buf details = { 0 }, text = { 0 };
	struct wa_keypair account;
	uint8_t sig[WA_SIG_LEN];

	id.has_raw_id = id.has_timestamp = id.has_key_index = 1;
	id.raw_id = 77;
	id.timestamp = 1787000001;
	id.key_index = 3;
	pack(&id.base, &details);
	assert_int_equal(wa_keypair_new(&account), 0);
	assert_int_equal(buf_append(&text, "\x06\x00", 2), 0);
	assert_int_equal(buf_append(&text, details.p, details.len), 0);
	assert_int_equal(buf_append(&text, d->identity.pub, WA_KEY_LEN), 0);
	assert_int_equal(wa_xeddsa_sign(account.priv, text.p, text.len, NULL, sig), 0);
	a.has_details = a.has_account_signature = a.has_account_signature_key = 1;
	a.details.data = details.p;
	a.details.len = details.len;
	a.account_signature_key.data = account.pub;
	a.account_signature_key.len = WA_KEY_LEN;
	a.account_signature.data = sig;
	a.account_signature.len = WA_SIG_LEN;
	pack(&a.base, out);
	buf_free(&details);
	buf_free(&text);
}

static void device_identity(const struct wa_device *d, bool wrong, struct buf *out)
{
	Wa__AdvSignedDeviceIdentityHmac w = WA__ADV_SIGNED_DEVICE_IDENTITY_HMAC__INIT;
	struct buf details = { 0 };
	uint8_t hmac[32];

	sign_device(d, &details);
	assert_int_equal(wa_hmac_sha256(d->adv_secret, 32, details.p, details.len, hmac), 0);
	hmac[0] ^= wrong;
	w.has_details = w.has_hmac = 1;
	w.details.data = details.p;
	w.details.len = details.len;
	w.hmac.data = hmac;
	w.hmac.len = sizeof(hmac);
	pack(&w.base, out);
	buf_free(&details);
}

void fake_rx_device_identity(struct fake *f, const uint8_t *id, size_t len)
{
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *ps = wa_node_add(n, "pair-success");
	struct wa_node *device;

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "set");
	wa_node_set(n, "id", "ps-1");
	wa_node_set_bytes(wa_node_add(ps, "device-identity"), id, len);
	device = wa_node_add(ps, "device");
	wa_node_set_jid(device, "jid", FAKE_JID);
	wa_node_set_jid(device, "lid", FAKE_LID);
	wa_node_set(wa_node_add(ps, "platform"), "name",
	            f->platform != NULL ? f->platform : "android");
	if (f->business_name != NULL)
		wa_node_set(wa_node_add(ps, "biz"), "name", f->business_name);
	fake_rx(f, n);
}

void fake_rx_pair_success(struct fake *f, bool wrong)
{
	struct buf id = { 0 };

	device_identity(&f->s->creds.device, wrong, &id);
	fake_rx_device_identity(f, id.p, id.len);
	buf_free(&id);
}

void fake_rx_success(struct fake *f)
{
	struct wa_node *n = wa_node_new("success");

	wa_node_set_int(n, "t", clock_unix_s());
	wa_node_set_jid(n, "lid", FAKE_LID);
	fake_rx(f, n);
}

static struct wa_node *result_for(const struct wa_node *iq)
{
	struct wa_node *n = wa_node_new("iq");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	if (wa_node_child(iq, "count") != NULL)
		wa_node_set(wa_node_add(n, "count"), "value", "50");
	return n;
}

/* Answer every request of the bring-up that has not been answered. */
static void fake_answer(struct fake *f)
{
	while (f->read_n < f->sent_n && f->open) {
		const struct wa_node *iq = f->sent[f->read_n++];

		if (!wa_node_is(iq, "iq") || wa_node_attr_is(iq, "type", "result") ||
		    wa_node_child(iq, "digest") != NULL ||
		    wa_node_child(iq, "remove-companion-device") != NULL)
			continue;
		fake_rx(f, result_for(iq));
	}
}

/* ---- reading ----------------------------------------------------------------------------- */

const struct wa_node *fake_sent(struct fake *f)
{
	return f->read_n < f->sent_n ? f->sent[f->read_n++] : NULL;
}

const struct wa_node *fake_sent_find(struct fake *f, const char *tag, const char *child)
{
	const struct wa_node *n;

	while ((n = fake_sent(f)) != NULL)
		if (wa_node_is(n, tag) && (child == NULL || wa_node_child(n, child) != NULL))
			return n;
	return NULL;
}

/* ---- all the way ------------------------------------------------------------------------- */

void fake_link(struct fake *f)
{
	fake_connect(f, IPC__CONNECT__MODE__LINK, NULL);
	fake_up(f);
	fake_rx_pair_device(f);
	fake_pass(f);
	fake_rx_pair_success(f, false);
	assert_int_equal(f->s->state, WK_LINKING);
	fake_rx_stream_error(f, "515", NULL, NULL);
	assert_int_equal(f->s->state, WK_ASKING);
}

void fake_log_in(struct fake *f)
{
	struct wa_node *ib = wa_node_new("ib");

	fake_up(f);
	assert_int_equal(f->s->state, WK_LOGIN);
	fake_rx_success(f);
	fake_answer(f);
	wa_node_set(wa_node_add(ib, "offline"), "count", "0");
	fake_rx(f, ib);
}

void fake_login(struct fake *f)
{
	fake_log_in(f);
	assert_int_equal(f->s->state, WK_ONLINE);
}

bool fake_has_file(const struct fake *f, const char *prefix)
{
	DIR *d = opendir(f->dir);
	bool found = false;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		found = found || strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	(void)closedir(d);
	return found;
}
