// SPDX-License-Identifier: BSD-3-Clause
// One packet on its way through a burst, and the passes of the burst.
//
// A packet asks the table one to four questions, each a key. All open questions of a burst are
// looked up together, in three passes: hash and prefetch the buckets; match signatures and prefetch
// the entries; compare keys and settle what follows. What follows is a drop, the next question, or
// a way.
//
//   from        questions (key)
//   client      CHANNEL
//               ALLOCATION, PERMISSION (Send)
//               ALLOCATION (class of a message for the control process)
//   peer        PEER; without a channel: PERMISSION
//   hairpin     what the client's packet asks, then what the peer's would ask at the other end
#pragma once

#include <core/message.h>
#include <core/packet.h>
#include <core/rewrite.h>
#include <stage/stage.h>

#include "locals.h"

#include <endian.h>

// The question an item waits for.
enum item_step {
	STEP_CHANNEL,
	STEP_CLIENT,
	STEP_PERMISSION_OUT, // of the sending client for its peer
	STEP_PEER,
	STEP_PERMISSION_IN, // of the receiving client for the sender
};

enum item_state {
	ITEM_DONE, // the verdict stands
	ITEM_OPEN, // has a question
	ITEM_READY // has a way
};

// How the payload came.
enum item_take { TAKE_DATAGRAM, TAKE_CHANNEL, TAKE_SEND, TAKE_REQUEST };

// How it leaves.
enum item_put { PUT_PEER, PUT_CHANNEL, PUT_DATA };

struct item {
	struct tp_key key;
	uint64_t hash;
	const struct tp_bucket *bucket;
	uint32_t candidate; // entry whose signature matched; 0 none

	uint8_t state; // enum item_state
	uint8_t step;  // enum item_step
	uint8_t take;  // enum item_take
	uint8_t put;   // enum item_put
	bool hairpin;
	bool has_fingerprint;
	uint16_t local_id; // listener or relay it arrived at; hairpin: relay of the other end
	uint16_t port_be;  // relayed port it arrived at; hairpin: of the other end
	const struct tp_entry *client;	    // the sender's ALLOCATION
	const struct tp_entry *sent_by;	    // the sender's CHANNEL or PERMISSION
	const struct tp_entry *received_by; // the receiver's PEER or PERMISSION
	const struct tp_entry *allocation;  // the receiver's ALLOCATION
	struct tp_addr shown;		    // sender as the receiver sees it
	struct core_send send;
	struct core_packet in;
	struct stage_pkt *pkt;
};

// What is counted once per burst.
struct burst {
	struct stage_worker *w;
	const struct stage_locals *locals;
	uint64_t now_ns;
	uint32_t now_s;
	uint32_t last_own; // own address the last packet arrived at; 0 none yet
	uint32_t path_packets[TP_PATH_COUNT];
	uint64_t path_octets[TP_PATH_COUNT];
	struct item items[STAGE_BURST];
};

static inline void item_drop(struct burst *b, struct item *it, enum tp_drop reason)
{
	it->state = ITEM_DONE;
	it->pkt->verdict = STAGE_DROP;
	it->pkt->reason = (uint8_t)reason;
	tp_count(&b->w->stats->drops[reason], 1);
}

static inline void item_ask(struct item *it, enum item_step step)
{
	it->state = ITEM_OPEN;
	it->step = (uint8_t)step;
}

static inline void burst_count(struct burst *b, enum tp_path path, uint32_t octets)
{
	b->path_packets[path]++;
	b->path_octets[path] += octets;
}

// classify.c: from a frame to its first question, or to a verdict.
void burst_classify(struct burst *b, struct stage_pkt *pkts, unsigned n);

// Items that have a question, by number.
struct open_list {
	unsigned n;
	uint8_t at[STAGE_BURST];
};

// lookup.c: asks and settles until no question is open.
void burst_lookup(struct burst *b, unsigned n);

// resolve.c: settles the questions of `open` by what was found; leaves those that have another.
void burst_settle(struct burst *b, struct open_list *open);

// forward.c: rewrites the ready items and sends them.
void burst_forward(struct burst *b, unsigned n);
void item_send(struct item *it, const struct core_out *out, uint8_t port);

// punt.c: hands the message to the control process (`live`: it came from a live 5-tuple); answers a
// Binding request.
void item_punt(struct burst *b, struct item *it, bool live);
void item_answer(struct burst *b, struct item *it);

// limiter.c: whether another first contact of this source may pass in this second.
bool stage_limiter_pass(
	struct stage_worker *w, const struct tp_addr *source, uint32_t rate, uint32_t now_s);

// Destination MAC and port behind a next-hop slot: none, no_route or no_next_hop.
static inline enum tp_drop next_hop_resolve(
	const struct stage_worker *w, uint32_t slot, uint8_t mac[6], uint8_t *port)
{
	uint64_t word, le;

	if (slot == 0 || slot >= w->n_next_hops)
		return TP_DROP_no_route;
	word = atomic_load_explicit(&w->next_hops[slot], memory_order_relaxed);
	if (!(word & TP_NEXT_HOP_VALID))
		return TP_DROP_no_next_hop;
	le = htole64(word);
	memcpy(mac, &le, 6);
	*port = (uint8_t)(word >> 48);
	return *port < w->n_ports ? TP_DROP_none : TP_DROP_no_route;
}
