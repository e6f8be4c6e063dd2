// SPDX-License-Identifier: BSD-3-Clause
// A writer with tables of its own and a data plane that only passes grace periods.
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <tables/writer.h>

#include "scratch_place.h"

#define GATEWAY_V4 0x0a4d00feu // 10.77.0.254
#define LISTENER   0
#define RELAY_V4   1
#define RELAY_V6   2
#define LISTENER6  3

struct fixture {
	struct shm_place place;
	struct shm_error err;
	struct tables *t;
	struct turn_store store;
	struct shm_state state;
	struct tables_local locals[8];
	unsigned n_locals;
	struct tp_path_config path;
	uint64_t now_ns;
	// env
	bool routes_known;
	uint32_t ifindex; // of every route; 0: no route
	unsigned n_asked; // for a route
	uint64_t mac_word;
	unsigned n_ended;
	uint8_t ended_reason;
	struct tables_usage ended;
	uint64_t rest; // octets of it that were not charged
	struct turn_allocation_record ended_record;
	uint32_t ended_ref;
};

// Off 10.77.0.0/24 and fd77::/64 by the gateway, on it directly.
static int fixture_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	struct fixture *f = ctx;
	static const uint8_t link6[8] = {0xfd, 0x77};
	struct tp_addr gateway6 = {.ip = {0xfd, 0x77, [15] = 0xfe}, .family = TP_FAMILY_IPV6};
	bool on_link = dst->family == TP_FAMILY_IPV4 ? tp_load_be32(dst->ip) >> 8 == 0x0a4d00
						     : memcmp(dst->ip, link6, 8) == 0;

	f->n_asked++;
	assert_int_equal(dst->port_be, 0);
	if (!f->routes_known)
		return -EAGAIN;
	if (f->ifindex == 0)
		return -ENETUNREACH;
	*gateway = on_link			   ? *dst
		   : dst->family == TP_FAMILY_IPV4 ? tp_addr_ipv4(GATEWAY_V4, 0)
						   : gateway6;
	*ifindex = f->ifindex;
	return 0;
}

static uint64_t fixture_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	(void)gateway;
	(void)ifindex;
	return ((const struct fixture *)ctx)->mac_word;
}

static void fixture_rest(void *ctx, const struct turn_allocation_record *rec, uint64_t octets)
{
	(void)rec;
	((struct fixture *)ctx)->rest = octets;
}

static void fixture_ended(void *ctx, const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason)
{
	struct fixture *f = ctx;

	f->n_ended++;
	f->ended_reason = reason;
	f->ended = *usage;
	f->ended_record = *rec;
	f->ended_ref = ref;
}

static inline struct tables_env fixture_env(struct fixture *f)
{
	return (struct tables_env){.ctx = f,
		.next_hop = fixture_next_hop,
		.neighbour = fixture_neighbour,
		.ended = fixture_ended,
		.rest = fixture_rest};
}

static inline struct tp_addr addr6(uint16_t subnet, uint64_t host, uint16_t port)
{
	uint8_t ip[16] = {0xfd, 0x77};

	tp_store_be16(ip + 2, subnet);
	tp_store_be64(ip + 8, host);
	return tp_addr_ipv6(ip, port);
}

static inline void fixture_locals(struct fixture *f)
{
	struct tables_local locals[4] = {
		{.addr = tp_addr_ipv4(0x0a4d0001, 3478),
			.role = TP_ROLE_LISTENER,
			.transport = TP_TRANSPORT_UDP},
		{.addr = tp_addr_ipv4(0x0a4d0001, 0), .role = TP_ROLE_RELAY},
		{.addr = addr6(0, 1, 0), .role = TP_ROLE_RELAY},
		{.addr = addr6(0, 1, 3478),
			.role = TP_ROLE_LISTENER,
			.transport = TP_TRANSPORT_UDP},
	};

	memcpy(f->locals, locals, sizeof(locals));
	f->n_locals = 4;
	for (unsigned i = 0; i < 4; i++)
		f->locals[i].external = f->locals[i].addr;
	f->locals[RELAY_V4].external = tp_addr_ipv4(0xcb007101, 0); // 203.0.113.1
	f->path.relay_port_min = 49152;
	f->path.relay_port_max = 65535;
}

static inline void fixture_configure(struct fixture *f)
{
	if (tables_configure(f->t, f->locals, f->n_locals, &f->path, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static inline void fixture_state_make(struct fixture *f, uint32_t n_workers)
{
	assert_int_equal(
		shm_state_create(&f->state, &f->place, tables_shm(f->t), n_workers, &f->err), 0);
	shm_state_adopt(&f->state, tables_shm(f->t));
	assert_int_equal(shm_file_publish(&f->state.file, &f->place, &f->err), 0);
	tables_attach_state(f->t, &f->state);
}

static inline struct fixture *fixture_make(const struct shm_tables_shape *shape)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct tables_env env = fixture_env(f);

	scratch_place_make(&f->place);
	f->routes_known = true;
	f->ifindex = 2;
	f->now_ns = 1000 * TP_NS_PER_S;
	if (tables_create(&f->t, &f->place, shape, &env, &f->err) < 0)
		fail_msg("%s", f->err.text);
	atomic_store(&tables_shm(f->t)->header->gp_req, 0xfffffff0); // wraps soon
	fixture_locals(f);
	fixture_configure(f);
	assert_int_equal(tables_publish(f->t, &f->err), 0);
	f->store = tables_store(f->t);
	fixture_state_make(f, 2);
	return f;
}

static inline void fixture_free(struct fixture *f)
{
	shm_state_close(&f->state);
	tables_destroy(f->t);
	scratch_place_remove(&f->place);
	free(f);
}

// The writer asks, the data plane answers, the writer sees it.
static inline void fixture_grace(struct fixture *f)
{
	f->now_ns += 20 * TP_NS_PER_MS;
	tables_advance(f->t, f->now_ns);
	shm_state_adopt(&f->state, tables_shm(f->t));
	tables_advance(f->t, f->now_ns);
}

// Another process takes over: the old writer's memory is gone. `visitor` may be NULL.
static inline int fixture_take_over(struct fixture *f)
{
	struct tables_env env = fixture_env(f);

	tables_destroy(f->t);
	f->t = NULL;
	if (tables_open(&f->t, &f->place, &env, &f->err) < 0)
		fail_msg("%s", f->err.text);
	fixture_configure(f);
	tables_attach_state(f->t, &f->state);
	f->store = tables_store(f->t);
	return 0;
}

static inline struct turn_allocation_record fixture_record(struct fixture *f, uint32_t n)
{
	struct turn_allocation_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.client.remote = tp_addr_ipv4(0x0a4d0100 + (n >> 12), (uint16_t)(1024 + n % 4096));
	rec.client.listener_id = f->locals[LISTENER].id;
	rec.relay[0].local = f->locals[RELAY_V4].addr;
	rec.relay[0].local.port_be = tp_htons((uint16_t)(49152 + n));
	rec.relay[0].advertised = f->locals[RELAY_V4].external;
	rec.relay[0].advertised.port_be = rec.relay[0].local.port_be;
	rec.relay[0].relay_id = f->locals[RELAY_V4].id;
	rec.relay[0].expires_s = 1600;
	rec.created_ns = f->now_ns + n;
	rec.lifetime_s = 600;
	memcpy(rec.txid, "transaction!", 12);
	rec.requested_family = TP_FAMILY_IPV4;
	rec.username_len = (uint16_t)snprintf((char *)rec.username, 40, "user %u", n);
	rec.key_len = 16;
	memset(rec.key, (int)n + 1, 16);
	return rec;
}

static inline uint32_t fixture_allocate(struct fixture *f, uint32_t n)
{
	struct turn_allocation_record rec = fixture_record(f, n);
	uint32_t ref = 0;

	assert_int_equal(f->store.allocation_add(f->store.ctx, &rec, &ref), 0);
	assert_int_not_equal(ref, 0);
	return ref;
}

static inline struct tp_addr fixture_peer(uint32_t n)
{
	return tp_addr_ipv4(0x0a4d0200 + (n >> 8), (uint16_t)(30000 + n));
}

static inline uint32_t fixture_permit(struct fixture *f, uint32_t allocation, uint32_t n)
{
	struct tp_addr peer = fixture_peer(n);
	uint32_t ref = 0;

	peer.port_be = 0;
	assert_int_equal(f->store.permission_add(f->store.ctx, allocation, &peer, 1300, &ref), 0);
	return ref;
}

static inline uint32_t fixture_bind(
	struct fixture *f, uint32_t allocation, uint16_t number, uint32_t n)
{
	struct tp_addr peer = fixture_peer(n);
	uint32_t ref = 0;

	assert_int_equal(
		f->store.channel_add(f->store.ctx, allocation, number, &peer, 1600, 1300, &ref), 0);
	return ref;
}

static inline const struct tp_entry *fixture_entry(const struct fixture *f, uint32_t i)
{
	return &tables_shm(f->t)->entries[i];
}

static inline uint32_t fixture_find(const struct fixture *f, const struct tp_key *key)
{
	const struct tp_table *t = &tables_shm(f->t)->table;

	return tp_table_find(t, key, tp_table_hash(t, key));
}

static inline uint32_t fixture_port(const struct fixture *f, const struct tp_addr *relayed)
{
	const struct shm_tables *s = tables_shm(f->t);
	uint16_t id = f->locals[relayed->family == TP_FAMILY_IPV4 ? RELAY_V4 : RELAY_V6].id;

	return atomic_load(shm_tables_port(s, s->locals[id].port_index, tp_addr_port(relayed)));
}

static inline struct tables_counts fixture_counts(const struct fixture *f)
{
	struct tables_counts c;

	tables_get_counts(f->t, f->now_ns, &c);
	return c;
}
