/*
 * worker/wa/message/wa_send.h - a message of our own on the wire: its content, its stanza
 *
 * Source: protocol notes 05 sections 9.1, 9.3 and 10.1, 06 section 3.
 */
#ifndef WA_SEND_H
#define WA_SEND_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "worker/wa/message/wa_msg_secret.h"
#include "worker/wa/node/wa_node.h"
#include "worker/wa/signal/wa_signal.h"
#include "worker/wa/stanza/wa_receipt.h"

/* Append {conversation: text} with its secret. 0 or -ENOMEM. */
ATTR_NODISCARD int wa_send_text(const char *text, const uint8_t secret[WA_MSG_SECRET_LEN],
                                struct buf *out);
/*
 * Append the same message as the account's other devices get it: {deviceSentMessage}. to: the
 * chat. 0; WA_EPROTO: message is none; -ENOMEM.
 */
ATTR_NODISCARD int wa_send_to_own(const void *message, size_t message_len, const char *to,
                                  struct buf *out);

/*
 * <reporting> of a text message, added to the stanza; nothing where the message has no secret or
 * is no plain text. sender, to: accounts (no device) in the addressing of the send. 0, -ENOMEM,
 * WA_ECRYPTO.
 */
ATTR_NODISCARD int wa_send_report(struct wa_node *stanza, const char *id, const char *sender,
                                  const char *to, const void *message, size_t message_len);

/* <message id to type="text">; peer_pn: the recipient's number, NULL: not known. */
struct wa_node *wa_send_stanza(const char *id, const char *to, const char *peer_pn);
/* <participants><to jid><enc/></to>: one device more. */
void wa_send_add(struct wa_node *stanza, const char *device_jid, enum wa_enc type,
                 const struct buf *sealed);
/* The answer to a retry receipt: its <enc> stands in the message itself. */
struct wa_node *wa_send_again(const struct wa_retry *ask, enum wa_enc type,
                              const struct buf *sealed);
/* <tctoken>, or <cstoken>: why we may write to somebody who has not written to us. */
void wa_send_token(struct wa_node *stanza, const char *tag, const void *token, size_t token_len);
/* <device-identity>: a stanza with a pkmsg needs it. */
void wa_send_identity(struct wa_node *stanza, const void *identity, size_t identity_len);

#endif
