/* tests/unit/test_pb_guard.c - limits in front of protobuf-c */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "proto/wa_handshake.pb-c.h"

static const ProtobufCMessageDescriptor *const chain = &wa__cert_chain__descriptor;

static int unpack(const ProtobufCMessageDescriptor *desc, const void *p, size_t n,
                  const struct pb_limits *limits)
{
	ProtobufCMessage *msg = NULL;
	int rc = pb_unpack(desc, p, n, limits, &msg);

	if (rc < 0)
		assert_null(msg);
	pb_free(msg);
	return rc;
}

/* A schema that contains itself, which none of ours does: a message with one field of its own type.
 */
static const ProtobufCFieldDescriptor self_field[];
static const ProtobufCIntRange self_range[] = { { 1, 0 }, { 0, 1 } };
static const unsigned self_index[] = { 0 };
struct self {
	ProtobufCMessage base;
	struct self *child;
};
static void self_init(struct self *m);
static const ProtobufCMessageDescriptor self_desc = {
	PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	"self",
	"Self",
	"self",
	"",
	sizeof(struct self),
	1,
	self_field,
	self_index,
	1,
	self_range,
	(ProtobufCMessageInit)self_init,
	NULL,
	NULL,
	NULL,
};
static const ProtobufCFieldDescriptor self_field[] = {
	{ "child", 1, PROTOBUF_C_LABEL_OPTIONAL, PROTOBUF_C_TYPE_MESSAGE, 0,
	  offsetof(struct self, child), &self_desc, NULL, 0, 0, NULL, NULL },
};
static void self_init(struct self *m)
{
	const ProtobufCMessage base = PROTOBUF_C_MESSAGE_INIT(&self_desc);

	m->base = base;
	m->child = NULL;
}

/* depth messages inside each other */
static void nest(struct buf *out, unsigned depth)
{
	struct buf inner = { 0 };

	for (unsigned i = 1; i < depth; i++) {
		struct buf outer = { 0 };
		size_t n = inner.len;

		assert_int_equal(buf_append_u8(&outer, 0x0a), 0);
		do {
			assert_int_equal(
			    buf_append_u8(&outer, (uint8_t)((n & 0x7f) | (n > 0x7f ? 0x80 : 0))),
			    0);
			n >>= 7;
		} while (n > 0);
		assert_int_equal(buf_append(&outer, inner.p, inner.len), 0);
		buf_free(&inner);
		inner = outer;
	}
	*out = inner;
}

static void test_depth_at_the_limit_passes_and_one_more_fails(void **state)
{
	const struct pb_limits limits = { 1 << 20, 1 << 20, PB_MAX_DEPTH };
	struct buf b = { 0 };

	(void)state;
	nest(&b, PB_MAX_DEPTH);
	assert_int_equal(unpack(&self_desc, b.p, b.len, &limits), 0);
	buf_free(&b);
	nest(&b, PB_MAX_DEPTH + 1);
	assert_int_equal(unpack(&self_desc, b.p, b.len, &limits), WA_ELIMIT);
	buf_free(&b);
}

static void test_nesting_bomb_is_refused_without_recursing(void **state)
{
	const struct pb_limits limits = { 1 << 20, 1 << 20,
		                          1000000 }; /* asked for too much: capped */
	struct buf b = { 0 };

	(void)state;
	nest(&b, 20000);
	assert_true(b.len > 60000);
	assert_int_equal(unpack(&self_desc, b.p, b.len, &limits), WA_ELIMIT);
	buf_free(&b);
}

static void test_memory_budget_bounds_the_blow_up(void **state)
{
	/* a thousand empty unknown fields: two bytes each on the wire, far more in memory */
	const struct pb_limits small = { 1 << 20, 8192, 8 }, large = { 1 << 20, 1 << 20, 8 };
	uint8_t bytes[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i += 2) {
		bytes[i] = 0x7a; /* field 15, length-delimited */
		bytes[i + 1] = 0;
	}
	assert_int_equal(unpack(chain, bytes, sizeof(bytes), &large), 0);
	assert_int_equal(unpack(chain, bytes, sizeof(bytes), &small), WA_ELIMIT);
}

static void test_input_size_is_bounded(void **state)
{
	const struct pb_limits limits = { 4, 4096, 8 };
	const uint8_t bytes[] = { 0x7a, 0x03, 1, 2, 3 };

	(void)state;
	assert_int_equal(unpack(chain, bytes, sizeof(bytes), &limits), WA_ELIMIT);
	assert_int_equal(unpack(chain, bytes, 0, &limits), 0);
}

static void test_malformed_wire_is_refused(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[12];
		size_t len;
		int rc;
	} cases[] = {
		{ "length beyond the end", { 0x0a, 0x05, 0 }, 3, WA_ETRUNC },
		{ "varint without end", { 0x0a, 0x80 }, 2, WA_ETRUNC },
		{ "tag without value", { 0x0a }, 1, WA_ETRUNC },
		{ "varint over 64 bits",
		  { 0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 },
		  11,
		  WA_EPROTO },
		{ "field number 0", { 0x02, 0x00 }, 2, WA_EPROTO },
		{ "start of group", { 0x0b, 0x0c }, 2, WA_EPROTO },
		{ "wire type 6", { 0x0e, 0x00 }, 2, WA_EPROTO },
		{ "fixed64 cut short", { 0x79, 1, 2, 3 }, 4, WA_ETRUNC },
		{ "fixed32 cut short", { 0x7d, 1, 2, 3 }, 4, WA_ETRUNC },
		{ "bad bytes inside a known message", { 0x0a, 0x02, 0x0a, 0x05 }, 4, WA_ETRUNC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = unpack(chain, cases[i].bytes, cases[i].len, &pb_limits_small);

		if (rc != cases[i].rc)
			fail_msg("%s: %s", cases[i].what, wa_err_name(rc));
	}
}

static void test_good_message_is_unpacked(void **state)
{
	Wa__CertChain c = WA__CERT_CHAIN__INIT;
	Wa__NoiseCertificate leaf = WA__NOISE_CERTIFICATE__INIT;
	uint8_t details[] = { 1, 2, 3 };
	uint8_t packed[64];
	ProtobufCMessage *msg = NULL;
	size_t n;

	(void)state;
	leaf.has_details = 1;
	leaf.details.data = details;
	leaf.details.len = sizeof(details);
	c.leaf = &leaf;
	n = protobuf_c_message_pack(&c.base, packed);
	assert_int_equal(pb_unpack(chain, packed, n, &pb_limits_small, &msg), 0);
	assert_non_null(((Wa__CertChain *)msg)->leaf);
	assert_memory_equal(((Wa__CertChain *)msg)->leaf->details.data, details, sizeof(details));
	pb_free(msg);
	pb_free(NULL);
}

static void test_linked_protobuf_c_is_recent(void **state)
{
	(void)state;
	pb_check_version(); /* would end the process */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_at_the_limit_passes_and_one_more_fails),
		cmocka_unit_test(test_nesting_bomb_is_refused_without_recursing),
		cmocka_unit_test(test_memory_budget_bounds_the_blow_up),
		cmocka_unit_test(test_input_size_is_bounded),
		cmocka_unit_test(test_malformed_wire_is_refused),
		cmocka_unit_test(test_good_message_is_unpacked),
		cmocka_unit_test(test_linked_protobuf_c_is_recent),
	};

	return cmocka_run_group_tests_name("pb_guard", tests, NULL, NULL);
}
