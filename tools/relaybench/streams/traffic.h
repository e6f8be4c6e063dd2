// SPDX-License-Identifier: BSD-3-Clause
// The measurements of relaybench streams. Each function opens a crowd of its own and puts its
// figures into *out: 0 or a negative errno, after a message on stderr where the reason is not plain.
#pragma once

#include <jansson.h>

#include "options.h"

// `peer_fd`: a bound, non-blocking UDP socket at o->peer.
int streams_traffic_run(const struct streams_options *o, int peer_fd, json_t **out);
int streams_handshakes_run(const struct streams_options *o, json_t **out);
int streams_idle_run(const struct streams_options *o, json_t **out);
