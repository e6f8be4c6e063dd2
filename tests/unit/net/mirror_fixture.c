// SPDX-License-Identifier: BSD-3-Clause
#include "mirror_fixture.h"

#include <text/addr.h>

static void on_change(void *ctx, const struct net_change *change)
{
	struct fixture *f = ctx;

	f->changes[change->kind]++;
	f->last = *change;
}

int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->m = net_mirror_create(on_change, f);
	assert_non_null(f->m);
	*state = f;
	return 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	net_mirror_destroy(f->m);
	test_free(f);
	return 0;
}

struct tp_addr ip(const char *text)
{
	struct tp_addr a;

	assert_int_equal(text_ip_parse(text, &a), 0);
	return a;
}

void put_ip(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	struct tp_addr a = ip(text);

	mnl_attr_put(nlh, type, tp_family_ip_len(a.family), a.ip);
}

static uint8_t family_of(const char *text)
{
	return ip(text).family == TP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

struct nlmsghdr *message(void *buf, uint16_t type, uint32_t seq)
{
	struct nlmsghdr *nlh;

	memset(buf, 0, MESSAGE_MAX);
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	return nlh;
}

int feed(struct fixture *f, const struct nlmsghdr *nlh)
{
	return net_mirror_feed(f->m, nlh, nlh->nlmsg_len);
}

void link_feed(struct fixture *f, uint16_t type, int ifindex, const char *name, bool up)
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

void address_feed(struct fixture *f, uint16_t type, int ifindex, const char *addr)
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

void route_feed(struct fixture *f, uint16_t type, const struct route_spec *r)
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
	if (r->nexthop != 0)
		mnl_attr_put_u32(nlh, RTA_NH_ID, r->nexthop);
	if (r->metric != 0)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric);
	assert_int_equal(feed(f, nlh), 0);
}

void nexthop_feed(struct fixture *f, uint16_t type, uint32_t id, const char *gateway,
	uint32_t ifindex, const uint32_t *members, size_t n)
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, type, f->seq);
	struct nhmsg *nhm = mnl_nlmsg_put_extra_header(nlh, sizeof(*nhm));
	struct nexthop_grp group[8] = {{0}};

	nhm->nh_family = gateway == NULL ? AF_UNSPEC : family_of(gateway);
	mnl_attr_put_u32(nlh, NHA_ID, id);
	for (size_t i = 0; i < n; i++)
		group[i].id = members[i];
	if (n > 0)
		mnl_attr_put(nlh, NHA_GROUP, n * sizeof(group[0]), group);
	if (gateway != NULL)
		put_ip(nlh, NHA_GATEWAY, gateway);
	if (ifindex != 0)
		mnl_attr_put_u32(nlh, NHA_OIF, ifindex);
	assert_int_equal(feed(f, nlh), 0);
}

void neighbour_feed(struct fixture *f, uint16_t type, const char *addr, int ifindex, uint16_t nud,
	const uint8_t mac[6])
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

void done_feed(struct fixture *f, uint32_t seq, uint16_t flags)
{
	uint8_t buf[MESSAGE_MAX] TP_ALIGNED(8);
	struct nlmsghdr *nlh = message(buf, NLMSG_DONE, seq);

	nlh->nlmsg_flags = NLM_F_MULTI | flags;
	mnl_nlmsg_put_extra_header(nlh, 4);
	assert_int_equal(feed(f, nlh), 0);
}

void dumps_settle(struct fixture *f)
{
	enum net_kind kind;

	while (net_mirror_wants_dump(f->m, &kind)) {
		net_mirror_dump_begin(f->m, kind, 1000);
		done_feed(f, 1000, 0);
	}
}

void route_expect(struct fixture *f, const char *dst, const char *hop, uint32_t ifindex)
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
