// SPDX-License-Identifier: BSD-3-Clause
#include "packet_world.h"

#include <turnpike/nonce.h>

#define ENTRIES	       64u
#define NUMBER	       0x4000u
#define NUMBER_PERMITS 0x4001u // to the other client with a permission alone
#define NUMBER_CALLED  0x4002u // to the one with a channel
#define NUMBER_OTHER   0x4003u // to the peer of the other family
#define PORT	       50000u

static const uint8_t txid[12] = "turnpikefuzz";

static struct tp_addr client_addr(unsigned family, enum packet_world_role role)
{
	static const char *const hosts[2][PACKET_WORLD_ROLES] = {
		{"10.77.1.2", "10.77.2.2", "10.77.2.3"}, {"fd77:1::2", "fd77:2::2", "fd77:2::3"}};
	uint16_t port = (uint16_t)(50001 + role);

	return family == 0 ? relay_addr4(hosts[0][role], port) : relay_addr6(hosts[1][role], port);
}

static struct tp_addr shown(const struct relay *r, const struct tp_entry_relay *at)
{
	struct tp_addr a = r->locals[at->relay_id].external;

	a.port_be = at->port_be;
	return a;
}

// The clients of one family.
static void family_create(struct packet_world *w, unsigned family)
{
	static const uint16_t listeners[2] = {RELAY_LISTENER4, RELAY_LISTENER6};
	static const uint16_t relays[2][PACKET_WORLD_ROLES] = {
		{RELAY_RELAY4, RELAY_RELAY4_NAT, RELAY_RELAY4},
		{RELAY_RELAY6, RELAY_RELAY6, RELAY_RELAY6}};
	const struct tp_entry_relay none = {0};
	uint32_t a[PACKET_WORLD_ROLES], caller;

	w->listener[family] = w->r->locals[listeners[family]].addr;
	for (unsigned role = 0; role < PACKET_WORLD_ROLES; role++) {
		uint16_t port_be = tp_htons((uint16_t)(PORT + 4 * family + role));
		struct tp_entry_relay at = {relays[family][role], port_be};
		struct tp_entry_relay other = {relays[!family][PACKET_WORLD_CALLER], port_be};
		bool both = role == PACKET_WORLD_CALLER;

		w->client[family][role] = client_addr(family, role);
		a[role] = relay_allocation(
			w->r, &w->client[family][role], listeners[family], at, both ? other : none);
		w->relayed[family][role] = shown(w->r, &at);
		if (both)
			w->relayed_other[family] = shown(w->r, &other);
	}
	caller = a[PACKET_WORLD_CALLER];
	relay_channel(w->r, caller, 0, NUMBER, &w->peer[family]);
	relay_permission(w->r, caller, 0, &w->visitor[family]);
	relay_channel(w->r, caller, 1, NUMBER_OTHER, &w->peer[!family]);
	relay_permission(w->r, caller, 1, &w->visitor[!family]);
	relay_channel(
		w->r, caller, 0, NUMBER_PERMITS, &w->relayed[family][PACKET_WORLD_PERMITTING]);
	relay_channel(w->r, caller, 0, NUMBER_CALLED, &w->relayed[family][PACKET_WORLD_CALLED]);
	relay_permission(w->r, caller, 0, &w->relayed[family][PACKET_WORLD_PERMITTING]);
	relay_permission(
		w->r, a[PACKET_WORLD_PERMITTING], 0, &w->relayed[family][PACKET_WORLD_CALLER]);
	relay_channel(
		w->r, a[PACKET_WORLD_CALLED], 0, NUMBER, &w->relayed[family][PACKET_WORLD_CALLER]);
}

static void create(struct packet_world *w)
{
	// Unit tests have the other kind.
	w->r = relay_create(ENTRIES,
		tp_hash_supported(TP_HASH_KIND_AES) ? TP_HASH_KIND_AES : TP_HASH_KIND_SIPHASH);
	w->r->path.first_contact_rate = 100;
	w->r->path.realm_len = 12;
	w->r->path.realm_flags = TP_REALM_ONLY;
	memcpy(w->r->path.realm, "fuzz.example", 12);
	relay_locals_change(w->r);
	w->peer[0] = relay_addr4("10.77.2.2", 60001);
	w->peer[1] = relay_addr6("fd77:2::2", 60001);
	w->visitor[0] = relay_addr4("10.77.2.9", 60009);
	w->visitor[1] = relay_addr6("fd77:2::9", 60009);
	family_create(w, 0);
	family_create(w, 1);
}

// The state that a test may have changed.
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

static void send_to(struct message *m, const struct tp_addr *peer, bool dont_fragment)
{
	message_begin(m, TP_TURN_SEND_INDICATION, txid);
	if (dont_fragment)
		message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	message_address(m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	message_attribute(m, TP_ATTR_DATA, "media", 5);
	message_fingerprint(m);
}

static void request(
	struct message *m, uint16_t type, const struct tp_addr *from, const struct packet_world *w)
{
	static const uint8_t mac[20];
	char nonce[24] = "0123456789abcdef";

	message_begin(m, type, txid);
	if (from == NULL)
		return;
	tp_nonce_tag(w->r->path.punt_key, from, nonce + 16);
	message_attribute(m, TP_ATTR_USERNAME, "user", 4);
	message_attribute(m, TP_ATTR_NONCE, nonce, sizeof(nonce));
	message_attribute(m, TP_ATTR_MESSAGE_INTEGRITY, mac, sizeof(mac));
}

static void binding(struct message *m, bool fingerprint)
{
	message_begin(m, TP_STUN_BINDING_REQUEST, txid);
	message_attribute(m, 0x8022, "client", 6);
	if (fingerprint)
		message_fingerprint(m);
}

// Kinds of frames; those from KIND_PEER on come from a peer.
enum kind {
	KIND_CHANNEL,
	KIND_CHANNEL_PERMITS,
	KIND_CHANNEL_CALLED,
	KIND_CHANNEL_OTHER,
	KIND_SEND,
	KIND_SEND_ODD, // not the usual form
	KIND_SEND_PERMITS,
	KIND_SEND_OTHER,
	KIND_STRANGER,
	KIND_REQUEST,
	KIND_BINDING_PRINTED,
	KIND_BINDING,
	KIND_PEER,
	KIND_VISITOR,
	KIND_PEER_OTHER, // to the caller of the other family
	KIND_VISITOR_OTHER,
};

static void from_client(
	const struct packet_world *w, unsigned family, enum kind kind, struct message *m)
{
	struct tp_addr stranger = w->client[0][PACKET_WORLD_CALLER];

	stranger.port_be = tp_htons(4444);
	switch (kind) {
	case KIND_CHANNEL:
		message_channel(m, NUMBER, "media in a channel", 18, 2);
		break;
	case KIND_CHANNEL_PERMITS:
		message_channel(m, NUMBER_PERMITS, "round", 5, 0);
		break;
	case KIND_CHANNEL_CALLED:
		message_channel(m, NUMBER_CALLED, "round", 5, 0);
		break;
	case KIND_CHANNEL_OTHER:
		message_channel(m, NUMBER_OTHER, "other", 5, 0);
		break;
	case KIND_SEND:
		send_to(m, &w->visitor[family], false);
		break;
	case KIND_SEND_ODD:
		send_to(m, &w->visitor[family], true);
		break;
	case KIND_SEND_PERMITS:
		send_to(m, &w->relayed[family][PACKET_WORLD_PERMITTING], false);
		break;
	case KIND_SEND_OTHER:
		send_to(m, &w->visitor[!family], false);
		break;
	case KIND_STRANGER:
		request(m, 0x0003, &stranger, w);
		break;
	case KIND_REQUEST:
		request(m, 0x0004, NULL, w);
		break;
	default:
		binding(m, kind == KIND_BINDING_PRINTED);
		break;
	}
}

void packet_world_frame(const struct packet_world *w, unsigned which, struct frame *f)
{
	enum kind kind = which % PACKET_WORLD_KINDS;
	unsigned family = which / PACKET_WORLD_KINDS % 2;
	struct frame_spec spec = {.tos = 0xb8, .df = which % 2};
	struct message m;

	spec.src = w->client[family][PACKET_WORLD_CALLER];
	spec.dst = w->listener[family];
	from_client(w, family, kind, &m);
	if (kind == KIND_STRANGER)
		spec.src.port_be = tp_htons(4444);
	if (kind >= KIND_PEER) {
		bool other = kind >= KIND_PEER_OTHER;

		spec.src = (kind - KIND_PEER) % 2 == 0 ? w->peer[family] : w->visitor[family];
		spec.dst =
			other ? w->relayed_other[!family] : w->relayed[family][PACKET_WORLD_CALLER];
		memcpy(m.data, "a peer's datagram", 17);
		m.len = 17;
	}
	spec.payload = m.data;
	spec.len = m.len;
	frame_build(f, &spec);
}
