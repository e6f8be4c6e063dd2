// SPDX-License-Identifier: BSD-3-Clause
// Permissions whose peer policy has rules with ports. The fast path sees them as expired.
#include "burst.h"

static bool set_has(const struct burst *b, uint32_t set, uint16_t port)
{
	return set < b->w->n_port_sets && tp_port_set_has(&b->w->port_sets[set], port);
}

enum tp_drop permission_check(
	struct burst *b, const struct pkt_ctx *p, const struct tp_entry *e, uint16_t port_be)
{
	uint32_t word, allowed, trial;

	if (STAGE_LIKELY(!entry_expired(&e->expires_s, b->now_s)))
		return TP_DROP_none;
	word = atomic_load_explicit(&e->partner, memory_order_acquire);
	if (word == 0 || entry_expired(&e->other_expires_s, b->now_s))
		return TP_DROP_permission_expired;
	allowed = tp_ports_allowed(word);
	trial = tp_ports_trial(word);
	if (allowed != 0 && !set_has(b, allowed, tp_ntohs(port_be)))
		return TP_DROP_peer_port;
	if (trial != 0 && p->form != FORM_ICMP && !set_has(b, trial, tp_ntohs(port_be)))
		burst_count(b, TP_PATH_port_would_deny, p->pkt->len);
	return TP_DROP_none;
}
