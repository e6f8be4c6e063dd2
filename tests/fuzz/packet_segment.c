// SPDX-License-Identifier: BSD-3-Clause
// A control process gone mad: the input is a list of steps that write anything into the tables and
// rings, and run frames between. Nothing but a crash or an access out of bounds is a failure.
#include "packet_world.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cursor {
	const uint8_t *at;
	size_t left;
};

// Zero behind the end.
static uint8_t take8(struct cursor *c)
{
	if (c->left == 0)
		return 0;
	c->left--;
	return *c->at++;
}

static uint16_t take16(struct cursor *c)
{
	uint16_t high = take8(c);

	return (uint16_t)(high << 8 | take8(c));
}

static uint32_t take32(struct cursor *c)
{
	uint32_t high = take16(c);

	return high << 16 | take16(c);
}

static void write_octets(struct cursor *c, void *where, size_t size, size_t offset)
{
	uint8_t *p = where;

	for (unsigned n = 1 + take8(c) % 32u; n > 0; n--, offset++)
		p[offset % size] = take8(c);
}

#define LIMITS 8u

static struct tp_limit limits[LIMITS];
static struct tp_limit_cell limit_cells[LIMITS];
static struct stage_cap caps[LIMITS];

static void limits_attach(struct stage_worker *w)
{
	memset(limits, 0, sizeof(limits));
	memset(limit_cells, 0, sizeof(limit_cells));
	memset(caps, 0, sizeof(caps));
	w->limits = limits;
	w->limit_cells = limit_cells;
	w->caps = caps;
	w->n_limits = LIMITS;
}

// The limits array, and which slot the entries name.
static void write_limits(struct packet_world *w, struct cursor *c, uint32_t offset)
{
	uint32_t number = take8(c) % (LIMITS + 2);

	for (uint32_t i = 1; i <= w->r->n_used; i++)
		relay_limit(&w->r->entries[i], number);
	write_octets(c, limits, sizeof(limits), offset % sizeof(limits));
}

static void write_region(struct packet_world *w, struct cursor *c)
{
	struct relay *r = w->r;
	const struct tp_table *t = &r->worker->table;
	unsigned region = take8(c) % 8u;
	uint32_t offset = take32(c);
	size_t size;

	switch (region) {
	case 0:
		size = t->n_buckets * sizeof(*r->buckets);
		write_octets(c, r->buckets, size, offset % size);
		break;
	case 1:
		size = r->n_entries * sizeof(*r->entries);
		write_octets(c, r->entries, size, offset % size);
		break;
	case 2: // where the allocations' ports are
		size = PACKET_WORLD_PORTS * sizeof(*r->port_indexes);
		write_octets(c,
			(uint8_t *)(r->port_indexes + (offset % RELAY_PORT_INDEXES) * 65536 +
				    PACKET_WORLD_PORT),
			size, (offset >> 8) % size);
		break;
	case 3:
		write_octets(c, (uint8_t *)r->next_hops, sizeof(r->next_hops),
			offset % sizeof(r->next_hops));
		break;
	case 4:
		size = 8 * sizeof(r->locals[0]);
		write_octets(c, r->locals, size, offset % size);
		relay_locals_change(r);
		break;
	case 5:
		write_octets(c, &r->path, sizeof(r->path), offset % sizeof(r->path));
		relay_locals_change(r);
		break;
	case 6:
		write_limits(w, c, offset);
		break;
	default:
		write_octets(c, &r->tails, sizeof(r->tails), offset % sizeof(r->tails));
		break;
	}
}

// A field of one of the entries that exist, key and all.
static void write_entry(struct packet_world *w, struct cursor *c)
{
	uint32_t index = 1 + take8(c) % w->r->n_used;
	size_t offset = take8(c) % sizeof(struct tp_entry);

	write_octets(c, &w->r->entries[index], sizeof(struct tp_entry), offset);
}

static void run_frame(struct packet_world *w, struct cursor *c)
{
	unsigned which = take8(c) % PACKET_WORLD_FRAMES;
	uint16_t headroom = take8(c) % 128u, tailroom = take8(c) % 64u;
	struct stage_pkt pkt;
	struct frame f;
	uint8_t *memory;

	packet_world_frame(w, which, &f);
	for (unsigned n = take8(c) % 4u; n > 0; n--)
		frame_data(&f)[take8(c) % f.len] = take8(c);
	memory = malloc((size_t)headroom + f.len + tailroom);
	if (memory == NULL)
		abort();
	memcpy(memory + headroom, frame_data(&f), f.len);
	pkt = (struct stage_pkt){.data = memory + headroom,
		.len = f.len,
		.headroom = headroom,
		.tailroom = tailroom,
		.rx_port = 0};
	stage_run(w->r->worker, &pkt, 1, w->r->now_ns);
	if ((pkt.verdict == STAGE_SEND || pkt.verdict == STAGE_CUT) &&
		(pkt.data < memory || pkt.data + pkt.len > memory + headroom + f.len + tailroom))
		abort();
	free(memory);
}

static void inject(struct packet_world *w, struct cursor *c)
{
	struct tp_ring_slot *slot;
	uint32_t head = w->r->heads[TP_PUNT_CLASSES].value++;
	uint16_t size = take16(c) % 2100u;
	uint8_t *memory = malloc(size == 0 ? 1 : size);
	struct stage_pkt pkt = {.data = memory, .tailroom = size};

	if (memory == NULL)
		abort();
	slot = &w->r->slots[TP_PUNT_CLASSES * TP_RING_SLOTS + (head & (TP_RING_SLOTS - 1))];
	slot->local_id = RELAY_LISTENER4;
	slot->remote = w->client[0][PACKET_WORLD_CALLER];
	slot->egress = RELAY_HOP;
	slot->len = 100;
	write_octets(c, slot, 64, take8(c) % 64u);
	stage_inject(w->r->worker, &pkt, 1);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	struct packet_world *w = packet_world_restore();

	limits_attach(w->r->worker);
	while (c.left != 0) {
		switch (take8(&c) % 6u) {
		case 0:
			write_region(w, &c);
			break;
		case 1:
			write_entry(w, &c);
			break;
		case 2:
			inject(w, &c);
			break;
		case 3:
			w->r->now_ns += take16(&c) * (TP_NS_PER_S / 16);
			break;
		default:
			run_frame(w, &c);
			break;
		}
	}
	return 0;
}
