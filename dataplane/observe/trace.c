// SPDX-License-Identifier: BSD-3-Clause
#include <observe/trace.h>

#include <rte_cycles.h>

#include "endpoints.h"

bool observe_trace_request_is_right(const struct tp_trace_request *r)
{
	return r->ask.magic == TP_TRACE_REQUEST_MAGIC && r->ask.number != 0 && r->ask.count != 0 &&
	       r->ask.count <= TP_TRACE_PACKETS_MAX && r->ask.seconds != 0 &&
	       r->ask.seconds <= TP_TRACE_SECONDS_MAX &&
	       (r->client.family == TP_FAMILY_IPV4 || r->client.family == TP_FAMILY_IPV6);
}

int observe_trace_arm(struct trace *t, const struct tp_trace_request *r)
{
	uint64_t words[TP_ARRAY_LEN(t->client)] = {0};

	_Static_assert(sizeof(words) >= sizeof(r->client), "the client's address fits");
	memcpy(words, &r->client, sizeof(r->client));
	for (unsigned i = 0; i < TRACE_CONNECTIONS; i++)
		atomic_store_explicit(&t->connections[i].handle, 0, memory_order_relaxed);
	// A worker in the middle of a burst may mix two clients: its record is then of either.
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		atomic_store_explicit(&t->client[i], words[i], memory_order_relaxed);
	return observe_records_arm(&t->records, r->ask.number, r->ask.count);
}

static bool is_client(const struct tp_addr *client, const struct tp_addr *a)
{
	return tp_addr_same_ip(client, a) &&
	       (client->port_be == 0 || client->port_be == a->port_be);
}

static void paths_read(const struct tp_worker_stats *s, uint64_t counts[TP_PATHS_MAX])
{
	for (unsigned i = 0; i < TP_PATHS_MAX; i++)
		counts[i] = atomic_load_explicit(&s->path_packets[i], memory_order_relaxed);
}

static void record_put(struct records *r, const struct tp_trace_record *rec)
{
	unsigned source = rec->in_transport != 0 ? TP_OBSERVE_EDGE : rec->rx_port;
	uint32_t head = observe_records_head(r, rec->worker);
	struct tp_trace_record *room =
		observe_records_reserve(r, rec->worker, &head, sizeof(*rec), source);

	if (room == NULL)
		return;
	*room = *rec;
	observe_records_publish(r, rec->worker, head);
}

static uint32_t records_lost(const struct records *r, unsigned w)
{
	uint64_t n = 0;

	for (unsigned p = 0; p < TP_OBSERVE_SOURCES; p++)
		n += atomic_load_explicit(&r->rings[w].missed[p], memory_order_relaxed) -
		     r->rings[w].missed_before[p];
	return (uint32_t)n;
}

// ---- connections of the client ------------------------------------------------------------------

static struct trace_connection *connection_at(struct trace *t, uint64_t handle)
{
	return &t->connections[tp_egress_slot(tp_connection_egress(handle)) % TRACE_CONNECTIONS];
}

static void connection_note(struct trace *t, uint64_t handle, const struct trace_client *client)
{
	struct trace_connection *c = connection_at(t, handle);
	uint64_t words[TP_ARRAY_LEN(c->client)];

	if (atomic_load_explicit(&c->handle, memory_order_relaxed) == handle)
		return;
	memcpy(words, client, sizeof(words));
	atomic_store_explicit(&c->handle, 0, memory_order_release);
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		atomic_store_explicit(&c->client[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&c->handle, handle, memory_order_release);
}

static bool connection_find(struct trace *t, uint64_t handle, struct trace_client *client)
{
	struct trace_connection *c = connection_at(t, handle);
	uint64_t words[TP_ARRAY_LEN(c->client)];

	if (handle == 0 || atomic_load_explicit(&c->handle, memory_order_acquire) != handle)
		return false;
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&c->client[i], memory_order_relaxed);
	memcpy(client, words, sizeof(*client));
	return true;
}

// ---- one packet ---------------------------------------------------------------------------------

// The packet's two addresses and first bytes. False: it is none of a client or peer.
static bool source_read(struct trace *t, const struct tp_addr *client, const struct stage_worker *w,
	const struct stage_pkt *pkt, const struct stage_message *m, struct tp_trace_record *rec)
{
	struct trace_client from = {.transport = 0};
	uint16_t payload = 0;

	if (m == NULL) {
		if (!endpoints_read(pkt->data, pkt->len, &rec->from, &rec->to, &payload))
			return false;
	} else {
		// Records that leave: their message has been traced.
		if (m->is_records || !stage_locals_listener(w->locals, m->listener_id,
					     &from.listener, &from.transport))
			return false;
		from.remote = m->remote;
		rec->from = from.remote;
		rec->to = from.listener;
		rec->in_transport = from.transport;
		if (is_client(client, &from.remote))
			connection_note(t, m->connection, &from);
	}
	if (payload + 2 <= pkt->len)
		rec->first = tp_load_be16(pkt->data + payload);
	return true;
}

// The addresses with which it leaves.
static void sent_read(struct trace *t, const struct stage_worker *w, const struct stage_pkt *pkt,
	struct tp_trace_record *rec)
{
	const struct stage_stream_out *last =
		w->n_stream_out > 0 ? &w->stream_out[w->n_stream_out - 1] : NULL;
	struct trace_client to;
	uint16_t payload;

	if ((pkt->verdict == STAGE_SEND || pkt->verdict == STAGE_CUT) &&
		endpoints_read(pkt->data, pkt->len, &rec->sent_from, &rec->sent_to, &payload)) {
		rec->sent_len = pkt->len;
		rec->tx_port = pkt->tx_port;
		memcpy(rec->mac, pkt->data, sizeof(rec->mac));
	} else if (pkt->verdict == STAGE_STREAM && last != NULL && last->pkt == pkt &&
		   connection_find(t, last->connection, &to)) {
		rec->sent_len = pkt->len;
		rec->sent_from = to.listener;
		rec->sent_to = to.remote;
		rec->out_transport = to.transport;
	}
}

static void packet_run(struct trace *t, const struct tp_addr *client, uint32_t number,
	struct stage_worker *w, struct stage_pkt *pkt, const struct stage_message *m,
	uint64_t now_ns)
{
	struct tp_trace_record rec = {
		.head = {sizeof(rec), number, now_ns},
		.len = pkt->len,
		.rx_port = m == NULL ? pkt->rx_port : 0,
		.worker = (uint16_t)w->id,
	};
	uint64_t before[TP_PATHS_MAX], after[TP_PATHS_MAX];
	bool known = source_read(t, client, w, pkt, m, &rec);
	uint64_t began;

	paths_read(w->stats, before);
	began = rte_rdtsc();
	if (m == NULL)
		stage_run(w, pkt, 1, now_ns);
	else
		stage_run_messages(w, pkt, m, 1, now_ns);
	rec.cycles = (uint32_t)(rte_rdtsc() - began);
	paths_read(w->stats, after);
	for (unsigned i = 0; i < TP_PATHS_MAX; i++)
		rec.paths |= (uint32_t)(after[i] != before[i]) << i;
	rec.verdict = observed_verdict(pkt);
	rec.reason = pkt->verdict == STAGE_DROP ? pkt->reason : TP_DROP_none;
	sent_read(t, w, pkt, &rec);
	rec.lost = records_lost(&t->records, w->id);
	if (known && (is_client(client, &rec.from) ||
			     (rec.sent_len != 0 && is_client(client, &rec.sent_to))))
		record_put(&t->records, &rec);
}

void observe_trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns)
{
	uint32_t number = atomic_load_explicit(&t->records.armed, memory_order_acquire);
	uint64_t words[TP_ARRAY_LEN(t->client)];
	struct tp_addr client;

	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&t->client[i], memory_order_relaxed);
	memcpy(&client, words, sizeof(client));
	for (unsigned i = 0; i < n; i++) {
		const struct stage_message *m = messages == NULL ? NULL : &messages[i];

		// Disarmed meanwhile: the rest is a burst again.
		if (number != 0 && observe_records_are_armed(&t->records)) {
			packet_run(t, &client, number, w, &pkts[i], m, now_ns);
			continue;
		}
		if (m == NULL)
			stage_run(w, pkts + i, n - i, now_ns);
		else
			stage_run_messages(w, pkts + i, m, n - i, now_ns);
		return;
	}
}
