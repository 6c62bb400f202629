/* tests/unit/test_rd_wr.c - bounded reader and writer */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/rd.h"
#include "common/wr.h"

static void test_what_is_written_reads_back(void **state)
{
	uint8_t mem[32];
	struct wr w;
	struct rd r;

	(void)state;
	wr_init(&w, mem, sizeof(mem));
	wr_u8(&w, 0x12);
	wr_be16(&w, 0x3456);
	wr_be24(&w, 0x789abc);
	wr_be32(&w, 0xdef01234);
	wr_le16(&w, 0x5678);
	wr_le32(&w, 0x9abcdef0);
	wr_le64(&w, 0x1122334455667788);
	assert_int_equal(w.err, 0);
	assert_int_equal(w.len, 24);
	assert_int_equal(mem[16], 0x88);
	assert_int_equal(mem[1], 0x34);  /* big-endian */
	assert_int_equal(mem[10], 0x78); /* little-endian */

	rd_init(&r, mem, w.len);
	assert_int_equal(rd_u8(&r), 0x12);
	assert_int_equal(rd_be16(&r), 0x3456);
	assert_int_equal(rd_be24(&r), 0x789abc);
	assert_int_equal(rd_be32(&r), 0xdef01234);
	assert_int_equal(rd_le16(&r), 0x5678);
	assert_int_equal(rd_le32(&r), 0x9abcdef0);
	assert_true(rd_le64(&r) == 0x1122334455667788);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.left, 0);
}

/* Memory of exactly the size, so that AddressSanitizer and valgrind see a byte too far. */
static void test_reader_never_passes_its_end(void **state)
{
	(void)state;
	for (size_t n = 0; n < 4; n++) {
		uint8_t *mem = calloc(1, n + 1);
		struct rd r;

		rd_init(&r, mem, n);
		assert_int_equal(rd_be32(&r), 0);
		assert_int_equal(r.err, WA_ETRUNC);
		assert_int_equal(r.left, n); /* nothing moved */
		assert_int_equal(rd_u8(&r), 0);
		assert_int_equal(r.err, WA_ETRUNC); /* the first failure stays */
		free(mem);
	}
}

static void test_reader_takes_huge_lengths(void **state)
{
	const uint8_t mem[2] = { 1, 2 };
	struct rd r;

	(void)state;
	rd_init(&r, mem, sizeof(mem));
	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_int_equal(r.err, WA_ETRUNC);
}

static void test_writer_stops_at_its_end(void **state)
{
	uint8_t mem[4] = { 9, 9, 9, 9 };
	struct wr w;

	(void)state;
	wr_init(&w, mem, 3);
	wr_be16(&w, 0x0102);
	wr_be16(&w, 0x0304);
	assert_int_equal(w.err, WA_ELIMIT);
	wr_u8(&w, 5); /* would fit, but the error is sticky */
	assert_int_equal(w.len, 2);
	assert_int_equal(mem[2], 9);
	assert_int_equal(mem[3], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_reads_back),
		cmocka_unit_test(test_reader_never_passes_its_end),
		cmocka_unit_test(test_reader_takes_huge_lengths),
		cmocka_unit_test(test_writer_stops_at_its_end),
	};

	return cmocka_run_group_tests_name("rd_wr", tests, NULL, NULL);
}
