/* tests/unit/wa_stanzas.h - stanzas in tests: from hex, as hex, as text */
#ifndef WA_STANZAS_H
#define WA_STANZAS_H

#include <jansson.h>

#include "worker/wa/node/wa_node.h"

/* The hex member decoded. Caller frees. */
struct wa_node *stanza_of_vector(const json_t *o, const char *key);
/* n is written as the hex member; n is freed. */
void stanza_assert_vector(const json_t *o, const char *key, struct wa_node *n);
/* n prints as text and can be encoded; n is freed. */
void stanza_assert_text(struct wa_node *n, const char *text);
/* <iq type="result" from=SRV id="1">, and an empty notification from SRV. */
struct wa_node *stanza_result(void);
struct wa_node *stanza_notification(const char *type);

#endif
