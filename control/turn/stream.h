// SPDX-License-Identifier: BSD-3-Clause
// Stream clients inside the server; their reports are in <turn/server.h>.
#pragma once

#include "state.h"

// Ends a connection that was not confirmed after a restart.
void turn_stream_expire(struct turn_server *s, uint64_t now_ns, struct turn_connection *connection);
// Adds the connection of an allocation after a restart. 0, -EINVAL or -ENOMEM.
int turn_stream_restore(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);
