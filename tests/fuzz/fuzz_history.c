/*
 * tests/fuzz/fuzz_history.c - a history blob
 *
 * First byte 0: the rest is the zlib stream. 1: the rest is the HistorySync, deflated here.
 * Property: the blob fed at once and fed in pieces (of sizes taken from the input) gives the same
 * callbacks and the same verdict; memory stays below the bound.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>
#include <zlib.h>

#include "worker/wa/history/wa_history.h"

#define INPUT_MAX 65536

/* A running hash of everything that came out. */
struct digest {
	uint64_t h;
	uint64_t calls;
};

static void mix(struct digest *d, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		d->h = (d->h ^ b[i]) * 1099511628211u;
	d->h = (d->h ^ 0xff) * 1099511628211u;
}

static void mix_text(struct digest *d, const char *s)
{
	mix(d, s == NULL ? "\x01" : s, s == NULL ? 1 : strlen(s));
}

static int on_message(void *arg, const struct wa_history_msg *m)
{
	struct digest *d = arg;

	d->calls++;
	mix_text(d, m->chat);
	mix_text(d, m->key.id);
	mix_text(d, m->sender);
	mix(d, &m->unix_s, sizeof(m->unix_s));
	mix(d, m->message.p, m->message.len);
	mix(d, m->secret.p, m->secret.len);
	FUZZ_REQUIRE(m->info != NULL && (m->secret.p == NULL || m->secret.len == 32));
	if (m->has_view)
		mix_text(d, m->view.text);
	return 0;
}

static int on_conversation(void *arg, const struct Wa__Conversation *c, uint64_t n)
{
	struct digest *d = arg;

	FUZZ_REQUIRE(c != NULL);
	d->calls++;
	mix(d, &n, sizeof(n));
	return 0;
}

static int on_pair(void *arg, const char *a, const char *b)
{
	struct digest *d = arg;

	d->calls++;
	mix_text(d, a);
	mix_text(d, b);
	return 0;
}

static int on_salt(void *arg, const uint8_t *p, size_t n)
{
	mix(arg, p, n);
	return 0;
}

static int on_nonce(void *arg, const char *s)
{
	mix_text(arg, s);
	return 0;
}

static int on_contact(void *arg, const struct Wa__InlineContact *c)
{
	struct digest *d = arg;

	FUZZ_REQUIRE(c != NULL);
	d->calls++;
	return 0;
}

static const struct wa_history_ops ops = {
	.on_message = on_message,
	.on_status = on_message,
	.on_conversation = on_conversation,
	.on_push_name = on_pair,
	.on_mapping = on_pair,
	.on_contact = on_contact,
	.on_nct_salt = on_salt,
	.on_companion_nonce = on_nonce,
};

/* steps_n 0: at once. */
static int run(const uint8_t *z, size_t z_len, const uint8_t *steps, size_t steps_n,
               struct digest *d)
{
	static const struct wa_history_limits limits = { .inflated_max = 16u << 20,
		                                         .ratio_max = WA_HISTORY_RATIO_MAX };
	struct wa_history *h;
	int rc = 0;

	*d = (struct digest){ 14695981039346656037u, 0 };
	FUZZ_REQUIRE(wa_history_new(&ops, d, &limits, &h) == 0);
	for (size_t at = 0, i = 0; rc == 0 && at < z_len;) {
		size_t n = steps_n == 0 ? z_len : (size_t)steps[i++ % steps_n] + 1;

		n = n < z_len - at ? n : z_len - at;
		rc = wa_history_feed(h, z + at, n);
		at += n;
	}
	if (rc == 0)
		rc = wa_history_end(h);
	FUZZ_REQUIRE(wa_history_memory(h) < 4u << 20);
	FUZZ_REQUIRE(wa_history_counts(h)->inflated_len <= limits.inflated_max + (4u << 20));
	wa_history_free(h);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest whole, pieces;
	uint8_t *z = NULL;
	uLongf n;
	int rc, again;

	if (size < 2 || size > INPUT_MAX || data[0] > 1)
		return 0;
	if (data[0] == 1) {
		n = compressBound(size);
		z = malloc(n);
		FUZZ_REQUIRE(z != NULL && compress2(z, &n, data + 1, size - 1, 1) == Z_OK);
	}
	rc = run(z == NULL ? data + 1 : z, z == NULL ? size - 1 : n, NULL, 0, &whole);
	again =
	    run(z == NULL ? data + 1 : z, z == NULL ? size - 1 : n, data + 1, size - 1, &pieces);
	FUZZ_REQUIRE((rc == 0) == (again == 0));
	if (rc == 0)
		FUZZ_REQUIRE(whole.calls == pieces.calls && whole.h == pieces.h);
	free(z);
	return 0;
}

/* No schema is one of the whole: what is in it shows by itself. */
bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2 || data[0] != 1)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, NULL, data + 1, size - 1, out);
	return true;
}
