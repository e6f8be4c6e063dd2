// SPDX-License-Identifier: BSD-3-Clause
// First contacts that are sent again. A flood of spoofed sources uses up the share of their prefix,
// and does not repeat itself; a client of that prefix repeats its request until it is answered. One
// that the limit refuses is remembered for some seconds, in sets of eight of which the oldest gives
// way, and passes as soon as it comes again, a few times, as far as a second share of the prefix
// reaches. So a client waits for one retransmission as long as the set has room: about 30,000
// refusals a worker. A flood that sends many messages twice takes the second share, too.
#include "burst.h"
#include "prefix.h"

#include <turnpike/siphash.h>

// One packet that the network delivers twice is no retransmission. Clients wait for 250 ms at
// least, and for few seconds between the first copies of a request.
#define LEAST_MS   100u
#define LONGEST_MS 10000u
// More than the retransmissions of a client in that time: the rest of a message's copies is left
// to others.
#define PASSES_MAX 8u

// No padding. The prefix is that of the share: ports and addresses in it cost a flood of one
// message nothing, and the id is each client's own.
struct contact {
	struct tp_addr prefix;
	uint16_t listener_id;
	uint16_t reserved;
	uint8_t id[STAGE_CONTACT_ID_LEN];
};
TP_ASSERT_SIZE(struct contact, 56);

// The contact, if it was refused LEAST_MS ago or longer. Else NULL; a new one is remembered.
static struct stage_contact *refused_before(
	struct stage_worker *w, const struct contact *c, uint32_t now_ms)
{
	uint64_t h = tp_siphash13(w->limiter_key, c, sizeof(*c));
	struct stage_contact *set = w->contacts[(uint32_t)h & (STAGE_CONTACT_SETS - 1)];
	struct stage_contact *oldest = &set[0];
	uint32_t tag = (uint32_t)(h >> 36) | 1; // never that of an unused one

	for (unsigned i = 0; i < STAGE_CONTACT_WAYS; i++) {
		uint32_t age = now_ms - set[i].since_ms;

		if (set[i].tag == tag && age <= LONGEST_MS)
			return age >= LEAST_MS ? &set[i] : NULL;
		if (set[i].tag == 0 || (oldest->tag != 0 && age > now_ms - oldest->since_ms))
			oldest = &set[i];
	}
	*oldest = (struct stage_contact){.tag = tag, .since_ms = now_ms};
	return NULL;
}

bool stage_first_pass(struct stage_worker *w, const struct tp_addr *source, uint16_t listener_id,
	const uint8_t *id, size_t id_len, uint32_t rate, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / TP_NS_PER_S);
	struct contact c = {.prefix = {.family = source->family}, .listener_id = listener_id};
	struct stage_contact *known;

	if (stage_limiter_pass(w, source, LIMITER_FIRST, rate, now_s))
		return true;
	memcpy(c.prefix.ip, source->ip, prefix_len(source));
	memcpy(c.id, id, id_len < sizeof(c.id) ? id_len : sizeof(c.id));
	known = refused_before(w, &c, (uint32_t)(now_ns / TP_NS_PER_MS));
	if (known == NULL || known->passes == PASSES_MAX ||
		!stage_limiter_pass(w, source, LIMITER_REPEATED, rate, now_s))
		return false;
	known->passes++;
	return true;
}
