// SPDX-License-Identifier: BSD-3-Clause
#include <plane/advice.h>

#include <stdio.h>
#include <stdlib.h>

#include <io/eal.h>
#include <log/log.h>

#define LIST_BYTES 4096u

static bool list_has(const char *list, unsigned core)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (core >= first && core <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

static void append(char *list, unsigned core)
{
	size_t len = strlen(list);

	snprintf(list + len, PLANE_ISOLATION_LIST_MAX - len, "%s%u", len > 0 ? "," : "", core);
}

void plane_isolation_judge(struct plane_isolation *i, const char *isolated, const char *nohz_full,
	const unsigned *cores, unsigned n_cores)
{
	memset(i, 0, sizeof(*i));
	for (unsigned c = 0; c < n_cores; c++) {
		if (!list_has(isolated, cores[c])) {
			i->n_shared++;
			append(i->shared, cores[c]);
		}
		if (!list_has(nohz_full, cores[c])) {
			i->n_ticking++;
			append(i->ticking, cores[c]);
		}
	}
}

// Adds a file's list to `list`; nothing where there is no such file.
static void file_add(const char *path, char *list, size_t size)
{
	size_t len = strlen(list);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	if (len > 0 && len + 1 < size) {
		list[len++] = ',';
		list[len] = '\0';
	}
	if (fgets(list + len, (int)(size - len), f) == NULL || list[len] == '\n')
		list[len > 0 ? len - 1 : 0] = '\0';
	list[strcspn(list, "\n")] = '\0';
	fclose(f);
}

static void isolation_read(struct plane_isolation *i, const unsigned *cores, unsigned n_cores)
{
	char isolated[LIST_BYTES] = "", nohz_full[LIST_BYTES] = "";

	file_add("/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	file_add("/sys/fs/cgroup/cpuset.cpus.isolated", isolated, sizeof(isolated));
	file_add("/sys/devices/system/cpu/nohz_full", nohz_full, sizeof(nohz_full));
	plane_isolation_judge(i, isolated, nohz_full, cores, n_cores);
}

// Every release of a lock, every grace period and every packet waits for a worker that is off its
// core.
bool plane_advise_cores(const unsigned *cores, unsigned n_cores)
{
	struct plane_isolation i;
	char remedy[256];

	isolation_read(&i, cores, n_cores);
	if (i.n_shared == 0 && i.n_ticking == 0)
		return false;
	snprintf(remedy, sizeof(remedy),
		"kernel command line: isolcpus=%.60s nohz_full=%.60s; or a cpuset: "
		"docs/operating.md",
		i.n_shared > 0 ? i.shared : i.ticking, i.n_ticking > 0 ? i.ticking : i.shared);
	log_event(LOG_EV_CORES_SHARED,
		LOG_FIELDS(log_str("not_isolated", i.shared), log_str("with_timer", i.ticking),
			log_str("remedy", remedy)));
	return i.n_shared > 0;
}

static void advise_queues(const struct io_port *port, unsigned i, unsigned n_workers)
{
	if (port->n_rx_queues < n_workers)
		log_event(LOG_EV_PORT_SPREAD,
			LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
				log_u64("queues", port->n_rx_queues), log_u64("workers", n_workers),
				log_str("problem", "some workers receive nothing from it"),
				log_str("remedy",
					"dataplane.workers: no more than it has queues")));
}

void plane_advise_spread(const struct io_port *port, unsigned index)
{
	log_event(LOG_EV_PORT_SPREAD,
		LOG_FIELDS(log_u64("port", index), log_str("device", port->device.name),
			log_u64("queues", port->n_rx_queues),
			log_str("problem", "nearly all packets come by one queue: the device does "
					   "not look at UDP ports"),
			log_str("remedy", port->device.driver == IO_AF_XDP
						  ? "ethtool -N INTERFACE rx-flow-hash udp4 sdfn, "
						    "and udp6"
						  : "the driver's page in DPDK's guide: RSS")));
}

// A virtual link passes the tag beside the frame as its sender left it there.
bool plane_advise_tags(const struct steer_link *l, char remedy[PLANE_REMEDY_MAX])
{
	if (!l->strips_tags)
		return false;
	if (strcmp(l->kind, "veth") == 0)
		snprintf(remedy, PLANE_REMEDY_MAX,
			"ethtool -K %s rxvlan off, and txvlan off at the other end", l->name);
	else
		snprintf(remedy, PLANE_REMEDY_MAX, "ethtool -K %s rxvlan off", l->name);
	return true;
}

// -1: the machine does not say, or has one node only.
static void advise_nodes(const struct io_port *port, unsigned n_workers)
{
	int node = io_port_numa(port);

	for (unsigned w = 0; w < n_workers && node >= 0; w++) {
		if (io_eal_worker_node(w) == node)
			continue;
		log_event(LOG_EV_NUMA_REMOTE,
			LOG_FIELDS(log_u64("worker", w), log_u64("core", io_eal_worker_core(w)),
				log_u64("worker_node", (uint64_t)io_eal_worker_node(w)),
				log_str("device", port->device.name),
				log_u64("device_node", (uint64_t)node),
				log_str("remedy", "dataplane.cores: cores of the device's node")));
	}
}

void plane_advise_port(const struct io_port *port, unsigned index, unsigned n_workers)
{
	advise_queues(port, index, n_workers);
	advise_nodes(port, n_workers);
}
