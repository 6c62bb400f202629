/*
 * tests/bench/wa.c - CPU of the pure protocol layer: history decoding, Signal messages
 *
 * Prints figures; judges nothing. Arguments: chats and messages of each in the history (100, 1000).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "history_blob.h"
#include "signal_store.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/history/wa_media.h"

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- history ------------------------------------------------------------------------------------
 */

static int on_message(void *arg, const struct wa_history_msg *m)
{
	uint64_t *bytes = arg;

	*bytes += m->message.len;
	return 0;
}

static void inflate_only(const struct buf *z)
{
	static uint8_t out[65536];
	z_stream s = { 0 };
	double from = cpu_us();

	MUST(inflateInit(&s) == Z_OK);
	s.next_in = z->p;
	s.avail_in = (uInt)z->len;
	do {
		s.next_out = out;
		s.avail_out = sizeof(out);
	} while (inflate(&s, Z_NO_FLUSH) == Z_OK);
	printf("history inflate alone   %8.0f us\n", cpu_us() - from);
	inflateEnd(&s);
}

static void history(unsigned chats, unsigned messages)
{
	static const struct wa_history_ops ops = { .on_message = on_message };
	struct buf plain = { 0 }, z = { 0 };
	struct wa_history_limits limits = wa_history_limits_default;
	struct wa_history *h;

	history_blob(chats, messages, &plain);
	history_deflate(&plain, &z);
	printf("history %u messages, %zu bytes, %zu deflated\n", chats * messages, plain.len,
	       z.len);
	inflate_only(&z);
	for (unsigned pass = 0; pass < 4; pass++) {
		uint64_t bytes = 0, n;
		double from, took;

		if (pass == 3) /* all too old */
			limits.oldest_unix_s = HISTORY_BLOB_FIRST_S * 2LL;
		from = cpu_us();
		MUST(wa_history_new(&ops, &bytes, &limits, &h) == 0);
		for (size_t at = 0; at < z.len; at += 16384)
			MUST(wa_history_feed(h, z.p + at,
			                     z.len - at < 16384 ? z.len - at : 16384) == 0);
		MUST(wa_history_end(h) == 0);
		took = cpu_us() - from;
		n = wa_history_counts(h)->messages + wa_history_counts(h)->dropped_old;
		printf("history %-15s %8.0f us, %.2f us a message, memory %zu\n",
		       pass == 3 ? "all dropped" : "decode", took, took / (double)n,
		       wa_history_memory(h));
		wa_history_free(h);
	}
	buf_free(&plain);
	buf_free(&z);
}

/* ---- Signal -------------------------------------------------------------------------------------
 */

#define SIGNAL_N 5000

static void signal_messages(void)
{
	static struct buf ciphers[SIGNAL_N];
	static const char text[] = "a usual message of forty characters, ok";
	struct sigpeer a, b;
	struct wa_prekey_bundle bundle;
	struct buf out = { 0 }, c = { 0 };
	enum wa_enc type;
	double from;

	sigpeer_init(&a, 1, "1_1", 0);
	sigpeer_init(&b, 2, "2_1", 0);
	sigpeer_bundle(&b, &bundle);
	from = cpu_us();
	MUST(wa_signal_take_bundle(a.signal, &b.addr, &bundle, NULL) == 0);
	printf("signal bundle           %8.1f us\n", cpu_us() - from);
	MUST(wa_signal_encrypt(a.signal, &b.addr, text, sizeof(text), &type, &c) == 0);
	from = cpu_us();
	MUST(wa_signal_decrypt(b.signal, &a.addr, type, c.p, c.len, &out, NULL) == 0);
	printf("signal pkmsg open       %8.1f us\n", cpu_us() - from);
	buf_reset(&c);
	MUST(wa_signal_encrypt(b.signal, &a.addr, text, sizeof(text), &type, &c) == 0);
	from = cpu_us();
	MUST(wa_signal_decrypt(a.signal, &b.addr, type, c.p, c.len, &out, NULL) == 0);
	printf("signal msg, ratchet     %8.1f us\n", cpu_us() - from);
	from = cpu_us();
	for (unsigned i = 0; i < SIGNAL_N; i++)
		MUST(wa_signal_encrypt(a.signal, &b.addr, text, sizeof(text), &type, &ciphers[i]) ==
		     0);
	printf("signal msg seal         %8.1f us each\n", (cpu_us() - from) / SIGNAL_N);
	MUST(wa_signal_decrypt(b.signal, &a.addr, type, ciphers[0].p, ciphers[0].len, &out, NULL) ==
	     0);
	from = cpu_us();
	for (unsigned i = 1; i < SIGNAL_N; i++) {
		buf_reset(&out);
		MUST(wa_signal_decrypt(b.signal, &a.addr, type, ciphers[i].p, ciphers[i].len, &out,
		                       NULL) == 0);
	}
	printf("signal msg open         %8.1f us each\n", (cpu_us() - from) / (SIGNAL_N - 1));
	buf_reset(&c);
	MUST(wa_signal_encrypt(a.signal, &b.addr, text, sizeof(text), &type, &c) == 0);
	c.p[c.len - 1] ^= 1;
	from = cpu_us();
	for (unsigned i = 0; i < 1000; i++)
		MUST(wa_signal_decrypt(b.signal, &a.addr, type, c.p, c.len, &out, NULL) ==
		     WA_SIG_EMAC);
	printf("signal msg, bad MAC     %8.1f us each\n", (cpu_us() - from) / 1000);
	for (unsigned i = 0; i < 1990; i++) {
		buf_reset(&c);
		MUST(wa_signal_encrypt(a.signal, &b.addr, text, sizeof(text), &type, &c) == 0);
	}
	c.p[c.len - 1] ^= 1;
	from = cpu_us();
	for (unsigned i = 0; i < 20; i++)
		MUST(wa_signal_decrypt(b.signal, &a.addr, type, c.p, c.len, &out, NULL) ==
		     WA_SIG_EMAC);
	printf("  the same, 1990 ahead  %8.1f us each\n", (cpu_us() - from) / 20);
	c.p[c.len - 1] ^= 1;
	from = cpu_us();
	MUST(wa_signal_decrypt(b.signal, &a.addr, type, c.p, c.len, &out, NULL) == 0);
	printf("  genuine, 1990 ahead   %8.1f us\n", cpu_us() - from);
	buf_reset(&c);
	MUST(wa_signal_encrypt(a.signal, &b.addr, text, sizeof(text), &type, &c) == 0);
	from = cpu_us();
	MUST(wa_signal_decrypt(b.signal, &a.addr, type, c.p, c.len, &out, NULL) == 0);
	printf("  the next one          %8.1f us, record of %zu bytes\n", cpu_us() - from,
	       b.store.records[0].value.len > b.store.records[1].value.len
	           ? b.store.records[0].value.len
	           : b.store.records[1].value.len);
	for (unsigned i = 0; i < SIGNAL_N; i++)
		buf_free(&ciphers[i]);
	buf_free(&out);
	buf_free(&c);
	sigpeer_clear(&a);
	sigpeer_clear(&b);
}

static void group_messages(void)
{
	static struct buf ciphers[1000];
	static const char group[] = "120363021033254949@g.us", text[] = "hello to all of you here";
	struct sigpeer a, b;
	struct buf out = { 0 };
	double from;

	sigpeer_init(&a, 1, "1_1", 0);
	sigpeer_init(&b, 2, "2_1", 0);
	MUST(wa_signal_skdm_make(a.signal, group, &a.addr, &out, NULL) == 0);
	MUST(wa_signal_skdm_take(b.signal, group, &a.addr, out.p, out.len, NULL) == 0);
	from = cpu_us();
	for (unsigned i = 0; i < 1000; i++)
		MUST(wa_signal_group_encrypt(a.signal, group, &a.addr, text, sizeof(text),
		                             &ciphers[i]) == 0);
	printf("signal skmsg seal       %8.1f us each\n", (cpu_us() - from) / 1000);
	from = cpu_us();
	for (unsigned i = 0; i < 1000; i++)
		MUST(wa_signal_group_decrypt(b.signal, group, &a.addr, ciphers[i].p, ciphers[i].len,
		                             &out) == 0);
	printf("signal skmsg open       %8.1f us each\n", (cpu_us() - from) / 1000);
	for (unsigned i = 0; i < 1000; i++)
		buf_free(&ciphers[i]);
	buf_free(&out);
	sigpeer_clear(&a);
	sigpeer_clear(&b);
}

/* ---- media --------------------------------------------------------------------------------------
 */

static int on_bytes(void *arg, const uint8_t *data, size_t data_len)
{
	(void)data;
	*(uint64_t *)arg += data_len;
	return 0;
}

static void media(void)
{
	const size_t n = 32u << 20;
	uint8_t *plain = calloc(1, n), key[WA_MEDIA_KEY_LEN] = { 1 }, a[32], b[32];
	struct wa_media_expect e = { b, a, true, n, n };
	struct buf stored = { 0 };
	struct wa_media *m;
	uint64_t bytes = 0;
	double from;

	MUST(plain != NULL);
	MUST(wa_media_encrypt(key, WA_MEDIA_VIDEO, plain, n, &stored, a, b) == 0);
	from = cpu_us();
	MUST(wa_media_open(key, WA_MEDIA_VIDEO, &e, on_bytes, &bytes, &m) == 0);
	for (size_t at = 0; at < stored.len; at += 16384)
		MUST(wa_media_feed(m, stored.p + at,
		                   stored.len - at < 16384 ? stored.len - at : 16384) == 0);
	MUST(wa_media_end(m) == 0);
	printf("media open              %8.1f MB/s\n", (double)n / (cpu_us() - from));
	wa_media_free(m);
	free(plain);
	buf_free(&stored);
}

int main(int argc, char **argv)
{
	unsigned chats = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
	unsigned messages = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;

	history(chats, messages);
	signal_messages();
	group_messages();
	media();
	return 0;
}
