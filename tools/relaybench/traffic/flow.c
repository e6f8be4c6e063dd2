// SPDX-License-Identifier: BSD-3-Clause
#include <traffic/flow.h>

#include <turnpike/stun.h>

#define LISTENER_V4	 0x0a4d0001u // 10.77.0.1
#define LISTENER_PORT	 3478u
#define RELAYS_V4	 0x0a4d4000u // 10.77.64.0
#define CLIENTS_V4	 0x0a800000u // 10.128.0.0
#define PEERS_V4	 0xac100000u // 172.16.0.0
#define FLOWS_PER_CLIENT 8u
#define FLOWS_PER_PEER	 4u
#define CLIENT_PORT	 10000u
#define CLIENT_PORT_STEP 7u
#define PEER_PORT	 20000u
#define VISITOR_PORT	 30000u
#define CHANNELS	 4096u

// IPv4: base + host; IPv6: fd77:NET::HOST. Written in place: a million of these per second must not
// distort the figures.
static void address_set(struct tp_addr *a, uint8_t family, uint32_t base_v4, uint16_t net_v6,
	uint32_t host, uint32_t port)
{
	memset(a, 0, sizeof(*a));
	if (family == TP_FAMILY_IPV4) {
		tp_store_be32(a->ip, base_v4 + host);
	} else {
		tp_store_be32(a->ip, 0xfd770000u | net_v6);
		tp_store_be32(a->ip + 12, host);
	}
	a->port_be = tp_htons((uint16_t)port);
	a->family = family;
}

const char *bench_family_name(enum bench_family family)
{
	static const char *const names[BENCH_FAMILIES] = {"4", "6", "4to6"};

	return names[family];
}

uint8_t bench_client_family(enum bench_family family)
{
	return family == BENCH_IPV6 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4;
}

uint8_t bench_relay_family(enum bench_family family)
{
	return family == BENCH_IPV4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
}

struct tp_addr bench_listener(enum bench_family family)
{
	struct tp_addr a;

	address_set(&a, bench_client_family(family), LISTENER_V4, 0, family == BENCH_IPV6 ? 1 : 0,
		LISTENER_PORT);
	return a;
}

struct tp_addr bench_relay_address(enum bench_family family, uint32_t relay)
{
	struct tp_addr a;

	address_set(&a, bench_relay_family(family), RELAYS_V4, 1, relay + 1, 0);
	return a;
}

uint32_t bench_relay_count(const struct bench_population *p)
{
	return (p->n_flows + BENCH_RELAY_PORTS - 1) / BENCH_RELAY_PORTS;
}

static void relayed_set(struct tp_addr *a, const struct bench_population *p, uint32_t i)
{
	address_set(a, bench_relay_family(p->family), RELAYS_V4, 1, i / BENCH_RELAY_PORTS + 1,
		BENCH_RELAY_PORT_MIN + i % BENCH_RELAY_PORTS);
}

bool bench_flow_joined(const struct bench_population *p, uint32_t i)
{
	return p->hairpin || (p->mixed && i / 2 % BENCH_MIXED_PAIRS == 0);
}

static void peer_set(struct tp_addr *a, const struct bench_population *p, uint32_t i, uint32_t port)
{
	if (bench_flow_joined(p, i))
		relayed_set(a, p, i ^ 1);
	else
		address_set(a, bench_relay_family(p->family), PEERS_V4, 3, i / FLOWS_PER_PEER,
			port + i % FLOWS_PER_PEER);
}

uint32_t bench_flow_of_client(const struct tp_addr *client)
{
	uint32_t host = tp_load_be32(client->ip) - CLIENTS_V4;
	uint32_t port = tp_addr_port(client) - CLIENT_PORT;

	if (client->family != TP_FAMILY_IPV4 || host > BENCH_FLOWS_MAX / FLOWS_PER_CLIENT ||
		port % CLIENT_PORT_STEP != 0 || port / CLIENT_PORT_STEP >= FLOWS_PER_CLIENT)
		return UINT32_MAX;
	return host * FLOWS_PER_CLIENT + port / CLIENT_PORT_STEP;
}

void bench_flow_at(const struct bench_population *p, uint32_t i, struct bench_flow *flow)
{
	address_set(&flow->client, bench_client_family(p->family), CLIENTS_V4, 2,
		i / FLOWS_PER_CLIENT, CLIENT_PORT + i % FLOWS_PER_CLIENT * CLIENT_PORT_STEP);
	relayed_set(&flow->relayed, p, i);
	peer_set(&flow->peer, p, i, PEER_PORT);
	peer_set(&flow->visitor, p, i, VISITOR_PORT);
	flow->number = (uint16_t)(TP_CHANNEL_MIN + i % CHANNELS);
}
