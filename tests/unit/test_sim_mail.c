/* tests/unit/test_sim_mail.c - records by name, a phone's letters and receipts, Message by hand */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "simulator/base/sim_pb.h"
#include "simulator/phone/sim_keep.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_msg.h"

/* ---- records -----------------------------------------------------------------------------------
 */

static void on_record(const char *name, const uint8_t *data, size_t len, void *arg)
{
	(void)name, (void)data, (void)len;
	++*(size_t *)arg;
}

static void test_records_are_kept_replaced_and_dropped(void **state)
{
	struct sim_keep k = { 0 };
	const uint8_t *data;
	char name[16];
	size_t len, n = 0;

	(void)state;
	assert_int_equal(sim_keep_get(&k, "a", &data, &len), -ENOENT);
	assert_false(sim_keep_drop(&k, "a"));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(sim_keep_put(&k, name, name, strlen(name)), 0);
	}
	assert_int_equal(sim_keep_put(&k, "n7", "a longer value than before it was", 33), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(sim_keep_get(&k, name, &data, &len), 0);
		assert_int_equal(len, i == 7 ? 33 : strlen(name));
		assert_memory_equal(data, i == 7 ? "a longer" : name, i == 7 ? 8 : len);
	}
	assert_true(sim_keep_drop(&k, "n7"));
	assert_int_equal(sim_keep_get(&k, "n7", &data, &len), -ENOENT);
	sim_keep_each(&k, on_record, &n);
	assert_int_equal(n, 999);
	sim_keep_clear(&k);
	assert_int_equal(sim_keep_get(&k, "n8", &data, &len), -ENOENT);
}

/* ---- letters -----------------------------------------------------------------------------------
 */

static int send(struct sim_phone *p, const char *id, const char *msg)
{
	return sim_mail_sent(p, &(struct sim_mail_entry){
	                            .id = id,
	                            .from = "1@s.whatsapp.net",
	                            .chat = "2@s.whatsapp.net",
	                            .type = "text",
	                            .stanza_type = "text",
	                            .msg = (const uint8_t *)msg,
	                            .msg_len = strlen(msg),
	                        });
}

static void on_entry(const struct sim_mail_entry *e, void *arg)
{
	snprintf(arg, SIM_MSG_ID_CAP, "%s", e->id);
}

static void test_what_was_sent_is_found_until_it_is_too_old(void **state)
{
	struct sim_phone p = { .number = "1" };
	struct sim_mail_entry e;
	char id[SIM_MSG_ID_CAP] = "";

	(void)state;
	assert_false(sim_mail_find_sent(&p, "0", &e));
	for (int i = 0; i < SIM_MAIL_MAX + 1; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(send(&p, id, id), 0);
	}
	assert_false(sim_mail_find_sent(&p, "0", &e));
	assert_true(sim_mail_find_sent(&p, "1", &e));
	assert_int_equal(e.msg_len, 1);
	assert_null(e.edit);
	assert_int_equal(sim_mail_each_sent(&p, SIM_MAIL_MAX, on_entry, id), SIM_MAIL_MAX + 1);
	assert_string_equal(id, "20000");
	id[0] = '\0';
	assert_int_equal(sim_mail_each_sent(&p, SIM_MAIL_MAX + 1, on_entry, id), SIM_MAIL_MAX + 1);
	assert_string_equal(id, "");
	assert_int_equal(sim_mail_each_got(&p, 0, on_entry, id), 0);
	sim_mail_free(p.mail);
}

static void test_all_mail_together_is_bounded(void **state)
{
	size_t all = SIM_MAIL_ALL_MAX - 100000;
	struct sim_phone p = { .number = "1", .mail_bytes = &all };
	struct sim_mail_entry e;
	char text[1001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 200; i++)
		assert_int_equal(send(&p, i == 0 ? "first" : "A", text), 0);
	assert_false(sim_mail_find_sent(&p, "first", &e));
	assert_in_range(all, SIM_MAIL_ALL_MAX - 4000, SIM_MAIL_ALL_MAX + 400);
	sim_mail_free(p.mail);
}

static void on_receipt(const struct sim_mail_receipt *r, void *arg)
{
	uint64_t *next = arg;

	assert_int_equal(r->seq, ++*next);
	assert_int_equal(r->code, r->seq);
}

static void on_count(const char *type, uint64_t n, void *arg)
{
	if (strcmp(type, "read") == 0)
		*(uint64_t *)arg = n;
}

static void test_receipts_are_counted_and_the_newest_kept(void **state)
{
	struct sim_phone p = { .number = "1" };
	struct sim_mail_receipt r = { .id = "A", .type = "read" };
	uint64_t next = 1000, n = 0;

	(void)state;
	for (uint32_t i = 1; i <= SIM_MAIL_RECEIPTS + 1000; i++) {
		r.code = i;
		assert_int_equal(sim_mail_receipt(&p, &r), 0);
	}
	assert_int_equal(sim_mail_each_receipt(&p, 0, on_receipt, &next), SIM_MAIL_RECEIPTS + 1000);
	assert_int_equal(next, SIM_MAIL_RECEIPTS + 1000);
	next = SIM_MAIL_RECEIPTS;
	assert_int_equal(sim_mail_each_receipt(&p, next, on_receipt, &next),
	                 SIM_MAIL_RECEIPTS + 1000);
	sim_mail_each_count(&p, on_count, &n);
	assert_int_equal(n, SIM_MAIL_RECEIPTS + 1000);
	sim_mail_free(p.mail);
}

/* ---- Message -----------------------------------------------------------------------------------
 */

static void test_a_message_is_described_through_its_wrappers(void **state)
{
	struct buf b = { 0 };
	struct sim_msg_info info;

	(void)state;
	assert_int_equal(sim_msg_put_double(&b, 1, 1.5), 0);
	assert_int_equal(sim_msg_put_double(&b, 2, -2.5), 0);
	assert_int_equal(sim_msg_put_text(&b, 3, "there"), 0);
	assert_int_equal(sim_msg_enclose(&b, 5), 0);
	assert_int_equal(sim_msg_enclose(&b, 1), 0);
	assert_int_equal(sim_msg_enclose(&b, 40), 0);
	assert_int_equal(sim_msg_enclose(&b, 2), 0);
	assert_int_equal(sim_msg_enclose(&b, 31), 0);
	sim_msg_describe(b.p, b.len, &info);
	assert_string_equal(info.type, "location");
	assert_string_equal(info.text, "there");
	buf_reset(&b);
	assert_int_equal(sim_msg_put_int(&b, 99, 7), 0);
	sim_msg_describe(b.p, b.len, &info);
	assert_string_equal(info.type, "none");
	assert_null(info.text);
	buf_free(&b);
}

static void test_a_long_text_is_cut_between_characters(void **state)
{
	struct buf b = { 0 };
	struct sim_msg_info info;
	char text[SIM_TEXT_CAP + 4];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + SIM_TEXT_CAP - 2, "\xc3\xa4\xc3\xa4", 5);
	assert_int_equal(sim_msg_put_text(&b, 1, text), 0);
	sim_msg_describe(b.p, b.len, &info);
	assert_int_equal(strlen(info.text), SIM_TEXT_CAP - 2);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_are_kept_replaced_and_dropped),
		cmocka_unit_test(test_what_was_sent_is_found_until_it_is_too_old),
		cmocka_unit_test(test_all_mail_together_is_bounded),
		cmocka_unit_test(test_receipts_are_counted_and_the_newest_kept),
		cmocka_unit_test(test_a_message_is_described_through_its_wrappers),
		cmocka_unit_test(test_a_long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
