/* common/secret.h - keys and tokens: randomness, comparison without timing, wiping, memory */
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

/*
 * Memory for secrets that stay: locked, so that it is never swapped (as far as RLIMIT_MEMLOCK goes;
 * beyond it works on with one warning), and left out of core files. Small blocks share pages. Any
 * thread may. A fork keeps the pages out of core files, but does not lock them: allocate after it.
 */
/* Zeroed. NULL without memory. */
ATTR_NODISCARD void *secret_alloc(size_t n);
/* NULL for NULL, and without memory. */
ATTR_NODISCARD char *secret_strdup(const char *text);
/* Wipes. NULL is fine. */
void secret_free(void *p);

#endif
