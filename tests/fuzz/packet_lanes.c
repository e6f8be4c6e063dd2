// SPDX-License-Identifier: BSD-3-Clause
// Any frames on sound tables, once by both paths and once by the slow path alone: a burst of
// [length, 16 bit][frame]... Verdicts, reasons, frames with the room around them, counters, cells
// and messages for the control process must be the same.
#include "packet_world.h"

#include <stdio.h>
#include <stdlib.h>

#define BURST	  40u
#define FRAME_LEN 1600u
#define ROOM	  (STAGE_HEADROOM + FRAME_LEN + STAGE_TAILROOM)
#define CELLS	  64u
#define SLOTS	  4u // punted messages compared per ring

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct stage_pkt pkts[BURST];
	uint8_t memory[BURST][ROOM];
	struct tp_worker_stats stats;
	struct tp_cell cells[CELLS];
	struct tp_ring_slot punted[TP_PUNT_CLASSES][SLOTS];
	struct core_context context;
	bool kick;
};

static void fail(const char *what)
{
	fprintf(stderr, "packet_lanes: the fast path differs: %s\n", what);
	abort();
}

// Right in every other frame, so that other changes of an IPv4 header get past it.
static void fix_ip_csum(uint8_t *frame, size_t len)
{
	static struct frame f;

	if (len < 34 || frame[14] != 0x45)
		return;
	memcpy(frame_data(&f), frame, len);
	f.len = (uint16_t)len;
	frame_fix_ip_csum(&f);
	memcpy(frame, frame_data(&f), len);
}

static unsigned take_frames(const uint8_t *data, size_t size, struct outcome *o)
{
	unsigned n = 0;

	memset(o->memory, 0x5a, sizeof(o->memory));
	while (n < BURST && size >= 2) {
		size_t len = tp_load_be16(data) % FRAME_LEN;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		memcpy(o->memory[n] + STAGE_HEADROOM, data, len);
		if (n % 2 == 1)
			fix_ip_csum(o->memory[n] + STAGE_HEADROOM, len);
		o->pkts[n] = (struct stage_pkt){.data = o->memory[n] + STAGE_HEADROOM,
			.len = (uint16_t)len,
			.headroom = STAGE_HEADROOM,
			.tailroom = STAGE_TAILROOM};
		n++;
		data += len;
		size -= len;
	}
	return n;
}

static unsigned run(const uint8_t *data, size_t size, bool slow_only, struct outcome *o)
{
	struct packet_world *w = packet_world_restore();
	struct relay *r = w->r;
	unsigned n = take_frames(data, size, o);

	memset(r->stats, 0, sizeof(*r->stats));
	memset(r->cells, 0, r->n_entries * sizeof(*r->cells));
	r->worker->slow_only = slow_only;
	stage_run(r->worker, o->pkts, n, r->now_ns);
	o->stats = *r->stats;
	memcpy(o->cells, r->cells, sizeof(o->cells));
	o->context = r->worker->context;
	o->kick = r->worker->kick;
	memset(o->punted, 0, sizeof(o->punted));
	for (unsigned c = 0; c < TP_PUNT_CLASSES; c++) {
		for (unsigned i = 0; i < SLOTS; i++) {
			const struct tp_ring_slot *slot = relay_punted(r, c);

			if (slot == NULL)
				break;
			o->punted[c][i] = *slot;
			memset(o->punted[c][i].data + slot->len, 0, sizeof(slot->data) - slot->len);
		}
	}
	return n;
}

static void compare(const struct outcome *a, const struct outcome *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct stage_pkt *p = &a->pkts[i], *q = &b->pkts[i];

		if (p->verdict != q->verdict)
			fail("verdict");
		if (p->verdict == STAGE_DROP && p->reason != q->reason)
			fail("reason");
		if ((p->verdict == STAGE_SEND || p->verdict == STAGE_CUT) &&
			p->tx_port != q->tx_port)
			fail("port");
		if (p->data - a->memory[i] != q->data - b->memory[i] || p->len != q->len ||
			p->headroom != q->headroom || p->tailroom != q->tailroom)
			fail("place of the frame");
		if (memcmp(a->memory[i], b->memory[i], ROOM) != 0)
			fail("octets");
	}
	if (memcmp(&a->stats, &b->stats, sizeof(a->stats)) != 0)
		fail("counters");
	if (memcmp(a->cells, b->cells, sizeof(a->cells)) != 0)
		fail("cells");
	if (memcmp(a->punted, b->punted, sizeof(a->punted)) != 0 || a->kick != b->kick)
		fail("messages for the control process");
	if (a->context.ip_id != b->context.ip_id || a->context.txid_state != b->context.txid_state)
		fail("what the worker counts up");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome fast, slow;
	unsigned n = run(data, size, false, &fast);

	run(data, size, true, &slow);
	compare(&fast, &slow, n);
	return 0;
}
