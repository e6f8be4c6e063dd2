// SPDX-License-Identifier: BSD-3-Clause
// Peers on this host (peers.local): the way there and its thread.
#pragma once

#include <pthread.h>

#include <conf/conf.h>
#include <io/local.h>
#include <stage/stage.h>

struct plane_local {
	struct io_twin *way; // NULL: there are none
	struct stage_local_peer peers[CONF_LOCAL_PEERS_MAX];
	unsigned n_peers;
	uint16_t mtu;
	pthread_t thread;
	bool runs;
};

// Opens the sockets, where the configuration names such peers; needs CAP_NET_RAW. 0, or an exit
// status, logged.
int plane_local_open(
	struct plane_local *l, const struct conf *conf, uint16_t mtu, unsigned n_workers);
// Starts the thread, off the workers' cores. Likewise.
int plane_local_start(struct plane_local *l);
// After the workers have ended. Fine at any stage.
void plane_local_close(struct plane_local *l);
