/* tests/unit/test_sim_peer.c - a simulated phone and a companion seal for each other; chain keys */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "signal_store.h"
#include "simulator/phone/sim_chains.h"
#include "simulator/phone/sim_peer.h"
#include "simulator/server/sim_device.h"
#include "simulator/sim.h"

#define GROUP "120363000000000001@g.us"

/* A phone, and a companion of another account with keys of its own. */
struct pair {
	struct sim sim;
	struct sim_phone *phone;
	struct sim_device *device;
	struct sigpeer other;
	struct wa_signal_addr phone_addr;
};

static void add_device(struct pair *p)
{
	struct wa_prekey_bundle b;
	uint8_t bytes[40] = { 1 };

	sigpeer_bundle(&p->other, &b);
	assert_int_equal(sim_device_add(p->sim.devices,
	                                &(struct sim_device_new){
	                                    .number = "4915100000002",
	                                    .lid = "222@lid",
	                                    .id = 3,
	                                    .noise_key = bytes,
	                                    .identity = b.identity,
	                                    .registration_id = b.registration_id,
	                                    .signed_prekey_id = b.signed_prekey_id,
	                                    .signed_prekey = b.signed_prekey,
	                                    .signed_prekey_sig = b.signed_prekey_sig,
	                                    .key_index = 1,
	                                    .identity_bytes = bytes,
	                                    .identity_bytes_len = sizeof(bytes),
	                                    .now_unix_ms = 1750000000000,
	                                },
	                                &p->device),
	                 0);
}

static int setup(void **state)
{
	static struct pair p;
	const struct sim_phone params = { .number = "4915100000001", .lid = "111@lid" };
	const uint64_t seed = 1;

	memset(&p, 0, sizeof(p));
	assert_int_equal(wa_keys_init(), 0);
	assert_int_equal(sim_rand_init(&p.sim.rnd, &seed), 0);
	assert_int_equal(sim_phones_new(&p.sim.phones), 0);
	assert_int_equal(sim_devices_new(&p.sim.rnd, &p.sim.devices), 0);
	assert_int_equal(sim_phones_add(p.sim.phones, &params, &p.sim.rnd, &p.phone), 0);
	sigpeer_init(&p.other, 7, "222_1", 3);
	snprintf(p.phone_addr.name, sizeof(p.phone_addr.name), "111_1");
	add_device(&p);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	sigpeer_clear(&p->other);
	sim_devices_free(p->sim.devices);
	sim_phones_free(p->sim.phones);
	return 0;
}

/* The phone seals; what the companion makes of it. */
static int receive(struct pair *p, const char *text, const struct sim_seal *how, struct buf *out)
{
	struct wa_node *n = wa_node_new("message");
	const struct wa_node *enc;
	int rc = sim_peer_seal(&p->sim, p->phone, p->device, text, strlen(text), how, n);

	assert_int_equal(rc, 0);
	enc = wa_node_child(n, "enc");
	buf_reset(out);
	rc = wa_signal_decrypt(p->other.signal, &p->phone_addr,
	                       wa_enc_parse(wa_node_attr(enc, "type")), enc->bytes, enc->bytes_len,
	                       out, NULL);
	wa_node_free(n);
	return rc;
}

static void must_receive(struct pair *p, const char *text, const struct sim_seal *how)
{
	struct buf out = { 0 };

	assert_int_equal(receive(p, text, how, &out), 0);
	assert_int_equal(out.len, strlen(text));
	assert_memory_equal(out.p, text, out.len);
	buf_free(&out);
}

/* The companion seals; appended to cipher. */
static enum wa_enc seal_back(struct pair *p, const char *text, struct buf *cipher)
{
	enum wa_enc type;

	assert_int_equal(
	    wa_signal_encrypt(p->other.signal, &p->phone_addr, text, strlen(text), &type, cipher),
	    0);
	return type;
}

static void test_a_phone_begins_a_session_and_is_answered(void **state)
{
	const struct sim_seal plain = { .count = 0 };
	struct buf cipher = { 0 }, out = { 0 };
	struct pair *p = *state;
	enum wa_enc type;

	must_receive(p, "first", &plain);
	must_receive(p, "second", &plain);
	type = seal_back(p, "answer", &cipher);
	assert_int_equal(type, WA_ENC_MSG);
	assert_int_equal(
	    sim_peer_open(&p->sim, p->phone, p->device, NULL, type, cipher.p, cipher.len, &out), 0);
	assert_int_equal(out.len, 6);
	must_receive(p, "third", &plain);
	buf_free(&cipher);
	buf_free(&out);
}

static void test_a_bare_message_is_a_msg_in_an_unanswered_session(void **state)
{
	const struct sim_seal plain = { .count = 0 }, bare = { .bare = true };
	struct wa_node *n = wa_node_new("message");
	struct pair *p = *state;

	must_receive(p, "begin", &plain);
	must_receive(p, "bare", &bare);
	assert_int_equal(sim_peer_seal(&p->sim, p->phone, p->device, "x", 1, &bare, n), 0);
	assert_true(wa_node_attr_is(wa_node_child(n, "enc"), "type", "msg"));
	wa_node_free(n);
}

static void test_each_way_to_spoil_a_message_shows(void **state)
{
	static const struct {
		struct sim_seal how;
		int rc;
	} cases[] = {
		{ { .spoil = SIM_SPOIL_MAC }, WA_SIG_EMAC },
		{ { .spoil = SIM_SPOIL_CIPHER }, WA_SIG_EMALFORMED },
		{ { .spoil = SIM_SPOIL_SKIP, .n = 1990 }, 0 },
		{ { .spoil = SIM_SPOIL_SKIP, .n = 2100 }, WA_SIG_ETOOFAR },
		{ { .spoil = SIM_SPOIL_PREKEY }, WA_SIG_ENOPREKEY },
		{ { .spoil = SIM_SPOIL_SIGNED }, WA_SIG_ENOPREKEY },
		{ { .spoil = SIM_SPOIL_TYPE }, WA_SIG_EMALFORMED },
		{ { .spoil = SIM_SPOIL_PADDING }, WA_SIG_EMALFORMED },
	};
	const struct sim_seal plain = { .count = 0 };
	struct pair *p = *state;
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sim_peer_forget(p->phone, p->device);
		must_receive(p, "before", &plain);
		assert_int_equal(receive(p, "spoilt", &cases[i].how, &out), cases[i].rc);
	}
	buf_free(&out);
}

static void test_keys_of_a_phone_are_good_for_a_session(void **state)
{
	struct wa_node *user = wa_node_new("user");
	struct buf cipher = { 0 }, out = { 0 };
	struct pair *p = *state;
	struct wa_prekey_bundle b = { .registration_id = p->phone->registration_id };
	enum wa_enc type;

	assert_int_equal(sim_peer_bundle(&p->sim, p->phone, user), 0);
	assert_int_equal(sim_prekeys_read_retry(user, user, &b), 0);
	assert_int_equal(wa_signal_take_bundle(p->other.signal, &p->phone_addr, &b, NULL), 0);
	type = seal_back(p, "hello", &cipher);
	assert_int_equal(type, WA_ENC_PKMSG);
	assert_int_equal(
	    sim_peer_open(&p->sim, p->phone, p->device, NULL, type, cipher.p, cipher.len, &out), 0);
	/* The one-time pre-key is used up. */
	sim_peer_forget(p->phone, p->device);
	assert_int_equal(
	    sim_peer_open(&p->sim, p->phone, p->device, NULL, type, cipher.p, cipher.len, &out),
	    WA_SIG_ENOPREKEY);
	buf_free(&cipher);
	buf_free(&out);
	wa_node_free(user);
}

static void test_a_group_message_needs_the_sender_key(void **state)
{
	const struct sim_seal plain = { .count = 0 };
	struct buf skdm = { 0 }, cipher = { 0 }, out = { 0 };
	struct pair *p = *state;
	uint32_t key_id;

	assert_int_equal(sim_peer_skdm(&p->sim, p->phone, GROUP, &skdm, &key_id), 0);
	assert_false(sim_peer_mark_skdm(p->phone, GROUP, p->device, key_id));
	assert_true(sim_peer_mark_skdm(p->phone, GROUP, p->device, key_id));
	assert_int_equal(sim_peer_seal_group(&p->sim, p->phone, GROUP, "all", 3, &plain, &cipher),
	                 0);
	assert_int_equal(wa_signal_group_decrypt(p->other.signal, GROUP, &p->phone_addr, cipher.p,
	                                         cipher.len, &out),
	                 WA_SIG_ENOSESSION);
	assert_int_equal(
	    wa_signal_skdm_take(p->other.signal, GROUP, &p->phone_addr, skdm.p, skdm.len, NULL), 0);
	assert_int_equal(wa_signal_group_decrypt(p->other.signal, GROUP, &p->phone_addr, cipher.p,
	                                         cipher.len, &out),
	                 0);
	sim_peer_rotate_group(p->phone, GROUP);
	buf_reset(&skdm);
	assert_int_equal(sim_peer_skdm(&p->sim, p->phone, GROUP, &skdm, &key_id), 0);
	assert_false(sim_peer_mark_skdm(p->phone, GROUP, p->device, key_id));
	buf_free(&skdm);
	buf_free(&cipher);
	buf_free(&out);
}

static void test_a_reinstalled_phone_is_another_peer(void **state)
{
	const struct sim_seal plain = { .count = 0 };
	struct pair *p = *state;
	uint8_t before[WA_KEY_LEN];

	must_receive(p, "before", &plain);
	memcpy(before, p->phone->account.identity.pub, sizeof(before));
	assert_int_equal(sim_peer_reinstall(&p->sim, p->phone), 0);
	assert_memory_not_equal(before, p->phone->account.identity.pub, sizeof(before));
	must_receive(p, "after", &plain);
}

/* ---- chain keys --------------------------------------------------------------------------------
 */

static void note(struct sim_chains **c, struct pair *p, const char *text, struct buf *kept)
{
	struct buf cipher = { 0 };
	enum wa_enc type = seal_back(p, text, &cipher);

	assert_int_equal(sim_chains_note(c, 3, "", type, cipher.p, cipher.len), 0);
	if (kept != NULL)
		*kept = cipher;
	else
		buf_free(&cipher);
}

static void test_a_chain_key_that_is_used_twice_shows(void **state)
{
	const struct sim_seal plain = { .count = 0 };
	struct buf old = { 0 }, first = { 0 };
	struct sim_chains *c = NULL;
	struct sim_chains_sum sum;
	struct sigstore_record *r;
	struct pair *p = *state;

	must_receive(p, "begin", &plain);
	r = sigstore_find(&p->other.store, "session 111_1:0");
	assert_non_null(r);
	assert_int_equal(buf_append(&old, r->value.p, r->value.len), 0);
	note(&c, p, "one", &first);
	note(&c, p, "two", NULL);
	sim_chains_sum(c, &sum);
	assert_int_equal(sum.messages, 2);
	assert_int_equal(sum.reused + sum.repeated + sum.gaps, 0);
	/* The same stanza again is no reuse. */
	assert_int_equal(sim_chains_note(&c, 3, "", WA_ENC_MSG, first.p, first.len), 0);
	sim_chains_sum(c, &sum);
	assert_int_equal(sum.repeated, 1);
	assert_int_equal(sum.reused, 0);
	/* An older state of the session comes back. */
	buf_reset(&r->value);
	assert_int_equal(buf_append(&r->value, old.p, old.len), 0);
	note(&c, p, "another", NULL);
	sim_chains_sum(c, &sum);
	assert_int_equal(sum.reused, 1);
	assert_int_equal(sum.reused_counter, 0);
	assert_int_equal(sum.chains, 1);
	assert_int_equal(sim_chains_note(&c, 3, "", WA_ENC_MSG, (const uint8_t *)"\x33", 1),
	                 WA_EPROTO);
	sim_chains_free(c);
	buf_free(&old);
	buf_free(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_phone_begins_a_session_and_is_answered,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_bare_message_is_a_msg_in_an_unanswered_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_way_to_spoil_a_message_shows, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_keys_of_a_phone_are_good_for_a_session, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_a_group_message_needs_the_sender_key, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_a_reinstalled_phone_is_another_peer, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(test_a_chain_key_that_is_used_twice_shows, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
