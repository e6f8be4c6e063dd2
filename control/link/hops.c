// SPDX-License-Identifier: BSD-3-Clause
#include <link/hops.h>

#include <errno.h>
#include <stdio.h>

#include <log/log.h>

#define SYNC_MS		   5000u
// Routes that change all the time must not have the tables begin anew all the time.
#define ROUTES_INTERVAL_NS (50 * TP_NS_PER_MS)
#define GATEWAYS_NS	   (10 * TP_NS_PER_S) // a third of a lease
#define ASKS_PER_S	   16u

// The data plane's port on this interface, -1: none.
static int port_of(const struct link_hops *h, uint32_t ifindex)
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

int link_hops_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	const struct link_hops *h = ctx;
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

uint64_t link_hops_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	const struct link_hops *h = ctx;
	struct net_neighbour n = net_mirror_neighbour(h->mirror, gateway, ifindex);
	int port = port_of(h, ifindex);

	if (n.state != NET_NEIGHBOUR_USABLE || port < 0)
		return 0;
	return tp_next_hop_pack(n.mac, (uint8_t)port);
}

// Asks the kernel again for a neighbour that it forgot (its link went down, the table was flushed)
// or gave up (the host answers no more, another may soon): kernel sockets would do the same with
// their next packet. A neighbour that has been given up before waits for the data plane's own
// interval, unless few are in that state.
static void hop_ask(struct link_hops *h, uint32_t slot, const struct tp_addr *addr, bool given_up)
{
	if (given_up)
		log_event(LOG_EV_NEXT_HOP_UNRESOLVED,
			LOG_FIELDS(log_ip("next_hop", addr),
				log_str("remedy", "is the host up, and on this link?")));
	if (given_up && h->asks_left == 0)
		return;
	h->asks_left -= given_up;
	tables_next_hop_ask(h->tables, slot);
}

static void word_set(struct link_hops *h, uint32_t slot, uint64_t word, const struct tp_addr *addr)
{
	uint64_t was =
		atomic_load_explicit(&tables_shm(h->tables)->next_hops[slot], memory_order_relaxed);
	uint8_t mac[6], port;
	char text[18];

	if (was == word)
		return;
	tables_next_hop_set(h->tables, slot, word);
	tp_next_hop_unpack(word, mac, &port);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	if (was != 0)
		log_event(LOG_EV_NEXT_HOP_CHANGED,
			LOG_FIELDS(log_ip("next_hop", addr), log_str("mac", text),
				log_u64("port", port)));
}

// A neighbour that the kernel forgot or asks again keeps the word it had: its frames may still
// arrive, and nothing better is known.
static void word_follow(struct link_hops *h, const struct tp_addr *addr, uint32_t ifindex)
{
	uint32_t slot = tables_next_hop_find(h->tables, addr, ifindex);
	enum net_neighbour_state state;
	uint64_t word;

	if (slot == 0)
		return;
	word = link_hops_neighbour(h, addr, ifindex);
	state = net_mirror_neighbour(h->mirror, addr, ifindex).state;
	if (word != 0)
		word_set(h, slot, word, addr);
	if (word == 0 && state == NET_NEIGHBOUR_FAILED)
		tables_next_hop_failed(h->tables, slot);
	if (word == 0 && (state == NET_NEIGHBOUR_UNKNOWN || state == NET_NEIGHBOUR_FAILED))
		hop_ask(h, slot, addr, state == NET_NEIGHBOUR_FAILED);
}

// A link that came up has lost its neighbours, some of them without a message.
static void link_follow(struct link_hops *h, uint32_t ifindex)
{
	struct tables_next_hop hop;
	struct net_link link;
	uint32_t cursor = 0;

	if (net_mirror_link(h->mirror, ifindex, &link) < 0 || !link.up)
		return;
	while (tables_next_hop_next(h->tables, &cursor, &hop)) {
		if (hop.ifindex == ifindex)
			tables_next_hop_ask(h->tables, hop.slot);
	}
}

static void on_change(void *ctx, const struct net_change *change)
{
	struct link_hops *h = ctx;

	if (change->kind == NET_ROUTE && change->addr.family != TP_FAMILY_NONE &&
		h->n_routes < LINK_ROUTES_MAX)
		h->routes[h->n_routes++] = *change;
	else if (change->kind != NET_NEIGHBOUR)
		h->routes_dirty = true;
	if (h->tables == NULL)
		return;
	if (change->kind == NET_NEIGHBOUR)
		word_follow(h, &change->addr, change->ifindex);
	else if (change->kind == NET_LINK)
		link_follow(h, change->ifindex);
}

int link_hops_init(struct link_hops *h)
{
	int rc;

	*h = (struct link_hops){.routes_dirty = true};
	h->mirror = net_mirror_create(on_change, h);
	if (h->mirror == NULL)
		return -errno;
	h->watch = net_watch_create(h->mirror);
	rc = h->watch == NULL ? -errno : net_watch_sync(h->watch, SYNC_MS);
	if (rc < 0)
		link_hops_fini(h);
	return rc;
}

void link_hops_fini(struct link_hops *h)
{
	if (h->watch != NULL)
		net_watch_destroy(h->watch);
	if (h->mirror != NULL)
		net_mirror_destroy(h->mirror);
	*h = (struct link_hops){0};
}

void link_hops_attach_tables(struct link_hops *h, struct tables *t)
{
	h->tables = t;
	h->routes_dirty = true;
}

void link_hops_attach_state(struct link_hops *h, const struct shm_state *state)
{
	h->state = state;
	// Ports may have other numbers now, and routes by them may count that did not.
	h->routes_dirty = true;
	h->words_dirty = true;
}

int link_hops_fd(const struct link_hops *h)
{
	return net_watch_fd(h->watch);
}

void link_hops_read(struct link_hops *h, uint64_t now_ns)
{
	if (net_watch_read(h->watch, now_ns) < 0)
		h->lost++;
}

static void words_follow(struct link_hops *h)
{
	struct tables_next_hop hop;
	uint32_t cursor = 0;

	while (tables_next_hop_next(h->tables, &cursor, &hop)) {
		uint64_t word = link_hops_neighbour(h, &hop.addr, hop.ifindex);

		// Without a port the word would lead to another interface that has its number now.
		if (word != 0 || port_of(h, hop.ifindex) < 0)
			tables_next_hop_set(h->tables, hop.slot, word);
	}
}

// Default gateways are wanted while nobody uses them: the first packets of a call would be dropped
// for as long as the kernel asks for the MAC address.
static void gateways_hold(struct link_hops *h, uint64_t now_ns)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};

	for (size_t i = 0; i < TP_ARRAY_LEN(families); i++) {
		const struct tp_addr any = {.family = families[i]};
		struct tp_addr gateway;
		uint32_t ifindex;

		// Where the default route names no gateway, there is nobody to ask for.
		if (link_hops_next_hop(h, &any, &gateway, &ifindex) == 0 &&
			!tp_addr_same_ip(&gateway, &any))
			(void)tables_next_hop_lease(h->tables, now_ns, &any);
	}
	h->gateways_ns = now_ns + GATEWAYS_NS;
}

static bool is_attached(const struct link_hops *h)
{
	return h->tables != NULL && h->state != NULL;
}

static void routes_follow(struct link_hops *h, uint64_t now_ns)
{
	if (h->routes_dirty)
		tables_routes_changed(h->tables);
	for (unsigned i = 0; i < h->n_routes && !h->routes_dirty; i++)
		tables_route_changed(h->tables, &h->routes[i].addr, h->routes[i].prefix_len);
	h->routes_dirty = false;
	h->n_routes = 0;
	h->routes_ns = now_ns;
	h->gateways_ns = 0;
}

void link_hops_advance(struct link_hops *h, uint64_t now_ns)
{
	if (net_watch_advance(h->watch, now_ns) < 0)
		h->lost++;
	if (now_ns - h->asks_ns >= TP_NS_PER_S) {
		h->asks_ns = now_ns;
		h->asks_left = ASKS_PER_S;
	}
	if (!is_attached(h))
		return;
	if ((h->routes_dirty || h->n_routes != 0) && now_ns >= h->routes_ns + ROUTES_INTERVAL_NS)
		routes_follow(h, now_ns);
	if (now_ns >= h->gateways_ns)
		gateways_hold(h, now_ns);
	if (h->words_dirty) {
		h->words_dirty = false;
		words_follow(h);
	}
}

uint64_t link_hops_deadline(const struct link_hops *h)
{
	uint64_t first = net_watch_deadline(h->watch);

	if (is_attached(h) && h->words_dirty)
		return 0;
	if (is_attached(h) && (h->routes_dirty || h->n_routes != 0) &&
		h->routes_ns + ROUTES_INTERVAL_NS < first)
		first = h->routes_ns + ROUTES_INTERVAL_NS;
	if (is_attached(h) && h->gateways_ns < first)
		first = h->gateways_ns;
	return first;
}
