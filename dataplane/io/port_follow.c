// SPDX-License-Identifier: BSD-3-Clause
// A port's interface while the port runs: its link, name, MAC address, MTU and queues.
#include "port_follow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_ethdev.h>

void io_port_mac_set(struct io_port *p, const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(p->mac, mac, sizeof(p->mac));
	for (unsigned i = 0; i < sizeof(p->mac); i++)
		word |= (uint64_t)mac[i] << 8 * i;
	atomic_store_explicit(&p->mac_now, word, memory_order_relaxed);
}

static bool device_up(const struct io_port *p, bool otherwise)
{
	struct rte_eth_link state;

	if (rte_eth_link_get_nowait(p->id, &state) != 0)
		return otherwise;
	return state.link_status == RTE_ETH_LINK_UP;
}

const char *io_port_interface(const struct io_port *p)
{
	return p->link.name[0] != '\0' ? p->link.name : p->device.interface;
}

// The kernel's side of a device that the kernel sees.
static unsigned follow_interface(struct io_port *p, const struct steer_link *now)
{
	uint32_t mtu = now->mtu < p->mtu_max ? now->mtu : p->mtu_max;
	unsigned changed = 0;

	if (now->mtu != p->link.mtu)
		changed |= IO_PORT_MTU;
	if (now->rx_queues != p->link.rx_queues)
		changed |= IO_PORT_QUEUES;
	if (strcmp(now->name, p->link.name) != 0) {
		changed |= IO_PORT_NAME;
		memcpy(p->link.name, now->name, sizeof(p->link.name));
	}
	// A twin has the device's address, whatever somebody gives it.
	if (p->twin == NULL && memcmp(now->mac, p->mac, sizeof(p->mac)) != 0) {
		changed |= IO_PORT_MAC;
		io_port_mac_set(p, now->mac);
	}
	p->link.mtu = now->mtu;
	p->link.rx_queues = now->rx_queues;
	p->link.rx_missed = now->rx_missed;
	atomic_store_explicit(&p->mtu, (uint16_t)mtu, memory_order_relaxed);
	return changed;
}

// Whether the kernel has taken the interface from under the sockets since the last call: it was
// removed, or went to another network namespace. One that came since may have its number.
static bool is_cut_off(const struct io_port *p)
{
	for (unsigned q = 0; q < p->n_xsk_fds; q++) {
		int error = 0;
		socklen_t len = sizeof(error);

		if (getsockopt(p->xsk_fds[q], SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
			error != 0)
			return true;
	}
	return false;
}

unsigned io_port_refresh(struct io_port *p, bool *up)
{
	struct steer_link link;
	bool was = *up;
	unsigned changed = 0;
	int err;

	if (p->link.ifindex == 0) {
		*up = device_up(p, was);
		return *up != was ? IO_PORT_LINK : 0;
	}
	*up = true;
	if (p->twin != NULL) {
		*up = device_up(p, was);
		if (*up != was)
			io_twin_carrier(p->twin, *up);
	}
	p->cut_off |= is_cut_off(p);
	err = p->cut_off ? -ENODEV : steer_link_read_index(p->link.ifindex, &link);
	if (err == -ENODEV) {
		*up = false;
		if (steer_link_read(p->device.interface, &link) == 0)
			changed = IO_PORT_REPLACED;
	} else if (err == 0) {
		changed = follow_interface(p, &link);
		if (p->twin == NULL)
			*up = link.up;
	} else if (p->twin == NULL) {
		// The kernel has not answered: nothing is known of the interface.
		*up = was;
	}
	return changed | (*up != was ? IO_PORT_LINK : 0);
}

unsigned io_port_unserved(const struct io_port *p)
{
	return p->device.driver == IO_AF_XDP && p->link.rx_queues > p->n_rx_queues
		       ? p->link.rx_queues - p->n_rx_queues
		       : 0;
}
