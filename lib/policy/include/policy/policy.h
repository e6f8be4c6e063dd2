// SPDX-License-Identifier: BSD-3-Clause
// Which peers clients may reach, and which clients may not allocate. Packets of the relay bypass
// the kernel's filters: this policy is the only egress control there is.
//
// A peer's address is judged in this order:
//
//   1. own       An address of this relay: POLICY_OWN. The caller lets nothing but live relayed
//                transport addresses through, regardless of allow and deny.
//   2. never     Unspecified, loopback, multicast, broadcast, IPv4-compatible: denied, no rule of
//                the operator opens them.
//   3. rules     The operator's deny and allow prefixes and the built-in denials together: the most
//                specific prefix decides; of equal ones those with ports, then deny, then allow,
//                then the built-in. A rule with ports is none for the others. So allow opens a
//                special range only when it names it, or a part of it: 0.0.0.0/0 opens none,
//                10.0.0.0/8 opens that one, but not 10.1.2.0/24 denied beside it.
//   4. embedded  An IPv6 address that allow opened and that holds an IPv4 address (NAT64, 6to4,
//                Teredo, translated) is denied if that one is not allowed. In 64:ff9b:1::/48 the
//                length of the allow prefix says where it stands (RFC 6052 2.2): 48, 56, 64 or 96.
//   5. public    Any other address is public unicast: allowed.
//
// IPv4-mapped addresses are IPv4 (also if the caller forgot to fold them).
//
// A policy is never changed; a new configuration makes a new one. Any thread may ask.
#pragma once

#include <text/addr.h>
#include <turnpike/ports.h>

struct policy;

struct policy_config {
	const struct tp_addr *own; // listeners, relay and external addresses; ports don't matter
	size_t n_own;
	const struct text_scope *allow;
	size_t n_allow;
	const struct text_scope *deny;
	size_t n_deny;
};

enum policy_verdict {
	POLICY_ALLOWED,
	POLICY_DENIED,
	POLICY_OWN,
};

// The rule that decided.
enum policy_origin {
	POLICY_BY_PUBLIC,  // no rule
	POLICY_BY_OWN,	   // an address of this relay
	POLICY_BY_NEVER,   // can't be opened
	POLICY_BY_BUILTIN, // can be opened by peers.allow
	POLICY_BY_ALLOW,
	POLICY_BY_DENY,
};

struct policy_decision {
	enum policy_verdict verdict;
	enum policy_origin origin;
	struct text_cidr rule; // the prefix; PUBLIC: all of the family
	uint16_t port_min;     // of the rule, inclusive
	uint16_t port_max;     // 0: all ports
	bool some_ports;       // ALLOWED, on some ports alone: the rule is the strongest of several
	bool embedded;	       // the rule is about the IPv4 address inside the peer's
	const char *reason;    // "loopback", "private (RFC 1918)": constant text
};

// Copies the parts of the configuration it needs. NULL with errno ENOMEM.
struct policy *policy_create(const struct policy_config *config);
void policy_destroy(struct policy *p);

// Fills *why unless it is NULL. A peer with port 0 is judged by its address: ALLOWED if any of its
// ports may be reached.
enum policy_verdict policy_judge(
	const struct policy *p, const struct tp_addr *peer, struct policy_decision *why);

// Whether any rule of the operator names ports.
bool policy_has_ports(const struct policy *p);

enum policy_extent {
	POLICY_PORTS_NONE,
	POLICY_PORTS_SOME,
	POLICY_PORTS_ALL,
};

// Tells which ports of the peer's IP address may be reached, its own port ignored; fills *set where
// it is some of them. An own address has NONE.
enum policy_extent policy_ports(
	const struct policy *p, const struct tp_addr *peer, struct tp_port_set *set);

// The decision about the broadcast address of a network of this host, which the caller knows.
struct policy_decision policy_broadcast(const struct tp_addr *peer);
// The decision about an address of this host that is none of the relay's, which the caller knows.
struct policy_decision policy_host(const struct tp_addr *peer);

// "denied: in 10.0.0.0/8, private (RFC 1918); peers.allow opens it", "denied: in 0.0.0.0/0:25,
// peers.deny". Returns buf, always terminated.
#define POLICY_TEXT_SIZE 192u
const char *policy_decision_format(const struct policy_decision *d, char *buf, size_t size);

// An allow prefix that can open nothing, since all of it is denied for ever: why. Else NULL.
const char *policy_never_opens(const struct text_cidr *allow);

// RFC 8656 21.4: a Teredo or 6to4 client could loop packets between this relay and the tunnel's
// end.
bool policy_client_is_tunnel(const struct tp_addr *client);
