// SPDX-License-Identifier: BSD-3-Clause
#include <steer/link.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
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
	l.rx_queues = 65;
	assert_int_equal(steer_link_check(&l, 65, &fault), -ENOSPC);
	assert_non_null(strstr(fault.remedy, "ethtool -L eth7 combined 64"));
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

// ethtool as one driver answers.
struct driver {
	const char *name;
	struct ethtool_channels channels;
	bool strips;
	uint32_t fields;
};

static int driver_ask(void *ctx, const char *interface, void *command)
{
	const struct driver *d = ctx;
	uint32_t cmd;

	assert_string_equal(interface, "eth7");
	memcpy(&cmd, command, sizeof(cmd));
	switch (cmd) {
	case ETHTOOL_GCHANNELS:
		memcpy(command, &d->channels, sizeof(d->channels));
		return 0;
	case ETHTOOL_GDRVINFO:
		strcpy(((struct ethtool_drvinfo *)command)->driver, d->name);
		return 0;
	case ETHTOOL_GFLAGS:
		((struct ethtool_value *)command)->data = d->strips ? ETH_FLAG_RXVLAN : 0;
		return 0;
	case ETHTOOL_GRXFH:
		((struct ethtool_rxnfc *)command)->data = d->fields;
		return d->fields == 0 ? -EOPNOTSUPP : 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void drivers_are_read(void **state)
{
	struct driver d = {.name = "virtio_net",
		.channels = {.combined_count = 3, .max_combined = 4},
		.strips = true};
	const struct steer_ethtool ethtool = {driver_ask, &d};
	struct steer_link l = parse(NULL, 1500);

	(void)state;
	steer_link_ask(&l, &ethtool);
	assert_string_equal(l.driver, "virtio_net");
	assert_int_equal(l.rx_queues, 3);
	assert_int_equal(l.xdp_queues, 3);
	assert_int_equal(l.max_queues, 4);
	assert_true(l.strips_tags);
	assert_false(l.tx_checksum);
	assert_false(l.spread_known);
	d.fields = RXH_IP_SRC | RXH_IP_DST;
	steer_link_ask(&l, &ethtool);
	assert_true(l.spread_known);
	assert_false(l.spreads);
	d.fields |= RXH_L4_B_0_1 | RXH_L4_B_2_3;
	steer_link_ask(&l, &ethtool);
	assert_true(l.spreads);
}

// ENA and gVNIC run XDP on half of their queues at most.
static void the_half_of_the_queues_is_named(void **state)
{
	struct driver d = {.name = "ena", .channels = {.combined_count = 8, .max_combined = 8}};
	const struct steer_ethtool ethtool = {driver_ask, &d};
	struct steer_link l = parse(NULL, 1500);
	struct steer_fault fault;

	(void)state;
	steer_link_ask(&l, &ethtool);
	assert_int_equal(steer_link_check(&l, 8, &fault), -ENOSPC);
	assert_string_equal(fault.remedy, "ethtool -L eth7 combined 4");
	d.channels.combined_count = 4;
	steer_link_ask(&l, &ethtool);
	assert_int_equal(steer_link_check(&l, 4, &fault), 0);
	d = (struct driver){.name = "gve", .channels = {.rx_count = 2, .max_rx = 2}};
	steer_link_ask(&l, &ethtool);
	assert_int_equal(steer_link_check(&l, 2, &fault), -ENOSPC);
	assert_string_equal(fault.remedy, "ethtool -L eth7 rx 1 tx 1");
	d = (struct driver){.name = "gve", .channels = {.rx_count = 1, .max_rx = 1}};
	steer_link_ask(&l, &ethtool);
	assert_int_equal(steer_link_check(&l, 1, &fault), -ENOSPC);
	assert_non_null(strstr(fault.remedy, "more queues"));
	d = (struct driver){.name = "ice", .channels = {.combined_count = 8, .max_combined = 8}};
	steer_link_ask(&l, &ethtool);
	assert_int_equal(steer_link_check(&l, 8, &fault), 0);
}

static void refusals_have_a_remedy(void **state)
{
	static const struct {
		int err;
		const char *remedy;
	} rows[] = {
		{-EOPNOTSUPP, "ethtool -K eth7 lro off rx-gro-hw off"},
		{-ENOMEM, "ethtool -L eth7 combined 2"},
		{-ENOSPC, "ethtool -L eth7 combined 2"},
		{-EINVAL, "ip link set dev eth7 mtu 1500"},
		{-EBUSY, "ip link set dev eth7 xdp off"},
		{-EPERM, "CAP_BPF"},
		{-EIO, "net_af_packet0"},
	};
	struct steer_link l = parse(NULL, 1500);
	struct steer_fault fault;

	(void)state;
	l.rx_queues = 4;
	strcpy(l.driver, "virtio_net");
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		assert_int_equal(steer_link_refusal(&l, rows[i].err, &fault), rows[i].err);
		assert_non_null(strstr(fault.problem, "eth7 (virtio_net)"));
		if (strstr(fault.remedy, rows[i].remedy) == NULL)
			fail_msg("%s: %s", fault.problem, fault.remedy);
	}
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
		cmocka_unit_test(drivers_are_read),
		cmocka_unit_test(the_half_of_the_queues_is_named),
		cmocka_unit_test(refusals_have_a_remedy),
		cmocka_unit_test(test_read),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("steer link", tests, NULL, NULL);
}
