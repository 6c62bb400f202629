/*
 * tests/bench/inbound.c - messages in: from a decrypted frame to a durable event and its receipt
 *
 * A live session (wk_online) with a real session.db on disk and real Signal peers, without a
 * network: stanzas are made beforehand, then given as fast as it takes them; each answer is encoded
 * as for the wire, and a gateway that acknowledges at once takes the events. Prints figures; judges
 * nothing but that none is lost. Arguments: messages (20000), peers (10), directory (.), kind
 * (msg, pkmsg, bad: wrong MACs, far: forged counters, giant: as large and as deep as they can be).
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/clock.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "recv_fixture.h"
#include "worker/events/wk_outbox.h"
#include "worker/online/wk_online.h"
#include "worker/store/wk_store_signal.h"
#include "worker/wa/stanza/wa_stanza.h"

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

struct bench {
	struct store_fixture sf;
	struct event_base *base;
	struct wk_settings settings;
	struct log_ctx log;
	struct wk_outbox *outbox;
	struct wk_online *online;
	unsigned long answers, events, bytes;
	uint64_t newest, store;
	bool full;
};

static int on_send(const struct wa_node *n, void *arg)
{
	struct bench *b = arg;
	struct buf wire = { 0 };
	int rc = wa_stanza_encode(n, &wire);

	if (wa_node_is(n, "receipt") || wa_node_is(n, "ack"))
		b->answers++;
	b->bytes += wire.len;
	buf_free(&wire);
	return rc;
}

static void on_nothing(void *arg)
{
	(void)arg;
}

static void on_failed(const struct wk_failure *f, void *arg)
{
	(void)arg;
	fprintf(stderr, "failed: %s\n", f->detail);
	exit(1);
}

static void on_full(void *arg)
{
	((struct bench *)arg)->full = true;
}

static int on_event(const Ipc__Event *msg, int fd, void *arg)
{
	struct bench *b = arg;

	(void)fd;
	b->events++;
	b->newest = msg->number;
	b->store = msg->store;
	return 0;
}

static void on_room(void *arg)
{
	((struct bench *)arg)->full = false;
}

static void acknowledge(struct bench *b)
{
	Ipc__EventCommit c = IPC__EVENT_COMMIT__INIT;

	c.has_store = c.has_number = true;
	c.store = b->store;
	c.number = b->newest;
	if (b->newest != 0)
		wk_outbox_commit(b->outbox, &c);
}

static void begin(struct bench *b, const char *dir)
{
	static const struct wk_online_ops ops = {
		.send = on_send,
		.on_online = on_nothing,
		.on_profile = on_nothing,
		.on_full = on_full,
		.on_failed = on_failed,
	};
	static const struct wk_outbox_ops outbox_ops = { .send = on_event, .on_room = on_room };
	struct wk_online_params params = {
		.settings = &b->settings, .log = &b->log, .speed = 1, .ops = &ops, .arg = b
	};
	struct wa_node *success = wa_node_new("success");

	memset(b, 0, sizeof(*b));
	log_init("bench", LOG_ERR, LOG_FMT_TEXT);
	MUST(wa_keys_init() == 0);
	store_make(&b->sf, dir);
	MUST(wk_settings_take(&b->settings, NULL) == 0);
	b->base = event_base_new();
	MUST(wk_outbox_new(b->base, b->sf.st, &b->log, &outbox_ops, b, &b->outbox) == 0);
	params.base = b->base;
	params.store = b->sf.st;
	params.creds = &b->sf.creds;
	params.outbox = b->outbox;
	MUST(wk_online_new(&params, &b->online) == 0);
	wa_node_set_int(success, "t", clock_unix_s());
	wk_online_start(b->online, success);
	wa_node_free(success);
}

/* ---- stanzas -----------------------------------------------------------------------------------
 */

/* All of them, one behind the other, each with its length in front. */
static void add(struct buf *all, struct wa_node *n)
{
	struct buf one = { 0 };
	uint32_t len;

	MUST(wa_stanza_encode(n, &one) == 0);
	len = (uint32_t)one.len;
	MUST(buf_append(all, &len, sizeof(len)) == 0);
	MUST(buf_append(all, one.p, one.len) == 0);
	buf_free(&one);
	wa_node_free(n);
}

static void meet(struct bench *b, struct sigpeer *p)
{
	struct recv_fixture f = { .sf = b->sf };

	rf_meet(&f, p);
}

/* The peer's session is answered: from now on it sends msg. */
static void answer(struct bench *b, struct sigpeer *p)
{
	const struct wa_device *d = &b->sf.creds.device;
	const struct wa_signal_own own = { .identity = d->identity,
		                           .registration_id = d->registration_id };
	struct wk_store_signal ss = { b->sf.st, &b->sf.creds };
	struct buf c = { 0 }, out = { 0 };
	enum wa_enc type;
	struct wa_signal *s;

	MUST(wa_signal_new(&own, &wk_store_signal_ops, &ss, &s) == 0);
	MUST(wa_signal_encrypt(s, &p->addr, "hi", 2, &type, &c) == 0);
	MUST(wa_signal_decrypt(p->signal, &rf_own_addr, type, c.p, c.len, &out, NULL) == 0);
	wa_signal_free(s);
	wk_store_trim(b->sf.st);
	buf_free(&c);
	buf_free(&out);
}

static void give(struct bench *b, const uint8_t *p, size_t n)
{
	struct wa_node *node = NULL;

	MUST(wa_stanza_decode(p, n, &node) == 0);
	wk_online_stanza(b->online, node);
	wa_node_free(node);
}

static void give_all(struct bench *b, const struct buf *all)
{
	uint32_t len;

	for (size_t at = 0; at < all->len; at += len) {
		memcpy(&len, all->p + at, sizeof(len));
		at += sizeof(len);
		give(b, all->p + at, len);
		/* a wake-up reads some 64 KiB */
		if (at / 65536 != (at + len) / 65536) {
			event_base_loop(b->base, EVLOOP_NONBLOCK);
			acknowledge(b);
		}
	}
}

static void settle(struct bench *b, unsigned long answers, unsigned long events)
{
	uint64_t until_ms = clock_ms() + 5000;

	while ((b->answers < answers || b->events < events) && clock_ms() < until_ms) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		acknowledge(b);
	}
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(struct bench *b, const char *what, unsigned long n, double wall_s, double cpu)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%-10s %7lu messages %8.3f s %8.0f /s, CPU %6.1f us each, %lu answers, %lu events, "
	       "peak %ld KiB\n",
	       what, n, wall_s, (double)n / wall_s, cpu / (double)n * 1e6, b->answers, b->events,
	       u.ru_maxrss);
}

static struct wa_node *message(unsigned peer, unsigned long i)
{
	char id[32], from[64];

	snprintf(id, sizeof(id), "3EB0%018lX", i);
	snprintf(from, sizeof(from), "%u@lid", 1000 + peer);
	return rf_message(id, from);
}

/* A Message that decodes to as much as there may be: a long text, or very many small fields. */
static void seal_giant(struct wa_node *m, struct sigpeer *p, unsigned long i)
{
	const size_t len = 3900000;
	struct buf b = { 0 };
	Wa__Message msg = WA__MESSAGE__INIT;
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	text[len] = '\0';
	msg.conversation = text;
	MUST(buf_reserve(&b, len + 64) == 0);
	if (i % 2 == 0)
		b.len = wa__message__pack(&msg, b.p);
	for (; i % 2 == 1 && b.len < len; b.len += 2)
		memcpy(b.p + b.len, "\x6a\x00",
		       2); /* contacts_array_message, empty, over and over */
	rf_seal(m, p, b.p, b.len);
	buf_free(&b);
	free(text);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	unsigned peers_n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	const char *dir = argc > 3 ? argv[3] : ".", *kind = argc > 4 ? argv[4] : "msg";
	bool pkmsg = strcmp(kind, "pkmsg") == 0, bad = strcmp(kind, "bad") == 0;
	bool far = strcmp(kind, "far") == 0;
	struct sigpeer *peers = calloc(peers_n, sizeof(*peers));
	struct buf all = { 0 };
	struct bench b;
	double wall, cpu;
	char name[32];

	begin(&b, dir);
	for (unsigned i = 0; i < peers_n; i++) {
		struct wa_node *first = message(i, 1000000 + i);

		snprintf(name, sizeof(name), "%u_1", 1000 + i);
		sigpeer_init(&peers[i], (uint8_t)(i + 1), name, 0);
		meet(&b, &peers[i]);
		rf_seal_text(first, &peers[i], "first");
		if (!pkmsg)
			add(&all, first);
		else
			wa_node_free(first);
	}
	give_all(&b, &all);
	settle(&b, pkmsg ? 0 : peers_n, 0);
	for (unsigned i = 0; i < peers_n && !pkmsg; i++)
		answer(&b, &peers[i]);
	buf_free(&all);
	for (unsigned i = 0; far && i < 1900; i++)
		wa_node_free(rf_text(&peers[0], "X", "1@lid", "skipped"));
	for (unsigned long i = 0; i < n; i++) {
		struct sigpeer *p = &peers[i % peers_n];
		struct wa_node *m = message((unsigned)(i % peers_n), i);

		if (pkmsg)
			meet(&b, p);
		if (strcmp(kind, "giant") == 0)
			seal_giant(m, p, i);
		else
			rf_seal_text(m, p, "a text of the usual length, which is not very long");
		if (bad || far)
			((uint8_t *)(uintptr_t)
			     m->last_child->bytes)[m->last_child->bytes_len - 12] ^= 1;
		add(&all, m);
	}
	b.answers = b.events = 0;
	cpu = cpu_s();
	wall = (double)clock_us() / 1e6;
	give_all(&b, &all);
	settle(&b, n, bad || far ? 0 : n);
	report(&b, kind, n, (double)clock_us() / 1e6 - wall, cpu_s() - cpu);
	MUST(strcmp(kind, "msg") != 0 || b.events == n);
	wk_online_free(b.online);
	wk_outbox_free(b.outbox);
	event_base_free(b.base);
	wk_settings_clear(&b.settings);
	store_remove(&b.sf);
	for (unsigned i = 0; i < peers_n; i++)
		sigpeer_clear(&peers[i]);
	free(peers);
	buf_free(&all);
	return 0;
}
