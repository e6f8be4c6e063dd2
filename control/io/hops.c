// SPDX-License-Identifier: BSD-3-Clause
#include "hops.h"

#include <errno.h>

#define SYNC_MS		   5000u
// Routes that change all the time must not have the tables begin anew all the time.
#define ROUTES_INTERVAL_NS (50 * TP_NS_PER_MS)
#define GATEWAYS_NS	   (10 * TP_NS_PER_S) // a third of a lease

// The data plane's port on this interface, -1: none.
static int port_of(const struct io_hops *h, uint32_t ifindex)
{
	if (h->state == NULL || ifindex == 0)
		return -1;
	for (uint32_t i = 0; i < h->state->n_ports; i++) {
		if (h->state->header->ports[i].ifindex == ifindex)
			return (int)i;
	}
	return -1;
}

static bool link_is_port(void *ctx, uint32_t ifindex)
{
	return port_of(ctx, ifindex) >= 0;
}

int io_hops_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	const struct io_hops *h = ctx;
	struct net_next_hop hop;
	int rc;

	if (h->state == NULL)
		return -EAGAIN;
	// One of this host's own: no packet to it leaves by a port.
	if (net_mirror_address_owner(h->mirror, dst) != 0)
		return -ENETUNREACH;
	// Packets leave by the data plane's ports or not at all: a better route by another
	// interface is none.
	rc = net_mirror_route(h->mirror, dst, link_is_port, ctx, &hop);
	if (rc < 0)
		return rc;
	*gateway = hop.addr;
	*ifindex = hop.ifindex;
	return 0;
}

uint64_t io_hops_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	const struct io_hops *h = ctx;
	struct net_neighbour n = net_mirror_neighbour(h->mirror, gateway, ifindex);
	int port = port_of(h, ifindex);

	if (n.state != NET_NEIGHBOUR_USABLE || port < 0)
		return 0;
	return tp_next_hop_pack(n.mac, (uint8_t)port);
}

// A neighbour that the kernel forgot or asks again keeps the word it had: its frames may still
// arrive, and nothing better is known.
static void word_follow(struct io_hops *h, const struct tp_addr *addr, uint32_t ifindex)
{
	uint32_t slot = tables_next_hop_find(h->tables, addr, ifindex);
	uint64_t word = slot == 0 ? 0 : io_hops_neighbour(h, addr, ifindex);

	if (word != 0)
		tables_next_hop_set(h->tables, slot, word);
}

static void on_change(void *ctx, const struct net_change *change)
{
	struct io_hops *h = ctx;

	if (change->kind != NET_NEIGHBOUR)
		h->routes_dirty = true;
	else if (h->tables != NULL)
		word_follow(h, &change->addr, change->ifindex);
}

int io_hops_init(struct io_hops *h)
{
	int rc;

	*h = (struct io_hops){.routes_dirty = true};
	h->mirror = net_mirror_create(on_change, h);
	if (h->mirror == NULL)
		return -errno;
	h->watch = net_watch_create(h->mirror);
	rc = h->watch == NULL ? -errno : net_watch_sync(h->watch, SYNC_MS);
	if (rc < 0)
		io_hops_fini(h);
	return rc;
}

void io_hops_fini(struct io_hops *h)
{
	if (h->watch != NULL)
		net_watch_destroy(h->watch);
	if (h->mirror != NULL)
		net_mirror_destroy(h->mirror);
	*h = (struct io_hops){0};
}

void io_hops_attach_tables(struct io_hops *h, struct tables *t)
{
	h->tables = t;
	h->routes_dirty = true;
}

void io_hops_attach_state(struct io_hops *h, const struct shm_state *state)
{
	h->state = state;
	// Ports may have other numbers now, and routes by them may count that did not.
	h->routes_dirty = true;
	h->words_dirty = true;
}

int io_hops_fd(const struct io_hops *h)
{
	return net_watch_fd(h->watch);
}

void io_hops_read(struct io_hops *h, uint64_t now_ns)
{
	if (net_watch_read(h->watch, now_ns) < 0)
		h->lost++;
}

static void words_follow(struct io_hops *h)
{
	struct tables_next_hop hop;
	uint32_t cursor = 0;

	while (tables_next_hop_next(h->tables, &cursor, &hop)) {
		uint64_t word = io_hops_neighbour(h, &hop.addr, hop.ifindex);

		// Without a port a word would lead to whatever has its number now.
		if (word != 0 || port_of(h, hop.ifindex) < 0)
			tables_next_hop_set(h->tables, hop.slot, word);
	}
}

// Default gateways are wanted while nobody uses them: the first packets of a call would be dropped
// for as long as the kernel asks for the MAC address.
static void gateways_hold(struct io_hops *h, uint64_t now_ns)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};

	for (size_t i = 0; i < TP_ARRAY_LEN(families); i++) {
		const struct tp_addr any = {.family = families[i]};
		struct tp_addr gateway;
		uint32_t ifindex;

		// Where the default route names no gateway, there is nobody to ask for.
		if (io_hops_next_hop(h, &any, &gateway, &ifindex) == 0 &&
			!tp_addr_same_ip(&gateway, &any))
			(void)tables_next_hop_lease(h->tables, now_ns, &any);
	}
	h->gateways_ns = now_ns + GATEWAYS_NS;
}

static bool is_attached(const struct io_hops *h)
{
	return h->tables != NULL && h->state != NULL;
}

void io_hops_advance(struct io_hops *h, uint64_t now_ns)
{
	if (net_watch_advance(h->watch, now_ns) < 0)
		h->lost++;
	if (!is_attached(h))
		return;
	if (h->routes_dirty && now_ns >= h->routes_ns + ROUTES_INTERVAL_NS) {
		h->routes_dirty = false;
		h->routes_ns = now_ns;
		tables_routes_changed(h->tables);
		h->gateways_ns = 0;
	}
	if (now_ns >= h->gateways_ns)
		gateways_hold(h, now_ns);
	if (h->words_dirty) {
		h->words_dirty = false;
		words_follow(h);
	}
}

uint64_t io_hops_deadline(const struct io_hops *h)
{
	uint64_t first = net_watch_deadline(h->watch);

	if (is_attached(h) && h->words_dirty)
		return 0;
	if (is_attached(h) && h->routes_dirty && h->routes_ns + ROUTES_INTERVAL_NS < first)
		first = h->routes_ns + ROUTES_INTERVAL_NS;
	if (is_attached(h) && h->gateways_ns < first)
		first = h->gateways_ns;
	return first;
}
