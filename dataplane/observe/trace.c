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
	uint32_t head = observe_records_head(r, rec->worker);
	struct tp_trace_record *room =
		observe_records_reserve(r, rec->worker, &head, sizeof(*rec), rec->rx_port);

	if (room == NULL)
		return;
	*room = *rec;
	observe_records_publish(r, rec->worker, head);
}

static uint32_t records_lost(const struct records *r, unsigned w)
{
	uint64_t n = 0;

	for (unsigned p = 0; p < TP_PORTS_MAX; p++)
		n += atomic_load_explicit(&r->rings[w].missed[p], memory_order_relaxed) -
		     r->rings[w].missed_before[p];
	return (uint32_t)n;
}

static void packet_run(struct trace *t, const struct tp_addr *client, uint32_t number,
	struct stage_worker *w, struct stage_pkt *pkt, uint64_t now_ns)
{
	struct tp_trace_record rec = {
		.head = {sizeof(rec), number, now_ns},
		.len = pkt->len,
		.rx_port = pkt->rx_port,
		.worker = w->id,
	};
	uint64_t before[TP_PATHS_MAX], after[TP_PATHS_MAX];
	uint64_t began;
	uint16_t payload;
	bool udp = endpoints_read(pkt->data, pkt->len, &rec.from, &rec.to, &payload);

	if (udp && payload + 2 <= pkt->len)
		rec.first = tp_load_be16(pkt->data + payload);
	paths_read(w->stats, before);
	began = rte_rdtsc();
	stage_run(w, pkt, 1, now_ns);
	rec.cycles = (uint32_t)(rte_rdtsc() - began);
	paths_read(w->stats, after);
	for (unsigned i = 0; i < TP_PATHS_MAX; i++)
		rec.paths |= (uint32_t)(after[i] != before[i]) << i;
	rec.verdict = observed_verdict(pkt);
	rec.reason = pkt->verdict == STAGE_DROP ? pkt->reason : TP_DROP_none;
	if ((pkt->verdict == STAGE_SEND || pkt->verdict == STAGE_CUT) &&
		endpoints_read(pkt->data, pkt->len, &rec.sent_from, &rec.sent_to, &payload)) {
		rec.sent_len = pkt->len;
		rec.tx_port = pkt->tx_port;
		memcpy(rec.mac, pkt->data, sizeof(rec.mac));
	}
	rec.lost = records_lost(&t->records, w->id);
	if (udp && (is_client(client, &rec.from) ||
			   (rec.sent_len != 0 && is_client(client, &rec.sent_to))))
		record_put(&t->records, &rec);
}

void observe_trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns)
{
	uint32_t number = atomic_load_explicit(&t->records.armed, memory_order_acquire);
	uint64_t words[TP_ARRAY_LEN(t->client)];
	struct tp_addr client;

	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&t->client[i], memory_order_relaxed);
	memcpy(&client, words, sizeof(client));
	for (unsigned i = 0; i < n; i++) {
		// Disarmed meanwhile: the rest is a burst again.
		if (number == 0 || !observe_records_are_armed(&t->records)) {
			stage_run(w, pkts + i, n - i, now_ns);
			return;
		}
		packet_run(t, &client, number, w, &pkts[i], now_ns);
	}
}
