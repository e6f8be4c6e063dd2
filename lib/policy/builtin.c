// SPDX-License-Identifier: BSD-3-Clause
#include "builtin.h"

#define METADATA "a cloud's metadata or host service"

// IANA's special-purpose registries (RFC 6890 and later) and the addresses that clouds use for
// their own services.
const struct builtin_range policy_builtin_never[] = {
	{"0.0.0.0/8", "this network (RFC 1122)"},
	{"127.0.0.0/8", "loopback (RFC 1122)"},
	{"224.0.0.0/4", "multicast (RFC 5771)"},
	{"255.255.255.255/32", "broadcast (RFC 919)"},
	{"::/128", "unspecified (RFC 4291)"},
	{"::1/128", "loopback (RFC 4291)"},
	{"::/96", "IPv4-compatible (RFC 4291)"},
	{"ff00::/8", "multicast (RFC 4291)"},
	{NULL, NULL},
};

const struct builtin_range policy_builtin_denied[] = {
	{"10.0.0.0/8", "private (RFC 1918)"},
	{"100.64.0.0/10", "shared by carriers (RFC 6598)"},
	{"169.254.0.0/16", "link-local (RFC 3927)"},
	{"172.16.0.0/12", "private (RFC 1918)"},
	{"192.0.0.0/24", "for protocols (RFC 6890)"},
	{"192.0.2.0/24", "documentation (RFC 5737)"},
	{"192.88.99.0/24", "6to4 relay (RFC 7526)"},
	{"192.168.0.0/16", "private (RFC 1918)"},
	{"198.18.0.0/15", "benchmarks (RFC 2544)"},
	{"198.51.100.0/24", "documentation (RFC 5737)"},
	{"203.0.113.0/24", "documentation (RFC 5737)"},
	{"240.0.0.0/4", "reserved (RFC 1112)"},

	{"100.100.100.200/32", METADATA},
	{"168.63.129.16/32", METADATA},
	{"169.254.42.42/32", METADATA},
	{"169.254.169.123/32", METADATA},
	{"169.254.169.253/32", METADATA},
	{"169.254.169.254/32", METADATA},
	{"169.254.170.2/32", METADATA},
	{"169.254.170.23/32", METADATA},
	{"192.0.0.192/32", METADATA},

	// All but 2000::/3.
	{"::/3", "not global unicast (RFC 4291)"},
	{"4000::/2", "not global unicast (RFC 4291)"},
	{"8000::/1", "not global unicast (RFC 4291)"},
	{"::ffff:0:0:0/96", "IPv4-translated (RFC 2765)"},
	{"64:ff9b::/96", "NAT64 (RFC 6052)"},
	{"64:ff9b:1::/48", "NAT64 (RFC 8215)"},
	{"100::/64", "discard (RFC 6666)"},
	{"2001::/23", "for protocols (RFC 2928)"},
	{"2001::/32", "Teredo (RFC 4380)"},
	{"2001:10::/28", "ORCHID (RFC 4843)"},
	{"2001:20::/28", "ORCHID (RFC 7343)"},
	{"2001:db8::/32", "documentation (RFC 3849)"},
	{"2002::/16", "6to4 (RFC 3056)"},
	{"3fff::/20", "documentation (RFC 9637)"},
	{"5f00::/16", "segment routing (RFC 9602)"},
	{"fc00::/7", "unique local (RFC 4193)"},
	{"fe80::/10", "link-local (RFC 4291)"},
	{"fec0::/10", "site-local (RFC 3879)"},

	{"fd00:42::42/128", METADATA},
	{"fd00:ec2::123/128", METADATA},
	{"fd00:ec2::23/128", METADATA},
	{"fd00:ec2::253/128", METADATA},
	{"fd00:ec2::254/128", METADATA},
	{"fd20:ce::254/128", METADATA},
	{"fe80::a9fe:a9fe/128", METADATA},
	{NULL, NULL},
};

const struct builtin_embed policy_builtin_embeds[] = {
	{"::ffff:0:0:0/96", BUILTIN_LAST},
	{"64:ff9b::/96", BUILTIN_LAST},
	{"64:ff9b:1::/48", BUILTIN_NAT64},
	{"2001::/32", BUILTIN_TEREDO},
	{"2002::/16", BUILTIN_6TO4},
	{NULL, 0},
};
