// SPDX-License-Identifier: BSD-3-Clause
// Connections of stream clients (TCP, TLS, DTLS), as the process that ends them reports them. Only
// messages of an open connection are taken, so that no allocation outlives its connection.
//
// After a restart an allocation's connection is unconfirmed: it counts as closed unless it is
// reported open within TURN_CONNECTION_CONFIRM_S.
#pragma once

#include <turn/server.h>

#include <ds/map.h>
#include <ds/pool.h>
#include <ds/wheel.h>

#define TURN_CONNECTION_CONFIRM_S 10u
#define TURN_CONNECTIONS_MAX	  (1u << 20)

struct turn_connection {
	struct ds_map_node node;
	struct ds_timer timer; // runs while it is unconfirmed
	struct turn_tuple client;
	uint32_t index;
	bool framed; // can't become a data connection
};

struct turn_connections {
	struct ds_map map;
	struct ds_pool pool;
	struct ds_wheel *wheel;
};

// 0 or -ENOMEM.
int turn_connections_init(
	struct turn_connections *c, const uint8_t map_key[16], struct ds_wheel *wheel);
void turn_connections_fini(struct turn_connections *c);

// Returns the connection of that 5-tuple, with any handle; NULL: none.
struct turn_connection *turn_connection_find(
	const struct turn_connections *c, const struct turn_tuple *client);
// Adds one; NULL when there are too many or there is no memory.
struct turn_connection *turn_connection_add(
	struct turn_connections *c, const struct turn_tuple *client);
void turn_connection_confirm_by(
	struct turn_connections *c, struct turn_connection *connection, uint32_t expires_s);
void turn_connection_confirm(struct turn_connections *c, struct turn_connection *connection);
void turn_connection_del(struct turn_connections *c, struct turn_connection *connection);
