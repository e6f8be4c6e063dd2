// SPDX-License-Identifier: BSD-3-Clause
// What works, but not as well as it could: said once at the start, with the remedy.
#include "plane.h"

#include <stdio.h>

#include <log/log.h>

#include "isolation.h"

// Every release of a lock, every grace period and every packet waits for a worker that is off its
// core.
void plane_judge_cores(struct plane *p)
{
	struct isolation i;
	char remedy[256];

	isolation_read(&i, p->cores, p->n_workers);
	p->cores_shared = i.n_shared > 0;
	if (i.n_shared == 0 && i.n_ticking == 0)
		return;
	snprintf(remedy, sizeof(remedy),
		"kernel command line: isolcpus=%.60s nohz_full=%.60s; or a cpuset: "
		"docs/operating.md",
		i.n_shared > 0 ? i.shared : i.ticking, i.n_ticking > 0 ? i.ticking : i.shared);
	log_event(LOG_EV_CORES_SHARED,
		LOG_FIELDS(log_str("not_isolated", i.shared), log_str("with_timer", i.ticking),
			log_str("remedy", remedy)));
}

void plane_judge_queues(const struct plane *p, unsigned i)
{
	const struct io_port *port = &p->ports[i];

	if (port->n_rx_queues < p->n_workers)
		log_event(LOG_EV_PORT_SPREAD,
			LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
				log_u64("queues", port->n_rx_queues),
				log_u64("workers", p->n_workers),
				log_str("problem", "some workers receive nothing from it"),
				log_str("remedy",
					"dataplane.workers: no more than it has queues")));
	if (!port->spreads)
		log_event(LOG_EV_PORT_SPREAD,
			LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
				log_u64("queues", port->n_rx_queues),
				log_str("problem", "it does not look at UDP ports"),
				log_str("remedy",
					port->device.driver == IO_AF_XDP
						? "ethtool -N INTERFACE rx-flow-hash udp4 sdfn, "
						  "and udp6"
						: "the driver's page in DPDK's guide: RSS")));
}

// -1: the machine does not say, or has one node only.
void plane_judge_nodes(const struct plane *p, unsigned i)
{
	int node = io_port_numa(&p->ports[i]);

	for (unsigned w = 0; w < p->n_workers && node >= 0; w++) {
		if (eal_worker_node(w) == node)
			continue;
		log_event(LOG_EV_NUMA_REMOTE,
			LOG_FIELDS(log_u64("worker", w), log_u64("core", p->cores[w]),
				log_u64("worker_node", (uint64_t)eal_worker_node(w)),
				log_str("device", p->ports[i].device.name),
				log_u64("device_node", (uint64_t)node),
				log_str("remedy", "dataplane.cores: cores of the device's node")));
	}
}
