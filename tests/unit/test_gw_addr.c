/* tests/unit/test_gw_addr.c - addresses, networks, and whom a forwarded request is from */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway/http/gw_addr.h"
#include "gateway/http/gw_query.h"

static struct gw_addr addr(const char *text)
{
	struct gw_addr a;

	assert_int_equal(gw_addr_parse(text, strlen(text), &a), 0);
	return a;
}

static void test_addresses_are_read_and_written(void **state)
{
	static const char *const cases[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "10.0.0.1:80", "10.0.0.1" },
		{ "::1", "::1" },
		{ "[::1]", "::1" },
		{ "[2001:db8::1]:443", "2001:db8::1" },
		{ "::ffff:1.2.3.4", "1.2.3.4" },
	};
	static const char *const wrong[] = { "",          "x",         "1.2.3",
		                             "1.2.3.4.5", "256.1.1.1", "[::1",
		                             "[::1]x",    "::",        "1.2.3.4, 5.6.7.8",
		                             "unix" };
	char text[GW_ADDR_CAP];
	struct gw_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		a = addr(cases[i][0]);
		gw_addr_format(&a, text);
		assert_string_equal(text, cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(gw_addr_parse(wrong[i], strlen(wrong[i]), &a), -EINVAL);
	memset(&a, 0, sizeof(a));
	gw_addr_format(&a, text);
	assert_string_equal(text, "unix");
}

static void test_clients_are_told_apart_by_address_or_prefix(void **state)
{
	struct gw_addr a = addr("2001:db8:0:1::1"), b = addr("2001:db8:0:1:ffff::2");
	struct gw_addr c = addr("2001:db8:0:2::1"), v4 = addr("10.0.0.1"), w4 = addr("10.0.0.2");
	struct gw_addr ka = gw_addr_client_key(&a), kb = gw_addr_client_key(&b),
	               kc = gw_addr_client_key(&c), k4 = gw_addr_client_key(&v4),
	               l4 = gw_addr_client_key(&w4);

	(void)state;
	assert_true(gw_addr_eq(&ka, &kb));
	assert_false(gw_addr_eq(&ka, &kc));
	assert_false(gw_addr_eq(&k4, &l4));
}

static void test_networks_match(void **state)
{
	static const struct {
		const char *list;
		const char *addr;
		bool has;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.1.2", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.4", false },
		{ "192.168.1.0/25", "192.168.1.127", true },
		{ "192.168.1.0/25", "192.168.1.128", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::1, 127.0.0.0/8", "127.9.9.9", true },
		{ "::1, 127.0.0.0/8", "::1", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "", "127.0.0.1", false },
	};
	static const char *const wrong[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x",
		                             "::1/129",     "host",      "10.0.0.0/-1" };
	struct gw_addr_list *list;
	struct gw_addr a, none = { { 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(gw_addr_list_parse(cases[i].list, &list), 0);
		a = addr(cases[i].addr);
		if (gw_addr_list_has(list, &a) != cases[i].has)
			fail_msg("%s in %s", cases[i].addr, cases[i].list);
		assert_false(gw_addr_list_has(list, &none));
		gw_addr_list_free(list);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(gw_addr_list_parse(wrong[i], &list), -EINVAL);
	assert_int_equal(gw_addr_list_parse("unix", &list), 0);
	assert_true(gw_addr_list_has(list, &none));
	gw_addr_list_free(list);
}

static void test_only_proxies_are_believed(void **state)
{
	static const struct {
		const char *trusted;
		const char *peer;
		const char *forwarded; /* "|" between fields */
		const char *client;
	} cases[] = {
		{ NULL, "1.1.1.1", "2.2.2.2", "1.1.1.1" },
		{ "10.0.0.0/8", "1.1.1.1", "2.2.2.2", "1.1.1.1" },
		{ "10.0.0.0/8", "10.0.0.1", NULL, "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2", "2.2.2.2" },
		/* what the client itself wrote in front is not believed */
		{ "10.0.0.0/8", "10.0.0.1", "9.9.9.9, 2.2.2.2", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "9.9.9.9,2.2.2.2 , 10.0.0.2", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3" },
		{ "10.0.0.0/8", "10.0.0.1", "junk, 10.0.0.2", "10.0.0.2" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2, junk", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "[2001:db8::5]:99", "2001:db8::5" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2:443", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "::ffff:2.2.2.2", "2.2.2.2" },
		{ "10.0.0.0/8", "::ffff:10.0.0.1", "2.2.2.2", "2.2.2.2" },
		{ "10.0.0.1", "10.0.0.2", "2.2.2.2", "10.0.0.2" },
		{ "2001:db8::/32", "2001:db8::1", "2001:db9::1", "2001:db9::1" },
		{ "2001:db8::/32", "2001:db9::1", "2.2.2.2", "2001:db9::1" },
		{ "::1, 10.0.0.0/8", "::1", "9.9.9.9, 2.2.2.2, 10.1.2.3", "2.2.2.2" },
		{ "unix", "unix", "2.2.2.2", "2.2.2.2" },
		{ "unix", "10.0.0.1", "2.2.2.2", "10.0.0.1" },
		{ "10.0.0.0/8", "unix", "2.2.2.2", "unix" },
		{ "10.0.0.0/8", "10.0.0.1", "unix", "10.0.0.1" },
		/* several fields are one list, as a proxy that adds a field of its own writes it */
		{ "10.0.0.0/8", "10.0.0.1", "9.9.9.9|2.2.2.2", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "9.9.9.9, 2.2.2.2|10.0.0.2", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2|10.0.0.3|10.0.0.2", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "9.9.9.9|junk|10.0.0.2", "10.0.0.2" },
		{ "10.0.0.0/8", "10.0.0.1", "10.0.0.4|10.0.0.3", "10.0.0.4" },
		/* empty elements are none (RFC 9110 5.6.1) */
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2|", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2, , 10.0.0.2,", "2.2.2.2" },
		{ "10.0.0.0/8", "10.0.0.1", ",", "10.0.0.1" },
		/* what is nearly an address is none */
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "2.2.2.2.2", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "02.2.2.2", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "fe80::1%eth0", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "for=2.2.2.2", "10.0.0.1" },
		{ "10.0.0.0/8", "10.0.0.1", "\"2.2.2.2\"", "10.0.0.1" },
	};
	char text[GW_ADDR_CAP], fields[256], *field[8];
	struct gw_addr_list *list;
	struct gw_addr peer, client;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(gw_addr_list_parse(cases[i].trusted, &list), 0);
		peer = strcmp(cases[i].peer, "unix") == 0 ? (struct gw_addr){ { 0 } }
		                                          : addr(cases[i].peer);
		snprintf(fields, sizeof(fields), "%s", cases[i].forwarded);
		n = 0;
		for (char *p = cases[i].forwarded == NULL ? NULL : fields; p != NULL;)
			field[n++] = strsep(&p, "|");
		client = gw_addr_client(&peer, (const char *const *)field, n, list);
		gw_addr_format(&client, text);
		if (strcmp(text, cases[i].client) != 0)
			fail_msg("%s, %s: %s", cases[i].peer, cases[i].forwarded, text);
		gw_addr_list_free(list);
	}
}

static void test_query_parameters_are_found_and_decoded(void **state)
{
	static const struct {
		const char *target;
		int rc;
		const char *value;
	} cases[] = {
		{ "/p", 0, NULL },
		{ "/p?", 0, NULL },
		{ "/p?ab=1", 0, NULL },
		{ "/p?a=", 1, "" },
		{ "/p?a", 1, "" },
		{ "/p?b=2&a=1", 1, "1" },
		{ "/p?b&a=x=y&c", 1, "x=y" },
		{ "/p?a=%31%2b+2", 1, "1+ 2" },
		{ "/p?%61=1", 1, "1" },
		{ "/p?a=1&a=1", -EINVAL, NULL },
		{ "/p?a=1&%61=2", -EINVAL, NULL },
		{ "/p?a=%0a", -EINVAL, NULL },
		{ "/p?a=12345678", -EINVAL, NULL },
		{ "/p?a=1234567", 1, "1234567" },
		{ "/p?&&a=1&&", 1, "1" },
	};
	char value[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(gw_query_param(cases[i].target, "a", value, sizeof(value)),
		                 cases[i].rc);
		if (cases[i].value != NULL)
			assert_string_equal(value, cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_are_read_and_written),
		cmocka_unit_test(test_clients_are_told_apart_by_address_or_prefix),
		cmocka_unit_test(test_networks_match),
		cmocka_unit_test(test_only_proxies_are_believed),
		cmocka_unit_test(test_query_parameters_are_found_and_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
