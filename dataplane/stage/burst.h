// SPDX-License-Identifier: BSD-3-Clause
// A burst of packets, the context of each, and the lists of their pending table look-ups.
//
// There are two paths. The fast path takes a plain packet from headers to headers and knows
// only how to forward it; the slow path takes every frame and knows the reason of every drop. A
// packet that the fast path cannot forward is handed to the slow path unchanged and uncounted, so
// both give the same result (tests/fuzz/packet_lanes.c). The stages of both have the same names:
//
//   stage      does                                     fast path      slow path
//   classify   reads headers, enqueues a look-up        fast_rx.h      slow.c
//   look up    compares signatures, prefetches entries  match.h        match.h
//   settle     compares keys, judges entries, rewrites  fast.h         settle.c, hairpin.c
//
//   from       look-ups, in this order
//   client     CHANNEL
//              ALLOCATION, PERMISSION (Send)
//              ALLOCATION (class of a message for the control process)
//   peer       PEER; without a channel: PERMISSION
//   hairpin    those of the client's packet, then those of a peer's datagram at the other end
//
// A message of a stream client joins the slow path where a UDP payload begins (stream.c).
//
// The rules, and where each is checked. "equal": by comparing the headers with those of the last
// packet's port, listener or relay; a difference leaves the fast path.
//
//   rule                                         fast path                  slow path
//   destination MAC address is ours              equal                      slow.c
//   IP without options or fragment, UDP          equal                      core/parse.c
//   lengths of IP, UDP, ChannelData fit          equal, no padding          core/parse.c, message.c
//   IPv4 header checksum is right                fast_rx.h                  core/parse.c
//   source address may send and is not ours      fast_rx.h                  slow.c
//   destination is a listener or a relayed port  equal, fast_rx.h           slow.c
//   ChannelData: its number is in range          equal                      core/message.c
//   Send indication is well formed               usual form: indication.h   core/message.c
//   requests and other messages                  never fast                 slow.c, punt.c
//   entry exists, its whole key is the packet's  fast.h                     settle.c
//   channel, permission and allocation are live  fast.h                     settle.c
//   allocation has the relayed transport address fast.h                     settle.c
//   entry's header is one of the packet's family fast_tx.h                  core/put.h, any family
//   next hop exists and is resolved              fast_tx.h                  forward.h
//   TTL is left, UDP has a checksum              fast_tx.h                  core/put.h, or none
//   result fits the port's MTU and the memory    fast_tx.h                  core/put.h
//   other end of a hairpin has a channel         fast.h                     hairpin.c, or none
//   own address without allocation: listed peer  never fast                 local.c
//   allocation without a limit or second 5-tuple fast_tx.h, fast.h          cap.c, settle.c
//   Send indication to a port known, or in rate  fast_tx.h, sent.c          settle.c, sent.c
#pragma once

#include <core/icmp.h>
#include <core/message.h>
#include <core/plain.h>
#include <core/rewrite.h>
#include <stage/stage.h>

#include "locals.h"

#include <endian.h>

#define STAGE_LIKELY(x)	  __builtin_expect(!!(x), 1)
#define STAGE_UNLIKELY(x) __builtin_expect(!!(x), 0)

// Whether there is a fast path. It needs byte shuffles, which each x86 processor has that the data
// plane's drivers run on; stage_run tests for them once more. A build without it is made by
// -DSTAGE_HAS_FAST=0.
#if !defined(STAGE_HAS_FAST)
#if defined(__x86_64__)
#define STAGE_HAS_FAST 1
#else
#define STAGE_HAS_FAST 0
#endif
#endif
#define STAGE_TARGET __attribute__((target("sse4.1")))

// The look-up that a packet waits for. One cache line.
struct lookup {
	struct tp_key key;
	uint64_t hash;
	const struct tp_bucket *bucket;
	struct stage_pkt *pkt;
	// The last word of the key of the look-up before: which relayed port a packet arrived at.
	uint64_t arrived;
	// Index of the entry whose signature matched; 0: none.
	uint32_t found;
	// Index of the entry that the look-up before found.
	uint32_t before;
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct lookup, 64);

// Look-ups of the fast path that wait for entries of one kind.
struct fast_list {
	struct lookup *end;
	struct lookup at[STAGE_BURST];
};

// The look-ups of both paths, named by the entry and its part.
enum lookup_step {
	STEP_CHANNEL,
	STEP_PEER,
	STEP_CLIENT,
	// The permission of the sending client for its peer.
	STEP_PERMISSION_OUT,
	// The permission of the receiving client for the sender.
	STEP_PERMISSION_IN,
	SLOW_STEPS,
	// Fast path only: the PEER of the receiving client for a client's ChannelData.
	STEP_HAIRPIN = SLOW_STEPS,
	STEPS,
};

// The form in which the payload came.
enum pkt_form { FORM_DATAGRAM, FORM_CHANNEL, FORM_SEND, FORM_REQUEST, FORM_ICMP, FORM_RECORDS };

// A packet on the slow path.
struct pkt_ctx {
	struct lookup lookup;
	struct stage_pkt *pkt;
	// Of a stream client; NULL: pkt is a frame.
	const struct stage_message *message;
	// The sender's CHANNEL or PERMISSION, and its ALLOCATION.
	uint32_t sent_by;
	uint32_t client;
	// The receiver's ALLOCATION.
	uint32_t allocation;
	// Listener or relay that it arrived at, and port; hairpin: the other end's.
	uint16_t local_id;
	uint16_t port_be;
	uint8_t form; // enum pkt_form
	bool v4;      // family of the frame
	bool hairpin;
	union {
		bool is_signed; // FORM_REQUEST: has integrity, right or wrong
		bool is_hello;	// FORM_RECORDS: begins with a ClientHello
	};
} TP_ALIGNED(64);

// The rest of it, used by few packets.
struct pkt_ctx_cold {
	struct core_send send;	 // FORM_SEND
	struct tp_addr shown;	 // hairpin: the sender as the receiver sees it
	struct core_quote quote; // FORM_ICMP
};

// Packets of the slow path whose look-ups are pending, by number.
struct pending_list {
	unsigned n;
	uint8_t at[STAGE_BURST];
};

// Headers of packets to one destination, made for comparison with the sixteen bytes that begin four
// before the UDP header. Read by fast_rx.h in vectors.
struct fast_rx_group {
	uint8_t want[16] TP_ALIGNED(16);
	uint8_t mask[16];
	// Which bits make it ChannelData; none for a relay.
	uint8_t message[16];
	// Takes the ports of a key's last word out of them, and the rest of that word.
	uint8_t pick[16];
	uint64_t tail[2];
	// The destination address, as in a key.
	struct local_ip dst;
};

enum { FAST_RX_LISTENER, FAST_RX_RELAY, FAST_RX_GROUPS };

// The listener and the relay that the last packets of one family were for.
struct fast_rx_family {
	// The expected frame[0..32) of any packet that came by the port.
	uint8_t want[2][16] TP_ALIGNED(16);
	uint8_t mask[2][16];
	struct fast_rx_group group[FAST_RX_GROUPS];
	// The same as the listener's, for Send indications.
	uint64_t send_tail[2] TP_ALIGNED(16);
	// No port on the wire while there is no listener.
	uint32_t listener_port_be;
	// The relay's ports, in host order; none while there is no relay.
	uint32_t relay_port_min;
	uint32_t relay_ports;
	// The relay's address in locals.ips if a listener's port may be among them.
	uint16_t mixed;
};

struct fast_rx {
	struct fast_rx_family ip4;
	struct fast_rx_family ip6;
	uint8_t rx_port;
};

struct burst {
	struct stage_worker *w;
	const struct stage_locals *locals;
	struct stage_pkt *pkts;
	// Ports of the relay address last asked for; 0: none yet.
	const _Atomic uint32_t *last_ports;
	uint32_t last_relay_id;
	uint32_t now_s;
	uint64_t now_ns;
	// Bytes of the frames received.
	uint64_t rx_bytes;
	// The context that the burst began with: each packet counts from it by its number, so that
	// the order in which packets are settled does not matter.
	struct core_context context;
	// [SLOW_STEPS]: where a look-up is enqueued now, and how many are there.
	struct pending_list *next;
	unsigned n_pending;
	struct pending_list pending[2][SLOW_STEPS];
	struct pkt_ctx ctx[STAGE_BURST];
	struct pkt_ctx_cold cold[STAGE_BURST];
#if STAGE_HAS_FAST
	struct fast_rx rx;
	// Whether any packet of IPv6 may be in its lists, which are undefined before.
	bool any6;
	// [STEPS]: of packets that IPv4 brought, and IPv6.
	struct fast_list fast4[STEPS];
	struct fast_list fast6[STEPS];
#endif
};

#if STAGE_HAS_FAST
static inline void fast_list_clear(struct fast_list *list)
{
	list->end = list->at;
}

// Clears the lists of first look-ups. The others are cleared when one of these is settled.
static inline void fast_lists_clear(struct fast_list lists[STEPS])
{
	fast_list_clear(&lists[STEP_CHANNEL]);
	fast_list_clear(&lists[STEP_PEER]);
	fast_list_clear(&lists[STEP_CLIENT]);
}

static inline struct fast_list *burst_fast(struct burst *b, enum lookup_step step, bool v4)
{
	return v4 ? &b->fast4[step] : &b->fast6[step];
}
#endif

static inline unsigned pkt_number(const struct burst *b, const struct stage_pkt *pkt)
{
	return (unsigned)(pkt - b->pkts);
}

static inline struct pkt_ctx_cold *pkt_cold(struct burst *b, const struct pkt_ctx *p)
{
	return &b->cold[p - b->ctx];
}

// The worker's context as the packet finds it.
static inline struct core_context pkt_context(const struct burst *b, const struct stage_pkt *pkt)
{
	return core_context_at(&b->context, pkt_number(b, pkt));
}

static inline void pkt_drop(struct burst *b, struct pkt_ctx *p, enum tp_drop reason)
{
	p->pkt->verdict = STAGE_DROP;
	p->pkt->reason = (uint8_t)reason;
	tp_count(&b->w->stats->drops[reason], 1);
}

static inline void burst_count(struct burst *b, enum tp_path path, uint32_t bytes)
{
	tp_count(&b->w->stats->path_packets[path], 1);
	tp_count(&b->w->stats->path_octets[path], bytes);
}

// The last word of a key: all but the address. Parts of it may be made apart and put together by
// or.
static inline uint64_t key_tail(
	uint64_t port_be, uint64_t local_id, uint64_t selector, uint64_t kind, uint64_t family)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return port_be | local_id << 16 | selector << 32 | kind << 48 | family << 56;
#else
	return port_be << 48 | local_id << 32 | selector << 16 | kind << 8 | family;
#endif
}

// Whether the frame is addressed to the port it came in by; any other frame is the kernel's.
// Compares eight bytes of each, less two.
static inline bool stage_mac_is_ours(const struct stage_port *port, const uint8_t *frame)
{
	uint64_t mac, dst;

	_Static_assert(sizeof(*port) >= 8, "read at once");
	memcpy(&mac, port->mac, sizeof(mac));
	memcpy(&dst, frame, sizeof(dst));
	return ((mac ^ dst) & htole64(0xffffffffffffull)) == 0 || port->any_mac;
}

// Returns where the allocations that own a relay's ports are named, from the port numbered 0, or
// NULL; it is the burst's last relay then.
static inline const _Atomic uint32_t *relay_ports(struct burst *b, uint16_t relay_id)
{
	const struct local_record *r;

	if (STAGE_LIKELY(relay_id == b->last_relay_id))
		return b->last_ports;
	r = locals_relay(b->locals, relay_id);
	if (r == NULL || r->port_index >= b->w->n_port_indexes)
		return NULL;
	b->last_relay_id = relay_id;
	b->last_ports = &b->w->port_indexes[(size_t)r->port_index * 65536];
	return b->last_ports;
}

// Returns where the allocation that owns a relayed transport address is named, or NULL.
static inline const _Atomic uint32_t *port_slot(
	struct burst *b, uint16_t relay_id, uint16_t port_be)
{
	const _Atomic uint32_t *ports = relay_ports(b, relay_id);

	return ports == NULL ? NULL : &ports[tp_ntohs(port_be)];
}

// Returns the allocation that owns the relayed transport address, by the port's array; 0: none.
static inline uint32_t port_allocation(struct burst *b, uint16_t relay_id, uint16_t port_be)
{
	const _Atomic uint32_t *slot = port_slot(b, relay_id, port_be);
	uint32_t index;

	if (STAGE_UNLIKELY(slot == NULL))
		return 0;
	index = atomic_load_explicit(slot, memory_order_acquire);
	return index < b->w->table.n_entries ? index : 0;
}

static inline const struct tp_entry *entry_at(const struct burst *b, uint32_t index)
{
	return &b->w->table.entries[index];
}

// Returns the longest IP packet that fits every entry's path MTU, so that no entry needs a look. A
// control process that does not tell it stores no lower one than CORE_LEG_MIN_IPV4.
static inline uint32_t any_leg_len(const struct tp_entry *entries)
{
	uint32_t least = atomic_load_explicit(&entries[0].path_mtu, memory_order_relaxed);

	return least < CORE_LEG_MIN_IPV4 ? CORE_LEG_MIN_IPV4 : least;
}

static inline bool entry_expired(const _Atomic uint32_t *expires_s, uint32_t now_s)
{
	return now_s >= atomic_load_explicit(expires_s, memory_order_relaxed);
}

// slow.c: classifies any frame.
void slow_classify(struct burst *b, struct stage_pkt *pkt);

// Classifies a peer's datagram, whose source is right, to a relayed address.
void peer_classify(struct burst *b, struct pkt_ctx *p, struct core_packet *in);

// local.c: sends a hairpin packet, whose other end no allocation has, to a listed peer on this
// host, or drops it (own_address).
void local_send(struct burst *b, struct pkt_ctx *p);
// Classifies a frame from the loopback interface.
void local_classify(struct burst *b, struct stage_pkt *pkt);

// Classifies a message that has reached a listener.
void pkt_message(struct burst *b, struct pkt_ctx *p);

// stream.c: describes a message as the datagram that would carry it, all but low and high.
void stream_read(const struct pkt_ctx *p, struct core_packet *in);

// Describes the packet, which is plain or a message.
static inline void pkt_read(const struct pkt_ctx *p, struct core_packet *in)
{
	struct stage_pkt *pkt = p->pkt;

	if (STAGE_UNLIKELY(p->message != NULL))
		stream_read(p, in);
	else
		core_plain_read(in, pkt->data, p->v4);
	in->low = pkt->data - pkt->headroom;
	in->high = pkt->data + pkt->len + pkt->tailroom;
}

// match.c: enqueues a look-up of the packet's key.
void lookup_enqueue(struct burst *b, struct pkt_ctx *p, enum lookup_step step);
// Compares signatures for all pending look-ups of a list and prefetches the entries found.
void pending_match(struct burst *b, const struct pending_list *list, enum lookup_step step);

// ttl.c: gives the first `n` packets that leave the configured TTL or hop limit.
void burst_put_ttl(const struct burst *b, unsigned n);

// ports.c: none, or why a permission lets nothing pass to or from this port of the peer. Counts
// packets that a policy under trial would drop.
enum tp_drop permission_check(
	struct burst *b, const struct pkt_ctx *p, const struct tp_entry *e, uint16_t port_be);

// sent.c: whether the client's Send indication by PERMISSION `index` may go to this port of the
// peer: one that it has sent to, or a new one within the rate.
bool sent_port_pass(struct burst *b, uint32_t index, uint16_t port_be);
// Drops such an indication that may not pass.
void sent_port_drop(struct burst *b, struct pkt_ctx *p, const struct tp_entry *permission);

// settle.c: settles the pending look-ups of these lists, [SLOW_STEPS].
void slow_settle(struct burst *b, const struct pending_list *pending);
// Takes over a packet whose look-up the fast path could not settle.
void slow_take_over(struct burst *b, const struct lookup *l, enum lookup_step step, bool v4);

// hairpin.c: enqueues the look-up of the sender's packet at the other end. `relay_id`, `port_be`:
// the sender's relayed transport address; `to_relay_id`, `to_port_be`: the other end's.
void hairpin_enter(struct burst *b, struct pkt_ctx *p, uint16_t relay_id, uint16_t port_be,
	uint16_t to_relay_id, uint16_t to_port_be);
// Forwards it. `index`: the receiver's PEER, or PERMISSION where there is no channel.
void hairpin_forward(struct burst *b, struct pkt_ctx *p, uint32_t index, bool channel);

// punt.c: hands the message to the control process (`live`: it came from a live 5-tuple).
void pkt_punt(struct burst *b, struct pkt_ctx *p, bool live);

// answer.c: answers a Binding request.
void pkt_answer(
	struct burst *b, struct pkt_ctx *p, const struct core_packet *in, bool has_fingerprint);
// Answers a Binding request of RFC 3489.
void pkt_classic(struct burst *b, struct pkt_ctx *p, const struct core_packet *in);
// Answers a request without credentials 401. False: the control process must answer it.
bool pkt_challenge(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct core_request *r);

// share.c: whether a request of a live 5-tuple, one with our nonce, or one of RFC 3489 is within
// its sender's share.
bool stage_share_live(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	bool is_signed, uint32_t first_contact_rate, uint64_t now_ns);
bool stage_share_nonce(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	bool is_signed, uint32_t first_contact_rate, uint64_t now_ns);
bool stage_share_classic(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	uint64_t now_ns);

// limiter.c: whether another first contact of this source may pass in this second; those that are
// sent again have a share of their own.
enum limiter_kind { LIMITER_FIRST, LIMITER_REPEATED };
bool stage_limiter_pass(struct stage_worker *w, const struct tp_addr *source,
	enum limiter_kind kind, uint32_t rate, uint32_t now_s);

// repeat.c: whether a first contact may pass, which has so many bytes in common with its
// retransmissions and with no other message of its sender (up to STAGE_CONTACT_ID_LEN count).
bool stage_first_pass(struct stage_worker *w, const struct tp_addr *source, uint16_t listener_id,
	const uint8_t *id, size_t id_len, uint32_t rate, uint64_t now_ns);

// share.c: whether a relayed transport address may send to one more new port, `rate` per second.
bool stage_share_port(struct stage_worker *w, uint16_t relay_id, uint16_t port_be, uint32_t rate,
	uint64_t now_ns);

// share.c: whether the control process may be told once more that it exceeds the rate.
bool stage_share_scan(struct stage_worker *w, uint16_t relay_id, uint16_t port_be, uint64_t now_ns);

// share.c: whether a sender may be told once more that its packet was too long.
bool stage_share_told(
	struct stage_worker *w, const struct tp_addr *sender, uint16_t local_id, uint64_t now_ns);
// Whether one more ICMP error of this source, or about this flow, is looked at.
bool stage_share_icmp(struct stage_worker *w, const struct tp_addr *source, uint64_t now_ns);
bool stage_share_flow(
	struct stage_worker *w, const struct tp_addr *remote, uint16_t local_id, uint64_t now_ns);

// icmp.c: puts a report on the ring. False: it is full.
bool report_put(struct burst *b, const struct tp_ring_report *about, uint16_t local_id,
	const struct tp_addr *remote);
// Classifies an ICMP error about a packet from one of our ports. False: it is the kernel's.
bool icmp_classify(struct burst *b, struct pkt_ctx *p, const struct core_packet *in);
// Settles its look-up.
void icmp_settle(struct burst *b, struct pkt_ctx *p, enum lookup_step step);

// records.c: classifies a datagram that has reached a listener, if it is one for DTLS. False: it is
// not.
bool records_classify(struct burst *b, struct pkt_ctx *p, const struct core_packet *in);
// Hands it to the edge (`live`: it came from a live 5-tuple).
void records_give(struct burst *b, struct pkt_ctx *p, bool live);
// Sends a datagram of the edge, or looks up its client's leg first.
void records_send(struct burst *b, struct pkt_ctx *p);
// Sends it to the client of ALLOCATION `index`; 0: its MTU is not known.
void records_leave(struct burst *b, struct pkt_ctx *p, uint32_t index);
