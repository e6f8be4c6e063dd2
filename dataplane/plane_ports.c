// SPDX-License-Identifier: BSD-3-Clause
// The ports, their steering, and the buffers that they receive into.
#include "plane.h"

#include <errno.h>
#include <unistd.h>

#include <io/pool.h>
#include <log/log.h>
#include <turnpike/buffers.h>

#include "options.h"

#define MTU_USUAL 1500u

static uint32_t longest_mtu(const struct plane *p)
{
	uint32_t mtu = MTU_USUAL;

	for (unsigned i = 0; i < p->n_ports; i++) {
		mtu = p->ports[i].link.mtu > mtu ? p->ports[i].link.mtu : mtu;
		mtu = p->devices[i].mtu > mtu ? p->devices[i].mtu : mtu;
	}
	return mtu;
}

static uint32_t count_buffers(const struct plane *p)
{
	uint32_t n = 0;

	if (p->conf->dataplane.mbufs != 0)
		return p->conf->dataplane.mbufs;
	for (unsigned i = 0; i < p->n_ports; i++) {
		uint32_t queues = p->ports[i].link.xdp_queues;

		n += TP_QUEUE_BUFFERS * (queues > p->n_workers ? queues : p->n_workers);
	}
	return n > TP_BUFFERS_MIN ? n : TP_BUFFERS_MIN;
}

uint64_t plane_ports_octets(const struct plane *p)
{
	return pool_octets(count_buffers(p), longest_mtu(p));
}

struct rte_mempool *plane_ports_pool(struct plane *p, const struct io_port *port)
{
	int node = io_port_numa(port);
	unsigned slot = node < 0 || node >= (int)PLANE_NODES_MAX ? 0 : (unsigned)node;

	if (p->pools[slot] == NULL)
		p->pools[slot] = pool_create((int)slot, count_buffers(p), longest_mtu(p));
	return p->pools[slot];
}

static int start_port(struct plane *p, unsigned i, const char *object_path)
{
	struct io_port *port = &p->ports[i];
	struct steer_fault fault;
	struct rte_mempool *pool;
	int err = io_port_probe(port, p->n_workers, object_path, &fault);

	if (err == 0) {
		pool = plane_ports_pool(p, port);
		err = pool == NULL ? steer_fault_set(&fault, -ENOMEM,
					     "more huge pages, or dataplane.hugepages: never",
					     "no memory for packet buffers")
				   : io_port_start(port, p->n_workers, pool, &fault);
	}
	if (err == 0)
		err = io_port_steer(port, p->own.items, p->own.n, &fault);
	if (err != 0)
		return plane_refuse(LOG_EV_PORT_FAILED, err, &fault);
	p->port_states[i].up = true;
	plane_judge_queues(p, i);
	plane_judge_nodes(p, i);
	if (port->steer != NULL)
		log_event(LOG_EV_STEERING_ATTACHED,
			LOG_FIELDS(log_str("interface", port->device.interface)));
	log_event(LOG_EV_PORT_STARTED,
		LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
			log_str("interface", port->device.interface), log_u64("mtu", port->mtu),
			log_u64("queues", port->n_rx_queues)));
	return 0;
}

int plane_ports_start(void *plane)
{
	struct plane *p = plane;
	char path[64];
	int status = 0;

	p->object_fd = steer_object_open(path, sizeof(path));
	if (p->object_fd < 0) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "no memory file"), log_errno(p->object_fd)));
		return EXIT_FAILED;
	}
	for (unsigned i = 0; i < p->n_ports && status == 0; i++)
		status = start_port(p, i, path);
	p->times.ports_ms = plane_since_start_ms(p);
	return status;
}

void plane_ports_stop(struct plane *p)
{
	for (unsigned i = 0; i < p->n_ports; i++) {
		bool steered = p->ports[i].steer != NULL;

		io_port_close(&p->ports[i]);
		if (steered)
			log_event(LOG_EV_STEERING_REMOVED,
				LOG_FIELDS(log_str("interface", p->devices[i].interface)));
	}
	for (unsigned i = 0; i < PLANE_NODES_MAX; i++) {
		if (p->pools[i] != NULL)
			pool_destroy(p->pools[i]);
	}
	if (p->object_fd >= 0)
		close(p->object_fd);
	if (p->eal_started)
		eal_stop(&p->eal);
}
