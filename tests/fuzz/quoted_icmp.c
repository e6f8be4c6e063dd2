// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors with any quote on sound tables: [flags][ICMP message]. Flags: 1 IPv6, 2 the checksum
// stays as it is. One that the control process learns of must be about a live entry, by a search
// through all of them.
#include "packet_world.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX_LEN 1400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "quoted_icmp: %s\n", what);
	abort();
}

static bool is_live(const struct tp_entry *e, uint32_t now_s)
{
	return e->expires_s > now_s;
}

// Whether the entry lets packets leave from the relayed port or the listener to `remote`.
static bool leads_to(const struct relay *r, const struct tp_entry *e, const struct tp_ring_slot *s,
	const struct tp_ring_report *about)
{
	bool same_ip =
		memcmp(e->key.ip, s->remote.ip, 16) == 0 && e->key.family == s->remote.family;

	if (!same_ip || e->allocation != about->allocation || !is_live(e, RELAY_NOW_S))
		return false;
	switch (e->key.kind) {
	case TP_KIND_ALLOCATION:
		return e->key.local_id == s->local_id && e->key.port_be == s->remote.port_be &&
		       r->locals[s->local_id].addr.port_be == about->port_be;
	case TP_KIND_PEER:
		return e->key.local_id == s->local_id && e->key.port_be == s->remote.port_be &&
		       e->key.selector == about->port_be;
	case TP_KIND_PERMISSION:
		return e->relay_id == s->local_id && e->port_be == about->port_be;
	default:
		return false;
	}
}

static void check_report(const struct relay *r, const struct tp_ring_slot *s)
{
	struct tp_ring_report about;
	bool v4 = s->remote.family == TP_FAMILY_IPV4, found = false;

	if (s->kind != TP_RING_REPORT || s->len != sizeof(about))
		fail("no report");
	memcpy(&about, s->data, sizeof(about));
	for (uint32_t i = 1; i <= r->n_used && !found; i++)
		found = leads_to(r, &r->entries[i], s, &about);
	if (!found)
		fail("a report of no live entry");
	if (about.mtu != 0 && (about.mtu < (v4 ? 576 : 1280) || about.mtu > 65535 + 40))
		fail("an impossible MTU");
	if (v4 ? about.type != 3 && about.type != 11 : about.type < 1 || about.type > 3)
		fail("a type that is not relayed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_world *w = packet_world_restore();
	struct frame_icmp_spec spec = {0};
	const struct tp_ring_slot *slot;
	struct stage_pkt pkt;
	static struct frame f;
	bool v6;

	if (size < 9 || size > MESSAGE_MAX_LEN)
		return 0;
	v6 = data[0] & 1;
	spec.src = v6 ? relay_addr6("2001:db8::1", 0) : relay_addr4("192.0.2.1", 0);
	spec.dst = w->listener[v6];
	spec.type = data[1];
	spec.code = data[2];
	spec.rest = tp_load_be32(data + 5);
	spec.quote = data + 9;
	spec.quote_len = (uint16_t)(size - 9);
	frame_icmp(&f, &spec);
	if (data[0] & 2)
		memcpy(frame_data(&f) + 14 + (v6 ? 40 : 20) + 2, data + 3, 2);
	pkt = relay_run(w->r, &f);
	slot = relay_punted(w->r, TP_PUNT_LIVE);
	if ((pkt.verdict == STAGE_PUNT) != (slot != NULL))
		fail("verdict and ring differ");
	if (pkt.verdict == STAGE_SEND)
		fail("answered");
	if (slot != NULL)
		check_report(w->r, slot);
	if (relay_punted(w->r, TP_PUNT_NONCE) != NULL || relay_punted(w->r, TP_PUNT_FIRST) != NULL)
		fail("on another ring");
	return 0;
}
