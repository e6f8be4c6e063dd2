// SPDX-License-Identifier: BSD-3-Clause
// Next hops of the tables, out of the kernel's routes and neighbours: a gateway's new MAC is stored
// as soon as the kernel tells, changed routes are resolved again. One thread.
#pragma once

#include <net/watch.h>
#include <shm/segment.h>
#include <tables/writer.h>

#define LINK_ROUTES_MAX 32u

struct link_hops {
	struct net_mirror *mirror;
	struct net_watch *watch;
	struct tables *tables;			   // NULL before link_hops_attach_tables
	const struct shm_state *state;		   // NULL: the data plane's ports are not known
	bool routes_dirty;			   // all
	struct net_change routes[LINK_ROUTES_MAX]; // changed ones, if not all
	unsigned n_routes;
	bool words_dirty;
	uint64_t asks_ns;     // begin of the second that asks_left is for
	unsigned asks_left;   // requests for neighbours that were given up
	uint64_t routes_ns;   // when the tables were last told
	uint64_t gateways_ns; // when the default gateways' leases are renewed
	uint64_t lost;	      // netlink overruns
};

// Opens the netlink socket and waits for the first dump. 0 or a negative errno.
int link_hops_init(struct link_hops *h);
void link_hops_fini(struct link_hops *h);

// Answers to the tables: members of struct tables_env, with the struct link_hops as ctx.
int link_hops_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex);
uint64_t link_hops_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex);

void link_hops_attach_tables(struct link_hops *h, struct tables *t);
// The data plane's ports are known (again), or no longer: NULL.
void link_hops_attach_state(struct link_hops *h, const struct shm_state *state);

int link_hops_fd(const struct link_hops *h);
// The socket is readable.
void link_hops_read(struct link_hops *h, uint64_t now_ns);
// Carries changes over to the tables; re-reads the kernel's state after an overrun.
void link_hops_advance(struct link_hops *h, uint64_t now_ns);
uint64_t link_hops_deadline(const struct link_hops *h);
