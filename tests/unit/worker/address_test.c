#include "worker/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

/* Asked as text and as a socket's address: the same must come of both. */
static bool allowed(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool ok = address_text_allowed(text), same;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		same = address_allowed((struct sockaddr *)&in);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		same = address_allowed((struct sockaddr *)&in6);
	}
	assert_int_equal(ok, same);
	return ok;
}

static void where_clouds_keep_their_keys_nobody_is_asked(void **state)
{
	static const char *const refused[] = {
		"169.254.169.254",
		"169.254.0.1",
		"169.254.170.2",
		"169.254.255.255",
		"100.100.100.200",
		"168.63.129.16",
		"192.0.0.192",
		"::ffff:169.254.169.254",
		"::ffff:a9fe:a9fe",
		"::169.254.169.254",
		"64:ff9b::169.254.169.254",
		"64:ff9b:1::169.254.169.254",
		"64:ff9b:1:2:3:4:169.254.169.254",
		"2002:a9fe:a9fe::1",
		"fe80::1",
		"febf::1",
		"fd00:ec2::254",
		"fd20:ce::254",
		"224.0.0.1",
		"239.255.255.255",
		"255.255.255.255",
		"ff02::1",
		"ff0e::1",
		"::ffff:224.0.0.1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (allowed(refused[i]))
			fail_msg("%s is allowed", refused[i]);
}

static void what_the_operator_may_have_is_reached(void **state)
{
	static const char *const fine[] = { "127.0.0.1", "::1", "10.0.0.1",
		"192.168.1.1", "172.16.0.1", "100.64.0.1", "1.1.1.1",
		"169.253.255.255", "169.255.0.0", "223.255.255.255",
		"2606:4700::1111", "fd00::1", "fec0::1", "::ffff:127.0.0.1",
		"64:ff9b::1.1.1.1", "2002:102:304::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (!allowed(fine[i]))
			fail_msg("%s is refused", fine[i]);
}

static void what_is_no_ip_is_refused(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/x" };

	(void)state;
	assert_false(address_allowed((struct sockaddr *)&un));
	assert_false(address_text_allowed(NULL));
	assert_false(address_text_allowed(""));
	assert_false(address_text_allowed("localhost"));
	assert_false(address_text_allowed("0x7f.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_clouds_keep_their_keys_nobody_is_asked),
		cmocka_unit_test(what_the_operator_may_have_is_reached),
		cmocka_unit_test(what_is_no_ip_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
