// SPDX-License-Identifier: BSD-3-Clause
// Any frames on sound tables: a burst of [length, 16 bit][frame]... A sent packet must be a sound
// packet from the relay, and its checksum right if the received one was right.
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

static uint16_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Whether the frame is an ICMP error that tells its sender of its length. Sound, if it is.
static bool is_too_big(const struct packet_world *w, const struct stage_pkt *p)
{
	const uint8_t *ip = p->data + 14;
	bool v4 = ip[0] >> 4 == 4;
	unsigned ip_len = v4 ? 20 : 40, len = p->len - 14u;
	struct tp_addr from = {.family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6};
	uint32_t pseudo = v4 ? 0 : sum16(ip + 8, 32, len - ip_len + 58);

	if (p->len < 14 + 48 || ip[v4 ? 9 : 6] != (v4 ? 1 : 58))
		return false;
	memcpy(from.ip, ip + (v4 ? 12 : 8), v4 ? 4 : 16);
	if (ip[ip_len] != (v4 ? 3 : 2) || len > (v4 ? 576 : 1280) ||
		len != (v4 ? tp_load_be16(ip + 2) : tp_load_be16(ip + 4) + 40u))
		fail("unsound ICMP error");
	if ((v4 && sum16(ip, 20, 0) != 0xffff) ||
		sum16(ip + ip_len, len - ip_len, pseudo) != 0xffff)
		fail("wrong checksum of an ICMP error");
	if (!is_own(w, &from))
		fail("ICMP error from a stranger");
	return true;
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
	case STAGE_CUT:
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
	if (is_too_big(w, p))
		return;
	if (frame_read(p->data, p->len, &v) != NULL)
		fail("sent an unsound packet");
	if (!is_own(w, &v.src) || is_own(w, &v.dst))
		fail("sent from a stranger or to ourselves");
	if ((p->verdict == STAGE_CUT) != (p->len - 14 > w->r->worker->ports[p->tx_port].mtu))
		fail("sent above the MTU, or in fragments below it");
	if (p->verdict == STAGE_CUT && v.df)
		fail("fragments with DF");
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
