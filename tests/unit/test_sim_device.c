/* tests/unit/test_sim_device.c - device numbers, look-ups, and stanzas that wait for an ack */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/server/sim_device.h"

#define NUMBER "4915100000001"
#define OTHER "4915100000002"

static int setup(void **state)
{
	const uint64_t seed = 1;
	struct sim_devices *d;
	struct sim_rand rnd;

	if (sim_rand_init(&rnd, &seed) < 0 || sim_devices_new(&rnd, &d) < 0)
		return -1;
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	sim_devices_free(*state);
	return 0;
}

static int add(struct sim_devices *d, const char *number, uint32_t id, uint8_t key,
               struct sim_device **device_out)
{
	uint8_t noise[32], other[64] = { 1 };
	const struct sim_device_new params = {
		.number = number,
		.lid = strcmp(number, NUMBER) == 0 ? "111@lid" : "222@lid",
		.id = id,
		.noise_key = noise,
		.identity = other,
		.registration_id = 7,
		.signed_prekey_id = 1,
		.signed_prekey = other,
		.signed_prekey_sig = other,
		.key_index = key,
		.name = "Warden",
		.identity_bytes = other,
		.identity_bytes_len = sizeof(other),
		.now_unix_ms = 1750000000000,
	};

	memset(noise, key, sizeof(noise));
	return sim_device_add(d, &params, device_out);
}

static void test_numbers_count_up_per_account_and_never_come_again(void **state)
{
	struct sim_device *a, *b, *c;

	assert_int_equal(add(*state, NUMBER, 0, 1, &a), 0);
	assert_int_equal(add(*state, NUMBER, 0, 2, &b), 0);
	assert_int_equal(add(*state, OTHER, 0, 3, &c), 0);
	assert_int_equal(a->id, 1);
	assert_int_equal(b->id, 2);
	assert_int_equal(c->id, 1);
	assert_string_equal(b->jid, NUMBER ":2@s.whatsapp.net");
	assert_string_equal(b->lid, "111:2@lid");
	sim_device_remove(b);
	assert_null(sim_device_find(*state, NUMBER, 2));
	assert_int_equal(add(*state, NUMBER, 0, 4, &b), 0);
	assert_int_equal(b->id, 3);
	assert_ptr_equal(sim_device_first(*state, NUMBER), a);
	assert_ptr_equal(a->next, b);
}

static void test_a_reserved_number_is_for_one(void **state)
{
	struct sim_device *a, *b;
	uint32_t first, second;

	assert_int_equal(sim_device_reserve(*state, NUMBER, "111@lid", &first), 0);
	assert_int_equal(sim_device_reserve(*state, NUMBER, "111@lid", &second), 0);
	assert_int_equal(second, first + 1);
	assert_int_equal(add(*state, NUMBER, second, 1, &b), 0);
	assert_int_equal(add(*state, NUMBER, first, 2, &a), 0);
	assert_ptr_equal(sim_device_first(*state, NUMBER), a); /* in the order of numbers */
	assert_int_equal(add(*state, NUMBER, first, 3, &a), -EEXIST);
}

static void test_a_noise_key_belongs_to_one_device(void **state)
{
	struct sim_device *a, *b;
	uint8_t key[32];

	memset(key, 1, sizeof(key));
	assert_null(sim_device_find_noise(*state, key));
	assert_int_equal(add(*state, NUMBER, 0, 1, &a), 0);
	assert_int_equal(add(*state, OTHER, 0, 1, &b), -EEXIST);
	assert_ptr_equal(sim_device_find_noise(*state, key), a);
	sim_device_remove(a);
	assert_null(sim_device_find_noise(*state, key));
}

static void test_accounts_are_found_by_number_and_by_lid(void **state)
{
	struct sim_device *a;

	assert_int_equal(add(*state, OTHER, 0, 1, &a), 0);
	assert_ptr_equal(sim_account_find(*state, OTHER), a->account);
	assert_ptr_equal(sim_account_find_lid(*state, "222"), a->account);
	assert_null(sim_account_find_lid(*state, "22"));
	assert_null(sim_device_first(*state, NUMBER));
}

/* ---- queue ----------------------------------------------------------------------------------- */

static void push(struct sim_queue *q, const char *tag, const char *id)
{
	struct wa_node *n = wa_node_new(tag);

	wa_node_set(n, "id", id);
	assert_int_equal(sim_queue_push(q, n), 0);
}

/* "id/times" of the next stanza, "" when there is none. */
static const char *take(struct sim_queue *q, char out[32])
{
	const struct buf *stanza;
	struct wa_node *n;
	uint32_t sends;

	out[0] = '\0';
	if (sim_queue_take(q, &stanza, &sends)) {
		assert_int_equal(wa_stanza_decode(stanza->p, stanza->len, &n), 0);
		snprintf(out, 32, "%s/%u", wa_node_attr(n, "id"), sends);
		wa_node_free(n);
	}
	return out;
}

static void test_what_is_not_acked_comes_again(void **state)
{
	struct sim_queue *q;
	char text[32];

	(void)state;
	assert_int_equal(sim_queue_new(&q), 0);
	push(q, "notification", "1");
	push(q, "message", "2");
	push(q, "message", "3");
	assert_string_equal(take(q, text), "1/0");
	assert_string_equal(take(q, text), "2/0");
	assert_true(sim_queue_ack(q, "notification", "1"));
	assert_false(sim_queue_ack(q, "notification", "1"));
	assert_false(sim_queue_ack(q, "notification", "2")); /* that id is a message */
	sim_queue_rewind(q);
	assert_string_equal(take(q, text), "2/1");
	assert_string_equal(take(q, text), "3/0");
	assert_string_equal(take(q, text), "");
	push(q, "receipt", "4");
	assert_string_equal(take(q, text), "4/0");
	sim_queue_free(q);
}

static void test_an_ack_in_any_order_leaves_the_others(void **state)
{
	struct sim_queue_counts counts;
	struct sim_queue *q;
	const char *tag;
	char text[32];

	(void)state;
	assert_int_equal(sim_queue_new(&q), 0);
	push(q, "message", "1");
	push(q, "message", "2");
	push(q, "call", "3");
	assert_null(sim_queue_unacked(q, &tag));
	assert_string_equal(take(q, text), "1/0");
	assert_string_equal(sim_queue_unacked(q, &tag), "1");
	assert_string_equal(tag, "message");
	assert_true(sim_queue_ack(q, "call", "3")); /* the last one, before it was handed out */
	assert_true(sim_queue_ack(q, "message", "2"));
	assert_string_equal(take(q, text), "");
	push(q, "message", "5");
	assert_string_equal(take(q, text), "5/0");
	sim_queue_count(q, &counts);
	assert_int_equal(counts.count, 2);
	assert_int_equal(counts.message, 2);
	assert_int_equal(counts.call, 0);
	sim_queue_free(q);
}

static void test_a_stanza_without_an_id_is_not_queued(void **state)
{
	struct sim_queue *q;

	(void)state;
	assert_int_equal(sim_queue_new(&q), 0);
	assert_int_equal(sim_queue_push(q, wa_node_new("message")), WA_EPROTO);
	sim_queue_free(q);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_numbers_count_up_per_account_and_never_come_again),
		WITH(test_a_reserved_number_is_for_one),
		WITH(test_a_noise_key_belongs_to_one_device),
		WITH(test_accounts_are_found_by_number_and_by_lid),
		cmocka_unit_test(test_what_is_not_acked_comes_again),
		cmocka_unit_test(test_an_ack_in_any_order_leaves_the_others),
		cmocka_unit_test(test_a_stanza_without_an_id_is_not_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
