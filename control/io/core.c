// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <log/log.h>

#include "clock.h"

// ---- what tables and server ask of us -----------------------------------------------------------

static int on_next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	struct io_relay *r = ctx;

	return io_hops_next_hop(&r->hops, dst, gateway, ifindex);
}

static uint64_t on_neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	struct io_relay *r = ctx;

	return io_hops_neighbour(&r->hops, gateway, ifindex);
}

static void on_ended(void *ctx, const struct turn_allocation_record *rec, uint32_t ref,
	const struct tables_usage *usage, uint8_t reason)
{
	io_event_ended(ctx, rec, ref, usage, reason);
}

static void on_random(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		// Without randomness there are no keys to go on with.
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

// ---- recovery -----------------------------------------------------------------------------------

struct recovery {
	struct io_relay *r;
	uint64_t now_ns;
	struct tp_addr peer; // judged last: a channel's peer is that of a permission too
	bool denied;
};

static void on_expect(void *ctx, uint32_t allocations)
{
	const struct recovery *v = ctx;

	turn_restore_expect(v->r->turn, allocations);
}

static int on_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	const struct recovery *v = ctx;

	return turn_restore_allocation(v->r->turn, v->now_ns, rec, ref);
}

// A new policy holds for old permissions too.
static bool peer_is_denied(struct recovery *v, const struct tp_addr *peer)
{
	if (!tp_addr_same_ip(&v->peer, peer)) {
		v->peer = *peer;
		v->denied = policy_judge(v->r->settings->policy, peer, NULL) == POLICY_DENIED;
	}
	return v->denied;
}

static int on_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct recovery *v = ctx;

	if (peer_is_denied(v, peer))
		return -EPERM;
	return turn_restore_permission(v->r->turn, v->now_ns, allocation, peer, expires_s, ref);
}

static int on_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct recovery *v = ctx;

	if (peer_is_denied(v, peer))
		return -EPERM;
	return turn_restore_channel(
		v->r->turn, v->now_ns, allocation, number, peer, expires_s, ref);
}

static void on_port_rest(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s)
{
	const struct recovery *v = ctx;

	turn_restore_port_rest(v->r->turn, v->now_ns, relay_id, port, until_s);
}

static void on_tomb(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	const struct recovery *v = ctx;

	turn_restore_tomb(v->r->turn, v->now_ns, client, txid, until_s);
}

static int recover(struct io_relay *r)
{
	struct recovery v = {.r = r, .now_ns = io_now_ns()};
	const struct tables_visitor visitor = {.ctx = &v,
		.expect = on_expect,
		.allocation = on_allocation,
		.permission = on_permission,
		.channel = on_channel,
		.port_rest = on_port_rest,
		.tomb = on_tomb};
	int rc = tables_recover(r->tables, &visitor, &r->recovered);

	if (rc == 0)
		log_event(LOG_EV_SEGMENT_RECOVERED,
			LOG_FIELDS(log_u64("allocations", r->recovered.allocations),
				log_u64("permissions", r->recovered.permissions),
				log_u64("channels", r->recovered.channels),
				log_u64("removed", r->recovered.removed),
				log_u64("corrupt", r->recovered.corrupt),
				log_u64("took_us", (io_now_ns() - v.now_ns) / TP_NS_PER_US)));
	return rc;
}

// ---- the core -----------------------------------------------------------------------------------

static int server_make(struct io_relay *r)
{
	const struct turn_env env = {.random = on_random};
	struct turn_store store = tables_store(r->tables);

	r->turn = turn_create(&env, &store, &r->settings->turn);
	return r->turn == NULL ? -errno : 0;
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

int io_core_open(struct io_relay *r, struct io_settings *settings, struct shm_error *err)
{
	const struct tables_env env = {
		.ctx = r, .next_hop = on_next_hop, .neighbour = on_neighbour, .ended = on_ended};
	int rc;

	*err = (struct shm_error){.cause = SHM_OK};
	r->settings = settings;
	rc = io_segment_open(r, settings->conf, &env, err);
	if (rc < 0)
		return fail(err, rc);
	rc = tables_configure(
		r->tables, settings->locals, settings->n_locals, &settings->path, err);
	if (rc == 0)
		rc = io_settings_ids(settings, tables_secrets(r->tables));
	if (rc == 0)
		rc = server_make(r);
	if (rc < 0)
		goto err_tables;
	io_hops_attach_tables(&r->hops, r->tables);
	rc = r->fresh ? tables_publish(r->tables, err) : recover(r);
	if (rc == 0)
		rc = io_segment_open_inject(r, settings->conf, err);
	if (rc < 0)
		goto err_hops;
	return 0;

err_hops:
	io_hops_attach_tables(&r->hops, NULL);
err_tables:
	turn_destroy(r->turn);
	tables_destroy(r->tables);
	r->tables = NULL;
	r->turn = NULL;
	return fail(err, rc);
}

void io_core_close(struct io_relay *r)
{
	io_plane_files_drop(r);
	io_hops_attach_tables(&r->hops, NULL);
	shm_inject_close(&r->inject);
	turn_destroy(r->turn);
	tables_destroy(r->tables);
	r->tables = NULL;
	r->turn = NULL;
}
