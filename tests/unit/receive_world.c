/* tests/unit/receive_world.c - phones, a server's queue, our receive path and a gateway's log */
#include "receive_world.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/err.h"
#include "common/log.h"
#include "signal_store.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_event_msg.h"
#include "worker/receive/wk_recv.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_creds.h"
#include "worker/store/wk_store_lid.h"
#include "worker/store/wk_store_msg.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"

#define ID "abcdefghijklmnop"
#define OWN_PN "5511999999999"
#define OWN_LID "123456789"
#define PEERS 3
#define MESSAGES_MAX 4096
#define ID_CAP 32

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* One of a peer's, as the server has it. */
struct message {
	char id[ID_CAP];
	unsigned peer;
	struct wa_node *node;
	bool answered;
	uint64_t event; /* number of the event that the gateway has of it; 0: none */
};

struct peer {
	struct sigpeer sig;
	char jid[64];
	char lid[64]; /* "": none is told */
};

/* What ends with the process. */
struct life {
	struct event_base *base;
	struct wk_creds creds;
	struct wk_store *st;
	struct wk_batch *batch;
	struct wk_recv *recv;
	uint64_t told; /* newest event that was sent to the gateway */
	bool over;
};

struct rworld {
	char dir[256];
	uint64_t random;
	struct sealed_key key;
	struct log_ctx log;
	struct wk_settings settings;
	struct wa_signal_addr our_addr;
	struct sigpeer phone;
	struct peer peers[PEERS];
	struct message messages[MESSAGES_MAX];
	unsigned messages_n;
	uint64_t kept; /* the gateway has all events up to this on its disk */
	struct life life;
	struct rworld_harm harm;
	uint64_t answered, events, sent;
};

static uint64_t draw(struct rworld *w, uint64_t n)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 2685821657736338717u >> 20) % n;
}

/* ---- the server and the phones ------------------------------------------------------------------
 */

static struct message *find(struct rworld *w, const char *id)
{
	for (unsigned i = w->messages_n; i-- > 0;)
		if (strcmp(w->messages[i].id, id) == 0)
			return &w->messages[i];
	return NULL;
}

/* Message{1 conversation}, in plain bytes. */
static size_t text_message(const char *text, uint8_t *out)
{
	size_t n = strlen(text);

	out[0] = 0x0a;
	out[1] = (uint8_t)n;
	memcpy(out + 2, text, n);
	return n + 2;
}

static void peer_sends(struct rworld *w)
{
	struct message *m = &w->messages[w->messages_n++];
	struct peer *p;
	struct wa_node *enc;
	struct buf cipher = { 0 };
	uint8_t msg[ID_CAP + 2];
	enum wa_enc type;

	m->peer = (unsigned)draw(w, PEERS);
	p = &w->peers[m->peer];
	snprintf(m->id, sizeof(m->id), "MSG%08u", w->messages_n);
	MUST(wa_signal_encrypt(p->sig.signal, &w->our_addr, msg, text_message(m->id, msg), &type,
	                       &cipher) == 0);
	m->node = wa_node_new("message");
	wa_node_set(m->node, "id", m->id);
	wa_node_set_jid(m->node, "from", p->jid);
	if (p->lid[0] != '\0')
		wa_node_set_jid(m->node, "sender_lid", p->lid);
	wa_node_set(m->node, "type", "text");
	wa_node_set(m->node, "t", "1790000000");
	enc = wa_node_add(m->node, "enc");
	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", wa_enc_name(type));
	wa_node_set_bytes(enc, cipher.p, cipher.len);
	buf_free(&cipher);
}

/* Ours, to our phone: each can be opened once, by the next key. */
static void phone_gets(struct rworld *w, const struct wa_node *n)
{
	const struct wa_node *enc = wa_node_child(n, "enc");
	const struct wa_node *to = wa_node_child(n, "participants");
	struct buf plain = { 0 };

	if (enc == NULL && to != NULL && wa_node_child(to, "to") != NULL)
		enc = wa_node_child(wa_node_child(to, "to"), "enc");
	MUST(enc != NULL);
	if (wa_signal_decrypt(w->phone.signal, &w->our_addr,
	                      wa_enc_parse(wa_node_attr(enc, "type")), enc->bytes, enc->bytes_len,
	                      &plain, NULL) < 0)
		w->harm.keys_reused++;
	w->sent++;
	buf_free(&plain);
}

static int on_send(const struct wa_node *n, void *arg)
{
	struct rworld *w = arg;
	const char *id = wa_node_attr(n, "id");
	struct message *m = id == NULL ? NULL : find(w, id);

	if (wa_node_is(n, "message")) {
		phone_gets(w, n);
		return 0;
	}
	MUST(wa_node_is(n, "receipt") || wa_node_is(n, "ack"));
	if (wa_node_is(n, "receipt") && wa_node_attr_is(n, "type", "retry")) {
		w->harm.unopened++;
		return 0;
	}
	if (m != NULL && !m->answered) {
		m->answered = true;
		w->answered++;
	}
	return 0;
}

/* ---- the gateway --------------------------------------------------------------------------------
 */

static void gateway_gets(struct rworld *w, const struct wk_outbox_row *row)
{
	char id[ID_CAP];
	struct message *m;

	MUST(row->data.len < sizeof(id));
	memcpy(id, row->data.p, row->data.len);
	id[row->data.len] = '\0';
	m = find(w, id);
	MUST(m != NULL);
	if (m->event != 0 && m->event != row->number)
		w->harm.events_doubled++;
	for (unsigned i = 0; i < w->messages_n; i++)
		if (&w->messages[i] != m && w->messages[i].event == row->number)
			w->harm.events_doubled++;
	w->events += m->event == 0;
	m->event = row->number;
}

/* What is durable goes to the gateway. */
static void tell(struct rworld *w)
{
	struct wk_outbox_row row;

	for (;;) {
		memset(&row, 0, sizeof(row));
		if (wk_store_outbox_next(w->life.st, w->life.told, &row) < 0)
			return;
		gateway_gets(w, &row);
		w->life.told = row.number;
		buf_wipe(&row.data);
	}
}

/* EVENT_COMMIT for some of what it was told. */
static void gateway_commits(struct rworld *w)
{
	if (w->life.told <= w->kept)
		return;
	w->kept += 1 + draw(w, w->life.told - w->kept);
	if (wk_batch_flush(w->life.batch) == 0 && wk_store_outbox_drop(w->life.st, w->kept) < 0)
		w->life.over = true;
}

/* It dies as well: what it had not committed it has never seen. */
static void gateway_forgets(struct rworld *w)
{
	for (unsigned i = 0; i < w->messages_n; i++) {
		if (w->messages[i].event > w->kept) {
			w->messages[i].event = 0;
			w->events--;
		}
	}
}

/* ---- our process --------------------------------------------------------------------------------
 */

static int on_message(const struct wk_event_msg *m, void *arg)
{
	struct rworld *w = arg;

	if (m->view == NULL) {
		w->harm.unopened++;
		return 0;
	}
	MUST(m->view->text != NULL && strcmp(m->view->text, m->id) == 0);
	return wk_store_outbox_add(w->life.st, IPC__EVENT__KIND__MESSAGE_EXCHANGE, 0, 1790000000000,
	                           m->id, strlen(m->id));
}

static void on_committed(void *arg)
{
	tell(arg);
}

static void on_failed(int rc, void *arg)
{
	struct rworld *w = arg;

	(void)rc;
	w->life.over = true;
}

static void deliver(struct rworld *w, const struct message *m)
{
	wk_recv_message(w->life.recv, m->node);
}

static void we_send(struct rworld *w)
{
	char id[WK_MSG_ID_CAP];
	uint8_t msg[16];
	int rc = wk_batch_enter(w->life.batch);

	if (rc < 0) {
		w->life.over = true;
		return;
	}
	rc = wk_recv_send_phone(w->life.recv, msg, text_message("ours", msg), NULL, id);
	wk_batch_leave(w->life.batch, rc == WA_SIG_ENOSESSION ? 0 : rc);
}

static bool make_parts(struct rworld *w)
{
	static const struct wk_batch_ops ops = { .send = on_send,
		                                 .on_committed = on_committed,
		                                 .on_failed = on_failed };
	struct life *l = &w->life;
	struct wk_recv_params p = { .on_message = on_message, .arg = w };

	l->base = event_base_new();
	MUST(l->base != NULL);
	MUST(wk_batch_new(l->base, l->st, &ops, w, &l->batch) == 0);
	wk_batch_set_quiet(l->batch, 0);
	p.base = l->base;
	p.store = l->st;
	p.batch = l->batch;
	p.creds = &l->creds;
	p.settings = &w->settings;
	p.log = &w->log;
	p.speed = 1;
	MUST(wk_recv_new(&p, &l->recv) == 0);
	return true;
}

bool rworld_start(struct rworld *w, const char *pragma)
{
	struct life *l = &w->life;
	int rc;

	memset(l, 0, sizeof(*l));
	rc = wk_store_open(w->dir, ID, &w->key, true, &l->st);
	if (rc == 0 && pragma != NULL)
		rc = db_exec(l->st->db, pragma);
	if (rc == 0)
		rc = wk_store_load(l->st, &l->creds);
	if (rc < 0) {
		w->harm.broken++;
		return false;
	}
	make_parts(w);
	tell(w);
	wk_recv_resume(l->recv);
	for (unsigned i = 0; i < w->messages_n && !l->over; i++)
		if (!w->messages[i].answered)
			deliver(w, &w->messages[i]);
	return !l->over;
}

bool rworld_step(struct rworld *w)
{
	switch (draw(w, 10)) {
	default:
		if (w->messages_n < MESSAGES_MAX) {
			peer_sends(w);
			deliver(w, &w->messages[w->messages_n - 1]);
		}
		break;
	case 6: /* again, whether it was answered or not */
		if (w->messages_n > 0)
			deliver(w, &w->messages[draw(w, w->messages_n)]);
		break;
	case 7:
		we_send(w);
		break;
	case 8:
		(void)!wk_batch_flush(w->life.batch);
		break;
	case 9:
		gateway_commits(w);
		break;
	}
	if (!w->life.over)
		event_base_loop(w->life.base, EVLOOP_NONBLOCK);
	return !w->life.over;
}

void rworld_die(struct rworld *w)
{
	struct life *l = &w->life;

	wk_recv_free(l->recv);
	wk_batch_free(l->batch);
	wk_store_close(l->st);
	wk_creds_clear(&l->creds);
	if (l->base != NULL)
		event_base_free(l->base);
	memset(l, 0, sizeof(*l));
	gateway_forgets(w);
}

static bool is_stored(struct rworld *w, const struct message *m)
{
	const char *from =
	    w->peers[m->peer].lid[0] != '\0' ? w->peers[m->peer].lid : w->peers[m->peer].jid;
	struct wk_msg row = { .id = m->id };

	MUST(wa_jid_parse(from, strlen(from), &row.chat) == 0);
	row.sender = row.chat;
	return wk_store_msg_has(w->life.st, &row) == 1;
}

void rworld_check(struct rworld *w)
{
	for (unsigned i = 0; i < w->messages_n; i++) {
		const struct message *m = &w->messages[i];

		if (m->answered && (m->event == 0 || !is_stored(w, m)))
			w->harm.acked_lost++;
	}
}

void rworld_finish(struct rworld *w)
{
	(void)!wk_batch_flush(w->life.batch);
	tell(w);
	for (unsigned i = 0; i < w->messages_n; i++) {
		const struct message *m = &w->messages[i];

		if (!m->answered || m->event == 0 || !is_stored(w, m))
			w->harm.acked_lost++;
	}
}

/* ---- a world ------------------------------------------------------------------------------------
 */

static void our_bundle(struct rworld *w, struct wa_prekey_bundle *b)
{
	const struct wa_device *d = &w->life.creds.device;
	struct wk_prekey k;

	memset(b, 0, sizeof(*b));
	MUST(wk_store_prekeys(w->life.st, 1, &k) == 0);
	MUST(wk_store_prekeys_uploaded(w->life.st, &k, 1) == 0);
	b->registration_id = d->registration_id;
	memcpy(b->identity, d->identity.pub, WA_KEY_LEN);
	b->signed_prekey_id = d->signed_prekey_id;
	memcpy(b->signed_prekey, d->signed_prekey.pub, WA_KEY_LEN);
	memcpy(b->signed_prekey_sig, d->signed_prekey_sig, WA_SIG_LEN);
	b->has_prekey = true;
	b->prekey_id = k.id;
	memcpy(b->prekey, k.pub, WA_KEY_LEN);
}

static void meet(struct rworld *w, struct sigpeer *p)
{
	struct wa_prekey_bundle b;

	our_bundle(w, &b);
	MUST(wa_signal_take_bundle(p->signal, &w->our_addr, &b, NULL) == 0);
}

static void link_it(struct rworld *w)
{
	struct wk_creds *c = &w->life.creds;

	MUST(wa_device_init(&c->device) == 0);
	snprintf(c->jid, sizeof(c->jid), OWN_PN ":3@s.whatsapp.net");
	snprintf(c->lid, sizeof(c->lid), OWN_LID ":3@lid");
	MUST(buf_append(&c->account, "account", 7) == 0);
	memcpy(c->account_key, w->phone.own.identity.pub, WA_KEY_LEN);
	snprintf(c->platform, sizeof(c->platform), "android");
	c->linked_unix_s = 1700000000;
	c->confirmed = true;
	MUST(wk_store_link(w->life.st, c) == 0);
}

/* The phone's first words begin the session that ours to it go over. */
static void phone_writes(struct rworld *w)
{
	struct message *m = &w->messages[w->messages_n++];
	struct wa_node *enc;
	struct buf cipher = { 0 };
	uint8_t msg[ID_CAP + 2];
	enum wa_enc type;

	snprintf(m->id, sizeof(m->id), "PHONE001");
	MUST(wa_signal_encrypt(w->phone.signal, &w->our_addr, msg, text_message(m->id, msg), &type,
	                       &cipher) == 0);
	m->node = wa_node_new("message");
	wa_node_set(m->node, "id", m->id);
	wa_node_set_jid(m->node, "from", OWN_PN "@s.whatsapp.net");
	wa_node_set_jid(m->node, "recipient", "15550001@s.whatsapp.net");
	wa_node_set(m->node, "type", "text");
	wa_node_set(m->node, "t", "1790000000");
	enc = wa_node_add(m->node, "enc");
	wa_node_set(enc, "v", "2");
	wa_node_set(enc, "type", wa_enc_name(type));
	wa_node_set_bytes(enc, cipher.p, cipher.len);
	buf_free(&cipher);
	deliver(w, m);
	MUST(wk_batch_flush(w->life.batch) == 0);
	MUST(m->answered);
	/* not part of what is compared: it is of the phone, not of a peer */
	wa_node_free(m->node);
	memset(m, 0, sizeof(*m));
	w->messages_n = 0;
	w->answered = w->events = 0;
	w->kept = w->life.told;
	MUST(wk_store_outbox_drop(w->life.st, w->kept) == 0);
}

struct rworld *rworld_new(const char *dir, uint64_t seed)
{
	static const uint8_t master[SEALED_KEY_LEN] = { 7 };
	struct rworld *w = calloc(1, sizeof(*w));

	MUST(w != NULL);
	snprintf(w->dir, sizeof(w->dir), "%s", dir);
	w->random = seed * 2 + 1;
	for (int i = 0; i < 8; i++)
		(void)draw(w, 2);
	MUST(sealed_derive(master, ID, 1, &w->key) == 0);
	snprintf(w->our_addr.name, sizeof(w->our_addr.name), OWN_PN);
	w->our_addr.device = 3;
	sigpeer_init(&w->phone, 1, OWN_LID "_1", 0);
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *p = &w->peers[i];

		snprintf(p->jid, sizeof(p->jid), "1555000%u@s.whatsapp.net", i + 1);
		if (i > 0)
			snprintf(p->lid, sizeof(p->lid), "9000%u@lid", i + 1);
		sigpeer_init(&p->sig, (uint8_t)(i + 2), "peer", i + 1);
	}
	MUST(wk_store_open(w->dir, ID, &w->key, true, &w->life.st) == 0);
	link_it(w);
	make_parts(w);
	meet(w, &w->phone);
	for (unsigned i = 0; i < PEERS; i++)
		meet(w, &w->peers[i].sig);
	phone_writes(w);
	return w;
}

void rworld_free(struct rworld *w)
{
	rworld_die(w);
	sigpeer_clear(&w->phone);
	for (unsigned i = 0; i < PEERS; i++)
		sigpeer_clear(&w->peers[i].sig);
	for (unsigned i = 0; i < w->messages_n; i++)
		wa_node_free(w->messages[i].node);
	free(w);
}

const struct rworld_harm *rworld_harm(const struct rworld *w)
{
	return &w->harm;
}

bool rworld_harmed(const struct rworld *w)
{
	const struct rworld_harm *h = &w->harm;

	return h->acked_lost + h->events_doubled + h->keys_reused + h->unopened + h->broken > 0;
}

void rworld_done(const struct rworld *w, uint64_t *answered, uint64_t *events, uint64_t *sent)
{
	*answered = w->answered;
	*events = w->events;
	*sent = w->sent;
}
