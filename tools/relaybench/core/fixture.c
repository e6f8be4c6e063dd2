// SPDX-License-Identifier: BSD-3-Clause
#include <fixture/fixture.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <tables/writer.h>
#include <turnpike/stun.h>

#define ENTRIES_PER_FLOW 4u // ALLOCATION, PERMISSION, CHANNEL, PEER
#define NEXT_HOPS	 16u
#define LIFETIME_S	 86400u
#define GATEWAY_IFINDEX	 1u
#define SLACK_OCTETS	 (16ull << 20)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

// Any key will do: with the same one each run has the same chains in the same buckets.
static const uint8_t hash_key[TP_HASH_KEY_LEN] = {0x52, 0x42};

static struct shm_tables_shape shape_of(const struct bench_population *p)
{
	return (struct shm_tables_shape){
		.n_entries = p->n_flows * ENTRIES_PER_FLOW + 64,
		.n_next_hops = NEXT_HOPS,
		.n_port_indexes = bench_relay_count(p),
		.n_allocations = p->n_flows,
		.n_workers = 1,
		.hash_key = hash_key,
	};
}

uint64_t bench_fixture_octets(const struct bench_population *p)
{
	struct shm_tables_shape shape = shape_of(p);

	return shm_tables_size(&shape) + tables_private_octets(&shape) +
	       (uint64_t)shape.n_entries * sizeof(struct tp_cell) + SLACK_OCTETS;
}

// One gateway for everybody, as on a relay with one uplink.
static int next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	static const uint8_t gateway6[16] = {0xfd, 0x77, [15] = 0xfe};

	(void)ctx;
	*gateway = dst->family == TP_FAMILY_IPV4 ? tp_addr_ipv4(0x0a4d00fe, 0)
						 : tp_addr_ipv6(gateway6, 0);
	*ifindex = GATEWAY_IFINDEX;
	return 0;
}

static uint64_t neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	const struct bench_fixture *s = ctx;

	(void)gateway;
	(void)ifindex;
	return s->next_hop_word;
}

static int configure(struct bench_fixture *s, struct shm_error *err)
{
	struct tables_local locals[BENCH_RELAYS_MAX + 1];
	const struct tp_path_config path = {.relay_port_min = BENCH_RELAY_PORT_MIN,
		.relay_port_max = BENCH_RELAY_PORT_MAX,
		.channel_max = TP_CHANNEL_MAX_COMPAT};
	uint32_t n = bench_relay_count(&s->population);
	int rc;

	memset(locals, 0, sizeof(locals));
	locals[n].addr = bench_listener(s->population.family);
	locals[n].role = TP_ROLE_LISTENER;
	locals[n].transport = TP_TRANSPORT_UDP;
	for (uint32_t i = 0; i < n; i++) {
		locals[i].addr = bench_relay_address(s->population.family, i);
		locals[i].role = TP_ROLE_RELAY;
	}
	for (uint32_t i = 0; i <= n; i++)
		locals[i].external = locals[i].addr;
	rc = tables_configure(s->tables, locals, n + 1, &path, err);
	if (rc != 0)
		return rc;
	s->listener_id = locals[n].id;
	for (uint32_t i = 0; i < n; i++)
		s->relay_ids[i] = locals[i].id;
	return 0;
}

static int flow_add(
	const struct bench_fixture *s, const struct turn_store *store, uint32_t i, uint64_t now)
{
	static const char user[] = "relaybench";
	uint32_t expires_s = tp_expiry_s(now, LIFETIME_S);
	uint8_t family = bench_relay_family(s->population.family);
	struct turn_allocation_record rec = {.created_ns = now,
		.lifetime_s = LIFETIME_S,
		.username_len = sizeof(user) - 1,
		.key_len = 16,
		.requested_family = family};
	struct bench_flow flow;
	struct tp_addr host;
	uint32_t allocation, ref;
	int rc;

	bench_flow_at(&s->population, i, &flow);
	rec.client.remote = flow.client;
	rec.client.listener_id = s->listener_id;
	rec.relay[0] = (struct turn_relay_slot){.local = flow.relayed,
		.advertised = flow.relayed,
		.expires_s = expires_s,
		.relay_id = s->relay_ids[i / BENCH_RELAY_PORTS]};
	tp_store_be32(rec.txid, i);
	memcpy(rec.username, user, sizeof(user) - 1);
	rc = store->allocation_add(store->ctx, &rec, &allocation);
	if (rc != 0)
		return rc;
	host = flow.peer;
	host.port_be = 0;
	rc = store->permission_add(store->ctx, allocation, &host, expires_s, &ref);
	if (rc != 0)
		return rc;
	return store->channel_add(
		store->ctx, allocation, flow.number, &flow.peer, expires_s, expires_s, &ref);
}

static int fill(struct bench_fixture *s, struct shm_error *err)
{
	struct turn_store store = tables_store(s->tables);
	uint64_t start = now_ns();

	store.path_mtu_least(store.ctx, UINT16_MAX);
	for (uint32_t i = 0; i < s->population.n_flows; i++) {
		int rc = flow_add(s, &store, i, start);

		if (rc != 0) {
			err->cause = SHM_SYSTEM;
			snprintf(err->text, sizeof(err->text), "flow %u does not fit: %s", i,
				strerror(-rc));
			err->remedy[0] = '\0';
			return rc;
		}
	}
	s->fill_ns = now_ns() - start;
	return 0;
}

int bench_fixture_create(struct bench_fixture **out, const struct bench_population *p,
	unsigned port, const struct shm_place *place, struct shm_error *err)
{
	static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0xfe};
	struct bench_fixture *s = calloc(1, sizeof(*s));
	struct tables_env env = {.ctx = s, .next_hop = next_hop, .neighbour = neighbour};
	struct shm_tables_shape shape = shape_of(p);
	int rc;

	if (s == NULL) {
		err->cause = SHM_SYSTEM;
		snprintf(err->text, sizeof(err->text), "no memory");
		err->remedy[0] = '\0';
		return -ENOMEM;
	}
	s->population = *p;
	s->next_hop_word = tp_next_hop_pack(mac, (uint8_t)port);
	s->role_fd = shm_role_lock(place, SHM_ROLE_CONTROL, err);
	rc = s->role_fd < 0 ? s->role_fd : tables_create(&s->tables, place, &shape, &env, err);
	if (rc == 0)
		tables_cells_all(s->tables);
	if (rc == 0)
		rc = configure(s, err);
	if (rc == 0)
		rc = tables_publish(s->tables, err);
	if (rc == 0)
		rc = fill(s, err);
	if (rc != 0) {
		bench_fixture_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

void bench_fixture_destroy(struct bench_fixture *s)
{
	if (s == NULL)
		return;
	tables_destroy(s->tables);
	if (s->role_fd >= 0)
		close(s->role_fd);
	free(s);
}

const struct shm_tables *bench_fixture_shm(const struct bench_fixture *s)
{
	return tables_shm(s->tables);
}
