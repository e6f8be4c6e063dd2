// SPDX-License-Identifier: BSD-3-Clause
#include "mirror_fixture.h"

#define DEFAULT(...)                                                                               \
	{                                                                                          \
		.prefix = "0.0.0.0", .len = 0, __VA_ARGS__                                         \
	}

// Routes that are known, on links 2 and 3, and where packets go by them.
static const struct {
	const char *what;
	struct route_spec routes[6];
	struct {
		const char *to;
		const char *hop; // NULL: nowhere
		uint32_t ifindex;
	} expected[6];
} routes_rows[] = {
	{
		"the longest prefix wins",
		{
			DEFAULT(.gateway = "192.0.2.1", .ifindex = 2),
			{.prefix = "192.0.2.0", .len = 24, .ifindex = 2},
			{.prefix = "198.51.0.0", .len = 15, .gateway = "192.0.2.9", .ifindex = 2},
			{.prefix = "198.51.100.128",
				.len = 25,
				.gateway = "10.0.0.1",
				.ifindex = 3},
			{.prefix = "198.51.100.200", .len = 32, .ifindex = 3},
		},
		{
			{"8.8.8.8", "192.0.2.1", 2},
			{"192.0.2.77", "192.0.2.77", 2},
			{"198.51.100.127", "192.0.2.9", 2},
			{"198.51.100.128", "10.0.0.1", 3},
			{"198.51.100.200", "198.51.100.200", 3},
			{"2001:db8::1", NULL, 0},
		},
	},
	{
		"IPv6, and IPv4 by an IPv6 gateway",
		{
			{.prefix = "::", .len = 0, .gateway = "fe80::1", .ifindex = 2},
			{.prefix = "2001:db8:1::", .len = 48, .ifindex = 2},
			DEFAULT(.ifindex = 2, .via = "fe80::2"),
		},
		{
			{"2001:db8::5", "fe80::1", 2},
			{"2001:db8:1:7::5", "2001:db8:1:7::5", 2},
			{"192.0.2.1", "fe80::2", 2},
		},
	},
	{
		"the least metric wins",
		{
			DEFAULT(.gateway = "10.0.0.1", .ifindex = 3, .metric = 200),
			DEFAULT(.gateway = "192.0.2.1", .ifindex = 2, .metric = 100),
			DEFAULT(.gateway = "10.0.0.7", .ifindex = 3, .metric = 300),
		},
		{{"8.8.8.8", "192.0.2.1", 2}},
	},
	{
		"forbidden, and of another table",
		{
			DEFAULT(.gateway = "192.0.2.1", .ifindex = 2),
			{.prefix = "203.0.113.0", .len = 24, .type = RTN_BLACKHOLE},
			{.prefix = "198.51.100.0",
				.len = 24,
				.gateway = "192.0.2.7",
				.ifindex = 2,
				.table = 100},
		},
		{
			{"203.0.113.5", NULL, 0},
			{"198.51.100.5", "192.0.2.1", 2},
		},
	},
};

static void links_feed(struct fixture *f)
{
	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
}

static void test_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(routes_rows); i++) {
		void *fixture;

		print_message("%s\n", routes_rows[i].what);
		setup(&fixture);
		links_feed(fixture);
		for (size_t k = 0; routes_rows[i].routes[k].prefix != NULL; k++)
			route_feed(fixture, RTM_NEWROUTE, &routes_rows[i].routes[k]);
		for (size_t k = 0; k < TP_ARRAY_LEN(routes_rows[i].expected) &&
				   routes_rows[i].expected[k].to != NULL;
			k++)
			route_expect(fixture, routes_rows[i].expected[k].to,
				routes_rows[i].expected[k].hop, routes_rows[i].expected[k].ifindex);
		teardown(&fixture);
	}
}

// Prefixes that the host takes packets to are its own, those of other tables are not.
static void test_local_routes(void **state)
{
	const struct route_spec eth = {.prefix = "203.0.113.0",
		.len = 24,
		.ifindex = 2,
		.type = RTN_LOCAL,
		.table = RT_TABLE_LOCAL};
	const struct route_spec lo = {.prefix = "203.0.113.0",
		.len = 24,
		.ifindex = 1,
		.type = RTN_LOCAL,
		.table = RT_TABLE_LOCAL};
	const struct route_spec rows[] = {
		{.prefix = "2001:db8:5::",
			.len = 48,
			.ifindex = 1,
			.type = RTN_LOCAL,
			.table = RT_TABLE_LOCAL},
		{.prefix = "2001:db8:6::",
			.len = 128,
			.ifindex = 2,
			.type = RTN_ANYCAST,
			.table = RT_TABLE_LOCAL},
		{.prefix = "192.0.2.255",
			.len = 32,
			.ifindex = 2,
			.type = RTN_BROADCAST,
			.table = RT_TABLE_LOCAL},
		{.prefix = "0.0.0.0", .len = 0, .ifindex = 1, .type = RTN_LOCAL, .table = 100},
		DEFAULT(.gateway = "192.0.2.1", .ifindex = 2),
	};
	static const struct {
		const char *ip;
		bool local;
	} expected[] = {{"203.0.113.7", true}, {"203.0.114.7", false}, {"2001:db8:5::9", true},
		{"2001:db8:6::", true}, {"2001:db8:6::1", false}, {"192.0.2.255", false},
		{"8.8.8.8", false}, {"192.0.2.9", true}};
	struct fixture *f = *state;
	struct tp_addr addr;

	links_feed(f);
	address_feed(f, RTM_NEWADDR, 2, "192.0.2.9");
	route_feed(f, RTM_NEWROUTE, &eth);
	route_feed(f, RTM_NEWROUTE, &lo);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		route_feed(f, RTM_NEWROUTE, &rows[i]);
	for (size_t i = 0; i < TP_ARRAY_LEN(expected); i++) {
		addr = ip(expected[i].ip);
		assert_int_equal(net_mirror_is_local(f->m, &addr), expected[i].local);
	}
	// Packets that leave take the main table alone.
	route_expect(f, "203.0.113.7", "192.0.2.1", 2);
	addr = ip("203.0.113.7");
	route_feed(f, RTM_DELROUTE, &eth);
	assert_true(net_mirror_is_local(f->m, &addr));
	route_feed(f, RTM_DELROUTE, &lo);
	assert_false(net_mirror_is_local(f->m, &addr));
}

static void test_routes_that_go(void **state)
{
	struct fixture *f = *state;
	const struct route_spec wide = DEFAULT(.gateway = "192.0.2.1", .ifindex = 2);
	const struct route_spec narrow = {
		.prefix = "198.51.100.0", .len = 24, .gateway = "10.0.0.1", .ifindex = 3};

	links_feed(f);
	route_feed(f, RTM_NEWROUTE, &wide);
	route_feed(f, RTM_NEWROUTE, &narrow);
	route_expect(f, "198.51.100.1", "10.0.0.1", 3);
	// Without its carrier a link is not used.
	link_feed(f, RTM_NEWLINK, 3, "eth1", false);
	route_expect(f, "198.51.100.1", "192.0.2.1", 2);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
	route_feed(f, RTM_DELROUTE, &narrow);
	route_expect(f, "198.51.100.1", "192.0.2.1", 2);
	link_feed(f, RTM_DELLINK, 2, "eth0", true);
	route_expect(f, "198.51.100.1", NULL, 0);
}

static bool only_third(void *ctx, uint32_t ifindex)
{
	(void)ctx;
	return ifindex == 3;
}

static void test_asker_chooses_links(void **state)
{
	struct fixture *f = *state;
	struct tp_addr d = ip("8.8.8.8");
	struct net_next_hop out;

	links_feed(f);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "8.8.0.0", .len = 16, .gateway = "192.0.2.1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "10.0.0.1", .ifindex = 3});
	assert_int_equal(net_mirror_route(f->m, &d, only_third, NULL, &out), 0);
	assert_int_equal(out.ifindex, 3);
}

static void test_multipath(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, RTM_NEWROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	unsigned by_first = 0;
	struct nlattr *nest;

	links_feed(f);
	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_type = RTN_UNICAST;
	nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);
	for (int i = 0; i < 2; i++) {
		struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(nlh);
		char gateway[16];

		nh->rtnh_ifindex = 2 + i;
		nlh->nlmsg_len += sizeof(*nh);
		snprintf(gateway, sizeof(gateway), "192.0.2.%d", 1 + i);
		put_ip(nlh, RTA_GATEWAY, gateway);
		nh->rtnh_len =
			(uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(nlh) - (uint8_t *)nh);
	}
	mnl_attr_nest_end(nlh, nest);
	assert_int_equal(feed(f, nlh), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct tp_addr d = tp_addr_ipv4(0x08080000u + i, 0);
		struct net_next_hop one, again;

		assert_int_equal(net_mirror_route(f->m, &d, NULL, NULL, &one), 0);
		assert_int_equal(net_mirror_route(f->m, &d, NULL, NULL, &again), 0);
		assert_memory_equal(&one, &again, sizeof(one));
		by_first += one.ifindex == 2;
	}
	assert_in_range(by_first, 1, 63);
	link_feed(f, RTM_NEWLINK, 2, "eth0", false);
	route_expect(f, "8.8.8.8", "192.0.2.2", 3);
}

// A route that names a next-hop object alone, as with net.ipv4.nexthop_compat_mode=0.
static void test_nexthop_objects(void **state)
{
	static const uint32_t group[] = {7, 8};
	struct fixture *f = *state;
	enum net_kind kind;
	bool first = false, second = false;

	links_feed(f);
	dumps_settle(f);
	links_feed(f);
	nexthop_feed(f, RTM_NEWNEXTHOP, 7, "192.0.2.1", 2, NULL, 0);
	nexthop_feed(f, RTM_NEWNEXTHOP, 8, "fe80::8", 3, NULL, 0);
	nexthop_feed(f, RTM_NEWNEXTHOP, 9, NULL, 0, group, 2);
	route_feed(f, RTM_NEWROUTE, &(struct route_spec)DEFAULT(.nexthop = 9));
	for (unsigned i = 0; i < 64; i++) {
		struct tp_addr d = tp_addr_ipv4(0x08080000u + i, 0);
		struct net_next_hop hop;

		assert_int_equal(net_mirror_route(f->m, &d, NULL, NULL, &hop), 0);
		first |= hop.ifindex == 2;
		second |= hop.ifindex == 3;
	}
	assert_true(first && second);
	link_feed(f, RTM_NEWLINK, 2, "eth0", false);
	route_expect(f, "8.8.8.8", "fe80::8", 3);
	// An object that changes moves its routes without a message about them.
	f->changes[NET_ROUTE] = 0;
	nexthop_feed(f, RTM_NEWNEXTHOP, 8, "192.0.2.9", 3, NULL, 0);
	route_expect(f, "8.8.8.8", "192.0.2.9", 3);
	assert_int_equal(f->changes[NET_ROUTE], 1);
	dumps_settle(f);
	// One that goes takes its routes along.
	links_feed(f);
	nexthop_feed(f, RTM_NEWNEXTHOP, 7, "192.0.2.1", 2, NULL, 0);
	route_feed(f, RTM_NEWROUTE, &(struct route_spec)DEFAULT(.nexthop = 7));
	dumps_settle(f);
	nexthop_feed(f, RTM_NEWNEXTHOP, 7, "192.0.2.1", 2, NULL, 0);
	nexthop_feed(f, RTM_DELNEXTHOP, 7, NULL, 0, NULL, 0);
	route_expect(f, "8.8.8.8", NULL, 0);
	assert_true(net_mirror_wants_dump(f->m, &kind));
	assert_int_equal(kind, NET_ROUTE);
}

static void test_kernel_without_nexthop_objects(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh;
	enum net_kind kind;

	while (net_mirror_wants_dump(f->m, &kind)) {
		net_mirror_dump_begin(f->m, kind, 1000);
		if (kind != NET_NEXTHOP) {
			done_feed(f, 1000, 0);
			continue;
		}
		nlh = message(buf, NLMSG_ERROR, 1000);
		*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct nlmsgerr)) = -EOPNOTSUPP;
		assert_int_equal(feed(f, nlh), 0);
	}
	assert_true(net_mirror_complete(f->m));
}

static void test_neighbours(void **state)
{
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};
	static const uint8_t other[6] = {2, 9, 9, 9, 9, 9};
	struct fixture *f = *state;
	struct tp_addr a = ip("fe80::1");
	struct net_neighbour n;

	assert_int_equal(net_mirror_neighbour(f->m, &a, 2).state, NET_NEIGHBOUR_UNKNOWN);
	neighbour_feed(f, RTM_NEWNEIGH, "fe80::1", 2, NUD_INCOMPLETE, NULL);
	assert_int_equal(net_mirror_neighbour(f->m, &a, 2).state, NET_NEIGHBOUR_ASKING);
	neighbour_feed(f, RTM_NEWNEIGH, "fe80::1", 2, NUD_REACHABLE, mac);
	neighbour_feed(f, RTM_NEWNEIGH, "fe80::1", 3, NUD_STALE, other);
	n = net_mirror_neighbour(f->m, &a, 2);
	assert_int_equal(n.state, NET_NEIGHBOUR_USABLE);
	assert_memory_equal(n.mac, mac, 6);
	assert_memory_equal(net_mirror_neighbour(f->m, &a, 3).mac, other, 6);
	assert_int_equal(f->changes[NET_NEIGHBOUR], 3);
	assert_int_equal(f->last.ifindex, 3);
	// The same word again is no change.
	neighbour_feed(f, RTM_NEWNEIGH, "fe80::1", 3, NUD_DELAY, other);
	assert_int_equal(f->changes[NET_NEIGHBOUR], 3);
	neighbour_feed(f, RTM_NEWNEIGH, "fe80::1", 2, NUD_FAILED, NULL);
	assert_int_equal(net_mirror_neighbour(f->m, &a, 2).state, NET_NEIGHBOUR_FAILED);
	neighbour_feed(f, RTM_DELNEIGH, "fe80::1", 2, NUD_FAILED, NULL);
	assert_int_equal(net_mirror_neighbour(f->m, &a, 2).state, NET_NEIGHBOUR_UNKNOWN);
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	struct tp_addr a = ip("192.0.2.5");
	enum net_kind kind;

	dumps_settle(f);
	assert_int_equal(net_mirror_address_owner(f->m, &a), 0);
	address_feed(f, RTM_NEWADDR, 4, "192.0.2.5");
	assert_int_equal(net_mirror_address_owner(f->m, &a), 4);
	a.port_be = tp_htons(3478);
	assert_int_equal(net_mirror_address_owner(f->m, &a), 4);
	assert_false(net_mirror_wants_dump(f->m, &kind));
	address_feed(f, RTM_DELADDR, 4, "192.0.2.5");
	assert_int_equal(net_mirror_address_owner(f->m, &a), 0);
	// Its routes may be gone.
	assert_true(net_mirror_wants_dump(f->m, &kind));
	assert_int_equal(kind, NET_ROUTE);
}

static void test_broadcast_addresses(void **state)
{
	static const char *const broadcast[] = {"192.0.2.0", "192.0.2.255"};
	static const char *const single[] = {
		"192.0.2.1", "192.0.2.127", "192.0.3.255", "10.0.0.255", "2001:db8::ff"};
	struct fixture *f = *state;

	address_feed(f, RTM_NEWADDR, 4, "192.0.2.5");
	address_feed(f, RTM_NEWADDR, 4, "2001:db8::5");
	for (size_t i = 0; i < TP_ARRAY_LEN(broadcast); i++) {
		struct tp_addr a = ip(broadcast[i]);

		assert_true(net_mirror_is_broadcast(f->m, &a));
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(single); i++) {
		struct tp_addr a = ip(single[i]);

		assert_false(net_mirror_is_broadcast(f->m, &a));
	}
	address_feed(f, RTM_DELADDR, 4, "192.0.2.5");
	assert_false(net_mirror_is_broadcast(
		f->m, &(struct tp_addr){.family = TP_FAMILY_IPV4, .ip = {192, 0, 2, 255}}));
}

static void test_dump_drops_what_is_gone(void **state)
{
	struct fixture *f = *state;
	enum net_kind kind;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	dumps_settle(f);
	assert_true(net_mirror_complete(f->m));
	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "10.0.0.0", .len = 8, .gateway = "192.0.2.2", .ifindex = 2});
	net_mirror_lost(f->m);
	for (unsigned i = 0; i < NET_KINDS; i++) {
		assert_true(net_mirror_wants_dump(f->m, &kind));
		net_mirror_dump_begin(f->m, kind, 7);
		assert_false(net_mirror_wants_dump(f->m, &kind));
		f->seq = 7;
		if (i == NET_LINK)
			link_feed(f, RTM_NEWLINK, 2, "eth0", true);
		if (i == NET_ROUTE)
			route_feed(f, RTM_NEWROUTE,
				&(struct route_spec){.prefix = "0.0.0.0",
					.len = 0,
					.gateway = "192.0.2.1",
					.ifindex = 2});
		// The end of somebody else's dump is not ours.
		done_feed(f, 6, 0);
		done_feed(f, 7, 0);
		f->seq = 0;
	}
	assert_false(net_mirror_wants_dump(f->m, &kind));
	route_expect(f, "10.0.0.1", "192.0.2.1", 2);
}

static void test_interrupted_dump_is_repeated(void **state)
{
	struct fixture *f = *state;
	enum net_kind kind;

	dumps_settle(f);
	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	dumps_settle(f);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.1", .ifindex = 2});
	net_mirror_dump_begin(f->m, NET_ROUTE, 9);
	done_feed(f, 9, NLM_F_DUMP_INTR);
	// Nothing is thrown away on the word of a torn list.
	route_expect(f, "8.8.8.8", "192.0.2.1", 2);
	assert_true(net_mirror_wants_dump(f->m, &kind));
	assert_int_equal(kind, NET_ROUTE);
}

static void test_unclear_changes_ask_for_a_dump(void **state)
{
	struct fixture *f = *state;
	enum net_kind kind;

	dumps_settle(f);
	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	dumps_settle(f);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.1", .ifindex = 2});
	assert_false(net_mirror_wants_dump(f->m, &kind));
	// `ip route replace`: same prefix and metric, another gateway. It counts at once.
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.9", .ifindex = 2});
	route_expect(f, "8.8.8.8", "192.0.2.9", 2);
	assert_true(net_mirror_wants_dump(f->m, &kind));
	assert_int_equal(kind, NET_ROUTE);
}

static void test_bad_messages(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, RTM_NEWROUTE, 0);
	struct rtmsg *rtm;
	enum net_kind kind;

	dumps_settle(f);
	assert_int_equal(feed(f, nlh), -EBADMSG);
	assert_true(net_mirror_wants_dump(f->m, &kind));
	nlh = message(buf, RTM_NEWROUTE, 0);
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_dst_len = 33;
	assert_int_equal(feed(f, nlh), -EBADMSG);
	rtm->rtm_dst_len = 8;
	mnl_attr_put_u16(nlh, RTA_DST, 1);
	assert_int_equal(feed(f, nlh), -EBADMSG);
	assert_int_equal(net_mirror_feed(f->m, buf, 7), -EBADMSG);
	// A refused dump is an error and is wanted again; a busy one is only wanted again.
	dumps_settle(f);
	for (int error = -EBUSY; error != 0; error = error == -EBUSY ? -EPERM : 0) {
		net_mirror_dump_begin(f->m, NET_ADDRESS, 5);
		nlh = message(buf, NLMSG_ERROR, 5);
		*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(struct nlmsgerr)) = error;
		assert_int_equal(feed(f, nlh), error == -EBUSY ? 0 : error);
		assert_true(net_mirror_wants_dump(f->m, &kind));
		dumps_settle(f);
	}
}

int main(void)
{
#define MIRROR_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		MIRROR_TEST(test_local_routes),
		MIRROR_TEST(test_routes_that_go),
		MIRROR_TEST(test_asker_chooses_links),
		MIRROR_TEST(test_multipath),
		MIRROR_TEST(test_nexthop_objects),
		MIRROR_TEST(test_kernel_without_nexthop_objects),
		MIRROR_TEST(test_neighbours),
		MIRROR_TEST(test_addresses),
		MIRROR_TEST(test_broadcast_addresses),
		MIRROR_TEST(test_dump_drops_what_is_gone),
		MIRROR_TEST(test_interrupted_dump_is_repeated),
		MIRROR_TEST(test_unclear_changes_ask_for_a_dump),
		MIRROR_TEST(test_bad_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
