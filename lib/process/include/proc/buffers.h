// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers of the data plane: how many, and on which NUMA nodes. The data plane makes those
// that --plan has named: both ask here. Any thread.
#pragma once

#include <conf/conf.h>

#define PROC_NODES_MAX 8u // NUMA nodes

// A port as far as it is known before it is opened.
struct proc_port_shape {
	int node;	 // -1: unknown
	uint32_t queues; // receive queues; 0: unknown
	uint32_t mtu;	 // 0: unknown
};

struct proc_buffers {
	uint32_t mtu;			  // of the longest frames
	uint32_t of_node[PROC_NODES_MAX]; // 0: no port is there
};

// The node of a port's interface or PCI device (either may be NULL), -1 where sysfs names none.
int proc_port_node(const char *sysfs, const char *interface, const char *device);

// The member of of_node for a port: an unknown node is counted as the first.
unsigned proc_buffers_slot(int node);

// `ports` has d->n_ports members.
void proc_buffers_count(struct proc_buffers *b, const struct conf_dataplane *d,
	const struct proc_port_shape *ports);
