// SPDX-License-Identifier: BSD-3-Clause
#include <io/port.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <io/card.h>
#include <io/huge.h>
#include <log/log.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "first_frame.h"
#include "port_follow.h"

#define PORT_DESCRIPTORS 2048 // AF_XDP's rings have this many; other drivers get their own maximum

static bool is_af_xdp(const struct io_port *p)
{
	return p->device.driver == IO_AF_XDP;
}

// Queue pairs of an AF_XDP port: all that are active, be they more than there are workers.
static unsigned xdp_queues(const struct io_port *p)
{
	char value[16];
	unsigned n;

	if (io_device_get(&p->device, "queue_count", value, sizeof(value)) &&
		sscanf(value, "%u", &n) == 1)
		return n;
	return p->link.xdp_queues;
}

// The port's PCI devices: itself, or the members of a bond.
static int check_cards(const struct io_port *p, struct steer_fault *fault)
{
	char member[64];
	int err = 0;

	if (p->device.driver == IO_PCI)
		return io_card_check(IO_SYSFS, IO_DEVFS, p->device.name, fault);
	for (unsigned m = 0; err == 0 && io_device_member(&p->device, m, member, sizeof(member));
		m++)
		if (io_device_is_pci(member))
			err = io_card_check(IO_SYSFS, IO_DEVFS, member, fault);
	return err;
}

int io_port_prepare(
	struct io_port *p, unsigned n_workers, bool *leftover, struct steer_fault *fault)
{
	const char *interface = p->device.interface;
	char remedy[128];
	int err;

	*leftover = false;
	err = check_cards(p, fault);
	if (err != 0 || interface[0] == '\0')
		return err;
	if (p->device.twin) {
		p->lock_fd = steer_interface_lock(p->lock_directory, interface, fault);
		return p->lock_fd < 0 ? p->lock_fd : 0;
	}
	err = steer_link_read(interface, &p->link);
	if (err != 0)
		return steer_fault_set(fault, err, "see: ip link; then dataplane.ports",
			"interface %s: %s", interface, strerror(-err));
	p->missed_before = p->link.rx_missed;
	p->lock_fd = steer_interface_lock(p->lock_directory, interface, fault);
	if (p->lock_fd < 0)
		return p->lock_fd;
	if (is_af_xdp(p)) {
		err = io_xsk_try(fault);
		if (err == 0)
			err = io_card_check_xdp(IO_SYSFS, interface, fault);
		if (err != 0)
			return err;
		err = steer_link_check(&p->link, xdp_queues(p), fault);
		if (err != 0)
			return err;
		if (xdp_queues(p) < n_workers) {
			snprintf(remedy, sizeof(remedy),
				"dataplane.workers: %u, or: ethtool -L %s combined %u",
				xdp_queues(p), interface, n_workers);
			return steer_fault_set(fault, -ENOSPC, remedy,
				"%s has queues for %u workers, not for %u", interface,
				xdp_queues(p), n_workers);
		}
	}
	err = steer_clear(interface, fault);
	*leftover = err == 1;
	// Beside the other drivers somebody's program may do its work.
	return err < 0 && is_af_xdp(p) ? err : 0;
}

int io_port_probe(
	struct io_port *p, unsigned n_workers, const char *object_path, struct steer_fault *fault)
{
	char devargs[sizeof(p->device.name) + sizeof(p->device.args) + 2];
	char number[16], member[64];
	uint16_t port;
	int err = 0;

	if (is_af_xdp(p)) {
		snprintf(number, sizeof(number), "%u", xdp_queues(p));
		err = io_device_add(&p->device, "queue_count", number);
		if (err == 0)
			err = io_device_add(&p->device, "xdp_prog", object_path);
		if (err == 0 && p->device.xdp == IO_XDP_GENERIC)
			err = io_device_add(&p->device, "force_copy", "1");
	} else if (p->device.driver == IO_AF_PACKET && n_workers > 1) {
		snprintf(number, sizeof(number), "%u", n_workers);
		err = io_device_add(&p->device, "qpairs", number);
	}
	snprintf(devargs, sizeof(devargs), "%s%s%s", p->device.name,
		p->device.args[0] != '\0' ? "," : "", p->device.args);
	for (unsigned m = 0; err == 0 && io_device_member(&p->device, m, member, sizeof(member));
		m++)
		if (rte_eth_dev_get_port_by_name(member, &port) != 0)
			err = rte_dev_probe(member);
	// PCI devices were probed by EAL itself.
	if (err == 0 && p->device.driver != IO_PCI)
		err = rte_dev_probe(devargs);
	if (err == 0)
		err = rte_eth_dev_get_port_by_name(p->device.name, &p->id);
	if (err != 0)
		return steer_fault_set(fault, err,
			"see the dpdk_message lines and the driver's page in DPDK's guide",
			"device %s can't be opened: %s", devargs, strerror(-err));
	p->probed = true;
	p->any_mac = p->device.driver == IO_REPLAY && !p->device.twin;
	return 0;
}

// The kernel interface's MTU, where there is one; else the device's, set to the requested one.
static int settle_mtu(struct io_port *p, struct steer_fault *fault)
{
	uint16_t mtu = (uint16_t)p->link.mtu;
	int err;

	if (p->link.ifindex == 0 && p->device.mtu != 0) {
		mtu = p->device.mtu;
		err = rte_eth_dev_set_mtu(p->id, mtu);
		if (err != 0)
			return steer_fault_set(fault, err, "another dataplane.ports[].mtu",
				"device %s does not take an MTU of %u: %s", p->device.name, mtu,
				strerror(-err));
	} else if (p->link.ifindex == 0 && rte_eth_dev_get_mtu(p->id, &mtu) != 0) {
		mtu = RTE_ETHER_MTU;
	}
	p->mtu_max = mtu;
	atomic_store_explicit(&p->mtu, mtu, memory_order_relaxed);
	return 0;
}

enum stage_kernel io_port_kernel(const struct io_port *p)
{
	if (p->twin != NULL)
		return STAGE_KERNEL_TWIN;
	return p->link.ifindex != 0 ? STAGE_KERNEL_SEES : STAGE_KERNEL_NONE;
}

static int start_twin(struct io_port *p, unsigned n_workers, struct steer_fault *fault)
{
	struct io_twin_settings s = {
		.name = p->device.interface, .mtu = p->mtu_max, .n_workers = n_workers};
	int err;

	memcpy(s.mac, p->mac, sizeof(s.mac));
	err = io_twin_create(&p->twin, &s, fault);
	if (err != 0)
		return err;
	err = steer_link_read(s.name, &p->link);
	// Group addresses are the kernel's to want: neighbour discovery over IPv6 uses them. Where
	// the device can't be told, it takes everything.
	rte_eth_allmulticast_enable(p->id);
	if (err == 0)
		err = -rte_ctrl_thread_create(
			&p->twin_thread, "turnpike-twin", NULL, io_twin_run, p->twin);
	p->twin_runs = err == 0;
	return err == 0 ? 0
			: steer_fault_set(fault, err, "see: ip link", "%s, the kernel's twin: %s",
				  s.name, strerror(-err));
}

uint16_t io_port_take_kernel(struct io_twin *twin, struct rte_mempool *pool,
	struct rte_mbuf **packets, uint16_t max, uint64_t *octets)
{
	const uint8_t *frame;
	uint16_t n = 0, len;

	*octets = 0;
	while (n < max && (frame = io_twin_peek(twin, &len)) != NULL) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		char *data = m == NULL ? NULL : rte_pktmbuf_append(m, len);

		// A pool's buffers are longer than the frames of any port's MTU.
		if (data == NULL) {
			rte_pktmbuf_free(m);
			break;
		}
		memcpy(data, frame, len);
		io_twin_release(twin);
		*octets += len;
		packets[n++] = m;
	}
	return n;
}

static void stop_twin(struct io_port *p)
{
	if (p->twin_runs) {
		io_twin_stop(p->twin);
		pthread_join(p->twin_thread, NULL);
	}
	io_twin_destroy(p->twin);
	p->twin = NULL;
	p->twin_runs = false;
}

int io_port_numa(const struct io_port *p)
{
	return rte_eth_dev_socket_id(p->id);
}

// The kernel drives it as well, and keeps everything that our rules do not match.
static bool is_bifurcated(const struct io_port *p)
{
	return p->device.driver == IO_PCI && p->device.interface[0] != '\0' && !p->device.twin;
}

// The header fields by which the device can distribute UDP flows. Both ends' ports, since clients
// behind one NAT and the relayed ports of one peer differ in nothing else. No offload is asked for:
// checksums are updated incrementally, and no frame is segmented or merged.
static void choose_spread(
	struct io_port *p, struct rte_eth_conf *conf, const struct rte_eth_dev_info *info)
{
	const uint64_t ports = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
	uint64_t types = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info->flow_type_rss_offloads;

	p->spreads = true;
	if (p->n_rx_queues == 1)
		return;
	if (is_af_xdp(p)) {
		p->spreads = !p->link.spread_known || p->link.spreads;
		return;
	}
	// Replay and memory ports: the source has distributed the packets already.
	p->spreads = p->device.driver == IO_REPLAY || (types & ports) == ports;
	if (types == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = types;
}

static int configure(struct io_port *p, unsigned n_workers, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE};

	p->n_rx_queues = (uint16_t)(is_af_xdp(p) ? xdp_queues(p) : n_workers);
	if (p->n_rx_queues > info->max_rx_queues)
		p->n_rx_queues = info->max_rx_queues;
	p->n_tx_queues = is_af_xdp(p) ? p->n_rx_queues : (uint16_t)n_workers;
	if (p->n_rx_queues == 0 || p->n_tx_queues > info->max_tx_queues)
		return -ENOSPC;
	choose_spread(p, &conf, info);
	if (p->device.driver == IO_PCI)
		conf.rxmode.mtu = p->link.ifindex != 0 ? p->link.mtu : p->device.mtu;
	return rte_eth_dev_configure(p->id, p->n_rx_queues, p->n_tx_queues, &conf);
}

// The library's errors have one number; the driver is asked again for its own. The library leaves
// its program attached.
static int name_refusal(const struct io_port *p, struct steer_fault *fault)
{
	int err;

	(void)steer_clear(p->device.interface, fault);
	err = steer_try(p->device.interface);
	return err == 0 ? 0 : steer_link_refusal(&p->link, err, fault);
}

static int set_up_queues(struct io_port *p, struct rte_mempool *pool)
{
	uint16_t n_rx = PORT_DESCRIPTORS, n_tx = PORT_DESCRIPTORS;
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &n_rx, &n_tx);
	// Where the buffers are: the port's node may have no huge page at all.
	unsigned node = (unsigned)pool->socket_id;

	for (uint16_t q = 0; q < p->n_rx_queues && err == 0; q++) {
		struct io_xsk_set before;

		io_xsk_read(&before);
		err = rte_eth_rx_queue_setup(p->id, q, n_rx, node, NULL, pool);
		if (err == 0 && is_af_xdp(p) && q == p->n_xsk_fds && q < STEER_QUEUES_MAX) {
			p->xsk_fds[q] = io_xsk_opened(&before);
			p->n_xsk_fds += p->xsk_fds[q] >= 0;
		}
	}
	for (uint16_t q = 0; q < p->n_tx_queues && err == 0; q++)
		err = rte_eth_tx_queue_setup(p->id, q, n_tx, node, NULL);
	return err;
}

// The driver has attached the program where the kernel prefers it.
static int start_steering(struct io_port *p, struct steer_fault *fault)
{
	int err = steer_find(&p->steer, p->device.interface, fault);

	if (err != 0)
		return err;
	if (p->device.xdp == IO_XDP_GENERIC)
		return steer_make_generic(p->steer, fault);
	if (p->device.xdp == IO_XDP_NATIVE && steer_mode(p->steer) == STEER_MODE_GENERIC)
		return steer_fault_set(fault, -EOPNOTSUPP, "xdp: auto, or generic",
			"the driver of %s can't run XDP programs", p->device.interface);
	return 0;
}

int io_port_start(
	struct io_port *p, unsigned n_workers, struct rte_mempool *pool, struct steer_fault *fault)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int err = rte_eth_dev_info_get(p->id, &info);

	if (err == 0 && is_bifurcated(p) &&
		io_flow_isolate(&io_flow_dpdk, p->id, p->device.name, fault) != 0)
		return -EOPNOTSUPP;
	if (err == 0)
		err = configure(p, n_workers, &info);
	if (err == -ENOSPC)
		return steer_fault_set(fault, err, "lower dataplane.workers",
			"device %s has not queues for %u workers", p->device.name, n_workers);
	if (err == 0) {
		err = set_up_queues(p, pool);
		if (err != 0 && is_af_xdp(p) && name_refusal(p, fault) != 0)
			return err;
	}
	if (err == 0 && settle_mtu(p, fault) != 0)
		return -EINVAL;
	if (err == 0)
		err = rte_eth_macaddr_get(p->id, &mac);
	if (err == 0)
		err = rte_eth_dev_start(p->id);
	if (err != 0)
		return steer_fault_set(fault, err,
			"see the dpdk_message lines and the driver's page in DPDK's guide",
			"device %s can't be started: %s", p->device.name, strerror(-err));
	p->started = true;
	io_port_mac_set(p, mac.addr_bytes);
	if (p->device.twin)
		return start_twin(p, n_workers, fault);
	if (is_bifurcated(p))
		return io_flow_create(&p->flow, &io_flow_dpdk, p->id, p->n_rx_queues, fault);
	if (is_af_xdp(p))
		err = start_steering(p, fault);
	return err == 0 && is_af_xdp(p) ? io_first_frame_send(p, pool, fault) : err;
}

int io_port_steer(
	struct io_port *p, const struct steer_claim *own, size_t n, struct steer_fault *fault)
{
	int err = 0;

	if (p->flow != NULL)
		return io_flow_update(p->flow, own, n, fault);
	if (p->steer != NULL)
		err = steer_update(p->steer, own, n);
	return err == 0
		       ? 0
		       : steer_fault_set(fault, err, "fewer listeners and relay addresses",
				 "the steering program's maps can't be filled: %s", strerror(-err));
}

// The program first: under load a driver may redirect to sockets that are being closed. From here
// on the guard keeps the kernel from answering.
static void close_device(struct io_port *p)
{
	steer_remove(p->steer);
	p->steer = NULL;
	stop_twin(p);
	io_flow_destroy(p->flow);
	p->flow = NULL;
	if (p->started)
		rte_eth_dev_stop(p->id);
	if (p->probed)
		rte_eth_dev_close(p->id);
	p->started = false;
	p->probed = false;
	p->n_xsk_fds = 0;
}

bool io_port_shut(struct io_port *p)
{
	struct rte_eth_dev_info info = {.device = NULL};
	uint16_t n_fds = p->n_xsk_fds;
	struct steer_fault ignored;

	if (p->probed)
		rte_eth_dev_info_get(p->id, &info);
	close_device(p);
	for (uint16_t q = 0; q < n_fds; q++)
		io_xsk_release(p->xsk_fds[q]);
	// A start that failed half-way leaves the driver's own attachment.
	if (is_af_xdp(p))
		(void)steer_clear(p->device.interface, &ignored);
	p->mute = false;
	return info.device == NULL || rte_dev_remove(info.device) == 0;
}

bool io_port_lower(struct io_port *p)
{
	return p->mute && io_device_lower(&p->device) && io_port_shut(p);
}

void io_port_close(struct io_port *p)
{
	close_device(p);
	steer_interface_unlock(p->lock_directory, p->device.interface, p->lock_fd);
	p->lock_fd = -1;
}

int io_port_verify(struct io_port *p, struct steer_fault *fault)
{
	return p->steer != NULL ? steer_verify(p->steer, fault) : 0;
}
