// SPDX-License-Identifier: BSD-3-Clause
// A second implementation of <edge/link.h> for tests of the edge: no file, no socket. Each sent
// message is kept until the test takes it, and each thread's messages come from the test. One
// thread at a time.
#pragma once

#include <edge/link.h>

// A message or datagram on its way; `connection` 0: a datagram.
struct fake_edge_message {
	uint64_t connection;
	uint16_t listener_id;
	struct tp_addr remote;
	struct edge_link_way way;
	size_t len;
	uint8_t data[TP_RING_DATA_MAX];
};

// Names a listener from now on, as the control process would.
void fake_edge_listener(
	struct edge_link *l, uint16_t id, const struct tp_addr *local, uint8_t transport);
void fake_edge_set_up(struct edge_link *l, struct edge_link_up up);
// The rings take `n` messages more, then they are full.
void fake_edge_set_room(struct edge_link *l, unsigned n);
// The rings to these workers, a bit each, are full. A connection's worker is its slot's number
// modulo the number of workers; while the data plane is away it is 0.
void fake_edge_set_full(struct edge_link *l, uint64_t workers);

// Workers for whose rings the thread wants room, a bit each.
uint64_t fake_edge_wanted(const struct edge_link_thread *t);

// The oldest message that the edge has sent and nobody has taken. False: there is none.
bool fake_edge_take(struct edge_link *l, struct fake_edge_message *m);
// A message or datagram for the thread; edge_link_poll hands it on.
void fake_edge_put(struct edge_link_thread *t, const struct fake_edge_message *m);
// Calls of edge_link_owner_of so far.
unsigned fake_edge_owners_asked(const struct edge_link *l);
// TP_REPORT_* of a connection that is open.
uint16_t fake_edge_flags(struct edge_link_thread *t, uint64_t connection);
// Connections that are open.
unsigned fake_edge_open(const struct edge_link *l);
