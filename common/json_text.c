/* common/json_text.c - jansson reading and writing text where memory may run out */
#include "common/json_text.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RESERVE_SPARE 64 /* a token's buffer begins with 16 bytes and doubles */

/* ---- reading --------------------------------------------------------------------------------- */

struct load {
	const char *text;
	size_t left;
	void *reserve; /* given out where the first allocation fails; NULL: it has been */
	size_t reserve_len;
	bool no_memory;
};

/*
 * What this thread is reading: jansson's allocator has no argument. The lexer does not look at what
 * it gets when a token's buffer grows, so there it must not get nothing; and then the text ends for
 * it, byte by byte, before it needs more.
 */
static __thread struct load *loading;

static void *load_malloc(size_t n)
{
	void *p = malloc(n);

	if (p != NULL || loading == NULL)
		return p;
	loading->no_memory = true;
	if (loading->reserve != NULL && n <= loading->reserve_len) {
		p = loading->reserve;
		loading->reserve = NULL;
	}
	return p;
}

static void set_allocator(void)
{
	json_set_alloc_funcs(load_malloc, free);
}

static size_t next_byte(void *to, size_t cap, void *arg)
{
	struct load *l = arg;

	if (l->left == 0 || l->no_memory || cap == 0)
		return 0;
	*(char *)to = *l->text++;
	l->left--;
	return 1;
}

static int load_rc(const struct load *l, const json_error_t *error)
{
	if (l->no_memory || json_error_code(error) == json_error_out_of_memory)
		return -ENOMEM;
	return json_error_code(error) == json_error_numeric_overflow ? -ERANGE : -EINVAL;
}

int json_text_load(const void *text, size_t text_len, size_t flags, json_t **json_out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct load l = { .text = text, .left = text_len };
	json_error_t error = { 0 };
	json_t *json;
	int rc = 0;

	(void)pthread_once(&once, set_allocator);
	l.reserve_len = 2 * text_len + RESERVE_SPARE;
	l.reserve = malloc(l.reserve_len);
	if (l.reserve == NULL)
		return -ENOMEM;
	loading = &l;
	json = json_load_callback(next_byte, &l, flags, &error);
	loading = NULL;
	free(l.reserve);
	if (json == NULL || l.no_memory)
		rc = load_rc(&l, &error);
	if (rc < 0)
		json_decref(json);
	else
		*json_out = json;
	return rc;
}

json_t *json_text_read(const char *text, size_t text_len, size_t flags)
{
	json_t *json = NULL;

	if (text == NULL || json_text_load(text, text_len, flags, &json) < 0)
		return NULL;
	return json;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct dump {
	struct buf *out;
	int rc;
};

/* What is told once is not always heard: it is told again at the end. */
static int on_text(const char *text, size_t text_len, void *arg)
{
	struct dump *d = arg;

	if (d->rc == 0)
		d->rc = buf_append(d->out, text, text_len);
	return d->rc < 0 ? -1 : 0;
}

int json_text_append(const json_t *json, size_t flags, struct buf *out)
{
	struct dump d = { .out = out };
	size_t len = out->len;

	if (json_dump_callback(json, on_text, &d, JSON_COMPACT | flags) == 0 && d.rc == 0)
		return 0;
	out->len = len;
	return -ENOMEM;
}

char *json_text(const json_t *json)
{
	struct buf b = { 0 };

	if (json == NULL || json_text_append(json, 0, &b) < 0 || buf_append_u8(&b, 0) < 0)
		buf_wipe(&b);
	return (char *)b.p;
}
