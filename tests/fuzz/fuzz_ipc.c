/*
 * tests/fuzz/fuzz_ipc.c - a packet from the other end of a control channel
 *
 * First byte: who sends it, and whether a descriptor comes along. Property: what is accepted packs
 * again into a message that unpacks to the same bytes.
 */
#include "fuzz.h"

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
