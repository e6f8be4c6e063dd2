// SPDX-License-Identifier: BSD-3-Clause
// The share of the control process that one client may have: token buckets of live 5-tuples, and of
// transport addresses and IP addresses that have our nonce. Neither can be spoofed, so nobody can
// use another's share up. Clients of RFC 3489 have one of the worker's answers. A request without
// integrity costs more: no client of ours sends many.
//
// A bucket is the time at which it is full again, in sets of four; the fullest gives way, so a
// client above its share stays known. Forgotten ones are full.
#include "burst.h"
#include "prefix.h"

#include <turnpike/siphash.h>

#define US_PER_S	1000000u
#define UNSIGNED_CHARGE 8u
// Addresses with our nonce, to limits.first_contact_rate of those without.
#define NONCE_FACTOR	10u
// Requests of all live 5-tuples of an address, where first contacts have a limit.
#define LIVE_RATE	4000u
// IPv6 subnets and sites, to their addresses.
#define SUBNET_FACTOR	4u
#define SITE_FACTOR	16u
// Requests that a client needs for an allocation, and some to spare.
#define NEW_REQUESTS	4u

enum share_kind {
	SHARE_LIVE,
	SHARE_CLIENT,
	SHARE_CLASSIC,
	SHARE_TOLD,
	SHARE_ICMP,
	SHARE_FLOW,
	SHARE_RARE,
	SHARE_PORT,
	SHARE_SCAN,
	// Of live clients, and of others.
	SHARE_ADDRESS,
	SHARE_SUBNET = SHARE_ADDRESS + 2,
	SHARE_SITE = SHARE_SUBNET + 2
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

// New ports at once, as so many seconds bring.
#define PORT_BURST_S 8u

// A ring has room for TP_RING_SLOTS: the burst of one 5-tuple leaves half of it to others.
static const struct share live_share = {US_PER_S / 500, TP_RING_SLOTS / 2};
// One that asks less often than that is not the one who floods.
static const struct share rare_share = {US_PER_S / 10, 4 * NEW_REQUESTS};
// Without an allocation a client asks for one.
static const struct share client_share = {US_PER_S / 50, 32};
// Errors to a sender: one for each packet under way would help nobody (RFC 4443 2.4 (f)).
static const struct share told_share = {US_PER_S / 20, STAGE_BURST};
// Errors of one source prefix, and about one flow: a router tells a sender once or twice.
static const struct share icmp_share = {US_PER_S / 100, 64};
static const struct share flow_share = {US_PER_S / 5, 16};
// Reports about one relayed transport address: they are for a log.
static const struct share scan_share = {10 * US_PER_S, 1};

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

// All that have the first bytes of the client's IP address in common.
static bool network_take(struct stage_worker *w, const struct share_key *client,
	enum share_kind kind, unsigned ip_len, struct share share, uint32_t now_us)
{
	struct share_key key = {.kind = (uint16_t)(kind + (client->kind != SHARE_LIVE))};

	key.source.family = client->source.family;
	memcpy(key.source.ip, client->source.ip, ip_len);
	return share_take(w, &key, &share, 1, now_us) != 0;
}

// All ports of an address, all addresses of an IPv6 subnet (/64) and all subnets of a site (/48),
// at `rate` per second and some times as much. One subnet leaves a part to the others of its site.
static bool address_take(struct stage_worker *w, const struct share_key *client, uint64_t rate,
	uint32_t burst, uint32_t now_us)
{
	uint8_t family = client->source.family;
	const struct share address = {(uint32_t)(US_PER_S / rate), burst},
			   subnet = {(uint32_t)(US_PER_S / (rate * SUBNET_FACTOR)), burst},
			   site = {(uint32_t)(US_PER_S / (rate * SITE_FACTOR)),
				   (burst + TP_RING_SLOTS) / 2};

	return network_take(w, client, SHARE_ADDRESS, tp_family_ip_len(family), address, now_us) &&
	       (family == TP_FAMILY_IPV4 ||
		       (network_take(w, client, SHARE_SUBNET, PREFIX_SUBNET_LEN, subnet, now_us) &&
			       network_take(w, client, SHARE_SITE, PREFIX_SITE_LEN, site, now_us)));
}

// Its share of the ring says nothing of it: many 5-tuples can be just within theirs all the time.
static bool asks_rarely(struct stage_worker *w, const struct share_key *client, uint32_t now_us)
{
	struct share_key key = *client;
	uint32_t missing;

	key.kind = SHARE_RARE;
	missing = share_take(w, &key, &rare_share, 1, now_us);
	return missing != 0 && missing <= NEW_REQUESTS * rare_share.interval_us;
}

// Of an address' clients those that ask often leave a quarter of the ring to the others, and all of
// them a quarter to other addresses.
bool stage_share_live(struct stage_worker *w, const struct tp_addr *client, uint16_t listener_id,
	bool is_signed, uint32_t first_contact_rate, uint64_t now_ns)
{
	const struct share_key key = {*client, listener_id, SHARE_LIVE};
	uint32_t now_us = (uint32_t)(now_ns / TP_NS_PER_US);
	uint32_t missing = share_take(w, &key, &live_share, charge_of(is_signed), now_us);
	uint32_t burst;

	if (missing == 0 || first_contact_rate == 0)
		return missing != 0;
	burst = asks_rarely(w, &key, now_us) ? TP_RING_SLOTS / 4 * 3 : TP_RING_SLOTS / 2;
	return address_take(w, &key, LIVE_RATE, burst, now_us);
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
	// Those that ask often leave half to newcomers.
	return address_take(w, &key, rate, is_new ? TP_RING_SLOTS / 2 : TP_RING_SLOTS / 4, now_us);
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
	memcpy(key.source.ip, source->ip, prefix_len(source));
	return share_take(w, &key, &icmp_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_port(
	struct stage_worker *w, uint16_t relay_id, uint16_t port_be, uint32_t rate, uint64_t now_ns)
{
	const struct share_key key = {{.port_be = port_be}, relay_id, SHARE_PORT};
	const struct share share = {US_PER_S / rate, rate * PORT_BURST_S};

	return share_take(w, &key, &share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_scan(struct stage_worker *w, uint16_t relay_id, uint16_t port_be, uint64_t now_ns)
{
	const struct share_key key = {{.port_be = port_be}, relay_id, SHARE_SCAN};

	return share_take(w, &key, &scan_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}

bool stage_share_flow(
	struct stage_worker *w, const struct tp_addr *remote, uint16_t local_id, uint64_t now_ns)
{
	const struct share_key key = {*remote, local_id, SHARE_FLOW};

	return share_take(w, &key, &flow_share, 1, (uint32_t)(now_ns / TP_NS_PER_US)) != 0;
}
