// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <log/log.h>

#include <proc/clock.h>

// ---- callbacks of tables and server -----------------------------------------------------------

static int on_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	struct process *p = ctx;

	return link_hops_next_hop(&p->link.hops, dst, gateway, ifindex);
}

static uint64_t on_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	struct process *p = ctx;

	return link_hops_neighbour(&p->link.hops, gateway, ifindex);
}

static void on_ended(void *ctx, const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason)
{
	(void)ctx;
	process_event_ended(rec, ref, usage, reason);
}

static void on_rest(void *ctx, const struct turn_allocation_record *rec, uint64_t octets)
{
	process_budget_ended(ctx, rec, octets);
}

static void on_random(void *ctx, void *buf, size_t len)
{
	uint8_t *next = buf;

	(void)ctx;
	while (len > 0) {
		ssize_t n = getrandom(next, len, 0);

		// Without randomness there are no keys to go on with.
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			next += n;
			len -= (size_t)n;
		}
	}
}

// ---- recovery -----------------------------------------------------------------------------------

struct recovery {
	struct process *p;
	uint64_t now_ns;
	// Judged last: a channel's peer is that of a permission too.
	uint32_t allocation;
	struct tp_addr peer;
	bool denied;
};

static void on_expect(void *ctx, uint32_t allocations)
{
	const struct recovery *v = ctx;

	turn_restore_expect(v->p->core.turn, allocations);
}

static int on_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	const struct recovery *v = ctx;

	return turn_restore_allocation(v->p->core.turn, v->now_ns, rec, ref);
}

// A new policy holds for old permissions too.
static bool peer_is_denied(struct recovery *v, uint32_t allocation, const struct tp_addr *peer)
{
	if (v->allocation != allocation || !tp_addr_equal(&v->peer, peer)) {
		v->allocation = allocation;
		v->peer = *peer;
		v->denied = !turn_peer_is_allowed(v->p->core.turn, allocation, peer);
	}
	return v->denied;
}

static int on_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct recovery *v = ctx;

	if (peer_is_denied(v, allocation, peer))
		return -EPERM;
	return turn_restore_permission(
		v->p->core.turn, v->now_ns, allocation, peer, expires_s, ref);
}

static int on_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct recovery *v = ctx;

	if (peer_is_denied(v, allocation, peer))
		return -EPERM;
	return turn_restore_channel(
		v->p->core.turn, v->now_ns, allocation, number, peer, expires_s, ref);
}

static void on_path_mtu(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu)
{
	const struct recovery *v = ctx;

	turn_restore_path_mtu(v->p->core.turn, v->now_ns, allocation, peer, mtu);
}

static int on_move(void *ctx, uint32_t allocation, const struct turn_tuple *client)
{
	const struct recovery *v = ctx;

	return turn_restore_move(v->p->core.turn, v->now_ns, allocation, client);
}

static void on_port_cooldown(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s)
{
	const struct recovery *v = ctx;

	turn_restore_port_cooldown(v->p->core.turn, v->now_ns, relay_id, port, until_s);
}

static void on_tombstone(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	const struct recovery *v = ctx;

	turn_restore_tombstone(v->p->core.turn, v->now_ns, client, txid, until_s);
}

static int on_reservation(void *ctx, const struct turn_reservation_record *rec, uint32_t ref)
{
	const struct recovery *v = ctx;

	return turn_restore_reservation(v->p->core.turn, v->now_ns, rec, ref);
}

static int recover(struct process *p)
{
	struct recovery v = {.p = p, .now_ns = proc_now_ns()};
	const struct tables_visitor visitor = {
		.ctx = &v,
		.expect = on_expect,
		.allocation = on_allocation,
		.permission = on_permission,
		.channel = on_channel,
		.move = on_move,
		.path_mtu = on_path_mtu,
		.port_cooldown = on_port_cooldown,
		.tombstone = on_tombstone,
		.reservation = on_reservation,
	};
	int rc = tables_recover(p->link.tables, &visitor, &p->core.recovered);

	if (rc == 0)
		log_event(LOG_EV_SEGMENT_RECOVERED,
			LOG_FIELDS(log_u64("allocations", p->core.recovered.allocations),
				log_u64("permissions", p->core.recovered.permissions),
				log_u64("channels", p->core.recovered.channels),
				log_u64("removed", p->core.recovered.removed),
				log_u64("corrupt", p->core.recovered.corrupt),
				log_u64("took_us", (proc_now_ns() - v.now_ns) / TP_NS_PER_US)));
	return rc;
}

// ---- the core -----------------------------------------------------------------------------------

static bool on_is_broadcast(void *ctx, const struct tp_addr *peer)
{
	const struct process *p = ctx;

	return net_mirror_is_broadcast(p->link.hops.mirror, peer);
}

static bool on_is_host(void *ctx, const struct tp_addr *peer)
{
	const struct process *p = ctx;

	return net_mirror_is_local(p->link.hops.mirror, peer);
}

static int server_make(struct process *p)
{
	const struct turn_env env = {
		.ctx = p,
		.random = on_random,
		.is_broadcast = on_is_broadcast,
		.is_host = on_is_host,
	};
	struct turn_store store = tables_store(p->link.tables);

	p->core.turn = turn_create(&env, &store, &p->core.settings->turn);
	return p->core.turn == NULL ? -errno : 0;
}

static int fail(struct shm_error *err, int rc)
{
	if (err->cause == SHM_OK) {
		err->cause = SHM_SYSTEM;
		snprintf(err->text, sizeof(err->text), "the TURN server can't start: %s",
			strerror(-rc));
	}
	return rc;
}

int process_core_open(struct process *p, struct settings *settings, struct shm_error *err)
{
	const struct tables_env env = {.ctx = p,
		.next_hop = on_next_hop,
		.neighbour = on_neighbour,
		.ended = on_ended,
		.rest = on_rest};
	int rc;

	*err = (struct shm_error){.cause = SHM_OK};
	p->core.settings = settings;
	rc = link_segment_open(&p->link, settings->conf, &env, err);
	if (rc < 0)
		return fail(err, rc);
	rc = tables_configure(
		p->link.tables, settings->locals, settings->n_locals, &settings->path, err);
	if (rc == 0)
		rc = settings_ids(settings, tables_secrets(p->link.tables));
	if (rc == 0)
		rc = server_make(p);
	if (rc < 0)
		goto err_tables;
	link_hops_attach_tables(&p->link.hops, p->link.tables);
	rc = p->link.fresh ? tables_publish(p->link.tables, err) : recover(p);
	if (rc == 0)
		rc = link_segment_open_inject(&p->link, settings->conf, err);
	if (rc < 0)
		goto err_hops;
	p->operator.sources =(struct operator_sources){
		.tables = p->link.tables,
		.turn = p->core.turn,
		.settings = settings,
		.link = &p->link,
		.lookup = &p->lookup,
		.edge = &p->streams.edge,
		.mirror = p->link.hops.mirror,
	};
	p->operator.recovered = p->core.recovered.allocations;
	return 0;

err_hops:
	link_hops_attach_tables(&p->link.hops, NULL);
err_tables:
	turn_destroy(p->core.turn);
	p->core.turn = NULL;
	link_segment_close(&p->link);
	return fail(err, rc);
}

void process_core_close(struct process *p)
{
	link_files_drop(&p->link);
	link_hops_attach_tables(&p->link.hops, NULL);
	turn_destroy(p->core.turn);
	p->core.turn = NULL;
	link_segment_close(&p->link);
	p->operator.sources =(struct operator_sources){0};
}
