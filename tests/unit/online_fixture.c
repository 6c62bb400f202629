/* tests/unit/online_fixture.c - a live session without a network */
#include "online_fixture.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/stanza/wa_stanza.h"

#define ID "abcdefghijklmnop"

/* ---- the trace ---------------------------------------------------------------------------------
 */

static void note(struct fx *f, const char *word)
{
	size_t len = strlen(f->trace);

	assert_true(len + strlen(word) + 2 < sizeof(f->trace));
	(void)snprintf(f->trace + len, sizeof(f->trace) - len, "%s%s", len > 0 ? " " : "", word);
	if (f->free_at != NULL && strcmp(f->free_at, word) == 0) {
		wk_online_free(f->online);
		f->online = NULL;
	}
}

void fx_expect_at(struct fx *f, const char *words, const char *file, int line)
{
	if (strstr(words, "FAILED") != NULL) /* told by the loop */
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	_assert_string_equal(f->trace, words, file, line);
	f->trace[0] = '\0';
}

static const char *child_tag(const struct wa_node *n)
{
	const struct wa_node *child = wa_node_child(n, NULL);

	return child != NULL ? child->tag : "";
}

static void iq_word(const struct wa_node *n, char *out, size_t cap)
{
	const char *xmlns = wa_node_attr(n, "xmlns");

	if (wa_node_attr_is(n, "type", "result"))
		(void)snprintf(out, cap, "pong");
	else if (wa_node_child(n, "rotate") != NULL)
		(void)snprintf(out, cap, "rotate");
	else if (wa_node_attr_is(n, "xmlns", "encrypt") && wa_node_attr_is(n, "type", "set"))
		(void)snprintf(
		    out, cap, "upload:%zu",
		    wa_node_child(n, "list") != NULL ? wa_node_child(n, "list")->children_n : 0);
	else if (wa_node_child(n, "remove-companion-device") != NULL)
		(void)snprintf(out, cap, "logout");
	else if (wa_node_child(n, "clean") != NULL)
		(void)snprintf(out, cap, "clean:%zu", n->children_n);
	else if (child_tag(n)[0] != '\0')
		(void)snprintf(out, cap, "%s", child_tag(n));
	else
		(void)snprintf(out, cap, "%s", xmlns);
}

/* "count", "upload:50", "ack:receipt", "ack:foo!488", "unified_session", "unavailable", ... */
static void word_of(const struct wa_node *n, char *out, size_t cap)
{
	const char *error = wa_node_attr(n, "error");

	if (wa_node_is(n, "iq"))
		iq_word(n, out, cap);
	else if (wa_node_is(n, "ack"))
		(void)snprintf(out, cap, "ack:%s%s%s", wa_node_attr(n, "class"),
		               error != NULL ? "!" : "", error != NULL ? error : "");
	else if (wa_node_is(n, "ib"))
		(void)snprintf(out, cap, "%s", child_tag(n));
	else
		(void)snprintf(out, cap, "%s", wa_node_attr(n, "type"));
}

const struct wa_node *fx_sent(struct fx *f, const char *word)
{
	char have[64];

	for (size_t i = f->sent_n; i-- > 0;) {
		word_of(f->sent[i], have, sizeof(have));
		if (strcmp(have, word) == 0)
			return f->sent[i];
	}
	fail_msg("%s was not sent", word);
	return NULL;
}

static void forget_oldest(struct fx *f)
{
	wa_node_free(f->sent[0]);
	f->sent_n--;
	memmove(f->sent, f->sent + 1, f->sent_n * sizeof(f->sent[0]));
}

static void check_saved(struct fx *f)
{
	struct wk_creds c;

	memset(&c, 0, sizeof(c));
	f->saved_when_count = wk_store_load(f->store, &c) == 0 && c.confirmed &&
	                      c.logins == f->creds.logins && strcmp(c.lid, f->creds.lid) == 0;
	wk_creds_clear(&c);
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct fx *f = arg;
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;
	char word[64];
	int rc = f->send_rc;

	if (rc == 0)
		rc = wa_stanza_encode(n, &wire);
	if (rc < 0) {
		buf_free(&wire);
		return rc;
	}
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &copy), 0);
	buf_free(&wire);
	if (f->sent_n == FX_SENT_MAX)
		forget_oldest(f);
	f->sent[f->sent_n++] = copy;
	word_of(copy, word, sizeof(word));
	if (strcmp(word, "count") == 0)
		check_saved(f);
	note(f, word);
	return 0;
}

static void on_online(void *arg)
{
	note(arg, "ONLINE");
}

static void on_profile(void *arg)
{
	note(arg, "PROFILE");
}

static void on_client_expires(int64_t unix_s, void *arg)
{
	struct fx *f = arg;

	f->expires_unix_s = unix_s;
	note(f, "EXPIRES");
}

static void on_logout(const struct wk_failure *why, void *arg)
{
	struct fx *f = arg;

	if (why != NULL)
		f->failure = *why;
	note(f, why == NULL ? "LOGGED_OUT" : "LOGOUT_FAILED");
}

static void on_failed(const struct wk_failure *why, void *arg)
{
	struct fx *f = arg;

	f->failure = *why;
	note(f, "FAILED");
}

static const struct wk_online_ops ops = {
	.send = on_send,
	.on_online = on_online,
	.on_profile = on_profile,
	.on_client_expires = on_client_expires,
	.on_logout = on_logout,
	.on_failed = on_failed,
};

/* ---- set-up ------------------------------------------------------------------------------------
 */

static void fill(struct wk_creds *c)
{
	assert_int_equal(wa_device_init(&c->device), 0);
	memset(c->device.adv_secret, 0, sizeof(c->device.adv_secret));
	(void)snprintf(c->jid, sizeof(c->jid), FX_JID);
	(void)snprintf(c->lid, sizeof(c->lid), FX_LID);
	(void)snprintf(c->push_name, sizeof(c->push_name), "Ana");
	(void)snprintf(c->platform, sizeof(c->platform), "android");
	assert_int_equal(buf_append(&c->account, "account", 7), 0);
	c->linked_unix_s = clock_unix_s();
}

int fx_setup(void **state)
{
	static const uint8_t master[SEALED_KEY_LEN] = { 7 };
	struct fx *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(wa_keys_init(), 0);
	log_init("test", LOG_ERR, LOG_FMT_TEXT);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/warden-test-online-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(sealed_derive(master, ID, 1, &f->key), 0);
	assert_int_equal(wk_store_open(f->dir, ID, &f->key, true, &f->store), 0);
	fill(&f->creds);
	assert_int_equal(wk_store_link(f->store, &f->creds), 0);
	assert_int_equal(wk_settings_take(&f->settings, NULL), 0);
	*state = f;
	return 0;
}

int fx_teardown(void **state)
{
	struct fx *f = *state;
	char path[512];
	struct dirent *e;
	DIR *d;

	wk_online_free(f->online);
	while (f->sent_n > 0)
		forget_oldest(f);
	wk_store_close(f->store);
	wk_creds_clear(&f->creds);
	wk_settings_clear(&f->settings);
	event_base_free(f->base);
	d = opendir(f->dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, e->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

void fx_new(struct fx *f, unsigned speed)
{
	const struct wk_online_params params = {
		.base = f->base,
		.store = f->store,
		.creds = &f->creds,
		.settings = &f->settings,
		.log = &f->log,
		.speed = speed,
		.ops = &ops,
		.arg = f,
	};

	wk_online_free(f->online);
	f->online = NULL;
	assert_int_equal(wk_online_new(&params, &f->online), 0);
}

static struct wa_node *success(const struct fx *f, const char *lid)
{
	struct wa_node *n = wa_node_new("success");

	wa_node_set_int(n, "t", clock_unix_s() + 3600);
	wa_node_set(n, "props", "27");
	if (lid != NULL)
		wa_node_set_jid(n, "lid", lid);
	wa_node_set(n, "display_name", f->display_name);
	return n;
}

void fx_start(struct fx *f, const char *lid)
{
	struct buf wire = { 0 };
	struct wa_node *n = success(f, lid);
	struct wa_node *copy = NULL;

	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &copy), 0);
	wk_online_start(f->online, copy);
	wa_node_free(copy);
	wa_node_free(n);
	buf_free(&wire);
}

void fx_online(struct fx *f, unsigned speed)
{
	fx_new(f, speed);
	fx_start(f, FX_LID);
	fx_count(f, "812");
	fx_ok(f, "active");
	fx_ib(f, "offline");
	fx_expect(f, "count active unified_session " FX_BRINGUP_END);
}

void fx_settle(struct fx *f)
{
	fx_ok(f, "props");
	fx_ok(f, "blocklist");
	fx_ok(f, "privacy");
	fx_error(f, "digest", 400);
	fx_expect(f, "");
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

void fx_wait(struct fx *f)
{
	const struct timeval limit = { 60, 0 };
	bool over = false;
	struct event *deadline = evtimer_new(f->base, on_deadline, &over);

	assert_non_null(deadline);
	assert_int_equal(event_add(deadline, &limit), 0);
	while (f->trace[0] == '\0' && !over)
		(void)event_base_loop(f->base, EVLOOP_ONCE);
	event_free(deadline);
	assert_false(over);
}

/* ---- stanzas -----------------------------------------------------------------------------------
 */

void fx_give(struct fx *f, struct wa_node *n)
{
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;

	assert_int_equal(wa_stanza_encode(n, &wire), 0);
	assert_int_equal(wa_stanza_decode(wire.p, wire.len, &copy), 0);
	wk_online_stanza(f->online, copy);
	if (f->online != NULL && !f->batches)
		(void)!wk_batch_flush(wk_online_batch(f->online));
	wa_node_free(copy);
	wa_node_free(n);
	buf_free(&wire);
}

struct wa_node *fx_stanza(const char *tag, const char *id, const char *from, const char *type)
{
	struct wa_node *n = wa_node_new(tag);

	wa_node_set_jid(n, "from", from != NULL ? from : WA_SERVER_JID);
	wa_node_set(n, "id", id);
	wa_node_set(n, "type", type);
	return n;
}

struct wa_node *fx_result(struct fx *f, const char *word)
{
	return fx_stanza("iq", wa_node_attr(fx_sent(f, word), "id"), NULL, "result");
}

void fx_ok(struct fx *f, const char *word)
{
	fx_give(f, fx_result(f, word));
}

void fx_error(struct fx *f, const char *word, int code)
{
	struct wa_node *n = fx_stanza("iq", wa_node_attr(fx_sent(f, word), "id"), NULL, "error");
	struct wa_node *error = wa_node_add(n, "error");

	wa_node_set_int(error, "code", code);
	wa_node_set(error, "text", "because");
	fx_give(f, n);
}

void fx_count(struct fx *f, const char *n)
{
	struct wa_node *result = fx_result(f, "count");

	wa_node_set(wa_node_add(result, "count"), "value", n);
	fx_give(f, result);
}

void fx_ib(struct fx *f, const char *child)
{
	struct wa_node *ib = fx_stanza("ib", NULL, NULL, NULL);

	wa_node_set(wa_node_add(ib, child), "count", "0");
	fx_give(f, ib);
}

unsigned fx_key_id(const struct wa_node *upload, size_t i)
{
	const struct wa_node *key = wa_node_child(wa_node_child(upload, "list"), "key");
	const uint8_t *id;

	while (i-- > 0)
		key = wa_node_next(key, "key");
	assert_non_null(key);
	id = wa_node_child(key, "id")->bytes;
	return (unsigned)(id[0] << 16 | id[1] << 8 | id[2]);
}

struct wa_node *fx_digest(struct fx *f, const struct wa_node *upload, const char *type)
{
	const struct wa_device *dev = &f->creds.device;
	struct wa_node *result = fx_result(f, "digest");
	struct wa_node *d = wa_node_add(result, "digest");
	const struct wa_node *key = wa_node_child(wa_node_child(upload, "list"), "key");
	const struct wa_node *skey = wa_node_child(upload, "skey");
	struct buf all = { 0 };
	struct wa_node *list, *copy;
	uint8_t reg[4], hash[20];

	for (unsigned i = 0; i < 4; i++)
		reg[i] = (uint8_t)(dev->registration_id >> (24 - 8 * i));
	wa_node_set_bytes(wa_node_add(d, "registration"), reg, sizeof(reg));
	wa_node_set_bytes(wa_node_add(d, "type"), type, 1);
	wa_node_set_bytes(wa_node_add(d, "identity"), dev->identity.pub, WA_KEY_LEN);
	copy = wa_node_add(d, "skey");
	for (const struct wa_node *n = wa_node_child(skey, NULL); n != NULL; n = n->next)
		wa_node_set_bytes(wa_node_add(copy, n->tag), n->bytes, n->bytes_len);
	assert_int_equal(buf_append(&all, dev->identity.pub, WA_KEY_LEN), 0);
	assert_int_equal(buf_append(&all, dev->signed_prekey.pub, WA_KEY_LEN), 0);
	assert_int_equal(buf_append(&all, dev->signed_prekey_sig, WA_SIG_LEN), 0);
	list = wa_node_add(d, "list");
	for (; key != NULL; key = wa_node_next(key, "key")) {
		const struct wa_node *id = wa_node_child(key, "id");

		wa_node_set_bytes(wa_node_add(list, "id"), id->bytes, id->bytes_len);
		assert_int_equal(buf_append(&all, wa_node_child(key, "value")->bytes, WA_KEY_LEN),
		                 0);
	}
	assert_int_equal(wa_sha1(all.p, all.len, hash), 0);
	wa_node_set_bytes(wa_node_add(d, "hash"), hash, sizeof(hash));
	buf_free(&all);
	return result;
}

void fx_disk_full(bool full)
{
	struct rlimit lim;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = full ? 0 : lim.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &lim), 0);
}
