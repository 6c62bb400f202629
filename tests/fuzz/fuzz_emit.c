/*
 * tests/fuzz/fuzz_emit.c - receipts, calls, changes of groups: any stanza at all, as events
 *
 * Property: none is a reason to undo a batch, and whatever becomes an event is an object that a
 * strict JSON reader takes. Over a real store that forgets each input.
 */
#include "fuzz.h"
#include "mutate.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

#include "common/log.h"
#include "store_fixture.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_emit.h"
#include "worker/store/wk_store_outbox.h"
#include "worker/store/wk_store_priv.h"
#include "worker/wa/node/wa_node.h"

static struct store_fixture fixture;
static struct wk_emit *emit;
static bool within; /* left there by a run without memory: the store is made anew */

static void clean_up(void)
{
	wk_emit_free(emit);
	store_remove(&fixture);
}

static void set_up(void)
{
	static const struct wk_settings settings;
	static const struct log_ctx log;
	struct wk_emit_params p = { .settings = &settings, .log = &log };

	store_make(&fixture, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL);
	p.store = fixture.st;
	p.creds = &fixture.creds;
	FUZZ_REQUIRE(wk_emit_new(&p, &emit) == 0);
}

static void check_events(void)
{
	struct wk_outbox_row row = { 0 };

	while (wk_store_outbox_next(fixture.st, row.number, &row) == 0) {
		json_t *v;

		fuzz_own_begin();
		v = json_loadb((const char *)row.data.p, row.data.len, JSON_REJECT_DUPLICATES,
		               NULL);
		fuzz_own_end();
		FUZZ_REQUIRE(json_is_object(v));
		json_decref(v);
		buf_reset(&row.data);
	}
	buf_free(&row.data);
}

static int no_flush(void *arg)
{
	(void)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_node *n;

	fuzz_own_begin();
	if (emit == NULL)
		FUZZ_REQUIRE(atexit(clean_up) == 0);
	if (within)
		clean_up();
	if (emit == NULL || within)
		set_up();
	fuzz_own_end();
	within = false;
	if (wa_stanza_decode(data, size, &n) < 0)
		return 0;
	within = true;
	/* as within a batch */
	FUZZ_REQUIRE(wk_store_batch_begin(fixture.st, no_flush, NULL) == 0);
	fixture.st->batch.depth++;
	FUZZ_REQUIRE(wk_emit_receipt(emit, n) == 0);
	FUZZ_REQUIRE(wk_emit_call(emit, n) == 0);
	FUZZ_REQUIRE(wk_emit_group(emit, n) == 0);
	FUZZ_REQUIRE(wk_emit_groups(emit, n) == 0);
	check_events();
	fixture.st->batch.depth--;
	FUZZ_REQUIRE(wk_store_batch_end(fixture.st, -ECANCELED) == -ECANCELED);
	within = false;
	wa_node_free(n);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	return mut_node(m, data, size, out);
}
