// SPDX-License-Identifier: BSD-3-Clause
#include <net/mirror.h>

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <libmnl/libmnl.h>
#include <text/addr.h>

#include <cmocka.h>

#define MESSAGE_MAX 4096u

struct fixture {
	struct net_mirror *m;
	unsigned changes[NET_KINDS];
	struct net_change last;
	uint32_t seq;
};

static void on_change(void *ctx, const struct net_change *change)
{
	struct fixture *f = ctx;

	f->changes[change->kind]++;
	f->last = *change;
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->m = net_mirror_create(on_change, f);
	assert_non_null(f->m);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	net_mirror_destroy(f->m);
	test_free(f);
	return 0;
}

// ---- messages ---------------------------------------------------------------------------------

static struct tp_addr ip(const char *text)
{
	struct tp_addr a;

	assert_int_equal(text_ip_parse(text, &a), 0);
	return a;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	struct tp_addr a = ip(text);

	mnl_attr_put(nlh, type, tp_family_ip_len(a.family), a.ip);
}

static uint8_t family_of(const char *text)
{
	return ip(text).family == TP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

static struct nlmsghdr *message(void *buf, uint16_t type, uint32_t seq)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, MESSAGE_MAX);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	return nlh;
}

static int feed(struct fixture *f, const struct nlmsghdr *nlh)
{
	return net_mirror_feed(f->m, nlh, nlh->nlmsg_len);
}

static void link_feed(struct fixture *f, uint16_t type, int ifindex, const char *name, bool up)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, type, f->seq);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	ifi->ifi_flags = up ? IFF_UP | IFF_RUNNING : IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	assert_int_equal(feed(f, nlh), 0);
}

static void address_feed(struct fixture *f, uint16_t type, int ifindex, const char *addr)
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, type, f->seq);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = family_of(addr);
	ifa->ifa_index = (uint32_t)ifindex;
	ifa->ifa_prefixlen = 24;
	put_ip(nlh, IFA_ADDRESS, addr);
	assert_int_equal(feed(f, nlh), 0);
}

struct route_spec {
	const char *prefix;
	uint8_t len;
	const char *gateway; // NULL: on-link
	uint32_t ifindex;
	uint32_t metric;
	uint8_t type;	 // 0: unicast
	uint32_t table;	 // 0: main
	const char *via; // of the other family
};

static void route_feed(struct fixture *f, uint16_t type, const struct route_spec *r)
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, type, f->seq);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = family_of(r->prefix);
	rtm->rtm_dst_len = r->len;
	rtm->rtm_table = RT_TABLE_COMPAT;
	rtm->rtm_type = r->type == 0 ? RTN_UNICAST : r->type;
	mnl_attr_put_u32(nlh, RTA_TABLE, r->table == 0 ? RT_TABLE_MAIN : r->table);
	if (r->len > 0)
		put_ip(nlh, RTA_DST, r->prefix);
	if (r->gateway != NULL)
		put_ip(nlh, RTA_GATEWAY, r->gateway);
	if (r->via != NULL) {
		struct tp_addr via = ip(r->via);
		uint8_t data[18] = {family_of(r->via), 0};

		memcpy(data + 2, via.ip, tp_family_ip_len(via.family));
		mnl_attr_put(nlh, RTA_VIA, 2 + tp_family_ip_len(via.family), data);
	}
	if (r->ifindex != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, r->ifindex);
	if (r->metric != 0)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric);
	assert_int_equal(feed(f, nlh), 0);
}

static void neighbour_feed(struct fixture *f, uint16_t type, const char *addr, int ifindex,
	uint16_t nud, const uint8_t mac[6])
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, type, f->seq);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = family_of(addr);
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = nud;
	put_ip(nlh, NDA_DST, addr);
	if (mac != NULL)
		mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	assert_int_equal(feed(f, nlh), 0);
}

static void done_feed(struct fixture *f, uint32_t seq, uint16_t flags)
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, NLMSG_DONE, seq);

	nlh->nlmsg_flags = NLM_F_MULTI | flags;
	mnl_nlmsg_put_extra_header(nlh, 4);
	assert_int_equal(feed(f, nlh), 0);
}

// Runs the dumps that are wanted, all empty.
static void dumps_settle(struct fixture *f)
{
	enum net_kind kind;

	while (net_mirror_wants_dump(f->m, &kind)) {
		net_mirror_dump_begin(f->m, kind, 1000);
		done_feed(f, 1000, 0);
	}
}

static void route_expect(struct fixture *f, const char *dst, const char *hop, uint32_t ifindex)
{
	struct tp_addr d = ip(dst);
	struct net_next_hop out;
	char buf[TEXT_ADDR_SIZE];
	int rc = net_mirror_route(f->m, &d, NULL, NULL, &out);

	if (hop == NULL) {
		assert_int_equal(rc, -ENETUNREACH);
		return;
	}
	assert_int_equal(rc, 0);
	assert_string_equal(text_ip_format(&out.addr, buf), hop);
	assert_int_equal(out.ifindex, ifindex);
}

// ---- tests ------------------------------------------------------------------------------------

static void test_longest_prefix_wins(void **state)
{
	struct fixture *f = *state;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "192.0.2.0", .len = 24, .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "198.51.0.0", .len = 15, .gateway = "192.0.2.9", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "198.51.100.128",
			.len = 25,
			.gateway = "10.0.0.1",
			.ifindex = 3});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "198.51.100.200", .len = 32, .ifindex = 3});
	route_expect(f, "8.8.8.8", "192.0.2.1", 2);
	route_expect(f, "192.0.2.77", "192.0.2.77", 2);
	route_expect(f, "198.51.100.127", "192.0.2.9", 2);
	route_expect(f, "198.51.100.128", "10.0.0.1", 3);
	route_expect(f, "198.51.100.200", "198.51.100.200", 3);
	route_expect(f, "2001:db8::1", NULL, 0);

	route_feed(f, RTM_DELROUTE,
		&(struct route_spec){.prefix = "198.51.100.128",
			.len = 25,
			.gateway = "10.0.0.1",
			.ifindex = 3});
	route_expect(f, "198.51.100.128", "192.0.2.9", 2);
}

static void test_ipv6_and_foreign_gateways(void **state)
{
	struct fixture *f = *state;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "::", .len = 0, .gateway = "fe80::1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "2001:db8:1::", .len = 48, .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "0.0.0.0", .ifindex = 2, .via = "fe80::2"});
	route_expect(f, "2001:db8::5", "fe80::1", 2);
	route_expect(f, "2001:db8:1:7::5", "2001:db8:1:7::5", 2);
	route_expect(f, "192.0.2.1", "fe80::2", 2);
}

static void test_metric_and_usable_links(void **state)
{
	struct fixture *f = *state;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "0.0.0.0",
			.len = 0,
			.gateway = "10.0.0.1",
			.ifindex = 3,
			.metric = 200});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "0.0.0.0",
			.len = 0,
			.gateway = "192.0.2.1",
			.ifindex = 2,
			.metric = 100});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .gateway = "10.0.0.7", .ifindex = 3, .metric = 300});
	route_expect(f, "8.8.8.8", "192.0.2.1", 2);
	// Without its carrier a link is not used.
	link_feed(f, RTM_NEWLINK, 2, "eth0", false);
	route_expect(f, "8.8.8.8", "10.0.0.1", 3);
	link_feed(f, RTM_DELLINK, 3, "eth1", true);
	route_expect(f, "8.8.8.8", NULL, 0);
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

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "8.8.0.0", .len = 16, .gateway = "192.0.2.1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "10.0.0.1", .ifindex = 3});
	assert_int_equal(net_mirror_route(f->m, &d, only_third, NULL, &out), 0);
	assert_int_equal(out.ifindex, 3);
}

static void test_forbidden_and_foreign_tables(void **state)
{
	struct fixture *f = *state;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){
			.prefix = "0.0.0.0", .len = 0, .gateway = "192.0.2.1", .ifindex = 2});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "203.0.113.0", .len = 24, .type = RTN_BLACKHOLE});
	route_feed(f, RTM_NEWROUTE,
		&(struct route_spec){.prefix = "198.51.100.0",
			.len = 24,
			.gateway = "192.0.2.7",
			.ifindex = 2,
			.table = 100});
	route_expect(f, "203.0.113.5", NULL, 0);
	route_expect(f, "198.51.100.5", "192.0.2.1", 2);
}

static void test_multipath(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, RTM_NEWROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	unsigned by_first = 0;
	struct nlattr *nest;

	link_feed(f, RTM_NEWLINK, 2, "eth0", true);
	link_feed(f, RTM_NEWLINK, 3, "eth1", true);
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
		MIRROR_TEST(test_longest_prefix_wins),
		MIRROR_TEST(test_ipv6_and_foreign_gateways),
		MIRROR_TEST(test_metric_and_usable_links),
		MIRROR_TEST(test_asker_chooses_links),
		MIRROR_TEST(test_forbidden_and_foreign_tables),
		MIRROR_TEST(test_multipath),
		MIRROR_TEST(test_neighbours),
		MIRROR_TEST(test_addresses),
		MIRROR_TEST(test_dump_drops_what_is_gone),
		MIRROR_TEST(test_interrupted_dump_is_repeated),
		MIRROR_TEST(test_unclear_changes_ask_for_a_dump),
		MIRROR_TEST(test_bad_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
