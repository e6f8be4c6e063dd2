// SPDX-License-Identifier: BSD-3-Clause
// The participants of a load, by number: client i's address and port, flow f's peer. Nothing is
// stored, so that exports and the load itself name the same ones. Pure functions.
#pragma once

#include <load/frame.h>

#define LOAD_PORT_LOW  10000u // below the kernel's ephemeral ports
#define LOAD_PORT_HIGH 31999u
#define LOAD_PORTS     (LOAD_PORT_HIGH - LOAD_PORT_LOW + 1u)

struct load_population {
	struct load_addr server;
	struct load_net client_net, peer_net;
	uint32_t client_ip; // the first of n_client_ips that follow one another
	uint32_t n_client_ips;
	uint32_t first_client; // number 0 is that one of those that the addresses give
	uint32_t peer_ip;
	uint32_t n_allocations;
	uint32_t n_channels; // of each allocation
};

// Clients that the addresses give; those above n_allocations replace ones that leave.
uint32_t load_clients_max(const struct load_population *p);
// Neighbours in number differ in address first, so that a few clients already use all addresses.
struct load_addr load_client_at(const struct load_population *p, uint32_t client);
// The number of a client's address, or UINT32_MAX.
uint32_t load_client_find(const struct load_population *p, struct load_addr addr);

// Flow f is channel f % n_channels of allocation f / n_channels.
uint32_t load_flows(const struct load_population *p);
struct load_addr load_peer_at(const struct load_population *p, uint32_t flow);
uint16_t load_channel_at(const struct load_population *p, uint32_t flow);

// A step that visits all of `n` in an order without pattern: coprime to n, near its golden section.
uint32_t load_stride(uint32_t n);
