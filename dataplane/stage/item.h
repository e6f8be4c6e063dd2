// SPDX-License-Identifier: BSD-3-Clause
// One packet on its way through a burst, and the passes of the burst.
//
// A packet asks the table one to four questions, each a key. All open questions of a burst are
// looked up together: the key is hashed and its bucket prefetched when the question is asked
// (classify.c, item_ask); then, eight to sixteen packets ahead of what follows, signatures are
// matched and entries prefetched (lookup.c); then keys are compared and what follows is settled
// (resolve.c): a drop, the next question, or a way out, by a lane (lane.h, indication.h) or in
// general (forward.h, hairpin.c).
//
//   from        questions (key)
//   client      CHANNEL
//               ALLOCATION, PERMISSION (Send)
//               ALLOCATION (class of a message for the control process)
//   peer        PEER; without a channel: PERMISSION
//   hairpin     what the client's packet asks, then what the peer's would ask at the other end
//
// Only plain packets get so far (<core/plain.h>): what their headers say is read again from the
// frame, which is cheaper than to keep it.
#pragma once

#include <core/message.h>
#include <core/plain.h>
#include <core/rewrite.h>
#include <stage/stage.h>

#include "locals.h"

#include <endian.h>

#define STAGE_LIKELY(x)	  __builtin_expect(!!(x), 1)
#define STAGE_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define MATCH_CHUNK	  8u // packets of a burst that are matched together

// The question an item waits for.
enum item_step {
	STEP_CHANNEL,
	STEP_CLIENT,
	STEP_PERMISSION_OUT, // of the sending client for its peer
	STEP_PEER,
	STEP_PERMISSION_IN, // of the receiving client for the sender
	STEPS
};

// How the payload came.
enum item_take { TAKE_DATAGRAM, TAKE_CHANNEL, TAKE_SEND, TAKE_REQUEST };

// One cache line. What else a way needs is in struct more, by the same number.
struct item {
	struct tp_key key;
	uint64_t hash;
	struct stage_pkt *pkt;
	uint32_t candidate;  // entry whose signature matched; 0: there is none
	uint32_t sent_by;    // the sender's CHANNEL or PERMISSION
	uint32_t client;     // the sender's ALLOCATION
	uint32_t allocation; // the receiver's ALLOCATION
	union {
		struct {
			uint16_t local_id; // listener or relay it arrived at; hairpin: relay of the
					   // other end
			uint16_t port_be;  // port it arrived at; hairpin: relayed, of the other end
			uint8_t take;	   // enum item_take
			bool v4;	   // family of the frame
			bool hairpin;
			bool exact4; // classify_known's: the quick way out is open to it
		};
		uint64_t traits; // all of these, by item_traits
	};
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct item, 64);

struct more {
	struct core_send send; // TAKE_SEND
	struct tp_addr shown;  // hairpin: the sender as the receiver sees it
};

// Items that wait for the same answer, by number.
struct open_list {
	unsigned n;
	uint8_t at[STAGE_BURST];
};

// The port that the last plain IPv4 packet came in by, and the listener and the relay address that
// the last ones arrived at, made for comparison (known.h).
struct known {
	uint8_t mask[2][16] TP_ALIGNED(16);
	uint8_t want[2][16] TP_ALIGNED(16);
	uint64_t client_tail, peer_tail;     // key_tail of listener and relay: id and family
	uint64_t client_traits, peer_traits; // item_traits, but for the relay's port
	uint32_t listener_ip, relay_ip;	     // as stored
	uint32_t listener_port_be;	     // KNOWN_NO_PORT: no listener
	uint32_t channels;		     // how many numbers from TP_CHANNEL_MIN
	uint32_t relay_port_min;	     // of the relay's ports, in host order,
	uint32_t relay_ports;		     // and how many from there; 0: no relay
	uint16_t mixed;	 // the relay's address in locals.ips if a listener's port may be among them
	uint8_t rx_port; // KNOWN_NOTHING: nothing is known yet
};

// What is counted once per burst.
struct burst {
	struct stage_worker *w;
	const struct stage_locals *locals;
	const struct own_ip *last_own; // own address the last packet arrived at, or NULL
	struct known known;
	const _Atomic uint32_t *last_ports; // of the last relay address asked for its ports
	uint32_t last_relay_id;		    // 0: none yet
	uint64_t now_ns;
	uint32_t now_s;
	struct open_list *next; // [STEPS]: where a question is put that is asked now
	struct open_list open[2][STEPS];
	uint32_t path_packets[TP_PATH_COUNT];
	uint64_t path_octets[TP_PATH_COUNT];
	struct item items[STAGE_BURST];
	struct more more[STAGE_BURST];
};

static inline struct more *item_more(struct burst *b, const struct item *it)
{
	return &b->more[it - b->items];
}

static inline void item_drop(struct burst *b, struct item *it, enum tp_drop reason)
{
	it->pkt->verdict = STAGE_DROP;
	it->pkt->reason = (uint8_t)reason;
	tp_count(&b->w->stats->drops[reason], 1);
}

static inline void item_wait(struct burst *b, const struct item *it, enum item_step step)
{
	struct open_list *list = &b->next[step];

	list->at[list->n++] = (uint8_t)(it - b->items);
}

static inline void burst_count(struct burst *b, enum tp_path path, uint32_t octets)
{
	b->path_packets[path]++;
	b->path_octets[path] += octets;
}

// Where a packet came from and arrived. Whole words, for the compiler's sake: one stored narrow and
// read back wide stalls.
struct arrival {
	struct local_ip src;
	uint64_t src_port_be;
	uint64_t local_id;
	uint64_t family;
};

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

// What struct item.traits says.
static inline uint64_t item_traits(
	uint64_t local_id, uint64_t port_be, uint64_t take, bool v4, bool exact4)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return local_id | port_be << 16 | take << 32 | (uint64_t)v4 << 40 | (uint64_t)exact4 << 56;
#else
	return local_id << 48 | port_be << 32 | take << 24 | (uint64_t)v4 << 16 | exact4;
#endif
}

static inline void item_key_set(struct item *it, uint64_t a, uint64_t b, uint64_t c)
{
	uint8_t *key = (uint8_t *)&it->key;

	memcpy(key, &a, 8);
	memcpy(key + 8, &b, 8);
	memcpy(key + 16, &c, 8);
}

// Whether the frame is addressed to the port it came in by. The kernel drops what is not (or takes
// multicast), so it is the judge of everything else. Compares eight octets of each, less two.
static inline bool stage_mac_is_ours(const struct stage_port *port, const uint8_t *frame)
{
	uint64_t mac, dst;

	_Static_assert(sizeof(*port) >= 8, "read at once");
	memcpy(&mac, port->mac, sizeof(mac));
	memcpy(&dst, frame, sizeof(dst));
	return ((mac ^ dst) & htole64(0xffffffffffffull)) == 0 || port->any_mac;
}

static inline void bucket_prefetch(const struct tp_table *t, uint64_t hash)
{
	__builtin_prefetch(&t->buckets[tp_table_bucket_of(t, hash)], 0, 3);
}

// classify.c: from a frame to its first question, or to a verdict. The quick way for plain packets
// whose first question is a channel's; burst_classify takes it where it can.
void burst_classify(struct burst *b, struct stage_pkt *pkts, unsigned n);

// general.c: the same for any frame.
void item_classify(struct burst *b, struct item *it);
// The message of a client that has reached a listener.
void item_message(struct burst *b, struct item *it);

// Where the allocations that own a relay's ports are named, from the port numbered 0, or NULL; it
// is the burst's last relay then.
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

// Where the allocation that owns a relayed transport address is named, or NULL.
static inline const _Atomic uint32_t *port_slot(
	struct burst *b, uint16_t relay_id, uint16_t port_be)
{
	const _Atomic uint32_t *ports = relay_ports(b, relay_id);

	return ports == NULL ? NULL : &ports[tp_ntohs(port_be)];
}

// lookup.c: asks for the item's key.
void item_ask(struct burst *b, struct item *it, enum item_step step);

// What is fetched of an entry that was found.
enum match_fetch {
	FETCH_FOUND,   // its first line
	FETCH_LEAVING, // its header and its cell, too: packets leave by it
	FETCH_PEER,    // the same; where there is no channel, what names the allocation
};

// Matches a list's signatures and fetches what was found, for packets ahead of `i`, the one about
// to be settled: for a whole burst at once it would be more than a core can wait for. i is 0,
// MATCH_CHUNK, and so on. <lookup.c>
void match_chunk(struct burst *b, const struct open_list *list, unsigned i, enum match_fetch fetch);

static inline struct item *open_item(
	struct burst *b, const struct open_list *list, unsigned i, enum match_fetch fetch)
{
	if (i % MATCH_CHUNK == 0)
		match_chunk(b, list, i, fetch);
	return &b->items[list->at[i]];
}

// Asks and settles until no question is open.
void burst_lookup(struct burst *b);

// Where the time of a burst goes.
struct stopwatch {
	uint64_t (*cycles)(void);
	uint64_t last;
	uint64_t *laps; // [STAGE_LAPS]
};

// NULL: nobody wants to know, which costs nothing where it is a constant.
static inline void lap_end(struct stopwatch *t, enum stage_lap lap)
{
	uint64_t now;

	if (t == NULL)
		return;
	now = t->cycles();
	t->laps[lap] += now - t->last;
	t->last = now;
}

void burst_lookup_timed(struct burst *b, struct stopwatch *t);

// resolve.c: settles the questions of these lists, [STEPS], by what was found.
void burst_settle(struct burst *b, const struct open_list *open);

// hairpin.c: the sender's packet turns round inside the worker: what it would ask as a peer's
// datagram at the other end. `relay_id`, `port_be`: the sender's relayed transport address;
// `to_relay_id`, `to_port_be`: the other end's.
void item_turn_round(struct burst *b, struct item *it, uint16_t relay_id, uint16_t port_be,
	uint16_t to_relay_id, uint16_t to_port_be);
// The same packet with its answer. `index`: the receiver's PEER, or PERMISSION where there is no
// channel.
void item_turned_forward(struct burst *b, struct item *it, uint32_t index, bool channel);

// punt.c: hands the message to the control process (`live`: it came from a live 5-tuple); answers a
// Binding request.
void item_punt(struct burst *b, struct item *it, bool live);
void item_answer(
	struct burst *b, struct item *it, const struct core_packet *in, bool has_fingerprint);

// limiter.c: whether another first contact of this source may pass in this second.
bool stage_limiter_pass(
	struct stage_worker *w, const struct tp_addr *source, uint32_t rate, uint32_t now_s);
