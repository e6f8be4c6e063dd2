// SPDX-License-Identifier: BSD-3-Clause
// Watches legs of unknown path MTU for packets that vanish by their length. Only packets longer
// than every way takes come here, from the slow path, to which the fast one leaves them.
#include "forward.h"

// Whether the payload is of a protocol that repeats what is not answered, at a pace of its own:
// STUN or DTLS (RFC 7983). Media is not repeated.
static bool is_repeated(const struct core_payload *d)
{
	return d->len > 0 && (d->at[0] < 4 || (d->at[0] >= 20 && d->at[0] < 64));
}

static struct stage_hole *hole_of(struct stage_worker *w, uint32_t index, uint32_t generation)
{
	struct stage_hole *h = &w->holes[index % STAGE_HOLES];

	// The younger leg has the place.
	if (h->entry != index || h->generation != generation)
		*h = (struct stage_hole){.entry = index, .generation = generation};
	return h;
}

static uint64_t packets_of(const struct burst *b, uint32_t index)
{
	return atomic_load_explicit(&b->w->cells[index].packets, memory_order_relaxed);
}

bool hole_suspected(struct burst *b, const struct direction_entries *e, enum direction dir,
	const struct core_payload *d, uint32_t len)
{
	uint32_t partner = 0;
	struct stage_hole *h;
	uint64_t others;

	if (len <= CORE_HOLE_MTU || b->locals->path.black_holes != TP_BLACK_HOLES_HEALED ||
		!is_repeated(d) ||
		atomic_load_explicit(&e->leaving->path_mtu, memory_order_relaxed) != 0)
		return false;
	if (dir == DIR_CHANNEL_TO_PEER || direction_to_channel(dir))
		partner = atomic_load_explicit(&e->leaving->partner, memory_order_relaxed);
	if (partner >= b->w->table.n_entries)
		partner = 0;
	h = hole_of(b->w, e->leaving_index, e->leaving->generation);
	others = packets_of(b, e->leaving_index) + (partner != 0 ? packets_of(b, partner) : 0);
	others = others > h->seen ? others - h->seen : 0;
	h->seen++;
	return core_hole_step(&h->hole, len, (uint32_t)(b->now_ns / TP_NS_PER_MS), others);
}

// The client's own address: the entries of one that came by DTLS have no header.
static void client_read(const struct tp_entry *allocation, struct tp_addr *to)
{
	*to = (struct tp_addr){
		.family = allocation->key.family, .port_be = allocation->key.port_be};
	memcpy(to->ip, allocation->key.ip, sizeof(to->ip));
}

static void destination_read(const struct tp_entry *e, struct tp_addr *to)
{
	bool v4 = e->header[0] == 0x45;
	const uint8_t *udp = e->header + core_plain_ip_len(v4);

	*to = (struct tp_addr){.family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6};
	memcpy(to->ip, e->header + (v4 ? WIRE_IPV4_DST : WIRE_IPV6_DST), v4 ? 4 : 16);
	memcpy(&to->port_be, udp + WIRE_UDP_DPORT, 2);
}

void hole_report(struct burst *b, const struct direction_entries *e)
{
	const struct tp_entry *leaving = e->leaving, *allocation;
	struct tp_ring_report about = {
		.allocation = leaving->allocation,
		.mtu = CORE_HOLE_MTU,
		.type = TP_REPORT_BLACK_HOLE,
	};
	struct tp_addr to;
	uint16_t local_id = leaving->relay_id;

	if (leaving->allocation >= b->w->table.n_entries)
		return;
	allocation = entry_at(b, leaving->allocation);
	about.port_be = leaving->port_be;
	if (leaving->key.kind == TP_KIND_ALLOCATION || leaving->key.kind == TP_KIND_PEER) {
		client_read(allocation, &to);
		local_id = allocation->key.local_id;
	} else {
		destination_read(leaving, &to);
	}
	if (report_put(b, &about, local_id, &to))
		burst_count(b, TP_PATH_mtu_black_hole, 0);
}
