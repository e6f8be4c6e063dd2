// SPDX-License-Identifier: BSD-3-Clause
// The rate of new ports. A permission is for an IP address (RFC 8656 9), so a client with one could
// try all ports of that address by Send indications. The first port of each permission is free: the
// request for the permission was counted (limits.peer_rate). Each further one costs a token of the
// allocation's relayed transport address. A port that was sent to is known, and costs nothing,
// until nothing was sent to it for a whole era.
//
// An era ends after STAGE_SENT_ERA_NS, or earlier when its filter is full: then ports are forgotten
// sooner, and those still in use cost a token each of allocations that have all of theirs. About
// one in a hundred new ports is taken for a known one.
//
// Each worker has filters and buckets of its own. The packets of a 5-tuple, and the messages of a
// stream, come to one worker, and its datagrams in fragments to one more, so an allocation has at
// most twice the rate; one whose client moves (RFC 8016) from worker to worker has that of each. A
// data plane that starts knows no port, and all allocations have all of their tokens.
#include "burst.h"
#include "sent.h"

#include <turnpike/siphash.h>

// A full filter has four patterns of four bits in a word on average: a quarter of its bits is set.
#define PATTERN_BITS	4u
#define PATTERNS_A_WORD 4u
#define SEEN_MAX	(PATTERNS_A_WORD << STAGE_SENT_WORD_BITS)

// No padding.
struct sent_key {
	struct tp_addr peer;
	// The relayed transport address.
	uint16_t relay_id;
	uint16_t port_be;
};
TP_ASSERT_SIZE(struct sent_key, 24);

static void era_begin(struct stage_sent *s, uint64_t now_ns)
{
	s->era++;
	s->n_seen = 0;
	s->era_end_ns = now_ns + STAGE_SENT_ERA_NS;
	memset(s->seen[s->era & 1], 0, sizeof(s->seen[0]));
	memset(s->recent, 0, sizeof(s->recent));
}

static uint64_t pattern_of(uint64_t h)
{
	uint64_t pattern = 0;

	for (unsigned i = 0; i < PATTERN_BITS; i++)
		pattern |= 1ull << (h >> 6 * i & 63);
	return pattern;
}

enum seen { SEEN_NOW, SEEN_BEFORE, SEEN_NEVER };

static enum seen seen_find(const struct stage_sent *s, uint64_t h)
{
	uint64_t word = h >> (64 - STAGE_SENT_WORD_BITS), pattern = pattern_of(h);

	if ((s->seen[s->era & 1][word] & pattern) == pattern)
		return SEEN_NOW;
	return (s->seen[~s->era & 1][word] & pattern) == pattern ? SEEN_BEFORE : SEEN_NEVER;
}

static void seen_enter(struct stage_sent *s, uint64_t h)
{
	s->seen[s->era & 1][h >> (64 - STAGE_SENT_WORD_BITS)] |= pattern_of(h);
	s->n_seen++;
}

// Whether the permission's peer was sent to before; it is known afterwards.
static bool peer_was_sent_to(struct stage_worker *w, struct sent_key key)
{
	enum seen seen;
	uint64_t h;

	key.peer.port_be = 0;
	h = tp_siphash13(w->limiter_key, &key, sizeof(key));
	seen = seen_find(&w->sent, h);
	if (seen != SEEN_NOW)
		seen_enter(&w->sent, h);
	return seen != SEEN_NEVER;
}

// New ports per second; 0: no limit. The segment's numbers are bounded here.
static uint32_t rate_of(const struct tp_path_config *path, uint16_t realm_id)
{
	for (uint32_t i = 0; i < path->n_port_rates && i < TP_PORT_RATES_MAX; i++) {
		if (path->port_rates[i].realm_id == realm_id)
			return path->port_rates[i].ports_per_s;
	}
	return path->n_port_rates == 0 ? 0 : path->port_rates[0].ports_per_s;
}

static bool new_port_pass(struct burst *b, const struct tp_entry *e)
{
	uint32_t rate = rate_of(&b->locals->path, e->realm_id);

	return rate == 0 || stage_share_port(b->w, e->relay_id, e->port_be, rate, b->now_ns);
}

// The era's filter never has a port without its peer.
static bool port_enter(struct burst *b, const struct tp_entry *e, const struct sent_key *key,
	uint64_t h, bool is_new)
{
	bool is_first = !peer_was_sent_to(b->w, *key);

	if (is_new && !is_first && !new_port_pass(b, e))
		return false;
	seen_enter(&b->w->sent, h);
	return true;
}

bool sent_port_pass(struct burst *b, uint32_t index, uint16_t port_be)
{
	const struct tp_entry *e = entry_at(b, index);
	struct sent_key key = {
		{.family = e->key.family, .port_be = port_be}, e->relay_id, e->port_be};
	struct stage_sent *s = &b->w->sent;
	enum seen seen;
	uint64_t h;

	if (b->now_ns >= s->era_end_ns || s->n_seen >= SEEN_MAX)
		era_begin(s, b->now_ns);
	memcpy(key.peer.ip, e->key.ip, sizeof(key.peer.ip));
	h = tp_siphash13(b->w->limiter_key, &key, sizeof(key));
	seen = seen_find(s, h);
	if (seen != SEEN_NOW && !port_enter(b, e, &key, h, seen == SEEN_NEVER))
		return false;
	s->recent[sent_slot(index, port_be)] = sent_word(index, port_be);
	return true;
}

// Reports it to the control process, which names the user in its log.
void sent_port_drop(struct burst *b, struct pkt_ctx *p, const struct tp_entry *permission)
{
	struct tp_ring_report about = {.allocation = permission->allocation,
		.port_be = permission->port_be,
		.type = TP_REPORT_SCAN};

	pkt_drop(b, p, TP_DROP_port_rate);
	if (stage_share_scan(b->w, permission->relay_id, permission->port_be, b->now_ns))
		(void)report_put(b, &about, permission->relay_id, &pkt_cold(b, p)->send.peer);
}
