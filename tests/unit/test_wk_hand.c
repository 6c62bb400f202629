/* tests/unit/test_wk_hand.c - what a worker has in hand, where others can read it */
#include "test.h"

#include <unistd.h>

#include "common/log_tail.h"
#include "worker/process/wk_hand.h"
#include "worker/wa/node/wa_node.h"

static struct wa_node *stanza(const char *tag, const char *id, const char *from,
                              const char *participant)
{
	struct wa_node *n = wa_node_new(tag);

	assert_non_null(n);
	if (id != NULL)
		wa_node_set(n, "id", id);
	if (from != NULL)
		wa_node_set(n, "from", from);
	if (participant != NULL)
		wa_node_set(n, "participant", participant);
	return n;
}

static uint64_t key(const char *tag, const char *id, const char *from, const char *participant)
{
	struct wa_node *n = stanza(tag, id, from, participant);
	uint64_t k = wk_hand_key(n);

	wa_node_free(n);
	return k;
}

static void test_keys_tell_stanzas_apart(void **state)
{
	uint64_t k = key("message", "A1", "1@s.whatsapp.net", NULL);

	(void)state;
	assert_true(k != 0);
	assert_true(k == key("message", "A1", "1@s.whatsapp.net", NULL));
	assert_true(k != key("receipt", "A1", "1@s.whatsapp.net", NULL));
	assert_true(k != key("message", "A2", "1@s.whatsapp.net", NULL));
	assert_true(k != key("message", "A1", "2@s.whatsapp.net", NULL));
	assert_true(k != key("message", "A1", "1@s.whatsapp.net", "2@lid"));
	assert_true(key("message", NULL, "1@s.whatsapp.net", NULL) == 0);
	assert_true(key("message", "", "1@s.whatsapp.net", NULL) == 0);
	assert_true(wk_hand_key_of("history", "ab") != wk_hand_key_of("historya", "b"));
}

static void test_set_aside_is_what_was_said(void **state)
{
	uint64_t keys[WK_HAND_ASIDE_MAX + 1];

	(void)state;
	for (size_t i = 0; i <= WK_HAND_ASIDE_MAX; i++)
		keys[i] = i + 1;
	wk_hand_set_aside(keys, WK_HAND_ASIDE_MAX + 1);
	assert_true(wk_hand_is_aside(1));
	assert_true(wk_hand_is_aside(WK_HAND_ASIDE_MAX));
	assert_false(wk_hand_is_aside(WK_HAND_ASIDE_MAX + 1)); /* too many */
	assert_false(wk_hand_is_aside(0));
	wk_hand_set_aside(NULL, 0);
	assert_false(wk_hand_is_aside(1));
}

static void test_others_read_what_is_in_hand(void **state)
{
	struct log_tail *t;
	uint64_t seen;
	int fd;

	(void)state;
	assert_true(wk_hand_take(3) == 0); /* nowhere to write yet: harmless */
	assert_int_equal(log_tail_new(&t, &fd), 0);
	wk_hand_init(t);
	assert_true(wk_hand_take(5) == 3);
	assert_int_equal(log_tail_read_hand(fd, &seen), 0);
	assert_true(seen == 5);
	assert_true(wk_hand_take(0) == 5);
	assert_int_equal(log_tail_read_hand(fd, &seen), 0);
	assert_true(seen == 0);
	wk_hand_init(NULL);
	log_tail_free(t);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_tell_stanzas_apart),
		cmocka_unit_test(test_set_aside_is_what_was_said),
		cmocka_unit_test(test_others_read_what_is_in_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
