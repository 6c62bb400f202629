/*
 * tests/bench/history.c - history decoded and stored: CPU, time, memory and disk for each message
 *
 * Prints figures; judges nothing. "make FILE [CHATS [MESSAGES]]" writes a blob (500 chats of 200
 * messages each); "decode FILE" decodes it; "store FILE DIR" stores it in DIR/session.db, as a
 * worker does.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "history_blob.h"
#include "worker/history/wk_history_blob.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store.h"
#include "worker/store/wk_store_history.h"
#include "worker/store/wk_store_msg.h"
#include "worker/wa/node/wa_node.h"

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

static unsigned slice_ms = 50;

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int on_send(const struct wa_node *n, void *arg)
{
	(void)n;
	(void)arg;
	return 0;
}

static void on_committed(void *arg)
{
	(void)arg;
}

static void on_failed(int rc, void *arg)
{
	(void)arg;
	fprintf(stderr, "batch failed: %d\n", rc);
	exit(1);
}

/* As wk_history.c reads it: slices, each a transaction. */
static void read_blob(struct wk_store *st, struct wk_batch *batch, const struct wk_creds *creds,
                      const struct buf *z, enum wk_history_pass pass)
{
	const struct wk_history_blob_params p = { .store = st, .creds = creds, .pass = pass };
	struct wk_history_blob *b;
	size_t at = 0;

	MUST(wk_history_blob_new(&p, &b) == 0);
	while (at < z->len) {
		uint64_t end_ms = clock_ms() + slice_ms;

		MUST(wk_batch_enter(batch) == 0);
		while (at < z->len && clock_ms() < end_ms) {
			size_t n = z->len - at < 16384 ? z->len - at : 16384;

			MUST(wk_history_blob_feed(b, z->p + at, n) == 0);
			at += n;
		}
		wk_batch_leave(batch, 0);
		MUST(wk_batch_flush(batch) == 0);
	}
	MUST(wk_history_blob_end(b) == 0);
	wk_history_blob_free(b);
}

static void decode(const struct buf *z)
{
	const struct wa_history_ops none = { .on_message = NULL };
	struct wa_history *h;
	double cpu, n;

	for (int pass = 0; pass < 3; pass++) {
		cpu = cpu_us();
		MUST(wa_history_new(&none, NULL, &wa_history_limits_default, &h) == 0);
		for (size_t at = 0; at < z->len; at += 16384)
			MUST(wa_history_feed(h, z->p + at,
			                     z->len - at < 16384 ? z->len - at : 16384) == 0);
		MUST(wa_history_end(h) == 0);
		n = (double)wa_history_counts(h)->messages;
		wa_history_free(h);
		printf("history decoded             %6.2f us CPU a message, %.0f messages\n",
		       (cpu_us() - cpu) / n, n);
	}
}

/* getrusage() would count what ran in this process before. */
static unsigned long peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return kib;
}

static void store(const char *dir, const struct buf *z)
{
	static const struct wk_batch_ops ops = { .send = on_send,
		                                 .on_committed = on_committed,
		                                 .on_failed = on_failed };
	struct event_base *base = event_base_new();
	struct sealed_key key = { .epoch = 1 };
	struct wk_creds creds = { .jid = "5511999999999:1@s.whatsapp.net" };
	double n = 0, cpu[2], wall[2];
	struct wk_batch *batch;
	struct wk_store *st;
	uint64_t stored = 0;
	char path[256];
	struct stat s;
	off_t size;

	(void)snprintf(path, sizeof(path), "%s/session.db", dir);
	(void)remove(path);
	MUST(wk_store_init() == 0);
	MUST(wk_store_open(dir, "bench", &key, true, &st) == 0);
	MUST(wa_device_init(&creds.device) == 0);
	MUST(wk_store_link(st, &creds) == 0);
	MUST(wk_batch_new(base, st, &ops, NULL, &batch) == 0);
	wk_store_bulk(st, true);
	for (int pass = WK_HISTORY_WHO; pass <= WK_HISTORY_ALL; pass++) {
		cpu[pass] = cpu_us();
		wall[pass] = (double)clock_us();
		read_blob(st, batch, &creds, z, (enum wk_history_pass)pass);
		cpu[pass] = cpu_us() - cpu[pass];
		wall[pass] = (double)clock_us() - wall[pass];
	}
	MUST(wk_store_msg_count(st, &stored) == 0);
	n = (double)stored;
	for (int pass = WK_HISTORY_WHO; pass <= WK_HISTORY_ALL; pass++)
		printf("history %-18s  %6.2f us CPU, %6.2f us a message, %8.0f messages/s\n",
		       pass == WK_HISTORY_WHO ? "who is who" : "decoded and stored", cpu[pass] / n,
		       wall[pass] / n, n / wall[pass] * 1e6);
	MUST(stat(path, &s) == 0);
	size = s.st_size;
	(void)snprintf(path, sizeof(path), "%s/session.db-wal", dir);
	if (stat(path, &s) == 0)
		size += s.st_size;
	printf("history stored %llu, session.db and its log %lld bytes (%.0f a message), peak RSS "
	       "%lu KiB, of it "
	       "the blob %zu\n",
	       (unsigned long long)stored, (long long)size, (double)size / n, peak_kib(),
	       z->len / 1024);
	wk_batch_free(batch);
	wk_store_close(st);
	event_base_free(base);
}

static void write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "wb");

	MUST(f != NULL && fwrite(b->p, 1, b->len, f) == b->len);
	MUST(fclose(f) == 0);
}

static void read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	MUST(f != NULL);
	do {
		MUST(buf_reserve(b, 65536) == 0);
		n = fread(b->p + b->len, 1, 65536, f);
		b->len += n;
	} while (n > 0);
	(void)fclose(f);
}

static unsigned number(int argc, char **argv, int i, unsigned preset)
{
	return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : preset;
}

int main(int argc, char **argv)
{
	struct buf plain = { 0 }, z = { 0 };

	if (argc > 2 && strcmp(argv[1], "make") == 0) {
		history_blob(number(argc, argv, 3, 500), number(argc, argv, 4, 200), &plain);
		history_deflate(&plain, &z);
		write_file(argv[2], &z);
	} else if (argc > 2 && strcmp(argv[1], "decode") == 0) {
		read_file(argv[2], &z);
		decode(&z);
	} else if (argc > 3 && strcmp(argv[1], "store") == 0) {
		slice_ms = number(argc, argv, 4, slice_ms);
		read_file(argv[2], &z);
		store(argv[3], &z);
	} else {
		fprintf(stderr, "usage: history make|decode|store FILE ...\n");
		return 2;
	}
	buf_free(&plain);
	buf_free(&z);
	return 0;
}
