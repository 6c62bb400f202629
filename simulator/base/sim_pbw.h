/*
 * simulator/base/sim_pbw.h - protobuf written into a growing buffer, nested messages in place
 *
 * The first failure stays in err; later calls do nothing. Own code, as in sim_pb.h.
 */
#ifndef SIM_PBW_H
#define SIM_PBW_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct sim_pbw {
	struct buf *out; /* borrowed */
	int err;         /* 0 or -ENOMEM */
};

void sim_pbw_init(struct sim_pbw *w, struct buf *out);
void sim_pbw_uint(struct sim_pbw *w, uint32_t number, uint64_t v);
void sim_pbw_bytes(struct sim_pbw *w, uint32_t number, const void *data, size_t len);
void sim_pbw_text(struct sim_pbw *w, uint32_t number, const char *text); /* NULL: left out */
void sim_pbw_double(struct sim_pbw *w, uint32_t number, double v);

/* A nested message: what is written between the two is its content. */
size_t sim_pbw_begin(struct sim_pbw *w, uint32_t number);
void sim_pbw_end(struct sim_pbw *w, size_t begun);

#endif
