// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <turnpike/stun.h>

#define LISTENER_V4	 0x0a4d0001u // 10.77.0.1
#define LISTENER_PORT	 3478u
#define RELAYS_V4	 0x0a4d4000u // 10.77.64.0
#define CLIENTS_V4	 0x0a800000u // 10.128.0.0
#define PEERS_V4	 0xac100000u // 172.16.0.0
#define FLOWS_PER_CLIENT 8u
#define FLOWS_PER_PEER	 4u
#define CLIENT_PORT	 10000u
#define PEER_PORT	 20000u
#define VISITOR_PORT	 30000u
#define CHANNELS	 4096u

// fd77:NET::HOST
static struct tp_addr address_v6(uint16_t net, uint64_t host, uint16_t port)
{
	uint8_t ip[16] = {0xfd, 0x77};

	tp_store_be16(ip + 2, net);
	tp_store_be64(ip + 8, host);
	return tp_addr_ipv6(ip, port);
}

static struct tp_addr address(
	uint8_t family, uint32_t base_v4, uint16_t net_v6, uint32_t host, uint32_t port)
{
	if (family == TP_FAMILY_IPV4)
		return tp_addr_ipv4(base_v4 + host, (uint16_t)port);
	return address_v6(net_v6, host, (uint16_t)port);
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
	return address(bench_client_family(family), LISTENER_V4, 0, family == BENCH_IPV6 ? 1 : 0,
		LISTENER_PORT);
}

struct tp_addr bench_relay_address(enum bench_family family, uint32_t relay)
{
	return address(bench_relay_family(family), RELAYS_V4, 1, relay + 1, 0);
}

uint32_t bench_relay_count(const struct bench_population *p)
{
	return (p->n_flows + BENCH_RELAY_PORTS - 1) / BENCH_RELAY_PORTS;
}

static struct tp_addr relayed_of(const struct bench_population *p, uint32_t i)
{
	struct tp_addr a = bench_relay_address(p->family, i / BENCH_RELAY_PORTS);

	a.port_be = tp_htons((uint16_t)(BENCH_RELAY_PORT_MIN + i % BENCH_RELAY_PORTS));
	return a;
}

void bench_flow_at(const struct bench_population *p, uint32_t i, struct bench_flow *flow)
{
	uint8_t relay_family = bench_relay_family(p->family);

	flow->client = address(bench_client_family(p->family), CLIENTS_V4, 2, i / FLOWS_PER_CLIENT,
		CLIENT_PORT + i % FLOWS_PER_CLIENT * 7);
	flow->relayed = relayed_of(p, i);
	flow->peer = p->hairpin ? relayed_of(p, i ^ 1)
				: address(relay_family, PEERS_V4, 3, i / FLOWS_PER_PEER,
					  PEER_PORT + i % FLOWS_PER_PEER);
	flow->visitor = flow->peer;
	flow->visitor.port_be = tp_htons((uint16_t)(VISITOR_PORT + i % FLOWS_PER_PEER));
	flow->number = (uint16_t)(TP_CHANNEL_MIN + i % CHANNELS);
}
