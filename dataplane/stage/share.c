// SPDX-License-Identifier: BSD-3-Clause
// The share of the control process that one client may have: token buckets of live 5-tuples, and of
// transport addresses and IP addresses that have our nonce. Neither can be spoofed, so nobody can
// use another's share up. Clients of RFC 3489 have one of the worker's answers. A request without
// integrity costs more: no client of ours sends many.
//
// A bucket is the time at which it is full again, in sets of four; the fullest gives way, so a
// client above its share stays known. Forgotten ones are full.
#include "burst.h"

#include <turnpike/siphash.h>

#define US_PER_S	1000000u
#define UNSIGNED_CHARGE 8u
// Addresses with our nonce, to limits.first_contact_rate of those without.
#define NONCE_FACTOR	10u
// IPv6 subnets, to their addresses.
#define SUBNET_FACTOR	4u
#define SUBNET_LEN	8u
// Requests that a client needs for an allocation, and some to spare.
#define NEW_REQUESTS	4u

enum share_kind {
	SHARE_LIVE,
	SHARE_CLIENT,
	SHARE_ADDRESS,
	SHARE_SUBNET,
	SHARE_CLASSIC,
	SHARE_TOLD,
	SHARE_ICMP,
	SHARE_FLOW
};

// No padding.
struct share_key {
	struct tp_addr source;
	uint16_t listener_id;
	uint16_t kind;
};
TP_ASSERT_SIZE(struct share_key, 24);

struct share {
	uint32_t interval_us; // between two requests
	uint32_t burst;
};

// A ring has room for TP_RING_SLOTS: the burst of one 5-tuple leaves half of it to others.
static const struct share live_share = {US_PER_S / 500, TP_RING_SLOTS / 2};
// Without an allocation a client asks for one.
static const struct share client_share = {US_PER_S / 50, 32};
// Errors to a sender: one for each packet under way would help nobody (RFC 4443 2.4 (f)).
static const struct share told_share = {US_PER_S / 20, STAGE_BURST};
// Errors of one source prefix, and about one flow: a router tells a sender once or twice.
static const struct share icmp_share = {US_PER_S / 100, 64};
static const struct share flow_share = {US_PER_S / 5, 16};

// How long until the bucket is full. One that was not used for half an hour would seem to be far
// from it; none can be further than its burst.
static uint32_t missing_us(const struct stage_bucket *b, uint32_t now_us)
{
	uint32_t us = b->full_us - now_us;

	return b->tag == 0 || us > STAGE_BUCKET_MAX_US ? 0 : us;
}

static struct stage_bucket *bucket_find(
	struct stage_worker *w, const struct share_key *key, uint32_t now_us)
{
	uint64_t h = tp_siphash13(w->limiter_key, key, sizeof(*key));
	struct stage_bucket *set = w->buckets[(uint32_t)h & (STAGE_BUCKET_SETS - 1)];
	struct stage_bucket *fullest = &set[0];
	uint32_t tag = (uint32_t)(h >> 32) | 1; // never that of an unused one

	for (unsigned i = 0; i < STAGE_BUCKET_WAYS; i++) {
		if (set[i].tag == tag)
			return &set[i];
		if (missing_us(&set[i], now_us) < missing_us(fullest, now_us))
			fullest = &set[i];
	}
	*fullest = (struct stage_bucket){.tag = tag, .full_us = now_us};
	return fullest;
}

// Returns how long until the bucket is full, at least 1; 0: it has not enough.
static uint32_t share_take(struct stage_worker *w, const struct share_key *key,
	const struct share *share, unsigned charge, uint32_t now_us)
{
	struct stage_bucket *b = bucket_find(w, key, now_us);
	uint32_t missing = missing_us(b, now_us) + charge * share->interval_us;

	if (missing > share->burst * share->interval_us)
		return 0;
	b->full_us = now_us + missing;
	return missing > 0 ? missing : 1;
}

static unsigned charge_of(bool is_signed)
{
	return is_signed ? 1 : UNSIGNED_CHARGE;
}

bool stage_share_live(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	bool is_signed, uint64_t now_ns)
{
	const struct share_key key = {*client, listener_id, SHARE_LIVE};

	return share_take(w, &key, &live_share, charge_of(is_signed),
		       (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

// All ports of an address, or all addresses of an IPv6 subnet, at `rate` per second. Those that ask
// often leave half to newcomers.
static bool address_take(struct stage_worker *w, const struct share_key *client, bool is_new,
	unsigned ip_len, uint64_t rate, uint32_t now_us)
{
	const struct share share = {
		(uint32_t)(US_PER_S / rate), is_new ? TP_RING_SLOTS / 2 : TP_RING_SLOTS / 4};
	struct share_key key = {.kind = ip_len == SUBNET_LEN ? SHARE_SUBNET : SHARE_ADDRESS};

	key.source.family = client->source.family;
	memcpy(key.source.ip, client->source.ip, ip_len);
	return share_take(w, &key, &share, 1, now_us) != 0;
}

bool stage_share_nonce(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	bool is_signed, uint32_t first_contact_rate, uint64_t now_ns)
{
	const struct share_key key = {*client, listener_id, SHARE_CLIENT};
	uint64_t rate = (uint64_t)first_contact_rate * NONCE_FACTOR;
	uint32_t now_us = (uint32_t)(now_ns / TP_NS_PER_US);
	uint32_t missing = share_take(w, &key, &client_share, charge_of(is_signed), now_us);
	bool is_new = missing <= NEW_REQUESTS * client_share.interval_us;

	if (missing == 0 || rate == 0)
		return missing != 0;
	return address_take(w, &key, is_new, tp_family_ip_len(client->family), rate, now_us) &&
	       (client->family == TP_FAMILY_IPV4 ||
		       address_take(w, &key, is_new, SUBNET_LEN, rate * SUBNET_FACTOR, now_us));
}

bool stage_share_classic(
	struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id, uint64_t now_ns)
{
	const struct share_key key = {*client, listener_id, SHARE_CLASSIC};

	return share_take(w, &key, &client_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_told(
	struct stage_worker *w, const struct tp_addr *sender, uint16_t local_id, uint64_t now_ns)
{
	const struct share_key key = {*sender, local_id, SHARE_TOLD};

	return share_take(w, &key, &told_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_icmp(struct stage_worker *w, const struct tp_addr *source, uint64_t now_ns)
{
	struct share_key key = {.kind = SHARE_ICMP};

	key.source.family = source->family;
	memcpy(key.source.ip, source->ip, source->family == TP_FAMILY_IPV4 ? 4 : SUBNET_LEN);
	return share_take(w, &key, &icmp_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_flow(
	struct stage_worker *w, const struct tp_addr *remote, uint16_t local_id, uint64_t now_ns)
{
	const struct share_key key = {*remote, local_id, SHARE_FLOW};

	return share_take(w, &key, &flow_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}
