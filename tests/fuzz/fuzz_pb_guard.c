/*
 * tests/fuzz/fuzz_pb_guard.c - foreign protobuf bytes against every schema
 *
 * First byte picks the schema, second the limits. Property: the scan alone and the unpack agree
 * unless memory was the reason, and no limit is ever passed.
 */
#include "fuzz.h"
#include "mutate.h"

#include "common/attr.h"
#include "common/err.h"
#include "common/pb_guard.h"
#include "proto/ipc.pb-c.h"
#include "proto/wa_handshake.pb-c.h"
#include "proto/wa_payload.pb-c.h"

static const ProtobufCMessageDescriptor *const schemas[] = {
	&wa__handshake_message__descriptor,
	&wa__cert_chain__descriptor,
	&wa__noise_certificate_details__descriptor,
	&wa__client_payload__descriptor,
	&wa__device_props__descriptor,
	&ipc__qr__descriptor,
	&ipc__connect__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_limits limits = pb_limits_small;
	const ProtobufCMessageDescriptor *desc;
	ProtobufCMessage *msg = NULL;
	int scanned, rc;

	if (size < 2)
		return 0;
	desc = schemas[data[0] % ARRAY_LEN(schemas)];
	limits.depth_max = 1 + data[1] % 8;
	limits.memory_max = (size_t)1024 << (data[1] >> 4);
	scanned = pb_scan(desc, data + 2, size - 2, &limits);
	rc = pb_unpack(desc, data + 2, size - 2, &limits, &msg);
	if (scanned < 0)
		FUZZ_REQUIRE(rc == scanned && msg == NULL);
	else
		FUZZ_REQUIRE(rc == 0 || rc == WA_ELIMIT || rc == WA_EPROTO);
	pb_free(msg);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	uint8_t head[2];

	if (size < 2)
		return false;
	head[0] = mut_chance(m, 24) ? (uint8_t)mut_rand(m) : data[0];
	head[1] = mut_chance(m, 8) ? (uint8_t)mut_rand(m) : data[1];
	mut_put(out, head, sizeof(head));
	mut_pb(m, schemas[head[0] % ARRAY_LEN(schemas)], data + 2, size - 2, out);
	return true;
}
