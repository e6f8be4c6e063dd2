// SPDX-License-Identifier: BSD-3-Clause
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "endpoints.h"

int trace_init(struct trace *t, unsigned n_workers)
{
	memset(t, 0, sizeof(*t));
	t->rings = aligned_alloc(TP_CACHE_LINE, n_workers * sizeof(*t->rings));
	if (t->rings == NULL)
		return -ENOMEM;
	memset(t->rings, 0, n_workers * sizeof(*t->rings));
	t->n_workers = n_workers;
	return 0;
}

void trace_fini(struct trace *t)
{
	free(t->rings);
	t->rings = NULL;
	t->n_workers = 0;
}

void trace_arm(struct trace *t, const struct tp_trace_request *r, uint64_t now_ns)
{
	uint64_t words[TP_ARRAY_LEN(t->client)] = {0};
	uint32_t seconds = r->seconds < TP_TRACE_SECONDS_MAX ? r->seconds : TP_TRACE_SECONDS_MAX;

	atomic_store_explicit(&t->armed, 0, memory_order_relaxed);
	if (r->magic != TP_TRACE_REQUEST_MAGIC || r->packets == 0 || r->trace == 0 ||
		(r->client.family != TP_FAMILY_IPV4 && r->client.family != TP_FAMILY_IPV6))
		return;
	_Static_assert(sizeof(words) >= sizeof(r->client), "the client's address fits");
	memcpy(words, &r->client, sizeof(r->client));
	// A worker in the middle of a burst may mix two clients: its record is then of either.
	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		atomic_store_explicit(&t->client[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&t->left,
		r->packets < TP_TRACE_PACKETS_MAX ? r->packets : TP_TRACE_PACKETS_MAX,
		memory_order_relaxed);
	t->until_ns = now_ns + seconds * TP_NS_PER_S;
	atomic_store_explicit(&t->armed, r->trace, memory_order_release);
}

void trace_tick(struct trace *t, uint64_t now_ns)
{
	if (trace_is_armed(t) && now_ns >= t->until_ns)
		atomic_store_explicit(&t->armed, 0, memory_order_relaxed);
}

bool trace_take(struct trace *t, struct tp_trace_record *out)
{
	struct trace_ring *best = NULL;
	uint32_t tail;

	for (unsigned i = 0; i < t->n_workers; i++) {
		struct trace_ring *ring = &t->rings[i];

		tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		if (atomic_load_explicit(&ring->head, memory_order_acquire) == tail)
			continue;
		if (best != NULL && ring->records[tail % TRACE_RING].time_ns >= out->time_ns)
			continue;
		best = ring;
		*out = ring->records[tail % TRACE_RING];
	}
	if (best == NULL)
		return false;
	tail = atomic_load_explicit(&best->tail, memory_order_relaxed);
	out->lost = atomic_load_explicit(&best->lost, memory_order_relaxed);
	atomic_store_explicit(&best->tail, tail + 1, memory_order_release);
	return true;
}

static bool is_client(const struct tp_addr *client, const struct tp_addr *a)
{
	return tp_addr_same_ip(client, a) &&
	       (client->port_be == 0 || client->port_be == a->port_be);
}

static void ways_read(const struct tp_worker_stats *s, uint64_t counts[TP_PATHS_MAX])
{
	for (unsigned i = 0; i < TP_PATHS_MAX; i++)
		counts[i] = atomic_load_explicit(&s->path_packets[i], memory_order_relaxed);
}

static void record_put(struct trace *t, struct trace_ring *ring, const struct tp_trace_record *rec)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint32_t left;

	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) >= TRACE_RING) {
		atomic_store_explicit(&ring->lost,
			atomic_load_explicit(&ring->lost, memory_order_relaxed) + 1,
			memory_order_relaxed);
		return;
	}
	left = atomic_fetch_sub_explicit(&t->left, 1, memory_order_relaxed);
	if (left <= 1 || left > TP_TRACE_PACKETS_MAX)
		atomic_store_explicit(&t->armed, 0, memory_order_relaxed);
	if (left == 0 || left > TP_TRACE_PACKETS_MAX)
		return;
	ring->records[head % TRACE_RING] = *rec;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static uint64_t cycles_read(void)
{
	return rte_rdtsc();
}

static void packet_run(struct trace *t, const struct tp_addr *client, uint32_t number,
	struct stage_worker *w, struct stage_pkt *pkt, uint64_t now_ns)
{
	struct tp_trace_record rec = {.magic = TP_TRACE_RECORD_MAGIC,
		.trace = number,
		.time_ns = now_ns,
		.len = pkt->len,
		.rx_port = pkt->rx_port,
		.worker = w->id};
	uint64_t before[TP_PATHS_MAX], after[TP_PATHS_MAX];
	uint64_t laps[STAGE_LAPS] = {0};
	uint64_t began;
	uint16_t payload;
	bool udp = endpoints_read(pkt->data, pkt->len, &rec.from, &rec.to, &payload);

	if (udp && payload + 2 <= pkt->len)
		rec.first = tp_load_be16(pkt->data + payload);
	ways_read(w->stats, before);
	began = rte_rdtsc();
	stage_run_timed(w, pkt, 1, now_ns, cycles_read, laps);
	rec.cycles = (uint32_t)(rte_rdtsc() - began);
	for (unsigned i = 0; i < STAGE_LAPS; i++)
		rec.laps[i] = (uint32_t)laps[i];
	ways_read(w->stats, after);
	for (unsigned i = 0; i < TP_PATHS_MAX; i++)
		rec.ways |= (uint32_t)(after[i] != before[i]) << i;
	rec.verdict = pkt->verdict;
	rec.reason = pkt->verdict == STAGE_DROP ? pkt->reason : TP_DROP_none;
	if (pkt->verdict == STAGE_SEND &&
		endpoints_read(pkt->data, pkt->len, &rec.sent_from, &rec.sent_to, &payload)) {
		rec.sent_len = pkt->len;
		rec.tx_port = pkt->tx_port;
		memcpy(rec.mac, pkt->data, sizeof(rec.mac));
	}
	if (udp && (is_client(client, &rec.from) ||
			   (rec.sent_len != 0 && is_client(client, &rec.sent_to))))
		record_put(t, &t->rings[w->id], &rec);
}

void trace_run(struct trace *t, struct stage_worker *w, struct stage_pkt *pkts, unsigned n,
	uint64_t now_ns)
{
	uint32_t number = atomic_load_explicit(&t->armed, memory_order_acquire);
	uint64_t words[TP_ARRAY_LEN(t->client)];
	struct tp_addr client;

	for (unsigned i = 0; i < TP_ARRAY_LEN(words); i++)
		words[i] = atomic_load_explicit(&t->client[i], memory_order_relaxed);
	memcpy(&client, words, sizeof(client));
	for (unsigned i = 0; i < n; i++) {
		// Disarmed meanwhile: the rest is a burst again.
		if (number == 0 || !trace_is_armed(t)) {
			stage_run(w, pkts + i, n - i, now_ns);
			return;
		}
		packet_run(t, &client, number, w, &pkts[i], now_ns);
	}
}
