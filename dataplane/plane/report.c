// SPDX-License-Identifier: BSD-3-Clause
// The words by which the data plane reports itself in its file: signs of life, ports, flags,
// counters.
#include <plane/attach.h>

#include <string.h>

void plane_attach_heartbeat(struct attach *a, uint64_t now_ns)
{
	if (a->mapped) {
		atomic_store_explicit(
			&a->segment.state.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
		atomic_store_explicit(
			&a->segment.punt.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
	}
}

void plane_attach_link(struct attach *a, unsigned port, bool up)
{
	if (a->mapped)
		atomic_store_explicit(&a->segment.state.header->ports[port].link_up, up ? 1 : 0,
			memory_order_relaxed);
}

void plane_attach_port(struct attach *a, unsigned port)
{
	const struct io_port *p = &a->settings.ports[port];
	struct tp_port *t;

	if (!a->mapped)
		return;
	t = &a->segment.state.header->ports[port];
	memcpy(t->interface, io_port_interface(p), sizeof(t->interface));
	memcpy(t->mac, p->mac, sizeof(t->mac));
	t->mtu = atomic_load_explicit(&p->mtu, memory_order_relaxed);
	atomic_store_explicit(&t->xdp, io_port_xdp(p), memory_order_relaxed);
}

void plane_attach_flag(struct attach *a, uint32_t flag, bool on)
{
	a->settings.flags = on ? a->settings.flags | flag : a->settings.flags & ~flag;
	if (a->mapped && on)
		atomic_fetch_or(&a->segment.state.header->flags, flag);
	else if (a->mapped)
		atomic_fetch_and(&a->segment.state.header->flags, ~flag);
}

bool plane_attach_count(struct attach *a, unsigned port, const struct io_port_counters *more)
{
	struct tp_port *t;

	if (!a->mapped)
		return false;
	t = &a->segment.state.header->ports[port];
	atomic_fetch_add_explicit(
		&t->rx_no_buffer, (uint32_t)more->rx_no_buffer, memory_order_relaxed);
	tp_count(&t->rx_missed, more->rx_missed);
	tp_count(&t->rx_errors, more->rx_errors);
	tp_count(&t->tx_errors, more->tx_errors);
	tp_count(&t->rx_unserved, more->rx_unserved);
	tp_count(&t->rx_ring_full, more->rx_ring_full);
	tp_count(&t->tx_invalid, more->tx_invalid);
	tp_count(&t->rx_fill_empty, more->rx_fill_empty);
	return true;
}
