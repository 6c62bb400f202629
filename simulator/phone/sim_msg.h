/* simulator/phone/sim_msg.h - the Message protobuf, made and read by hand (no I/O) */
#ifndef SIM_MSG_H
#define SIM_MSG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

struct sim_phone;

/* ---- writing -----------------------------------------------------------------------------------
 *
 * Append one field. 0 or -ENOMEM.
 */

ATTR_NODISCARD int sim_msg_put(struct buf *b, uint32_t number, const void *data, size_t len);
ATTR_NODISCARD int sim_msg_put_text(struct buf *b, uint32_t number,
                                    const char *text); /* NULL: none */
ATTR_NODISCARD int sim_msg_put_int(struct buf *b, uint32_t number, uint64_t v);
ATTR_NODISCARD int sim_msg_put_double(struct buf *b, uint32_t number, double v);
ATTR_NODISCARD int sim_msg_put_fixed32(struct buf *b, uint32_t number, uint32_t v);
/* b becomes the content of a field of itself: b = tag number, length, b. */
ATTR_NODISCARD int sim_msg_enclose(struct buf *b, uint32_t number);

/* ---- reading -----------------------------------------------------------------------------------
 */

#define SIM_TEXT_CAP 1024

struct sim_msg_info {
	const char *type; /* "text", "image", ... of what is inside the wrappers; static */
	const char *text; /* points into text_buf; NULL: none */
	char text_buf[SIM_TEXT_CAP];
};

void sim_msg_describe(const uint8_t *msg, size_t len, struct sim_msg_info *info_out);
/* The content of a field: false when there is none of that number. Borrowed. */
bool sim_msg_field(const uint8_t *msg, size_t len, uint32_t number, const uint8_t **data_out,
                   size_t *len_out);

#endif
