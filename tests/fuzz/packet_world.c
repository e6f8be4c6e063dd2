// SPDX-License-Identifier: BSD-3-Clause
#include "packet_world.h"

#include <turnpike/nonce.h>

#define ENTRIES	     64u
#define NUMBER	     0x4000u
#define NUMBER_ROUND 0x4001u // to the other client

static const uint8_t txid[12] = "turnpikefuzz";

static void create(struct packet_world *w)
{
	static const uint16_t listeners[3] = {RELAY_LISTENER4, RELAY_LISTENER4, RELAY_LISTENER6};
	static const uint16_t relays[3] = {RELAY_RELAY4, RELAY_RELAY4_NAT, RELAY_RELAY6};
	struct tp_entry_relay none = {0};
	struct tp_addr shown[2];
	uint32_t a[3];

	w->r = relay_create(ENTRIES, TP_HASH_KIND_SIPHASH);
	w->r->path.first_contact_rate = 100;
	relay_locals_change(w->r);
	w->client[0] = relay_addr4("10.77.1.2", 50001);
	w->client[1] = relay_addr4("10.77.2.2", 50002);
	w->client[2] = relay_addr6("fd77:1::2", 50003);
	w->peer[0] = relay_addr4("10.77.2.2", 60001);
	w->peer[1] = relay_addr6("fd77:2::2", 60001);
	w->visitor[0] = relay_addr4("10.77.2.9", 60009);
	w->visitor[1] = relay_addr6("fd77:2::9", 60009);
	for (unsigned i = 0; i < 3; i++) {
		struct tp_entry_relay at = {relays[i], tp_htons((uint16_t)(50000 + i))};

		w->listener[i] = w->r->locals[listeners[i]].addr;
		a[i] = relay_allocation(w->r, &w->client[i], listeners[i], at, none);
		w->relayed[i] = relay_relayed(w->r, a[i], 0);
	}
	relay_channel(w->r, a[0], 0, NUMBER, &w->peer[0]);
	relay_channel(w->r, a[2], 0, NUMBER, &w->peer[1]);
	relay_permission(w->r, a[0], 0, &w->visitor[0]);
	relay_permission(w->r, a[2], 0, &w->visitor[1]);
	shown[0] = w->relayed[0];
	shown[1] = w->r->locals[RELAY_RELAY4_NAT].external;
	shown[1].port_be = w->relayed[1].port_be;
	relay_channel(w->r, a[0], 0, NUMBER_ROUND, &shown[1]);
	relay_permission(w->r, a[1], 0, &shown[0]);
	relay_permission(w->r, a[0], 0, &shown[1]);
}

// What a test may have changed.
struct snapshot {
	struct relay relay;
	struct stage_worker worker;
	struct tp_entry entries[ENTRIES];
	struct tp_bucket buckets[ENTRIES];
	uint32_t ports[RELAY_PORT_INDEXES][PACKET_WORLD_PORTS];
};

static uint32_t n_buckets(const struct relay *r)
{
	return r->n_main + r->n_entries / 8 + 1;
}

static void snapshot_take(struct snapshot *s, const struct relay *r)
{
	s->relay = *r;
	s->worker = *r->worker;
	memcpy(s->entries, r->entries, sizeof(s->entries));
	memcpy(s->buckets, r->buckets, n_buckets(r) * sizeof(s->buckets[0]));
	for (unsigned i = 0; i < RELAY_PORT_INDEXES; i++)
		for (unsigned p = 0; p < PACKET_WORLD_PORTS; p++)
			s->ports[i][p] = r->port_indexes[i * 65536 + PACKET_WORLD_PORT + p];
}

static void snapshot_restore(const struct snapshot *s, struct relay *r)
{
	const struct stage_locals *locals = r->worker->locals;
	bool changed = memcmp(r->locals, s->relay.locals, sizeof(r->locals)) != 0 ||
		       memcmp(&r->path, &s->relay.path, sizeof(r->path)) != 0;

	*r = s->relay;
	*r->worker = s->worker;
	r->worker->locals = locals;
	memcpy(r->entries, s->entries, sizeof(s->entries));
	memcpy(r->buckets, s->buckets, n_buckets(r) * sizeof(s->buckets[0]));
	for (unsigned i = 0; i < RELAY_PORT_INDEXES; i++)
		for (unsigned p = 0; p < PACKET_WORLD_PORTS; p++)
			r->port_indexes[i * 65536 + PACKET_WORLD_PORT + p] = s->ports[i][p];
	if (changed)
		relay_locals_change(r);
}

struct packet_world *packet_world_restore(void)
{
	static struct packet_world world;
	static struct snapshot first;

	if (world.r == NULL) {
		create(&world);
		snapshot_take(&first, world.r);
	} else {
		snapshot_restore(&first, world.r);
	}
	return &world;
}

static void send_to(struct message *m, const struct tp_addr *peer)
{
	message_begin(m, TP_TURN_SEND_INDICATION, txid);
	message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	message_address(m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	message_attribute(m, TP_ATTR_DATA, "media", 5);
	message_fingerprint(m);
}

static void request(
	struct message *m, uint16_t type, const struct tp_addr *from, const struct packet_world *w)
{
	char nonce[24] = "0123456789abcdef";

	message_begin(m, type, txid);
	if (from == NULL)
		return;
	tp_nonce_tag(w->r->path.punt_key, from, nonce + 16);
	message_attribute(m, TP_ATTR_USERNAME, "user", 4);
	message_attribute(m, TP_ATTR_NONCE, nonce, sizeof(nonce));
}

static void binding(struct message *m, bool fingerprint)
{
	message_begin(m, TP_STUN_BINDING_REQUEST, txid);
	message_attribute(m, 0x8022, "client", 6);
	if (fingerprint)
		message_fingerprint(m);
}

static void from_client(const struct packet_world *w, unsigned which, struct message *m)
{
	struct tp_addr round = w->r->locals[RELAY_RELAY4_NAT].external;
	struct tp_addr stranger = w->client[0];

	round.port_be = w->relayed[1].port_be;
	stranger.port_be = tp_htons(4444);
	switch (which % 10) {
	case 0:
		message_channel(m, NUMBER, "media in a channel", 18, 2);
		break;
	case 1:
		message_channel(m, NUMBER_ROUND, "round", 5, 0);
		break;
	case 2:
		send_to(m, &w->visitor[which / 10]);
		break;
	case 3:
		send_to(m, &round);
		break;
	case 4:
		request(m, 0x0003, &stranger, w);
		break;
	case 5:
		request(m, 0x0004, NULL, w);
		break;
	case 6:
		binding(m, true);
		break;
	default:
		binding(m, false);
		break;
	}
}

void packet_world_frame(const struct packet_world *w, unsigned which, struct frame *f)
{
	bool v6 = which >= 10;
	struct frame_spec spec = {.src = w->client[v6 ? 2 : 0], .dst = w->listener[v6 ? 2 : 0]};
	struct message m;

	from_client(w, which, &m);
	if (which % 10 == 4)
		spec.src.port_be = tp_htons(4444);
	if (which % 10 >= 8) {
		spec.src = which % 10 == 8 ? w->peer[v6] : w->visitor[v6];
		spec.dst = w->relayed[v6 ? 2 : 0];
		memcpy(m.data, "a peer's datagram", 17);
		m.len = 17;
	}
	spec.payload = m.data;
	spec.len = m.len;
	spec.tos = 0xb8;
	spec.df = which % 2;
	frame_build(f, &spec);
}
