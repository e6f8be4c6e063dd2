// SPDX-License-Identifier: BSD-3-Clause
// Addresses, prefixes and ports as text. IPv4-mapped IPv6 is folded to IPv4 on the way in, so that
// one address has one form from there on. Pure functions: any thread.
//
// Every parser takes a NUL-terminated string without surrounding blanks, returns 0 or -EINVAL
// (others are documented per function), and leaves *out untouched on error. IPv4 is dotted decimal
// without leading zeros; IPv6 is RFC 4291 2.2 without a zone.
#pragma once

#include <turnpike/addr.h>

// Room for the longest text of any function below, with its NUL.
#define TEXT_ADDR_SIZE 64u

struct text_cidr {
	struct tp_addr ip;  // port 0; bits behind the prefix are zero
	uint8_t prefix_len; // 0 to 32 or 128, in the family of ip
};

// Addresses, and ports of theirs.
struct text_scope {
	struct text_cidr cidr;
	uint16_t port_min; // inclusive
	uint16_t port_max; // 0: all ports
};

static inline bool text_scope_has_ports(const struct text_scope *s)
{
	return s->port_max != 0 && (s->port_min > 1 || s->port_max < UINT16_MAX);
}

// "10.0.0.1", "fd77::1", "[fd77::1]": the port of *out is 0.
int text_ip_parse(const char *s, struct tp_addr *out);

// "10.0.0.1:3478", "[fd77::1]:3478".
int text_addr_parse(const char *s, struct tp_addr *out);

// "10.0.0.0/8", "fd77::/16", or an address alone (a prefix of one address). "::ffff:10.0.0.0/104"
// is 10.0.0.0/8; a mapped prefix shorter than 96 is -EINVAL. Bits set behind the prefix: -ERANGE.
int text_cidr_parse(const char *s, struct text_cidr *out);

// Decimal, 1 to 65535.
int text_port_parse(const char *s, uint16_t *out);

// "49152-65535" or one port; low > high is -ERANGE.
int text_ports_parse(const char *s, uint16_t *low, uint16_t *high);

// Clears the bits behind the prefix.
struct text_cidr text_cidr_make(const struct tp_addr *ip, uint8_t prefix_len);

bool text_cidr_contains(const struct text_cidr *c, const struct tp_addr *ip);

// All write to buf (TEXT_ADDR_SIZE bytes) and return it. IPv6 is bracketed where a port follows;
// a port of 0 is left out by text_ip_format only. No family: "none".
const char *text_ip_format(const struct tp_addr *a, char *buf);
const char *text_addr_format(const struct tp_addr *a, char *buf);
const char *text_cidr_format(const struct text_cidr *c, char *buf);
// "10.0.0.0/8:5000-6000", "[fd77::/16]:443"; without ports as text_cidr_format.
const char *text_scope_format(const struct text_scope *s, char *buf);
