// SPDX-License-Identifier: BSD-3-Clause
// Any frames on sound tables: a burst of [length, 16 bit][frame]... What is sent must be a sound
// packet from the relay, and its checksum right if that of what arrived was.
#include "packet_world.h"

#include <stdio.h>
#include <stdlib.h>

#define BURST	  40u
#define FRAME_LEN 1600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct arrived {
	uint8_t *memory;
	bool sound;    // nothing but one datagram, lengths and IP checksum right
	bool intact;   // UDP checksum right, or none
	uint16_t size; // of memory
};

static void fail(const char *what)
{
	fprintf(stderr, "packet_frames: %s\n", what);
	abort();
}

static unsigned take_frames(
	const uint8_t *data, size_t size, struct stage_pkt *pkts, struct arrived *arrived)
{
	unsigned n = 0;

	while (n < BURST && size >= 2) {
		size_t len = tp_load_be16(data) % FRAME_LEN;
		struct arrived *a = &arrived[n];
		struct frame_view v;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		a->size = (uint16_t)(STAGE_HEADROOM + len + STAGE_TAILROOM);
		a->memory = malloc(a->size);
		if (a->memory == NULL)
			abort();
		memset(a->memory, 0x5a, a->size);
		memcpy(a->memory + STAGE_HEADROOM, data, len);
		a->sound = frame_read(data, len, &v) == NULL;
		a->intact = a->sound && v.udp_csum_right;
		pkts[n++] = (struct stage_pkt){.data = a->memory + STAGE_HEADROOM,
			.len = (uint16_t)len,
			.headroom = STAGE_HEADROOM,
			.tailroom = STAGE_TAILROOM,
			.cookie = a};
		data += len;
		size -= len;
	}
	return n;
}

static bool is_own(const struct packet_world *w, const struct tp_addr *a)
{
	for (unsigned i = 1; i < TP_LOCALS_MAX; i++)
		if (w->r->locals[i].role != TP_ROLE_FREE &&
			tp_addr_same_ip(&w->r->locals[i].addr, a))
			return true;
	return false;
}

static void check(const struct packet_world *w, const struct stage_pkt *p)
{
	const struct arrived *a = p->cookie;
	struct frame_view v;

	switch (p->verdict) {
	case STAGE_DROP:
		if (p->reason == TP_DROP_none || p->reason >= TP_DROP_COUNT)
			fail("drop without a reason");
		return;
	case STAGE_SEND:
		break;
	case STAGE_PUNT:
		if (a->sound && !a->intact)
			fail("damaged message handed to the control process");
		return;
	default:
		return;
	}
	if (p->data - p->headroom != a->memory || p->headroom + p->len + p->tailroom != a->size)
		fail("frame left its memory");
	if (p->tx_port >= w->r->worker->n_ports)
		fail("sent on no port");
	if (frame_read(p->data, p->len, &v) != NULL)
		fail("sent an unsound packet");
	if (!is_own(w, &v.src) || is_own(w, &v.dst))
		fail("sent from a stranger or to ourselves");
	if (p->len - 14 > w->r->worker->ports[p->tx_port].mtu)
		fail("sent above the MTU");
	if (a->sound && a->intact != v.udp_csum_right)
		fail(a->intact ? "checksum broken" : "damage laundered");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stage_pkt pkts[BURST];
	static struct arrived arrived[BURST];
	struct packet_world *w = packet_world_restore();
	unsigned n;

	n = take_frames(data, size, pkts, arrived);
	stage_run(w->r->worker, pkts, n, w->r->now_ns);
	for (unsigned i = 0; i < n; i++) {
		check(w, &pkts[i]);
		free(arrived[i].memory);
	}
	return 0;
}
