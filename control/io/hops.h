// SPDX-License-Identifier: BSD-3-Clause
// Next hops of the tables, out of the kernel's routes and neighbours: a gateway's new MAC is stored
// as soon as the kernel tells, changed routes are resolved again. One thread.
#pragma once

#include <net/watch.h>
#include <shm/segment.h>
#include <tables/writer.h>

struct io_hops {
	struct net_mirror *mirror;
	struct net_watch *watch;
	struct tables *tables;	       // NULL before io_hops_attach_tables
	const struct shm_state *state; // NULL: the data plane's ports are not known
	bool routes_dirty;
	bool words_dirty;
	uint64_t routes_ns;   // when the tables were last told
	uint64_t gateways_ns; // when the default gateways' leases are renewed
	uint64_t lost;	      // times that the kernel's news were lost
};

// Opens the netlink socket and waits for the first dump. 0 or a negative errno.
int io_hops_init(struct io_hops *h);
void io_hops_fini(struct io_hops *h);

// What the tables ask: members of struct tables_env, with the struct io_hops as ctx.
int io_hops_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex);
uint64_t io_hops_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex);

void io_hops_attach_tables(struct io_hops *h, struct tables *t);
// The data plane's ports are known (again), or no longer: NULL.
void io_hops_attach_state(struct io_hops *h, const struct shm_state *state);

int io_hops_fd(const struct io_hops *h);
// The socket is readable.
void io_hops_read(struct io_hops *h, uint64_t now_ns);
// Carries changes over to the tables; asks the kernel again where news were lost.
void io_hops_advance(struct io_hops *h, uint64_t now_ns);
uint64_t io_hops_deadline(const struct io_hops *h);
