/*
 * tests/fuzz/fuzz_recv.c - <message> stanzas as they come, and plaintexts that open
 *
 * The first byte says what the rest is: 'S' a stanza on the wire; 'B' a Message that a contact has
 * sealed, 'G' one in a group, 'P' one of the own phone. Property: nothing that comes is a reason to
 * undo a batch, and what can be answered is answered exactly once: with one ack or one receipt
 * (retry receipts go beside the ack). Over a real store, which is made anew from time to time.
 */
#include "fuzz.h"
#include "mutate.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "proto/wa_msg.pb-c.h"
#include "recv_fixture.h"
#include "worker/store/wk_batch.h"
#include "worker/store/wk_store_priv.h"

#define INPUTS_MAX 5000 /* of one store */

static struct recv_fixture f;
static struct sigpeer bob, phone;
static unsigned inputs;
static bool within; /* left there by a run without memory: the store is made anew */

#ifdef FUZZ_LIBFUZZER
/* The store keeps its pointers in memory that the leak detector does not look into, so that
 * libFuzzer, which asks between inputs, would hear of leaks. The replay program asks when all is
 * freed. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

static void clean_up(void)
{
	rf_remove(&f);
	sigpeer_clear(&bob);
	sigpeer_clear(&phone);
}

static void set_up(void)
{
	rf_make(&f, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL, 1);
	f.settings.auto_read_messages = false;
	(void)sqlite3_exec(f.sf.st->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	sigpeer_init(&bob, 0x22, "99_1", 0);
	sigpeer_init(&phone, 0x33, SF_LID "_1", 0);
	rf_meet(&f, &bob);
	rf_meet(&f, &phone);
}

static void give(struct wa_node *n)
{
	struct wk_recv_counts before, after;
	unsigned long answers;

	f.trace[0] = '\0';
	answers = f.answers;
	wk_recv_count(f.recv, &before);
	wk_recv_message(f.recv, n);
	FUZZ_REQUIRE(wk_batch_flush(f.batch) == 0);
	FUZZ_REQUIRE(f.failed_rc == 0);
	wk_recv_count(f.recv, &after);
	/* refused without an answer, or not worked on yet */
	answers = f.answers - answers - f.retries;
	f.retries = 0;
	if (after.waiting > before.waiting || after.dropped > before.dropped ||
	    wa_node_attr(n, "id") == NULL || wa_node_attr(n, "from") == NULL ||
	    wa_node_attr(n, "id")[0] == '\0' || wa_node_attr(n, "from")[0] == '\0')
		FUZZ_REQUIRE(answers == 0);
	else
		FUZZ_REQUIRE(answers == 1);
}

static struct wa_node *sealed(char kind, const uint8_t *data, size_t size)
{
	struct sigpeer *peer = kind == 'P' ? &phone : &bob;
	struct wa_node *n = rf_message("ID", kind == 'P'   ? SF_PN "@s.whatsapp.net"
	                                     : kind == 'G' ? "120363021033254949@g.us"
	                                                   : "99@lid");

	if (kind == 'G')
		wa_node_set_jid(n, "participant", "99@lid");
	wa_node_set_int(n, "id", (int64_t)inputs);
	rf_seal(n, peer, data, size);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_node *n = NULL;

	fuzz_own_begin();
	if (inputs == 0)
		FUZZ_REQUIRE(atexit(clean_up) == 0);
	if (inputs % INPUTS_MAX == 0 || within) {
		if (inputs > 0)
			clean_up();
		set_up();
	}
	inputs++;
	fuzz_own_end();
	within = false;
	if (size == 0)
		return 0;
	if (data[0] == 'B' || data[0] == 'G' || data[0] == 'P') {
		fuzz_own_begin();
		n = sealed((char)data[0], data + 1, size - 1);
		fuzz_own_end();
	} else if (wa_stanza_decode(data + 1, size - 1, &n) < 0 || !wa_node_is(n, "message")) {
		goto out;
	}
	within = true;
	give(n);
	within = false;
out:
	wa_node_free(n);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2)
		return false;
	mut_put(out, data, 1);
	if (data[0] != 'B' && data[0] != 'G' && data[0] != 'P')
		return mut_node(m, data + 1, size - 1, out);
	mut_pb(m, &wa__message__descriptor, data + 1, size - 1, out);
	return true;
}
