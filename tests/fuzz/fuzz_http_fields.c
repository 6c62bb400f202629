/*
 * tests/fuzz/fuzz_http_fields.c - readers of what the gate has let through: Accept,
 * X-Forwarded-For, the query of a target
 *
 * The first line of the input is a value of each field (where the gate takes it there), the second
 * a name to look for in the query.
 */
#include "fuzz.h"

#include <string.h>

#include "common/attr.h"
#include "gateway/http/gw_accept.h"
#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_query.h"

#define TEXT_CAP 1024

/* Up to the end of the line; what can't be in a value is left out. */
static void take_line(const uint8_t **p, const uint8_t *end, char out[TEXT_CAP])
{
	size_t n = 0;

	while (*p < end && **p != '\n') {
		uint8_t c = *(*p)++;

		if (n < TEXT_CAP - 1 && (c >= 0x20 || c == '\t') && c != 0x7f)
			out[n++] = (char)c;
	}
	if (*p < end)
		(*p)++;
	out[n] = '\0';
}

/* An address that was read is written so that it is read the same again. */
static void check_address(const char *text)
{
	struct gw_addr a, again;
	char written[GW_ADDR_CAP];

	if (gw_addr_parse(text, strlen(text), &a) < 0)
		return;
	FUZZ_REQUIRE(gw_addr_is_ip(&a));
	gw_addr_format(&a, written);
	FUZZ_REQUIRE(gw_addr_parse(written, strlen(written), &again) == 0);
	FUZZ_REQUIRE(gw_addr_eq(&a, &again));
}

/* Nobody but a proxy is believed; and what is believed is no proxy, or there was nobody else. */
static void check_forwarded(const char *text)
{
	static const char proxies[] = "10.0.0.0/8, ::1, unix";
	const char *const fields[] = { "192.0.2.1", text };
	struct gw_addr_list *list;
	struct gw_addr stranger, proxy, who;

	FUZZ_REQUIRE(gw_addr_list_parse(proxies, &list) == 0);
	FUZZ_REQUIRE(gw_addr_parse("192.0.2.9", 9, &stranger) == 0);
	FUZZ_REQUIRE(gw_addr_parse("10.0.0.1", 8, &proxy) == 0);
	who = gw_addr_client(&stranger, fields, ARRAY_LEN(fields), list);
	FUZZ_REQUIRE(gw_addr_eq(&who, &stranger));
	who = gw_addr_client(&proxy, &fields[1], 1, list);
	/* one field more in front is asked only where that one ended among proxies */
	if (!gw_addr_list_has(list, &who)) {
		struct gw_addr same = gw_addr_client(&proxy, fields, ARRAY_LEN(fields), list);

		FUZZ_REQUIRE(gw_addr_eq(&who, &same));
	}
	gw_addr_list_free(list);
}

/* Networks that can be read can be asked. */
static void check_networks(const char *text)
{
	struct gw_addr_list *list;
	struct gw_addr a;

	FUZZ_REQUIRE(gw_addr_parse("10.0.0.1", 8, &a) == 0);
	if (gw_addr_list_parse(text, &list) < 0)
		return;
	(void)gw_addr_list_has(list, &a);
	gw_addr_list_free(list);
}

static bool is_plain(const char *s, size_t cap)
{
	size_t n = strnlen(s, cap);

	FUZZ_REQUIRE(n < cap);
	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	}
	return true;
}

/* The gate has seen to it that escapes are complete. */
static bool escapes_are_whole(const char *s)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	for (; (s = strchr(s, '%')) != NULL; s += 3) {
		if (s[1] == '\0' || s[2] == '\0' || strchr(hex, s[1]) == NULL ||
		    strchr(hex, s[2]) == NULL)
			return false;
	}
	return true;
}

static void check_query(const char *target, const char *key)
{
	char small[8], large[TEXT_CAP];
	int a, b;

	if (!escapes_are_whole(target))
		return;
	a = gw_query_param(target, key, large, sizeof(large));
	if (a == 1)
		FUZZ_REQUIRE(is_plain(large, sizeof(large)));
	b = gw_query_param(target, key, small, sizeof(small));
	if (b == 1)
		FUZZ_REQUIRE(a == 1 && is_plain(small, sizeof(small)) && strcmp(small, large) == 0);
	if (b == 0)
		FUZZ_REQUIRE(a == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size;
	char value[TEXT_CAP], key[TEXT_CAP];

	if (size == 0)
		return 0;
	take_line(&p, end, value);
	take_line(&p, end, key);
	FUZZ_REQUIRE(gw_accept_best(value) < GW_MEDIA_N);
	check_address(value);
	check_forwarded(value);
	check_networks(value);
	check_query(value, key);
	return 0;
}
