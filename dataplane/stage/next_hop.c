// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

enum tp_drop next_hop_resolve(
	const struct stage_worker *w, uint32_t slot, uint8_t mac[6], uint8_t *port)
{
	uint64_t word;

	if (slot == 0 || slot >= w->n_next_hops)
		return TP_DROP_no_route;
	word = atomic_load_explicit(&w->next_hops[slot], memory_order_relaxed);
	if (!(word & TP_NEXT_HOP_VALID))
		return TP_DROP_no_next_hop;
	tp_next_hop_unpack(word, mac, port);
	return *port < w->n_ports ? TP_DROP_none : TP_DROP_no_route;
}
