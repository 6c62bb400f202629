/*
 * worker/wa/stanza/wa_stanza.h - small stanzas of a live session: acks, pings, IQs, bulletins
 *
 * Builders return NULL without memory; the caller frees. Source: protocol notes 04.
 */
#ifndef WA_STANZA_H
#define WA_STANZA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "worker/wa/node/wa_node.h"

/* An attribute as a number. 0 or WA_EPROTO (missing, empty, not all digits, over max). */
ATTR_NODISCARD int wa_node_attr_u64(const struct wa_node *n, const char *name, uint64_t max,
                                    uint64_t *v_out);

/*
 * The content of n's first child of that tag, borrowed. 0; -ENOENT: no such child; WA_EPROTO: it
 * holds no bytes, or not len_min to len_max of them.
 */
ATTR_NODISCARD int wa_child_bytes(const struct wa_node *n, const char *tag, size_t len_min,
                                  size_t len_max, const uint8_t **p_out, size_t *len_out);

/* A <notification from=SRV type>? */
bool wa_is_notification(const struct wa_node *n, const char *type);

/* <iq to=SRV type id xmlns/> to put children into. */
struct wa_node *wa_iq(const char *type, const char *xmlns, const char *id);

/* An attribute as it came, where it came: as a JID only what came as one, so that it can be written
 * again. */
void wa_copy_attr(struct wa_node *to, const char *to_name, const struct wa_node *from,
                  const char *name);
/*
 * <ack class id to [participant] [recipient] [type] [from] [error]/> for a message, receipt,
 * notification or call. own_jid: "from" of an ack for a message. error: nack code, 0: none.
 * NULL also when the stanza has no id or no from.
 */
struct wa_node *wa_ack(const struct wa_node *stanza, const char *own_jid, unsigned error);

/* Answer to a server ping; copies the id when there is one. */
struct wa_node *wa_pong(const struct wa_node *ping);

struct wa_node *wa_active(const char *id);        /* <iq xmlns="passive"><active/> */
struct wa_node *wa_offline_batch(unsigned count); /* <ib><offline_batch count/></ib> */
struct wa_node *wa_remove_companion(const char *id, const char *own_jid); /* logout */
/* NULL also for available without a push name (NULL or ""). */
struct wa_node *wa_presence(bool available, const char *push_name);

/* <ib><unified_session id/></ib>: (local ms + offset ms + 3 days) mod 7 days. */
uint64_t wa_unified_session_id(int64_t local_unix_ms, int64_t offset_ms);
struct wa_node *wa_unified_session(uint64_t id);

/*
 * The <error code text/> of an IQ answer. 0: it is a result; else the code, 1 without one.
 * *text_out (may be NULL): borrowed, NULL without a text.
 */
unsigned wa_iq_error_code(const struct wa_node *answer, const char **text_out);

#endif
