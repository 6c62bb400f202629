/* tests/unit/test_gw_hook_addr.c - which addresses a webhook may reach */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/attr.h"
#include "gateway/webhook/gw_hook_addr.h"

static const char *judge(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (strchr(text, ':') == NULL) {
		assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
		return gw_hook_addr_refused((struct sockaddr *)&in);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return gw_hook_addr_refused((struct sockaddr *)&in6);
}

static void test_what_is_not_public_is_refused(void **state)
{
	static const struct {
		const char *addr, *why;
	} cases[] = {
		{ "0.0.0.0", "unspecified" },
		{ "0.1.2.3", "unspecified" },
		{ "10.0.0.0", "private" },
		{ "10.255.255.255", "private" },
		{ "100.64.0.1", "shared" },
		{ "100.100.100.200", "shared" }, /* metadata of a cloud */
		{ "100.127.255.255", "shared" },
		{ "127.0.0.1", "loopback" },
		{ "127.255.255.255", "loopback" },
		{ "169.254.169.254", "link_local" }, /* metadata of most clouds */
		{ "172.16.0.1", "private" },
		{ "172.31.255.255", "private" },
		{ "192.0.0.192", "special" }, /* metadata of a cloud */
		{ "192.0.2.1", "documentation" },
		{ "192.88.99.1", "special" },
		{ "192.168.0.1", "private" },
		{ "192.168.255.255", "private" },
		{ "198.18.0.1", "benchmarking" },
		{ "198.19.255.255", "benchmarking" },
		{ "198.51.100.7", "documentation" },
		{ "203.0.113.7", "documentation" },
		{ "224.0.0.1", "multicast" },
		{ "239.255.255.255", "multicast" },
		{ "240.0.0.1", "reserved" },
		{ "255.255.255.255", "reserved" },
		{ "168.63.129.16", "metadata" },
		{ "::", "unspecified" },
		{ "::1", "loopback" },
		{ "::2", "special" },
		{ "::127.0.0.1", "special" },
		{ "::ffff:127.0.0.1", "loopback" },
		{ "::ffff:10.1.2.3", "private" },
		{ "::ffff:169.254.169.254", "link_local" },
		{ "::ffff:0:8.8.8.8", "special" },
		{ "64:ff9b::127.0.0.1", "loopback" },
		{ "64:ff9b::10.0.0.1", "private" },
		{ "64:ff9b:1::8.8.8.8", "special" },
		{ "64:ff9b:1:ffff::1", "special" },
		{ "100::1", "not_public" },
		{ "2001::1", "reserved" },                              /* Teredo, bits turned */
		{ "2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback" }, /* 127.0.0.1 */
		{ "2001:0:4136:e378:8000:63bf:f5ff:fffe", "private" },  /* 10.0.0.1 */
		{ "2001:2::1", "special" },
		{ "2001:20::1", "special" },
		{ "2001:db8::1", "documentation" },
		{ "2002:7f00:1::1", "loopback" },
		{ "2002:c0a8:101::", "private" },
		{ "2002:a9fe:a9fe::", "link_local" },
		{ "3fff::1", "documentation" },
		{ "4000::1", "not_public" },
		{ "5f00::1", "special" },
		{ "fc00::1", "private" },
		{ "fd00:ec2::254", "private" }, /* metadata of a cloud */
		{ "fdff:ffff::1", "private" },
		{ "fe80::1", "link_local" },
		{ "febf::1", "link_local" },
		{ "fec0::1", "site_local" },
		{ "ff02::1", "multicast" },
		{ "2a00:1450:4001:80b:0:5efe:10.0.0.1", "private" }, /* ISATAP */
		{ "2a00:1450:4001:80b:200:5efe:127.0.0.1", "loopback" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why = judge(cases[i].addr);

		if (why == NULL || strcmp(why, cases[i].why) != 0)
			fail_msg("%s: %s, not %s", cases[i].addr, why != NULL ? why : "let through",
			         cases[i].why);
	}
}

static void test_what_is_public_is_let_through(void **state)
{
	static const char *const cases[] = {
		"1.1.1.1",
		"8.8.8.8",
		"9.255.255.255",
		"11.0.0.0",
		"100.63.255.255",
		"100.128.0.0",
		"126.255.255.255",
		"128.0.0.0",
		"169.253.255.255",
		"169.255.0.0",
		"172.15.255.255",
		"172.32.0.0",
		"192.0.1.0",
		"192.167.255.255",
		"192.169.0.0",
		"198.17.255.255",
		"198.20.0.0",
		"223.255.255.255",
		"168.63.129.17",
		"2606:4700:4700::1111",
		"2a00:1450::1",
		"2001:4860:4860::8888",
		"2003::1",
		"::ffff:8.8.8.8",
		"64:ff9b::8.8.8.8",
		"2002:808:808::1",
		"2a00::5efe:8.8.8.8",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (judge(cases[i]) != NULL)
			fail_msg("%s: %s", cases[i], judge(cases[i]));
}

static void test_what_is_no_ip_address_is_refused(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	assert_non_null(gw_hook_addr_refused((struct sockaddr *)&un));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_public_is_refused),
		cmocka_unit_test(test_what_is_public_is_let_through),
		cmocka_unit_test(test_what_is_no_ip_address_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
