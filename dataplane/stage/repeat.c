// SPDX-License-Identifier: BSD-3-Clause
// First contacts that are sent again. A flood of spoofed sources uses up the share of their prefix,
// and does not repeat itself; a client of that prefix repeats its request until it is answered. One
// that the limit refuses is remembered for some seconds, in sets of eight of which the oldest gives
// way, and passes as soon as it comes again, as far as a second share of the prefix reaches. So a
// client waits for one retransmission as long as the set has room: about 30,000 refusals a worker.
#include "burst.h"

#include <turnpike/siphash.h>

// One packet that the network delivers twice is no retransmission. Clients wait for 250 ms at
// least, and for few seconds between the first copies of a request.
#define LEAST_MS   100u
#define LONGEST_MS 10000u

// No padding.
struct contact {
	struct tp_addr source;
	uint16_t listener_id;
	uint16_t reserved;
	uint8_t id[STAGE_CONTACT_ID_LEN];
};
TP_ASSERT_SIZE(struct contact, 56);

// Refused LEAST_MS ago or longer; else it is remembered.
static bool was_refused(struct stage_worker *w, const struct contact *c, uint32_t now_ms)
{
	uint64_t h = tp_siphash13(w->limiter_key, c, sizeof(*c));
	struct stage_contact *set = w->contacts[(uint32_t)h & (STAGE_CONTACT_SETS - 1)];
	struct stage_contact *oldest = &set[0];
	uint32_t tag = (uint32_t)(h >> 32) | 1; // never that of an unused one

	for (unsigned i = 0; i < STAGE_CONTACT_WAYS; i++) {
		uint32_t age = now_ms - set[i].since_ms;

		if (set[i].tag == tag && age <= LONGEST_MS)
			return age >= LEAST_MS;
		if (set[i].tag == 0 || (oldest->tag != 0 && age > now_ms - oldest->since_ms))
			oldest = &set[i];
	}
	*oldest = (struct stage_contact){.tag = tag, .since_ms = now_ms};
	return false;
}

bool stage_first_pass(struct stage_worker *w, const struct tp_addr *source, uint16_t listener_id,
	const uint8_t *id, size_t id_len, uint32_t rate, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / TP_NS_PER_S);
	struct contact c = {.source = *source, .listener_id = listener_id};

	if (stage_limiter_pass(w, source, LIMITER_FIRST, rate, now_s))
		return true;
	memcpy(c.id, id, id_len < sizeof(c.id) ? id_len : sizeof(c.id));
	return was_refused(w, &c, (uint32_t)(now_ns / TP_NS_PER_MS)) &&
	       stage_limiter_pass(w, source, LIMITER_REPEATED, rate, now_s);
}
