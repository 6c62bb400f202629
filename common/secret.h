/* common/secret.h - keys and tokens: randomness, comparison without timing, wiping */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* n cryptographically random bytes (OpenSSL's generator). 0 or WA_ECRYPTO. */
ATTR_NODISCARD int secret_random(void *out, size_t n);
/* Equal? Takes the same time whatever the bytes are. */
bool secret_eq(const void *a, const void *b, size_t n);
/* Overwrite; the compiler can't drop it. NULL with n == 0 is fine. */
void secret_wipe(void *p, size_t n);

#endif
