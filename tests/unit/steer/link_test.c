// SPDX-License-Identifier: BSD-3-Clause
#include <steer/link.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netns.h"

static struct steer_link parse(const char *kind, uint32_t mtu)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	// As of a newer kernel, which has appended to it.
	const struct {
		struct rtnl_link_stats64 s;
		uint64_t more;
	} statistics = {.s = {.rx_dropped = 3, .rx_missed_errors = 41}, .more = 5};
	uint8_t buf[1024];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;
	struct steer_link l;

	m->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	info->ifi_index = 7;
	info->ifi_flags = IFF_UP | IFF_LOWER_UP;
	mnl_attr_put_strz(m, IFLA_IFNAME, "eth7");
	mnl_attr_put_u32(m, IFLA_MTU, mtu);
	mnl_attr_put(m, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put(m, IFLA_STATS64, sizeof(statistics), &statistics);
	if (kind != NULL) {
		struct nlattr *nest = mnl_attr_nest_start(m, IFLA_LINKINFO);

		mnl_attr_put_strz(m, IFLA_INFO_KIND, kind);
		mnl_attr_nest_end(m, nest);
	}
	assert_int_equal(steer_link_parse(m, &l), 0);
	return l;
}

static void test_parse(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct steer_link l = parse("veth", 1500);

	(void)state;
	assert_string_equal(l.name, "eth7");
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.ifindex, 7);
	assert_int_equal(l.mtu, 1500);
	assert_memory_equal(l.mac, mac, sizeof(mac));
	assert_int_equal(l.rx_missed, 41);
	assert_true(l.up);
	assert_int_equal(l.rx_queues, 1);
	l = parse(NULL, 9000);
	assert_string_equal(l.kind, "");
}

static void test_check(void **state)
{
	struct steer_fault fault = {0};
	struct steer_link l = parse(NULL, 1500);

	(void)state;
	assert_int_equal(steer_link_check(&l, 1, &fault), 0);
	l.rx_queues = 4;
	assert_int_equal(steer_link_check(&l, 4, &fault), 0);
	assert_int_equal(steer_link_check(&l, 2, &fault), -ENOSPC);
	assert_non_null(strstr(fault.remedy, "ethtool -L eth7 combined 2"));
	l = parse("bond", 1500);
	assert_int_equal(steer_link_check(&l, 1, &fault), -EOPNOTSUPP);
	assert_non_null(strstr(fault.problem, "bond"));
	l = parse("vlan", 1500);
	assert_int_equal(steer_link_check(&l, 1, &fault), -EOPNOTSUPP);
	l = parse(NULL, STEER_MTU_MAX);
	assert_int_equal(steer_link_check(&l, 1, &fault), 0);
	l = parse(NULL, STEER_MTU_MAX + 1);
	assert_int_equal(steer_link_check(&l, 1, &fault), -EMSGSIZE);
	assert_non_null(strstr(fault.remedy, "mtu 3498"));
}

static void test_read(void **state)
{
	struct steer_link l;

	(void)state;
	assert_int_equal(steer_link_read("lo", &l), 0);
	assert_string_equal(l.name, "lo");
	assert_true(l.ifindex > 0 && l.mtu > 0);
	assert_false(l.up);
	assert_int_equal(steer_link_read("nowhere", &l), -ENODEV);
	assert_int_equal(steer_link_read("a-name-that-is-too-long", &l), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_read),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("steer link", tests, NULL, NULL);
}
