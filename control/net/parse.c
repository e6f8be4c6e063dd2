// SPDX-License-Identifier: BSD-3-Clause
#include "parse.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#define ATTR_MAX 64u

struct attrs {
	const struct nlattr *at[ATTR_MAX];
};

// Attributes start `header_len` octets into the payload. The last of a type wins, as in the kernel.
static int attrs_read(const struct nlmsghdr *nlh, size_t header_len, struct attrs *a)
{
	const struct nlattr *attr;

	*a = (struct attrs){0};
	if (mnl_nlmsg_get_payload_len(nlh) < header_len)
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, header_len)
	{
		if (mnl_attr_get_type(attr) < ATTR_MAX)
			a->at[mnl_attr_get_type(attr)] = attr;
	}
	return 0;
}

static int attr_u32(const struct attrs *a, unsigned type, uint32_t *out)
{
	if (a->at[type] == NULL)
		return 0;
	if (mnl_attr_get_payload_len(a->at[type]) < sizeof(*out))
		return -EBADMSG;
	memcpy(out, mnl_attr_get_payload(a->at[type]), sizeof(*out));
	return 1;
}

static int addr_read(uint8_t family, const void *data, size_t len, struct tp_addr *out)
{
	uint8_t ip[16];

	if (family == AF_INET && len >= 4) {
		*out = tp_addr_ipv4(tp_load_be32(data), 0);
		return 1;
	}
	if (family == AF_INET6 && len >= 16) {
		memcpy(ip, data, 16);
		*out = tp_addr_ipv6(ip, 0);
		return 1;
	}
	return -EBADMSG;
}

static int attr_addr(const struct attrs *a, unsigned type, uint8_t family, struct tp_addr *out)
{
	if (a->at[type] == NULL)
		return 0;
	return addr_read(family, mnl_attr_get_payload(a->at[type]),
		mnl_attr_get_payload_len(a->at[type]), out);
}

int net_parse_link(const struct nlmsghdr *nlh, struct net_link *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct attrs a;

	if (attrs_read(nlh, sizeof(*ifi), &a) < 0)
		return -EBADMSG;
	// Bridges announce their ports a second time under their own family.
	if (ifi->ifi_family != AF_UNSPEC || ifi->ifi_index <= 0)
		return 0;
	*out = (struct net_link){
		.ifindex = (uint32_t)ifi->ifi_index,
		.up = (ifi->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
	};
	if (attr_u32(&a, IFLA_MTU, &out->mtu) < 0)
		return -EBADMSG;
	if (a.at[IFLA_IFNAME] != NULL)
		snprintf(out->name, sizeof(out->name), "%.*s",
			(int)mnl_attr_get_payload_len(a.at[IFLA_IFNAME]),
			mnl_attr_get_str(a.at[IFLA_IFNAME]));
	if (a.at[IFLA_ADDRESS] != NULL &&
		mnl_attr_get_payload_len(a.at[IFLA_ADDRESS]) == sizeof(out->mac))
		memcpy(out->mac, mnl_attr_get_payload(a.at[IFLA_ADDRESS]), sizeof(out->mac));
	return 1;
}

int net_parse_address(const struct nlmsghdr *nlh, struct net_address_record *out)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct attrs a;
	int rc;

	if (attrs_read(nlh, sizeof(*ifa), &a) < 0)
		return -EBADMSG;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return 0;
	*out = (struct net_address_record){
		.ifindex = ifa->ifa_index, .prefix_len = ifa->ifa_prefixlen};
	// On a point-to-point link IFA_ADDRESS is the other end.
	rc = attr_addr(&a, IFA_LOCAL, ifa->ifa_family, &out->addr);
	if (rc == 0)
		rc = attr_addr(&a, IFA_ADDRESS, ifa->ifa_family, &out->addr);
	return rc;
}

static int hop_via(const struct nlattr *attr, struct tp_addr *out)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	if (len < sizeof(*via))
		return -EBADMSG;
	return addr_read((uint8_t)via->rtvia_family, via->rtvia_addr, len - sizeof(*via), out);
}

static int multipath_read(const struct nlattr *nest, uint8_t family, struct net_route_record *out)
{
	const uint8_t *p = mnl_attr_get_payload(nest);
	size_t left = mnl_attr_get_payload_len(nest);

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop nh;
		const struct nlattr *attr;
		struct net_hop_record hop = {0};
		const void *attrs = p + sizeof(nh);
		int rc = 0;

		memcpy(&nh, p, sizeof(nh));
		if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left)
			return -EBADMSG;
		hop.ifindex = (uint32_t)nh.rtnh_ifindex;
		hop.dead = (nh.rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
		mnl_attr_for_each_payload(attrs, nh.rtnh_len - sizeof(nh))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY)
				rc = addr_read(family, mnl_attr_get_payload(attr),
					mnl_attr_get_payload_len(attr), &hop.gateway);
			else if (mnl_attr_get_type(attr) == RTA_VIA)
				rc = hop_via(attr, &hop.gateway);
			if (rc < 0)
				return rc;
		}
		if (out->n_hops < NET_HOPS_MAX)
			out->hops[out->n_hops++] = hop;
		if ((size_t)RTNH_ALIGN(nh.rtnh_len) >= left)
			break;
		p += RTNH_ALIGN(nh.rtnh_len);
		left -= RTNH_ALIGN(nh.rtnh_len);
	}
	return 0;
}

static int route_hops(const struct attrs *a, const struct rtmsg *rtm, struct net_route_record *out)
{
	struct net_hop_record hop = {
		.dead = (rtm->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0};
	int rc;

	if (a->at[RTA_MULTIPATH] != NULL)
		return multipath_read(a->at[RTA_MULTIPATH], rtm->rtm_family, out);
	rc = attr_addr(a, RTA_GATEWAY, rtm->rtm_family, &hop.gateway);
	if (rc == 0 && a->at[RTA_VIA] != NULL)
		rc = hop_via(a->at[RTA_VIA], &hop.gateway);
	if (rc < 0 || attr_u32(a, RTA_OIF, &hop.ifindex) < 0)
		return -EBADMSG;
	out->hops[out->n_hops++] = hop;
	return 0;
}

static bool route_is_forbidden(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT;
}

static bool route_is_main(uint32_t table, uint8_t type)
{
	return table == RT_TABLE_MAIN && (type == RTN_UNICAST || route_is_forbidden(type));
}

// Local routes of other tables do not count: they hold for packets that a rule selects, and a
// transparent proxy has one for all addresses.
static bool route_is_local(uint32_t table, uint8_t type)
{
	return table == RT_TABLE_LOCAL && (type == RTN_LOCAL || type == RTN_ANYCAST);
}

int net_parse_route(const struct nlmsghdr *nlh, struct net_route_record *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct attrs a;
	uint32_t table;

	if (attrs_read(nlh, sizeof(*rtm), &a) < 0)
		return -EBADMSG;
	if (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6)
		return 0;
	table = rtm->rtm_table;
	if (attr_u32(&a, RTA_TABLE, &table) < 0)
		return -EBADMSG;
	if ((rtm->rtm_flags & RTM_F_CLONED) != 0 || rtm->rtm_tos != 0 ||
		(!route_is_local(table, rtm->rtm_type) && !route_is_main(table, rtm->rtm_type)))
		return 0;
	if (rtm->rtm_dst_len > (rtm->rtm_family == AF_INET ? 32 : 128))
		return -EBADMSG;
	// Not *out = {0}: the hops are many and most stay unused.
	out->prefix = rtm->rtm_family == AF_INET ? tp_addr_ipv4(0, 0)
						 : (struct tp_addr){.family = TP_FAMILY_IPV6};
	out->prefix_len = rtm->rtm_dst_len;
	out->forbidden = route_is_forbidden(rtm->rtm_type);
	out->is_local = route_is_local(table, rtm->rtm_type);
	out->metric = 0;
	out->nexthop = 0;
	out->n_hops = 0;
	if (attr_addr(&a, RTA_DST, rtm->rtm_family, &out->prefix) < 0 ||
		attr_u32(&a, RTA_PRIORITY, &out->metric) < 0 ||
		attr_u32(&a, RTA_NH_ID, &out->nexthop) < 0)
		return -EBADMSG;
	// A prefix inside ::ffff:0:0/96 folded to IPv4 would take IPv4's routes over.
	if (rtm->rtm_family == AF_INET6 && out->prefix.family != TP_FAMILY_IPV6)
		return 0;
	// Without net.ipv4.nexthop_compat_mode the route has the object's id alone.
	if (out->forbidden || out->nexthop != 0)
		return 1;
	return route_hops(&a, rtm, out) < 0 ? -EBADMSG : 1;
}

static int members_read(const struct nlattr *group, struct net_nexthop_record *out)
{
	const uint8_t *p = mnl_attr_get_payload(group);
	size_t left = mnl_attr_get_payload_len(group);

	for (; left >= sizeof(struct nexthop_grp); left -= sizeof(struct nexthop_grp)) {
		struct nexthop_grp member;

		memcpy(&member, p, sizeof(member));
		if (out->n_members < NET_HOPS_MAX)
			out->members[out->n_members++] = member.id;
		p += sizeof(member);
	}
	return left == 0 && out->n_members > 0 ? 1 : -EBADMSG;
}

int net_parse_nexthop(const struct nlmsghdr *nlh, struct net_nexthop_record *out)
{
	const struct nhmsg *nhm = mnl_nlmsg_get_payload(nlh);
	struct attrs a;

	if (attrs_read(nlh, sizeof(*nhm), &a) < 0)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	if (attr_u32(&a, NHA_ID, &out->id) <= 0 || out->id == 0)
		return -EBADMSG;
	out->hop.dead = (nhm->nh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
	out->forbidden = a.at[NHA_BLACKHOLE] != NULL;
	if (a.at[NHA_GROUP] != NULL)
		return members_read(a.at[NHA_GROUP], out);
	// The kernel uses no object of the FDB, or of another family.
	if (a.at[NHA_FDB] != NULL)
		out->forbidden = true;
	if (attr_addr(&a, NHA_GATEWAY, nhm->nh_family, &out->hop.gateway) < 0 ||
		attr_u32(&a, NHA_OIF, &out->hop.ifindex) < 0)
		return -EBADMSG;
	return 1;
}

int net_parse_neighbour(const struct nlmsghdr *nlh, struct net_neighbour_record *out)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const uint16_t usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	const struct nlattr *lladdr;
	struct attrs a;
	int rc;

	if (attrs_read(nlh, sizeof(*ndm), &a) < 0)
		return -EBADMSG;
	if ((ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6) || ndm->ndm_ifindex <= 0 ||
		(ndm->ndm_flags & NTF_PROXY) != 0)
		return 0;
	*out = (struct net_neighbour_record){.ifindex = (uint32_t)ndm->ndm_ifindex};
	rc = attr_addr(&a, NDA_DST, ndm->ndm_family, &out->addr);
	if (rc <= 0)
		return rc;
	lladdr = a.at[NDA_LLADDR];
	if ((ndm->ndm_state & usable) != 0 && lladdr != NULL &&
		mnl_attr_get_payload_len(lladdr) == sizeof(out->neighbour.mac)) {
		out->neighbour.state = NET_NEIGHBOUR_USABLE;
		memcpy(out->neighbour.mac, mnl_attr_get_payload(lladdr),
			sizeof(out->neighbour.mac));
	} else if ((ndm->ndm_state & NUD_FAILED) != 0) {
		out->neighbour.state = NET_NEIGHBOUR_FAILED;
	} else if ((ndm->ndm_state & NUD_INCOMPLETE) != 0) {
		out->neighbour.state = NET_NEIGHBOUR_ASKING;
	}
	return 1;
}
