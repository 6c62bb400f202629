/*
 * worker/wa/link/wa_pair.h - stanzas of the pairing phase: what came, and what to answer
 *
 * Source: protocol notes 03 sections 4 and 5.
 */
#ifndef WA_PAIR_H
#define WA_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_node.h"

#define WA_REFS_MAX 12 /* the server sends 6 */

struct wa_pair_device {
	const char *id; /* borrowed from the node */
	struct {
		const uint8_t *p;
		size_t len;
	} refs[WA_REFS_MAX];
	size_t refs_n; /* at least 1 */
};

/*
 * <iq type="set" from=SRV><pair-device><ref/>...</pair-device></iq>
 * 0; WA_ESTATE: the node is something else; WA_EPROTO: it is one, but malformed (no id, another
 * child beside pair-device, no ref, a ref that is empty or over WA_REF_MAX_LEN, more than
 * WA_REFS_MAX). Children of pair-device that are no ref are passed over.
 */
ATTR_NODISCARD int wa_pair_device_read(const struct wa_node *n, struct wa_pair_device *out);

/* <iq to=SRV id=ID type="result"/>; caller frees. NULL without memory. */
struct wa_node *wa_iq_result(const char *id);
/* <iq to=SRV type="error" id=ID><error code text/></iq> */
struct wa_node *wa_iq_error(const char *id, int code, const char *text);
/* <ack class="notification" id to=SRV type/> for a notification; NULL also when it has no id. */
struct wa_node *wa_notification_ack(const struct wa_node *notification);
/* <iq id to=SRV type="get" xmlns="w:p"/>, the keepalive */
struct wa_node *wa_ping(const char *id);

/* How long code index of total lives, ms: 60 s for the first of six, else 20 s. */
uint32_t wa_pair_code_valid_ms(size_t index, size_t total);

#endif
