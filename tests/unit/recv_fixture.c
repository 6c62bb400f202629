/* tests/unit/recv_fixture.c - the receive path without a network */
#include "recv_fixture.h"

#include "test.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/events/wk_event_msg.h"
#include "worker/store/wk_batch.h"
#include "worker/wa/stanza/wa_receipt.h"
#include "worker/wa/stanza/wa_stanza.h"

const struct wa_signal_addr rf_own_addr = { SF_LID "_1", 3 };

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* ---- the trace ---------------------------------------------------------------------------------
 */

static void note(struct recv_fixture *f, const char *word)
{
	size_t n = strlen(f->trace);

	if (f->quiet)
		return;
	MUST(n + strlen(word) + 2 < sizeof(f->trace));
	snprintf(f->trace + n, sizeof(f->trace) - n, "%s%s", n == 0 ? "" : " ", word);
}

static void word_of(const struct wa_node *n, char *out, size_t cap)
{
	const char *type = wa_node_attr(n, "type"), *error = wa_node_attr(n, "error");
	const struct wa_node *retry = wa_node_child(n, "retry");

	if (wa_node_is(n, "ack"))
		snprintf(out, cap, "ack%s%s", error == NULL ? "" : "!", error == NULL ? "" : error);
	else if (wa_node_is(n, "message"))
		snprintf(out, cap, "peer");
	else if (retry != NULL)
		snprintf(out, cap, "retry%s%s", wa_node_attr(retry, "count"),
		         wa_node_child(n, "keys") == NULL ? "" : "+keys");
	else
		snprintf(out, cap, "%s", type == NULL ? "delivered" : type);
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct recv_fixture *f = arg;
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;
	char word[64];
	int rc = wa_stanza_encode(n, &wire);

	f->answers++;
	if (wa_node_child(n, "retry") != NULL || wa_node_is(n, "message"))
		f->retries++;
	if (rc == 0 && !f->quiet) {
		MUST(wa_stanza_decode(wire.p, wire.len, &copy) == 0);
		if (f->sent_n == RF_SENT_MAX) {
			wa_node_free(f->sent[0]);
			memmove(f->sent, f->sent + 1, --f->sent_n * sizeof(f->sent[0]));
		}
		f->sent[f->sent_n++] = copy;
		word_of(copy, word, sizeof(word));
		note(f, word);
	}
	buf_free(&wire);
	return rc;
}

static void on_committed(void *arg)
{
	(void)arg;
}

static void on_failed(int rc, void *arg)
{
	struct recv_fixture *f = arg;
	char word[64];

	f->failed_rc = rc;
	snprintf(word, sizeof(word), "FAILED:%s", wa_err_name(rc));
	note(f, word);
}

static int on_message(const struct wk_event_msg *m, void *arg)
{
	struct recv_fixture *f = arg;
	char word[512];

	f->events++;
	if (m->view == NULL)
		snprintf(word, sizeof(word), "unopened:%s", m->id);
	else
		snprintf(word, sizeof(word), "%s:%s=%s", wa_msg_type_name(m->view->type), m->id,
		         m->view->text == NULL ? "" : m->view->text);
	note(f, word);
	if (f->settings.auto_read_messages)
		wk_batch_after(f->batch,
		               wa_receipt_read("1@lid", NULL, &m->id, 1, 1, WA_RECEIPT_READ));
	return 0;
}

static bool is_shown(void *arg)
{
	return ((struct recv_fixture *)arg)->shown;
}

static int want_phone(void *arg)
{
	struct recv_fixture *f = arg;

	if (!f->keys)
		return WA_ESTATE;
	note(f, "keys?");
	return 0;
}

void rf_expect_at(struct recv_fixture *f, const char *words, const char *file, int line)
{
	_assert_string_equal(f->trace, words, file, line);
	f->trace[0] = '\0';
}

const struct wa_node *rf_sent(struct recv_fixture *f, const char *word)
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

/* ---- life --------------------------------------------------------------------------------------
 */

static void begin(struct recv_fixture *f, unsigned speed)
{
	static const struct wk_batch_ops ops = {
		.send = on_send,
		.on_committed = on_committed,
		.on_failed = on_failed,
	};
	struct wk_recv_params params = {
		.base = f->base,
		.store = f->sf.st,
		.creds = &f->sf.creds,
		.settings = &f->settings,
		.log = &f->log,
		.speed = speed,
		.on_message = on_message,
		.is_shown = is_shown,
		.want_phone = want_phone,
		.arg = f,
	};

	MUST(wk_batch_new(f->base, f->sf.st, &ops, f, &f->batch) == 0);
	wk_batch_set_quiet(f->batch, 0);
	params.batch = f->batch;
	MUST(wk_recv_new(&params, &f->recv) == 0);
}

static void end(struct recv_fixture *f)
{
	wk_recv_free(f->recv);
	wk_batch_free(f->batch);
}

void rf_make(struct recv_fixture *f, const char *parent, unsigned speed)
{
	memset(f, 0, sizeof(*f));
	log_init("test", LOG_ERR, LOG_FMT_TEXT);
	MUST(wa_keys_init() == 0);
	store_make(&f->sf, parent);
	MUST(wk_settings_take(&f->settings, NULL) == 0);
	f->base = event_base_new();
	begin(f, speed);
}

void rf_remove(struct recv_fixture *f)
{
	end(f);
	for (size_t i = 0; i < f->sent_n; i++)
		wa_node_free(f->sent[i]);
	event_base_free(f->base);
	wk_settings_clear(&f->settings);
	store_remove(&f->sf);
}

void rf_restart(struct recv_fixture *f, unsigned speed)
{
	end(f);
	store_reopen(&f->sf);
	begin(f, speed);
}

int rf_setup(void **state)
{
	struct recv_fixture *f = calloc(1, sizeof(*f));

	rf_make(f, NULL, 1);
	*state = f;
	return 0;
}

int rf_teardown(void **state)
{
	rf_remove(*state);
	free(*state);
	return 0;
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

void rf_turn(struct recv_fixture *f)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

void rf_wait(struct recv_fixture *f)
{
	const struct timeval limit = { 60, 0 };
	bool over = false;
	struct event *deadline = evtimer_new(f->base, on_deadline, &over);

	event_add(deadline, &limit);
	while (f->trace[0] == '\0' && !over)
		event_base_loop(f->base, EVLOOP_ONCE);
	event_free(deadline);
	assert_false(over);
}

/* ---- stanzas -----------------------------------------------------------------------------------
 */

void rf_give(struct recv_fixture *f, struct wa_node *n)
{
	struct buf wire = { 0 };
	struct wa_node *copy = NULL;

	MUST(wa_stanza_encode(n, &wire) == 0);
	MUST(wa_stanza_decode(wire.p, wire.len, &copy) == 0);
	wk_recv_message(f->recv, copy);
	wa_node_free(copy);
	wa_node_free(n);
	buf_free(&wire);
}

void rf_meet(struct recv_fixture *f, struct sigpeer *peer)
{
	const struct wa_device *d = &f->sf.creds.device;
	struct wa_prekey_bundle b = { .registration_id = d->registration_id, .has_prekey = true };
	struct wk_prekey key;

	MUST(wk_store_prekeys(f->sf.st, 1, &key) == 0);
	MUST(wk_store_prekeys_uploaded(f->sf.st, &key, 1) == 0);
	memcpy(b.identity, d->identity.pub, WA_KEY_LEN);
	b.signed_prekey_id = d->signed_prekey_id;
	memcpy(b.signed_prekey, d->signed_prekey.pub, WA_KEY_LEN);
	memcpy(b.signed_prekey_sig, d->signed_prekey_sig, WA_SIG_LEN);
	b.prekey_id = key.id;
	memcpy(b.prekey, key.pub, WA_KEY_LEN);
	MUST(wa_signal_take_bundle(peer->signal, &rf_own_addr, &b, NULL) == 0);
}

struct wa_node *rf_message(const char *id, const char *from)
{
	struct wa_node *n = wa_node_new("message");

	wa_node_set(n, "id", id);
	wa_node_set_jid(n, "from", from);
	wa_node_set(n, "type", "text");
	wa_node_set_int(n, "t", clock_unix_s());
	return n;
}

void rf_seal(struct wa_node *n, struct sigpeer *peer, const void *message, size_t message_len)
{
	struct buf sealed = { 0 };
	enum wa_enc type = WA_ENC_UNKNOWN;
	struct wa_node *enc = wa_node_add(n, "enc");

	MUST(wa_signal_encrypt(peer->signal, &rf_own_addr, message, message_len, &type, &sealed) ==
	     0);
	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", wa_enc_name(type));
	wa_node_set_bytes(enc, sealed.p, sealed.len);
	buf_free(&sealed);
}

void rf_seal_text(struct wa_node *n, struct sigpeer *peer, const char *text)
{
	Wa__Message m = WA__MESSAGE__INIT;
	uint8_t packed[1024];

	m.conversation = (char *)(uintptr_t)text;
	MUST(wa__message__get_packed_size(&m) <= sizeof(packed));
	rf_seal(n, peer, packed, wa__message__pack(&m, packed));
}

struct wa_node *rf_text(struct sigpeer *peer, const char *id, const char *from, const char *text)
{
	struct wa_node *n = rf_message(id, from);

	rf_seal_text(n, peer, text);
	return n;
}
