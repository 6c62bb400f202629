/*
 * worker/wa/signal/wa_signal_crypto.h - what libsignal-protocol-c needs of cryptography, from OpenSSL
 *
 * The library brings its own X25519 and XEdDSA; HMAC, SHA-512, AES and randomness come from here.
 * Source: protocol notes 05 section 11.1.
 */
#ifndef WA_SIGNAL_CRYPTO_H
#define WA_SIGNAL_CRYPTO_H

#include <signal/signal_protocol.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* n random bytes into out; 0 or negative. Tests put their own in. */
typedef int wa_signal_random_fn(void *arg, uint8_t *out, size_t n);

struct wa_signal_crypto; /* fetched algorithms and contexts to reuse; one thread */

/* 0, WA_ECRYPTO or -ENOMEM. */
ATTR_NODISCARD int wa_signal_crypto_new(struct wa_signal_crypto **c_out);
void wa_signal_crypto_free(struct wa_signal_crypto *c); /* NULL is fine */

/* NULL: OpenSSL's generator again. */
void wa_signal_crypto_set_random(struct wa_signal_crypto *c, wa_signal_random_fn *fn, void *arg);
/* From whichever source is set. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int wa_signal_crypto_random(struct wa_signal_crypto *c, uint8_t *out, size_t n);

/* Give the library this provider; c must outlive ctx. 0 or a code of the library. */
ATTR_NODISCARD int wa_signal_crypto_attach(struct wa_signal_crypto *c, signal_context *ctx);

#endif
