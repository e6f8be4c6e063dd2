// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
// Redirects the relay's share of an interface's packets and leaves the rest to the kernel: UDP to
// our listeners and relay ports, in fragments too, and ICMP errors that quote a datagram of ours.
// Without a data plane behind the socket ours are dropped: the kernel would answer them with
// port-unreachable and end the clients' calls.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <steer/maps.h>

#define IP_FRAGMENT_MASK  0x3fff // more fragments, offset
#define IP_OFFSET_MASK	  0x1fff
#define IP6_OFFSET_MASK	  0xfff8
#define IP6_FRAGMENT_MASK 0xfff9 // offset, more fragments
#define IP6_EXTENSIONS	  4
#define ICMP_UNREACHABLE  3 // errors that quote (RFC 792)
#define ICMP_QUENCH	  4
#define ICMP_EXCEEDED	  11
#define ICMP_PARAMETER	  12
#define ICMP6_ERROR_MIN	  1 // RFC 4443 2.1: destination unreachable, too big, exceeded, parameter
#define ICMP6_ERROR_MAX	  4

struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__u32 id_be;
	__u32 family;
};

// <linux/icmp.h> wants a libc of the BPF target.
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

// By the name that net_af_xdp looks for.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_ADDRESSES_MAX);
	__type(key, struct steer_address_key);
	__type(value, struct steer_address);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_LISTENERS_MAX);
	__type(key, struct steer_listener_key);
	__type(value, __u8);
} listeners SEC(".maps");

// Whether a datagram is ours, by its first fragment: the others carry no port.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STEER_FRAGMENTS_MAX);
	__type(key, struct fragment_key);
	__type(value, __u8);
} fragments SEC(".maps");

// The same of the last datagram between two addresses, with the id 0: it stands for one whose first
// fragment comes late.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STEER_FRAGMENT_PAIRS_MAX);
	__type(key, struct fragment_key);
	__type(value, __u8);
} fragment_pairs SEC(".maps");

// By receive queue: packets of ours for which there was no socket.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} unserved SEC(".maps");

// One packet's view: read position and destination.
struct view {
	void *end;
	struct steer_address_key to;
	const struct steer_address *address; // of `to`
	__u32 queue;
};

static __always_inline int take(const struct view *v)
{
	int verdict = (int)bpf_redirect_map(&xsks_map, v->queue, XDP_DROP);
	__u32 queue = v->queue < STEER_QUEUES_MAX ? v->queue : STEER_QUEUES_MAX - 1;
	__u64 *n;

	if (verdict == XDP_REDIRECT)
		return verdict;
	n = bpf_map_lookup_elem(&unserved, &queue);
	if (n)
		++*n;
	return verdict;
}

static __always_inline int port_is_ours(
	const struct steer_address *a, const struct steer_address_key *ip, __be16 port_be)
{
	__u16 port = bpf_ntohs(port_be);
	struct steer_listener_key key = {.port_be = port_be, .family = ip->family};

	if (port >= a->port_min && port <= a->port_max)
		return 1;
	__builtin_memcpy(key.ip, ip->ip, sizeof(key.ip));
	return bpf_map_lookup_elem(&listeners, &key) != (void *)0;
}

static __always_inline int steer_udp(const struct view *v, void *at)
{
	struct udphdr *udp = at;

	if ((void *)(udp + 1) > v->end)
		return XDP_PASS;
	return port_is_ours(v->address, &v->to, udp->dest) ? take(v) : XDP_PASS;
}

static __always_inline int fragment_is_ours(const struct view *v, struct udphdr *udp)
{
	return (void *)(udp + 1) > v->end || port_is_ours(v->address, &v->to, udp->dest);
}

// A first fragment without ports is ours, to be dropped by name: it would overlap in the kernel.
static __always_inline int steer_fragment(
	const struct view *v, const struct fragment_key *key, int first, void *at)
{
	struct fragment_key pair = *key;
	const __u8 *known;
	__u8 ours;

	pair.id_be = 0;
	if (first) {
		ours = (__u8)fragment_is_ours(v, at);
		bpf_map_update_elem(&fragments, key, &ours, BPF_ANY);
		bpf_map_update_elem(&fragment_pairs, &pair, &ours, BPF_ANY);
		return ours ? take(v) : XDP_PASS;
	}
	known = bpf_map_lookup_elem(&fragments, key);
	if (!known)
		known = bpf_map_lookup_elem(&fragment_pairs, &pair);
	return known && *known ? take(v) : XDP_PASS;
}

// An ICMP error's quote: the datagram as we sent it, from one of our addresses and ports.
static __always_inline int steer_quote(
	const struct view *v, const struct steer_address_key *from, void *at)
{
	struct udphdr *udp = at;
	const struct steer_address *a = bpf_map_lookup_elem(&addresses, from);

	if (!a || (void *)(udp + 1) > v->end)
		return XDP_PASS;
	return port_is_ours(a, from, udp->source) ? take(v) : XDP_PASS;
}

static __always_inline int steer_icmp(const struct view *v, void *at)
{
	struct icmp_header *icmp = at;
	struct iphdr *ip = (void *)(icmp + 1);
	struct steer_address_key from = {.family = STEER_FAMILY_IPV4};

	if ((void *)(ip + 1) > v->end)
		return XDP_PASS;
	if (icmp->type != ICMP_UNREACHABLE && icmp->type != ICMP_QUENCH &&
		icmp->type != ICMP_EXCEEDED && icmp->type != ICMP_PARAMETER)
		return XDP_PASS;
	if (ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP ||
		(ip->frag_off & bpf_htons(IP_OFFSET_MASK)))
		return XDP_PASS;
	__builtin_memcpy(from.ip, &ip->saddr, sizeof(ip->saddr));
	return steer_quote(v, &from, (void *)ip + ip->ihl * 4);
}

static __always_inline int steer_ipv4(struct view *v, void *at)
{
	struct iphdr *ip = at;
	struct fragment_key fragment = {.family = STEER_FAMILY_IPV4};
	void *body;

	if ((void *)(ip + 1) > v->end || ip->ihl < 5)
		return XDP_PASS;
	v->to.family = STEER_FAMILY_IPV4;
	__builtin_memcpy(v->to.ip, &ip->daddr, sizeof(ip->daddr));
	v->address = bpf_map_lookup_elem(&addresses, &v->to);
	if (!v->address)
		return XDP_PASS;
	body = (void *)ip + ip->ihl * 4;
	if (ip->protocol == IPPROTO_ICMP && !(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK)))
		return steer_icmp(v, body);
	if (ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (!(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK)))
		return steer_udp(v, body);
	__builtin_memcpy(fragment.source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(fragment.destination, &ip->daddr, sizeof(ip->daddr));
	fragment.id_be = ip->id;
	return steer_fragment(v, &fragment, !(ip->frag_off & bpf_htons(IP_OFFSET_MASK)), body);
}

static __always_inline int steer_icmp6(const struct view *v, void *at)
{
	struct icmp_header *icmp = at;
	struct ipv6hdr *ip = (void *)(icmp + 1);
	struct steer_address_key from = {.family = STEER_FAMILY_IPV6};

	if ((void *)(ip + 1) > v->end)
		return XDP_PASS;
	if (icmp->type < ICMP6_ERROR_MIN || icmp->type > ICMP6_ERROR_MAX)
		return XDP_PASS;
	if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return XDP_PASS;
	__builtin_memcpy(from.ip, &ip->saddr, sizeof(ip->saddr));
	return steer_quote(v, &from, ip + 1);
}

static __always_inline int steer_ipv6_fragment(
	const struct view *v, const struct ipv6hdr *ip, struct fragment_header *f)
{
	struct fragment_key fragment = {.family = STEER_FAMILY_IPV6};

	if ((void *)(f + 1) > v->end || f->next != IPPROTO_UDP)
		return XDP_PASS;
	// One that is all of its datagram (RFC 6946).
	if (!(f->offset & bpf_htons(IP6_FRAGMENT_MASK)))
		return steer_udp(v, f + 1);
	__builtin_memcpy(fragment.source, &ip->saddr, sizeof(fragment.source));
	__builtin_memcpy(fragment.destination, &ip->daddr, sizeof(fragment.destination));
	fragment.id_be = f->id;
	return steer_fragment(v, &fragment, !(f->offset & bpf_htons(IP6_OFFSET_MASK)), f + 1);
}

static __always_inline int steer_ipv6(struct view *v, void *at)
{
	struct ipv6hdr *ip = at;
	void *body = ip + 1;
	__u8 next;

	if (body > v->end)
		return XDP_PASS;
	v->to.family = STEER_FAMILY_IPV6;
	__builtin_memcpy(v->to.ip, &ip->daddr, sizeof(ip->daddr));
	v->address = bpf_map_lookup_elem(&addresses, &v->to);
	if (!v->address)
		return XDP_PASS;
	next = ip->nexthdr;
#pragma unroll
	for (int i = 0; i < IP6_EXTENSIONS; i++) {
		struct ipv6_opt_hdr *option = body;

		if (next == IPPROTO_UDP)
			return steer_udp(v, body);
		if (next == IPPROTO_ICMPV6)
			return steer_icmp6(v, body);
		if (next == IPPROTO_FRAGMENT)
			return steer_ipv6_fragment(v, ip, body);
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return XDP_PASS;
		if ((void *)(option + 1) > v->end)
			return XDP_PASS;
		next = option->nexthdr;
		body += (option->hdrlen + 1) * 8;
	}
	return XDP_PASS;
}

SEC("xdp")
int turnpike_steer(struct xdp_md *ctx)
{
	void *start = (void *)(long)ctx->data;
	struct ethhdr *eth = start;
	struct view v = {
		.end = (void *)(long)ctx->data_end,
		.queue = ctx->rx_queue_index,
	};

	if ((void *)(eth + 1) > v.end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return steer_ipv4(&v, eth + 1);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return steer_ipv6(&v, eth + 1);
	return XDP_PASS;
}

char steer_license[] SEC("license") = "Dual BSD/GPL";
