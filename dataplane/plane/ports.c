// SPDX-License-Identifier: BSD-3-Clause
#include <plane/ports.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <conf/conf.h>
#include <io/pool.h>
#include <log/log.h>
#include <shm/numa.h>
#include <turnpike/limits.h>
#include <turnpike/segment.h>

#include <plane/advice.h>
#include <plane/refuse.h>

#define OPEN_TRIES 40u
#define ENDS_NS	   200000000L // a process that stops, after it has left its role

void plane_ports_init(struct plane_ports *p, const struct conf *conf)
{
	memset(p, 0, sizeof(*p));
	p->conf = conf;
	p->n = (unsigned)conf->dataplane.n_ports;
	p->n_workers = conf->dataplane.workers;
	p->object_fd = -1;
	for (unsigned i = 0; i < TP_PORTS_MAX; i++)
		p->items[i].lock_fd = -1;
}

_Static_assert((int)IO_XDP_AUTO == (int)CONF_XDP_AUTO &&
		       (int)IO_XDP_NATIVE == (int)CONF_XDP_NATIVE &&
		       (int)IO_XDP_GENERIC == (int)CONF_XDP_GENERIC,
	"modes of the configuration and of ports");

int plane_ports_parse(struct plane_ports *p)
{
	struct steer_fault fault;

	for (unsigned i = 0; i < p->n; i++) {
		const struct conf_port *c = &p->conf->dataplane.ports[i];
		int err = io_device_parse(&p->devices[i], c->device, c->interface, i, &fault);

		if (err == 0 && c->kernel != NULL)
			err = io_device_set_twin(&p->devices[i], c->kernel, i, &fault);
		if (err == 0)
			err = io_device_set_xdp(&p->devices[i], (enum io_xdp)c->xdp, i, &fault);
		p->devices[i].mtu = c->mtu;
		if (err != 0)
			return plane_refuse(LOG_EV_PORT_FAILED, err, &fault);
		p->items[i].device = p->devices[i];
	}
	return 0;
}

bool plane_ports_need_guard(const struct plane_ports *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct io_device *d = &p->devices[i];

		if (d->driver == IO_AF_PACKET || d->twin ||
			(d->driver == IO_PCI && d->interface[0] != '\0'))
			return true;
	}
	return false;
}

bool plane_ports_have_pci(const struct plane_ports *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->devices[i].driver == IO_PCI)
			return true;
	}
	return false;
}

bool plane_ports_have_devices(const struct plane_ports *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->devices[i].driver != IO_AF_XDP && p->devices[i].driver != IO_AF_PACKET)
			return true;
	}
	return false;
}

#define LEAST_MTU 1500u // of buffers

static void warn(const struct io_port *port)
{
	const struct steer_link *l = &port->link;
	char remedy[PLANE_REMEDY_MAX];

	if (strcmp(l->kind, "veth") == 0 && l->tx_checksum)
		log_event(LOG_EV_CHECKSUM_OFFLOAD,
			LOG_FIELDS(log_str("interface", port->device.interface),
				log_str("remedy", "ethtool -K on both ends: tx off")));
	if (port->device.driver == IO_AF_XDP && plane_advise_tags(l, remedy))
		log_event(LOG_EV_TAGGED_FRAMES,
			LOG_FIELDS(log_str("interface", port->device.interface),
				log_str("problem", "tagged frames look like untagged ones"),
				log_bool("vlans", l->has_vlans), log_str("remedy", remedy)));
}

static void count_buffers(struct plane_ports *p)
{
	struct proc_port_shape shapes[TP_PORTS_MAX];

	for (unsigned i = 0; i < p->n; i++) {
		const struct io_device *d = &p->devices[i];
		const struct steer_link *l = &p->items[i].link;
		uint32_t mtu = l->mtu > d->mtu ? l->mtu : d->mtu;

		p->nodes[i] = proc_port_node(SHM_SYSFS, d->interface, d->name);
		shapes[i] = (struct proc_port_shape){p->nodes[i], l->xdp_queues, mtu};
	}
	proc_buffers_count(&p->buffers, &p->conf->dataplane, shapes);
}

uint16_t plane_ports_mtu(const struct plane_ports *p)
{
	return p->buffers.mtu > LEAST_MTU ? (uint16_t)p->buffers.mtu : LEAST_MTU;
}

int plane_ports_prepare(struct plane_ports *p, const char *run_directory)
{
	struct steer_fault fault;
	const char *slash = strrchr(run_directory, '/');
	bool leftover;

	// All instances' directories are beside each other.
	snprintf(p->lock_directory, sizeof(p->lock_directory), "%.*s",
		slash == NULL || slash == run_directory ? 1 : (int)(slash - run_directory),
		slash == NULL ? "." : run_directory);
	for (unsigned i = 0; i < p->n; i++) {
		struct io_port *port = &p->items[i];
		int err;

		port->lock_directory = p->lock_directory;
		err = io_port_prepare(port, p->n_workers, &leftover, &fault);

		if (err != 0)
			return plane_refuse(
				err == -EBUSY ? LOG_EV_STEERING_REFUSED : LOG_EV_PORT_FAILED, err,
				&fault);
		p->clean |= !leftover && port->device.driver == IO_AF_XDP;
		if (leftover)
			log_event(LOG_EV_STEERING_LEFTOVER,
				LOG_FIELDS(log_str("interface", port->device.interface)));
		warn(port);
	}
	count_buffers(p);
	return 0;
}

void plane_ports_octets(const struct plane_ports *p, uint64_t octets[PROC_NODES_MAX])
{
	for (unsigned n = 0; n < PROC_NODES_MAX; n++)
		octets[n] = p->buffers.of_node[n] == 0
				    ? 0
				    : io_pool_octets(p->buffers.of_node[n], p->buffers.mtu);
}

struct rte_mempool *plane_ports_pool(struct plane_ports *p, unsigned port)
{
	unsigned slot = proc_buffers_slot(p->nodes[port]);
	uint32_t n = p->buffers.of_node[slot], mtu = p->buffers.mtu;

	if (p->pools[slot] == NULL)
		p->pools[slot] = io_pool_create((int)slot, n, mtu);
	if (p->pools[slot] == NULL)
		p->pools[slot] = io_pool_create_elsewhere((int)slot, n, mtu);
	return p->pools[slot];
}

static const char *xdp_name(uint32_t xdp)
{
	bool zero_copy = (xdp & TP_XDP_ZERO_COPY) != 0;

	switch (xdp & TP_XDP_MODES) {
	case TP_XDP_NATIVE:
		return zero_copy ? "native, zero copy" : "native, copy";
	case TP_XDP_GENERIC:
		return "generic, copy";
	case TP_XDP_OFFLOADED:
		return "offloaded";
	default:
		return NULL;
	}
}

static int open_port(
	struct plane_ports *p, unsigned i, const char *object_path, struct steer_fault *fault)
{
	struct io_port *port = &p->items[i];
	struct rte_mempool *pool;
	int err = io_port_probe(port, p->n_workers, object_path, fault);

	if (err != 0)
		return err;
	pool = plane_ports_pool(p, i);
	if (pool == NULL)
		return steer_fault_set(fault, -ENOMEM,
			"more huge pages, or dataplane.hugepages: never",
			"no memory for packet buffers");
	return io_port_start(port, p->n_workers, pool, fault);
}

// The kernel gives a closed socket's queue back a moment later.
static int open_again(
	struct plane_ports *p, unsigned i, const char *object_path, struct steer_fault *fault)
{
	const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
	struct io_port *port = &p->items[i];
	int err = open_port(p, i, object_path, fault);

	for (unsigned n = 0; err != 0 && !port->mute && n < OPEN_TRIES && io_port_shut(port); n++) {
		nanosleep(&moment, NULL);
		err = open_port(p, i, object_path, fault);
	}
	return err;
}

// In the mode that the driver prefers; where the first frame does not leave, in the next ones.
static int open_in_some_mode(
	struct plane_ports *p, unsigned i, const char *object_path, struct steer_fault *fault)
{
	struct io_port *port = &p->items[i];
	int err = open_port(p, i, object_path, fault);

	while (err != 0 && io_port_lower(port)) {
		log_event(LOG_EV_XDP_FALLBACK,
			LOG_FIELDS(log_str("interface", port->device.interface),
				log_str("problem", fault->problem),
				log_str("next", port->device.xdp == IO_XDP_GENERIC
							? "generic"
							: "native, copy")));
		err = open_again(p, i, object_path, fault);
	}
	return err;
}

static int start_port(struct plane_ports *p, unsigned i, const char *object_path)
{
	struct io_port *port = &p->items[i];
	struct steer_fault fault;
	int err = open_in_some_mode(p, i, object_path, &fault);

	if (err == 0)
		err = io_port_steer(port, p->claims, p->n_claims, &fault);
	if (err == -ENOMEM && p->no_memory != NULL)
		p->no_memory(&fault);
	if (err != 0)
		return plane_refuse(LOG_EV_PORT_FAILED, err, &fault);
	p->states[i].up = true;
	if (port->steer != NULL)
		steer_announce_start(
			&p->states[i].announce, ANNOUNCE_SYSCTLS, port->device.interface);
	plane_advise_port(port, i, p->n_workers);
	if (port->steer != NULL)
		log_event(LOG_EV_STEERING_ATTACHED,
			LOG_FIELDS(log_str("interface", port->device.interface)));
	log_event(LOG_EV_PORT_STARTED,
		LOG_FIELDS(log_u64("port", i), log_str("device", port->device.name),
			log_str("interface", port->device.interface), log_u64("mtu", port->mtu),
			log_u64("queues", port->n_rx_queues),
			log_str("xdp", xdp_name(io_port_xdp(port)))));
	return 0;
}

int plane_ports_start(void *ports)
{
	struct plane_ports *p = ports;
	char path[64];
	int status = 0;

	p->object_fd = steer_object_open(path, sizeof(path));
	if (p->object_fd < 0) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "no memory file"), log_errno(p->object_fd)));
		return PROC_EXIT_FAILED;
	}
	// A process that stops in order removes its program and leaves its role before it has
	// ended: until then its sockets have the queues.
	if (p->clean)
		nanosleep(&(struct timespec){.tv_nsec = ENDS_NS}, NULL);
	for (unsigned i = 0; i < p->n && status == 0; i++)
		status = start_port(p, i, path);
	return status;
}

void plane_ports_steer(struct plane_ports *p, const struct steer_claim *claims, size_t n)
{
	struct steer_fault fault;

	p->claims = claims;
	p->n_claims = n;
	for (unsigned i = 0; i < p->n; i++) {
		if (io_port_steer(&p->items[i], claims, n, &fault) != 0)
			log_event(LOG_EV_STEERING_REFUSED,
				LOG_FIELDS(log_str("interface", p->items[i].device.interface),
					log_str("problem", fault.problem),
					log_str("remedy", fault.remedy)));
	}
}

void plane_ports_stop(struct plane_ports *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		bool steered = p->items[i].steer != NULL;

		steer_announce_stop(&p->states[i].announce);
		io_port_close(&p->items[i]);
		if (steered)
			log_event(LOG_EV_STEERING_REMOVED,
				LOG_FIELDS(log_str("interface", p->devices[i].interface)));
	}
	for (unsigned i = 0; i < PROC_NODES_MAX; i++) {
		if (p->pools[i] != NULL)
			io_pool_destroy(p->pools[i]);
	}
	if (p->object_fd >= 0)
		close(p->object_fd);
}
