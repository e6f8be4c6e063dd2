// SPDX-License-Identifier: BSD-3-Clause
// Every way a packet can end without being forwarded has a name here; the one list feeds the
// counters, relayctl, metrics and the documentation: X(name, cause, remedy).
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
	X(fragment, "IP fragment that the worker of its source had no room for",                   \
		"a flood of fragments: filter it in front of the relay")                           \
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
	X(no_next_hop, "next hop not resolved yet",                                                \
		"relayctl nexthop list: gateways and neighbours whose MAC is -; then ip neigh, "   \
		"and ping them")                                                                   \
	X(too_big, "longer than the way out takes, and the sender could not be told",              \
		"lower the sender's packet size; senders told by ICMP are the path too_big")       \
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
	X(icmp, "ICMP error of a type that is not relayed", "normal (RFC 8656 11.5)")              \
	X(vlan_tag, "tagged frame on a port without a kernel behind",                              \
		"untag it at the switch, or give the port a twin: dataplane.ports[].kernel")       \
	X(kernel_full, "frame for the kernel that the twin's queue had no room for",               \
		"a flood of what is not ours, or too little CPU time beside the workers")          \
	X(port_missed, "the port had no room: a worker did not come for its packets in time",      \
		"keep others off the workers' cores; more queues and workers")                     \
	X(port_error, "frame that the port found faulty", "look for a faulty link or NIC")         \
	X(edge_bad, "message of the edge that names no listener of its clients",                   \
		"restart turnpike-edge; report it")                                                \
	X(stale_connection, "message from or for a connection that is gone",                       \
		"normal for a moment after a client has reconnected")                              \
	X(edge_full, "message for a stream client that the edge had no room for",                  \
		"more edge threads; find the client that reads too slowly")                        \
	X(queue_unserved, "packet by a receive queue that no worker serves",                       \
		"ethtool -L INTERFACE back to the queues of the start, or restart "                \
		"turnpike-dataplane")                                                              \
	X(xdp_ring_full, "the AF_XDP ring was full: a worker did not come in time",                \
		"keep others off the workers' cores; more queues and workers")                     \
	X(xdp_not_sent, "frame that the kernel refused to send", "report it")                      \
	X(client_rate,                                                                             \
		"requests of one client, or with our nonce of one address, above its share",       \
		"others are not concerned; if a client of yours, it sends too often")              \
	X(classic_stun, "RFC 3489 request for more than the sender's own address",                 \
		"a client of today's STUN (RFC 8489)")                                             \
	X(icmp_bad, "ICMP error that cannot be true: checksum, quoted lengths or MTU",             \
		"spoofed, or a router that garbles: nothing")                                      \
	X(icmp_stale, "ICMP error that quotes no packet of a live call",                           \
		"spoofed, or about a call that has ended: nothing")                                \
	X(icmp_rate, "ICMP errors of one source prefix, or about one flow, above the limit",       \
		"a flood, or a router that answers each packet: nothing")                          \
	X(fragment_bad, "fragment whose place or length contradicts itself or the others",         \
		"look at the sender")                                                              \
	X(fragment_tiny, "datagram in more than 64 fragments, or a first one without ports",       \
		"no stack sends them: nothing")                                                    \
	X(fragment_long, "datagram of more than 65,521 bytes in fragments", "look at the sender")  \
	X(fragment_overlap, "fragments of one datagram that overlap (RFC 5722)",                   \
		"an attack, or a broken sender")                                                   \
	X(fragment_repeat, "fragment that is there already", "normal in small numbers")            \
	X(fragment_late, "fragments whose datagram was not whole after two seconds",               \
		"loss in the network: lower the sender's packet size")                             \
	X(fragment_share, "fragments of a source prefix above its share",                          \
		"a flood, or a sender whose fragments get lost")                                   \
	X(fragment_full, "fragments that gave way to others: no room in all",                      \
		"a flood of spoofed fragments: filter it in front of the relay")                   \
	X(fragment_off, "fragment while dataplane.fragment_memory is 0",                           \
		"give dataplane.fragment_memory MiB where datagrams in fragments are to pass")     \
	X(dtls_bad, "datagram to a DTLS listener that holds no DTLS records of this version",      \
		"not a client of DTLS 1.2, or a connection id: nothing")                           \
	X(dtls_rate, "DTLS records of strangers above their share of the way to the edge",         \
		"limits.first_contact_rate; a flood: nothing")                                     \
	X(dtls_no_edge, "DTLS records while the edge is away", "start turnpike-edge")              \
	X(dtls_astray, "datagram of the edge to where none came from",                             \
		"normal for a moment after the tables were made anew; else report it")             \
	X(peer_port, "to or from a port of the peer that the peer policy denies",                  \
		"relayctl policy explain ADDRESS:PORT; a port scan: nothing")                      \
	X(cap_allocation, "beyond the bandwidth or packet rate of one allocation",                 \
		"limits.caps.allocation, or the realm's; relayctl allocation show")                \
	X(cap_user, "beyond the bandwidth or packet rate of one user",                             \
		"limits.caps.user, or the realm's")                                                \
	X(cap_realm, "beyond the bandwidth or packet rate of a realm",                             \
		"limits.caps.realm, or the realm's")                                               \
	X(cap_all, "beyond the bandwidth or packet rate of the relay", "limits.caps.all")          \
	X(cap_share, "beyond an allocation's fair share of a cap that is used up",                 \
		"normal under overload: raise the cap, or look for the allocations that send "     \
		"most")                                                                            \
	X(port_rate, "Send indication to a new port of the peer, beyond the allocation's rate",    \
		"raise limits.port_rate, or the realm's; leave it where the client scans ports")

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
