/* gateway/http/gw_json.c - a JSON object out of foreign bytes, within bounds */
#include "gateway/http/gw_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_text.h"
#include "common/secret.h"

#define INT_DIGITS_MAX 18 /* fit into json_int_t, whatever they are */
#define STAND_IN "0.5"    /* for a number that has no room */

/* The end of a string that begins at p[i], with its closing quote. */
static size_t string_end(const char *p, size_t n, size_t i)
{
	for (i++; i < n && p[i] != '"'; i++) {
		if (p[i] == '\\')
			i++;
	}
	return i < n ? i + 1 : n;
}

bool gw_json_is_flat(const char *p, size_t n, unsigned depth_max)
{
	unsigned depth = 0;

	for (size_t i = 0; i < n;) {
		if (p[i] == '"') {
			i = string_end(p, n, i);
			continue;
		}
		if (p[i] == '{' || p[i] == '[') {
			if (++depth > depth_max)
				return false;
		} else if ((p[i] == '}' || p[i] == ']') && depth > 0) {
			depth--;
		}
		i++;
	}
	return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static size_t digits_end(const char *p, size_t n, size_t i)
{
	while (i < n && p[i] >= '0' && p[i] <= '9')
		i++;
	return i;
}

/*
 * The end of the number (RFC 8259) that begins at p[i], or i when that is none. *large_out: it may
 * be too large for json_int_t or a double.
 */
static size_t number_end(const char *p, size_t n, size_t i, bool *large_out)
{
	size_t begin = i, digits, end;

	if (p[i] == '-')
		i++;
	digits = i;
	end = digits_end(p, n, i);
	if (end == digits || (p[digits] == '0' && end > digits + 1))
		return begin;
	*large_out = end - digits > INT_DIGITS_MAX;
	if (end + 1 < n && p[end] == '.') {
		i = digits_end(p, n, end + 1);
		if (i == end + 1)
			return begin;
		end = i;
	}
	if (end + 1 < n && (p[end] == 'e' || p[end] == 'E')) {
		i = end + 1;
		if (p[i] == '+' || p[i] == '-')
			i++;
		end = digits_end(p, n, i);
		if (end == i)
			return begin;
		*large_out = true;
	}
	return end;
}

static void shrink_numbers(char *p, size_t n)
{
	size_t i = 0, end;
	bool large;

	while (i < n) {
		if (p[i] == '"') {
			i = string_end(p, n, i);
			continue;
		}
		large = false;
		end = number_end(p, n, i, &large);
		if (large && end - i >= sizeof(STAND_IN) - 1) {
			memset(p + i, ' ', end - i);
			memcpy(p + i, STAND_IN, sizeof(STAND_IN) - 1);
		}
		i = end > i ? end : i + 1;
	}
}

/* The rare body with such a number, read again from a copy. */
static int load_shrunk(const char *text, size_t text_len, json_t **json_out)
{
	char *copy = malloc(text_len);
	int rc;

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, text_len);
	shrink_numbers(copy, text_len);
	rc = json_text_load(copy, text_len, JSON_REJECT_DUPLICATES, json_out);
	secret_wipe(copy, text_len); /* may hold a token or a password */
	free(copy);
	return rc;
}

int gw_json_object(const void *text, size_t text_len, json_t **json_out)
{
	json_t *json = NULL;
	int rc;

	if (!gw_json_is_flat(text, text_len, GW_JSON_DEPTH_MAX))
		return -EINVAL;
	rc = json_text_load(text, text_len, JSON_REJECT_DUPLICATES, &json);
	if (rc == -ERANGE)
		rc = load_shrunk(text, text_len, &json);
	if (rc < 0)
		return rc == -ENOMEM ? rc : -EINVAL;
	if (!json_is_object(json)) {
		json_decref(json);
		return -EINVAL;
	}
	*json_out = json;
	return 0;
}
