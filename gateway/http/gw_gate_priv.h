/* gateway/http/gw_gate_priv.h - the gate's two files among themselves */
#ifndef GW_GATE_PRIV_H
#define GW_GATE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_gate;

/* Length of the run of bytes that can stand inside a head line. */
size_t gw_gate_line_run(const uint8_t *p, size_t n);
/*
 * g->head is whole, every line of it ended by CRLF, the last one empty: take it apart, and note how
 * the body is framed. False: it is to be refused.
 */
bool gw_gate_parse_head(struct gw_gate *g);

#endif
