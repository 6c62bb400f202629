/*
 * tests/fuzz/fuzz_ipc.c - a packet from the other end of a control channel
 *
 * First byte: who sends it, and whether a descriptor comes along. Property: what is accepted packs
 * again into a message that unpacks to the same bytes.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "common/ipc.h"
#include "common/pb_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pb_limits limits = { IPC_BODY_MAX, 4 * IPC_BODY_MAX, 4 };
	const struct ipc_type_info *info = NULL;
	ProtobufCMessage *msg = NULL, *again = NULL;
	struct ipc_header h;
	uint8_t *packed;
	size_t n;

	if (size < 1)
		return 0;
	if (ipc_frame_check(data + 1, size - 1, data[0] & 7, (data[0] & 8) != 0, &h, &info) < 0)
		return 0;
	FUZZ_REQUIRE(h.body_len == size - 1 - IPC_HDR_LEN && h.body_len <= info->body_max);
	if (pb_unpack(info->desc, data + 1 + IPC_HDR_LEN, h.body_len, &limits, &msg) < 0)
		return 0;
	n = protobuf_c_message_get_packed_size(msg);
	packed = malloc(n + 1);
	if (packed != NULL) {
		FUZZ_REQUIRE(protobuf_c_message_pack(msg, packed) == n);
		FUZZ_REQUIRE(pb_unpack(info->desc, packed, n, &limits, &again) == 0);
		FUZZ_REQUIRE(protobuf_c_message_get_packed_size(again) == n);
		pb_free(again);
	}
	free(packed);
	pb_free(msg);
	return 0;
}

/* A packet whose header fits its body and who sends it; now and then of another type. */
bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	struct ipc_header h = { 0 };
	const struct ipc_type_info *info = NULL;
	struct buf body = { 0 };
	uint8_t first, head[IPC_HDR_LEN];

	if (size >= 1 + IPC_HDR_LEN && !mut_chance(m, 24))
		info = ipc_type_find((uint16_t)(data[3] | data[4] << 8));
	while (info == NULL)
		info = ipc_type_find((uint16_t)(1 + mut_below(m, 48)));
	if (size < 1 + IPC_HDR_LEN)
		mut_pb(m, info->desc, (const uint8_t *)"", 0, &body);
	else
		mut_pb(m, info->desc, data + 1 + IPC_HDR_LEN, size - 1 - IPC_HDR_LEN, &body);
	first = (uint8_t)(info->sender | (info->fd ? 8u : 0u) | (mut_chance(m, 8) ? 8u : 0u));
	h.type = (uint16_t)info->type;
	h.req_id = (uint32_t)mut_number(m);
	h.body_len = (uint32_t)body.len;
	ipc_header_encode(&h, head);
	mut_put(out, &first, 1);
	mut_put(out, head, sizeof(head));
	mut_put(out, body.p, body.len);
	buf_free(&body);
	return true;
}
