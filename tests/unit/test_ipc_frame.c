/* tests/unit/test_ipc_frame.c - what the control channel's header lets through */
#include "test.h"

#include <string.h>

#include "common/err.h"
#include "common/ipc.h"

/* A header in front of body_len zero bytes. */
static size_t make(uint8_t *out, uint16_t type, uint32_t req_id, uint32_t body_len)
{
	const struct ipc_header h = { .type = type, .req_id = req_id, .body_len = body_len };

	ipc_header_encode(&h, out);
	memset(out + IPC_HDR_LEN, 0, body_len);
	return IPC_HDR_LEN + body_len;
}

static int check(const uint8_t *p, size_t n, unsigned from, bool fd)
{
	const struct ipc_type_info *info;
	struct ipc_header h;

	return ipc_frame_check(p, n, from, fd, &h, &info);
}

static void test_frame_header_is_little_endian(void **state)
{
	const uint8_t want[IPC_HDR_LEN] = { 1, 0, 8, 0, 0x44, 0x33, 0x22, 0x11,
		                            5, 0, 0, 0, 0,    0,    0,    0 };
	uint8_t packet[64];

	(void)state;
	make(packet, IPC_QR, 0x11223344, 5);
	assert_memory_equal(packet, want, sizeof(want));
}

static void test_frame_gives_back_header_and_type(void **state)
{
	const struct ipc_type_info *info;
	struct ipc_header h;
	uint8_t packet[64];
	size_t n = make(packet, IPC_QR, 77, 9);

	(void)state;
	assert_int_equal(ipc_frame_check(packet, n, IPC_FROM_WORKER, false, &h, &info), 0);
	assert_int_equal(h.type, IPC_QR);
	assert_int_equal(h.req_id, 77);
	assert_int_equal(h.body_len, 9);
	assert_string_equal(info->name, "qr");
}

static void test_frame_rejects_every_short_header(void **state)
{
	uint8_t packet[64];

	(void)state;
	make(packet, IPC_PING, 1, 0);
	for (size_t n = 0; n < IPC_HDR_LEN; n++)
		assert_int_equal(check(packet, n, IPC_FROM_GATEWAY, false), WA_ETRUNC);
}

static void test_frame_rejects_length_mismatch(void **state)
{
	uint8_t packet[64];
	size_t n = make(packet, IPC_STEP, 1, 8);

	(void)state;
	assert_int_equal(check(packet, n, IPC_FROM_WORKER, false), 0);
	assert_int_equal(check(packet, n - 1, IPC_FROM_WORKER, false), WA_EPROTO);
	assert_int_equal(check(packet, n + 1, IPC_FROM_WORKER, false), WA_EPROTO);
}

static void test_frame_rejects_version_flags_and_reserved(void **state)
{
	static const size_t at[] = { 0, 1, 12, 13, 14, 15 };
	uint8_t packet[64];
	size_t n = make(packet, IPC_PING, 1, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		packet[at[i]] ^= 0x02;
		assert_int_equal(check(packet, n, IPC_FROM_GATEWAY, false), WA_EPROTO);
		packet[at[i]] ^= 0x02;
	}
	assert_int_equal(check(packet, n, IPC_FROM_GATEWAY, false), 0);
}

static void test_frame_rejects_unknown_type_and_wrong_sender(void **state)
{
	uint8_t packet[64];

	(void)state;
	assert_int_equal(check(packet, make(packet, 999, 1, 0), 7, false), WA_EPROTO);
	assert_int_equal(check(packet, make(packet, 0, 1, 0), 7, false), WA_EPROTO);
	assert_int_equal(check(packet, make(packet, IPC_CONNECT, 1, 0), IPC_FROM_WORKER, false),
	                 WA_EPROTO);
	assert_int_equal(check(packet, make(packet, IPC_BYE, 1, 0), IPC_FROM_GATEWAY, false),
	                 WA_EPROTO);
	assert_int_equal(check(packet, make(packet, IPC_SPAWN_REPLY, 1, 0), IPC_FROM_WORKER, true),
	                 WA_EPROTO);
}

static void test_frame_rejects_body_over_the_types_maximum(void **state)
{
	uint8_t packet[4096];

	(void)state;
	for (uint16_t t = 0; t < 64; t++) {
		const struct ipc_type_info *info = ipc_type_find(t);

		if (info == NULL || info->body_max + 1 + IPC_HDR_LEN > sizeof(packet))
			continue;
		assert_int_equal(
		    check(packet, make(packet, t, 1, info->body_max), info->sender, info->fd), 0);
		assert_int_equal(
		    check(packet, make(packet, t, 1, info->body_max + 1), info->sender, info->fd),
		    WA_ELIMIT);
	}
}

static void test_frame_rejects_descriptor_where_none_belongs(void **state)
{
	uint8_t packet[64];

	(void)state;
	assert_int_equal(check(packet, make(packet, IPC_PING, 1, 0), IPC_FROM_GATEWAY, true),
	                 WA_EPROTO);
	assert_int_equal(check(packet, make(packet, IPC_SPAWN, 1, 0), IPC_FROM_GATEWAY, false),
	                 WA_EPROTO);
	assert_int_equal(check(packet, make(packet, IPC_SPAWN, 1, 0), IPC_FROM_GATEWAY, true), 0);
	assert_int_equal(check(packet, make(packet, IPC_SPAWN_REPLY, 1, 0), IPC_FROM_ZYGOTE, false),
	                 0);
	assert_int_equal(check(packet, make(packet, IPC_CONNECT, 1, 0), IPC_FROM_GATEWAY, true), 0);
	assert_int_equal(check(packet, make(packet, IPC_CONNECT, 1, 0), IPC_FROM_GATEWAY, false),
	                 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_header_is_little_endian),
		cmocka_unit_test(test_frame_gives_back_header_and_type),
		cmocka_unit_test(test_frame_rejects_every_short_header),
		cmocka_unit_test(test_frame_rejects_length_mismatch),
		cmocka_unit_test(test_frame_rejects_version_flags_and_reserved),
		cmocka_unit_test(test_frame_rejects_unknown_type_and_wrong_sender),
		cmocka_unit_test(test_frame_rejects_body_over_the_types_maximum),
		cmocka_unit_test(test_frame_rejects_descriptor_where_none_belongs),
	};

	return cmocka_run_group_tests_name("ipc_frame", tests, NULL, NULL);
}
