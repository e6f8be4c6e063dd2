// SPDX-License-Identifier: BSD-3-Clause
#include <load/population.h>

uint32_t load_clients_max(const struct load_population *p)
{
	return p->n_client_ips * LOAD_PORTS;
}

struct load_addr load_client_at(const struct load_population *p, uint32_t client)
{
	uint32_t n = (client + p->first_client) % load_clients_max(p);

	return (struct load_addr){.ip = p->client_ip + n % p->n_client_ips,
		.port = (uint16_t)(LOAD_PORT_LOW + n / p->n_client_ips),
		.net = p->client_net};
}

uint32_t load_client_find(const struct load_population *p, struct load_addr addr)
{
	uint32_t ip = addr.ip - p->client_ip, max = load_clients_max(p);

	if (!load_net_equal(&addr.net, &p->client_net) || ip >= p->n_client_ips ||
		addr.port < LOAD_PORT_LOW || addr.port > LOAD_PORT_HIGH)
		return UINT32_MAX;
	return ((addr.port - LOAD_PORT_LOW) * p->n_client_ips + ip + max - p->first_client % max) %
	       max;
}

uint32_t load_flows(const struct load_population *p)
{
	return p->n_allocations * p->n_channels;
}

struct load_addr load_peer_at(const struct load_population *p, uint32_t flow)
{
	return (struct load_addr){.ip = p->peer_ip,
		.port = (uint16_t)(LOAD_PORT_LOW + flow % LOAD_PORTS),
		.net = p->peer_net};
}

uint16_t load_channel_at(const struct load_population *p, uint32_t flow)
{
	return (uint16_t)(LOAD_CHANNEL_BASE + flow % p->n_channels);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

uint32_t load_stride(uint32_t n)
{
	uint32_t step = (uint32_t)((double)n * 0.6180339887);

	if (step == 0)
		step = 1;
	while (common_divisor(n, step) != 1)
		step++;
	return step;
}
