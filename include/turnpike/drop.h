// SPDX-License-Identifier: BSD-3-Clause
// Every way a packet can end without being forwarded has a name here; the one list feeds the
// counters, relayctl, metrics and the documentation: X(name, what happened, what to do about it).
//
// Append only: a number once given keeps its meaning for as long as the layout version stands.
#pragma once

#include <turnpike/base.h>
#include <turnpike/limits.h>

#define TP_DROPS(X)                                                                                \
	X(none, "not dropped", "")                                                                 \
	X(short_frame, "frame ends inside its link, IP or UDP header", "look at the sender")       \
	X(bad_ip, "IP version, header length or total length contradict the frame",                \
		"look at the sender")                                                              \
	X(bad_ip_checksum, "IPv4 header checksum is wrong", "look for a faulty link or NIC")       \
	X(bad_udp_length, "UDP length contradicts the IP length", "look at the sender")            \
	X(bad_udp_checksum, "UDP checksum is wrong where it must be verified",                     \
		"look for a faulty link; on veth turn transmit checksum offload off")              \
	X(ip_options, "IPv4 options", "no client needs them")                                      \
	X(ip6_extension, "IPv6 extension header", "no client needs them")                          \
	X(fragment, "IP fragment", "lower the sender's packet size")                               \
	X(ttl_expired, "TTL or hop limit is used up", "look for a routing loop")                   \
	X(bad_source, "source address that no host may send from", "spoofed: nothing")             \
	X(own_source, "one of our own addresses as source, from the wire", "spoofed: nothing")     \
	X(not_stun, "first octet is none of ours (RFC 7983)", "not a TURN client: nothing")        \
	X(bad_stun, "STUN length or magic cookie is wrong", "not a TURN client: nothing")          \
	X(bad_channel_length, "ChannelData length exceeds the datagram", "look at the client")     \
	X(bad_channel_number, "channel number outside the range", "protocol.channel_max")          \
	X(no_channel, "no such channel of this client", "late data of an ended call: nothing")     \
	X(channel_expired, "channel no longer refreshed", "look at the client")                    \
	X(no_allocation, "no allocation of this client or on this relayed address",                \
		"late data of an ended call, or a port scan: nothing")                             \
	X(allocation_expired, "allocation no longer refreshed", "look at the client")              \
	X(no_permission, "peer without a permission", "the client did not ask for this peer")      \
	X(permission_expired, "permission no longer refreshed",                                    \
		"protocol.permission_follows_channel for clients that bind only")                  \
	X(bad_send, "Send indication without peer or data, or malformed", "look at the client")    \
	X(unknown_attribute, "Send indication with an unknown required attribute",                 \
		"look at the client")                                                              \
	X(wrong_family, "peer family without a relayed address of that family",                    \
		"the client must ask for that family")                                             \
	X(stun_response, "STUN response sent to us", "reflection attempt: nothing")                \
	X(binding_indication, "Binding indication (keep-alive), swallowed", "normal")              \
	X(own_address, "peer is an address of this relay with no live allocation",                 \
		"late data of an ended call, or a scan through the relay")                         \
	X(no_route, "no route to the destination", "ip route get ADDRESS on the relay")            \
	X(no_next_hop, "next hop not resolved yet", "relayctl nexthop list")                       \
	X(too_big, "longer than the egress port's MTU", "lower the sender's packet size")          \
	X(not_ours, "no listener and no relayed address; nothing to hand it to",                   \
		"look at the steering program's addresses")                                        \
	X(punt_full, "ring to the control process is full", "is turnpike-control alive?")          \
	X(punt_rate, "first contacts of one source prefix above the limit",                        \
		"limits.first_contact_rate; a flood: nothing")                                     \
	X(punt_long, "message too long for the control process", "not a TURN client: nothing")     \
	X(inject_bad, "message of the control process that the data plane refused",                \
		"report it: the control process is at fault")                                      \
	X(tx_full, "the port did not take the packet", "more workers or a faster port")            \
	X(no_memory, "no packet buffer free", "raise dataplane.mbufs")                             \
	X(table_corrupt, "entry contradicts itself", "restart turnpike-control; report it")        \
	X(not_ready, "no tables yet: the control process has not started",                         \
		"start turnpike-control")                                                          \
	X(icmp, "ICMP error that quotes one of our addresses", "normal; not relayed yet")          \
	X(vlan_tag, "tagged frame on a port without a kernel behind",                              \
		"untag it at the switch, or give the port a twin: dataplane.ports[].kernel")       \
	X(kernel_full, "frame for the kernel that the twin's queue had no room for",               \
		"a flood of what is not ours, or too little CPU time beside the workers")          \
	X(port_missed, "the port had no room: a worker did not come for its packets in time",      \
		"keep others off the workers' cores; more queues and workers")                     \
	X(port_error, "frame that the port found faulty", "look for a faulty link or NIC")

enum tp_drop {
#define TP_DROP_ENUM(name, what, remedy) TP_DROP_##name,
	TP_DROPS(TP_DROP_ENUM)
#undef TP_DROP_ENUM
		TP_DROP_COUNT
};
_Static_assert(TP_DROP_COUNT <= TP_DROPS_MAX, "statistics have no room for another drop reason");

struct tp_drop_text {
	const char *name;
	const char *what;
	const char *remedy;
};

static inline const struct tp_drop_text *tp_drop_text(unsigned reason)
{
	static const struct tp_drop_text texts[] = {
#define TP_DROP_TEXT(name, what, remedy) {#name, what, remedy},
		TP_DROPS(TP_DROP_TEXT)
#undef TP_DROP_TEXT
	};

	return reason < TP_ARRAY_LEN(texts) ? &texts[reason] : NULL;
}
