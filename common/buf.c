/* common/buf.c - a growable byte buffer */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

#define BUF_CAP_MIN 64

int buf_reserve(struct buf *b, size_t add_len)
{
	size_t need, cap;
	uint8_t *p;

	if (add_len <= b->cap - b->len)
		return 0;
	if (add_len > SIZE_MAX / 2 - b->len)
		return -ENOMEM;
	need = b->len + add_len;
	cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
	while (cap < need)
		cap *= 2;
	/* not realloc(): it could leave a copy of a secret behind */
	p = malloc(cap);
	if (p == NULL)
		return -ENOMEM;
	if (b->len > 0)
		memcpy(p, b->p, b->len);
	secret_wipe(b->p, b->len);
	free(b->p);
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *data, size_t data_len)
{
	int rc = buf_reserve(b, data_len);

	if (rc < 0)
		return rc;
	if (data_len > 0)
		memcpy(b->p + b->len, data, data_len);
	b->len += data_len;
	return 0;
}

int buf_append_u8(struct buf *b, uint8_t v)
{
	return buf_append(b, &v, 1);
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_append_dec(struct buf *b, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return buf_append(b, p, (size_t)(digits + sizeof(digits) - p));
}

int buf_appendf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	/* vsnprintf() needs room for its NUL, which does not count */
	rc = buf_reserve(b, (size_t)n + 1);
	if (rc < 0)
		return rc;
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

void buf_drop(struct buf *b, size_t drop_len)
{
	if (drop_len == 0)
		return;
	if (drop_len >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->p, b->p + drop_len, b->len - drop_len);
	b->len -= drop_len;
	secret_wipe(b->p + b->len, drop_len);
}

void buf_reset(struct buf *b)
{
	secret_wipe(b->p, b->len);
	b->len = 0;
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void buf_wipe(struct buf *b)
{
	/* the whole capacity: who writes into it directly may have left something behind len */
	secret_wipe(b->p, b->cap);
	buf_free(b);
}
