// SPDX-License-Identifier: BSD-3-Clause
// The prefixes whose packets count together: one holder has all addresses of them. Lengths are in
// bytes.
#pragma once

#include <turnpike/addr.h>

#define PREFIX_SUBNET_LEN 8u // an IPv6 subnet, /64
#define PREFIX_SITE_LEN	  6u // a site, /48, has 65,536 of them

// An IPv4 address, or the subnet of an IPv6 address.
static inline unsigned prefix_len(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 ? 4 : PREFIX_SUBNET_LEN;
}
