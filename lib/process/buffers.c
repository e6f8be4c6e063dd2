// SPDX-License-Identifier: BSD-3-Clause
#include <proc/buffers.h>

#include <string.h>

#include <shm/numa.h>
#include <turnpike/limits.h>

#define MTU_USUAL 1500u

int proc_port_node(const char *sysfs, const char *interface, const char *device)
{
	int node = interface != NULL ? shm_numa_of_interface(sysfs, interface) : -1;

	return node < 0 && device != NULL ? shm_numa_of_pci(sysfs, device) : node;
}

unsigned proc_buffers_slot(int node)
{
	return node < 0 || node >= (int)PROC_NODES_MAX ? 0 : (unsigned)node;
}

// A frame stays in its buffer from receive to transmit, so a node needs buffers for the queues of
// its own ports only.
void proc_buffers_count(
	struct proc_buffers *b, const struct conf_dataplane *d, const struct proc_port_shape *ports)
{
	memset(b, 0, sizeof(*b));
	b->mtu = MTU_USUAL;
	for (size_t i = 0; i < d->n_ports; i++) {
		uint32_t queues = ports[i].queues > d->workers ? ports[i].queues : d->workers;

		b->of_node[proc_buffers_slot(ports[i].node)] += TP_QUEUE_BUFFERS * queues;
		b->mtu = ports[i].mtu > b->mtu ? ports[i].mtu : b->mtu;
	}
	for (unsigned n = 0; n < PROC_NODES_MAX; n++) {
		if (b->of_node[n] == 0)
			continue;
		if (b->of_node[n] < TP_BUFFERS_MIN)
			b->of_node[n] = TP_BUFFERS_MIN;
		if (d->mbufs != 0)
			b->of_node[n] = d->mbufs;
	}
}
