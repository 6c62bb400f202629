/*
 * simulator/base/sim_pb.h - protobuf by hand, for the messages that a phone signs, sends and reads
 *
 * The client has generated code for the same messages; the simulator shares none of it, so that a
 * mistake on one side shows on the other. What is signed has varints and length-delimited fields
 * only; messages have fixed32 and fixed64 besides.
 */
#ifndef SIM_PB_H
#define SIM_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rd.h"
#include "common/wr.h"

#define SIM_PB_VARINT 0
#define SIM_PB_FIXED64 1
#define SIM_PB_BYTES 2
#define SIM_PB_FIXED32 5
#define SIM_PB_VARINT_MAX 10 /* bytes of the longest varint */

struct sim_pb_field {
	uint32_t number;
	unsigned type;       /* SIM_PB_VARINT, ... */
	uint64_t value;      /* all but SIM_PB_BYTES */
	const uint8_t *data; /* SIM_PB_BYTES; borrowed from the input */
	size_t len;
};

/*
 * The next field. False at the end and on failure: r->err is then 0, WA_ETRUNC or WA_EPROTO (field
 * number 0, another wire type, a varint that is too long).
 */
bool sim_pb_next(struct rd *r, struct sim_pb_field *f_out);
/* As above, of a message: fixed32 and fixed64 are taken too. */
bool sim_pb_next_any(struct rd *r, struct sim_pb_field *f_out);
/* Is it that field, of exactly len bytes? */
bool sim_pb_is_bytes(const struct sim_pb_field *f, uint32_t number, size_t len);

void sim_pb_varint(struct wr *w, uint64_t v);
void sim_pb_uint(struct wr *w, uint32_t number, uint64_t v);
void sim_pb_bytes(struct wr *w, uint32_t number, const void *data, size_t len);

#endif
