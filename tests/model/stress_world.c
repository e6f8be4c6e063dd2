// SPDX-License-Identifier: BSD-3-Clause
#include "stress.h"

#include <entry/template.h>

#include <stdio.h>
#include <stdlib.h>

#include "scratch_place.h"

#define ALLOCATIONS 1500u
#define STABLE	    100u

void stress_die(const char *what, const struct shm_error *err)
{
	fprintf(stderr, "%s%s%s\n", what, err != NULL ? ": " : "", err != NULL ? err->text : "");
	_exit(2);
}

void world_init(struct world *w, const struct options *options)
{
	memset(w, 0, sizeof(*w));
	w->options = *options;
	w->n_allocations = ALLOCATIONS;
	w->n_stable = STABLE;
	w->expected = calloc((size_t)ALLOCATIONS * OBJECTS, sizeof(*w->expected));
	if (w->expected == NULL)
		stress_die("no memory", NULL);
	scratch_place_make(&w->place);
}

// Twenty keys and more per bucket of eight, so that chains grow and shrink all the time.
struct shm_tables_shape world_shape(const struct world *w)
{
	return (struct shm_tables_shape){.n_entries = w->n_allocations * OBJECTS * 3 / 2,
		.n_buckets = 512,
		.n_overflow = 6000,
		.n_next_hops = 16,
		.n_port_indexes = 2,
		.n_allocations = w->n_allocations * 2,
		.n_workers = 1};
}

static struct tp_addr addr6(uint32_t net, uint32_t host, uint16_t port)
{
	uint8_t ip[16] = {0xfd, 0x77};

	tp_store_be32(ip + 4, net);
	tp_store_be32(ip + 12, host);
	return tp_addr_ipv6(ip, port);
}

static bool is_ipv6(uint32_t n)
{
	return n % 4 == 3;
}

static struct tp_addr client_of(uint32_t n)
{
	uint16_t port = (uint16_t)(1024 + n % 7);

	return is_ipv6(n) ? addr6(1, n, port) : tp_addr_ipv4(0x0b000000 + n, port);
}

struct tp_addr world_peer(const struct world *w, uint32_t n, uint32_t k)
{
	uint32_t number = n * PEERS + k;
	uint16_t port = (uint16_t)(6000 + k);

	(void)w;
	return is_ipv6(n) ? addr6(2, number, port) : tp_addr_ipv4(0x0c000000 + number, port);
}

static const struct tables_local *listener_of(const struct world *w, uint32_t n)
{
	return &w->locals[is_ipv6(n) ? 1 : 0];
}

static const struct tables_local *relay_of(const struct world *w, uint32_t n)
{
	return &w->locals[is_ipv6(n) ? 3 : 2];
}

static struct tp_addr relayed_of(const struct world *w, uint32_t n)
{
	struct tp_addr a = relay_of(w, n)->addr;

	a.port_be = tp_htons((uint16_t)(20000 + n));
	return a;
}

struct turn_allocation_record world_record(const struct world *w, uint32_t n)
{
	struct turn_allocation_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.client.remote = client_of(n);
	rec.client.listener_id = listener_of(w, n)->id;
	rec.relay[0].local = rec.relay[0].advertised = relayed_of(w, n);
	rec.relay[0].relay_id = relay_of(w, n)->id;
	rec.relay[0].expires_s = 1000000;
	rec.created_ns = n;
	rec.key_len = 16;
	// Now and then a name that needs a block of its own.
	rec.username_len = (uint16_t)snprintf(
		(char *)rec.username, sizeof(rec.username), "%0*u", n % 50 == 0 ? 300 : 8, n);
	return rec;
}

static void channel_expected(struct world *w, uint32_t n, uint32_t k, struct tp_entry *all)
{
	struct tp_addr listener = listener_of(w, n)->addr, client = client_of(n),
		       relayed = relayed_of(w, n), peer = world_peer(w, n, k);
	uint16_t number = (uint16_t)(0x4000 + k), relay_id = relay_of(w, n)->id;
	struct tp_entry *p = &all[OBJECT_PERMISSION + k], *c = &all[OBJECT_CHANNEL + k],
			*e = &all[OBJECT_PEER + k];

	// The permission's key holds the allocation's index, which the slot settles.
	p->key = tp_key_permission(&peer, 0);
	c->key = tp_key_channel(&client, listener_of(w, n)->id, number);
	e->key = tp_key_peer(&peer, relay_id, relayed.port_be);
	if (entry_template_permission(p, &relayed, &peer) < 0 ||
		entry_template_channel(c, &listener, &client, number, &relayed, &peer) < 0 ||
		entry_template_peer(e, &listener, &client, number, &relayed, &peer) < 0)
		stress_die("template", NULL);
	p->relay_id = c->relay_id = e->relay_id = relay_id;
	p->port_be = c->port_be = e->port_be = relayed.port_be;
}

void world_configure(struct world *w, struct tables *t)
{
	struct tables_local locals[4] = {
		{.addr = tp_addr_ipv4(0x0a000001, 3478), .role = TP_ROLE_LISTENER, .transport = 1},
		{.addr = addr6(0, 1, 3478), .role = TP_ROLE_LISTENER, .transport = 1},
		{.addr = tp_addr_ipv4(0x0a000002, 0), .role = TP_ROLE_RELAY},
		{.addr = addr6(0, 2, 0), .role = TP_ROLE_RELAY},
	};
	struct tp_path_config path = {.relay_port_min = 1024, .relay_port_max = 65535};
	struct shm_error err;

	for (unsigned i = 0; i < 4; i++)
		locals[i].external = locals[i].addr;
	memcpy(w->locals, locals, sizeof(locals));
	if (tables_configure(t, w->locals, 4, &path, &err) < 0)
		stress_die("configure", &err);
	for (uint32_t n = 0; n < w->n_allocations; n++) {
		struct tp_entry *all = &w->expected[(size_t)n * OBJECTS];
		struct tp_addr client = client_of(n);

		memset(all, 0, OBJECTS * sizeof(*all));
		all->key = tp_key_allocation(&client, listener_of(w, n)->id);
		all->relay[0].relay_id = relay_of(w, n)->id;
		all->relay[0].port_be = relayed_of(w, n).port_be;
		if (entry_template_allocation(all, &listener_of(w, n)->addr, &client) < 0)
			stress_die("template", NULL);
		for (uint32_t k = 0; k < PEERS; k++)
			channel_expected(w, n, k, all);
	}
}

const struct tp_entry *world_expected(const struct world *w, uint32_t n, uint32_t object)
{
	return &w->expected[(size_t)n * OBJECTS + object];
}

bool world_locate(const struct world *w, const struct tp_key *key, uint32_t *n, uint32_t *object)
{
	uint32_t low =
		tp_load_be32(key->family == TP_FAMILY_IPV6 ? key->ip + 12 : key->ip) & 0xffffff;
	uint32_t k = low % PEERS;

	switch (key->kind) {
	case TP_KIND_ALLOCATION:
		*n = low;
		*object = OBJECT_ALLOCATION;
		break;
	case TP_KIND_CHANNEL:
		*n = low;
		*object = OBJECT_CHANNEL + (key->selector - 0x4000u) % PEERS;
		break;
	case TP_KIND_PEER:
	case TP_KIND_PERMISSION:
		*n = low / PEERS;
		*object = (key->kind == TP_KIND_PEER ? OBJECT_PEER : OBJECT_PERMISSION) + k;
		break;
	default:
		return false;
	}
	return *n < w->n_allocations;
}

void entry_copy(struct tp_entry *to, const struct tp_entry *from)
{
	memset(to, 0, sizeof(*to));
	to->key = from->key;
	to->allocation = from->allocation;
	atomic_init(&to->partner, atomic_load_explicit(&from->partner, memory_order_relaxed));
	to->generation = from->generation;
	memcpy((uint8_t *)to + offsetof(struct tp_entry, sum_in),
		(const uint8_t *)from + offsetof(struct tp_entry, sum_in),
		sizeof(*to) - offsetof(struct tp_entry, sum_in));
}

bool world_content_right(const struct tp_entry *copy, const struct tp_entry *expected)
{
	size_t off = offsetof(struct tp_entry, sum_in);

	return memcmp((const uint8_t *)copy + off, (const uint8_t *)expected + off,
		       sizeof(*copy) - off) == 0;
}
