/* common/secret.c - randomness, comparison without timing, wiping */
#include "common/secret.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/err.h"

int secret_random(void *out, size_t n)
{
	if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
		return WA_ECRYPTO;
	return 0;
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse(p, n);
}
