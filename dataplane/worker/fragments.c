// SPDX-License-Identifier: BSD-3-Clause
#include <worker/fragments.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <rte_ring.h>

// More than STAGE_HEADROOM: fetched lines begin at a line's start.
#define ROOM_FRONT 128u
#define ROOM_LEN   (ROOM_FRONT + UINT16_MAX + STAGE_TAILROOM)

// Set by those that hand fragments to the worker, cleared by the worker before it looks.
struct bell {
	_Atomic uint32_t rings TP_ALIGNED(64);
};

struct fragments_exchange {
	struct bell bells[TP_WORKERS_MAX];
	uint8_t key[16];
	unsigned n;
	size_t stride;
	uint8_t *rings; // [n][n]: to, from
};

static struct rte_ring *ring_between(const struct fragments_exchange *x, unsigned from, unsigned to)
{
	return (struct rte_ring *)(void *)(x->rings + ((size_t)to * x->n + from) * x->stride);
}

static void *aligned_zero(size_t size)
{
	size_t whole = (size + 63) & ~(size_t)63;
	void *p = aligned_alloc(64, whole);

	if (p != NULL)
		memset(p, 0, whole);
	return p;
}

static int rings_init(struct fragments_exchange *x)
{
	x->stride = ((size_t)rte_ring_get_memsize(FRAGMENTS_RING) + 63) & ~(size_t)63;
	x->rings = aligned_zero(x->stride * x->n * x->n);
	if (x->rings == NULL)
		return -ENOMEM;
	for (unsigned to = 0; to < x->n; to++)
		for (unsigned from = 0; from < x->n; from++)
			if (rte_ring_init(ring_between(x, from, to), "fragments", FRAGMENTS_RING,
				    RING_F_SP_ENQ | RING_F_SC_DEQ) != 0)
				return -EINVAL;
	return 0;
}

struct fragments_exchange *fragments_exchange_create(unsigned n_workers)
{
	struct fragments_exchange *x = aligned_zero(sizeof(*x));

	if (x == NULL)
		return NULL;
	x->n = n_workers;
	if (getrandom(x->key, sizeof(x->key), 0) != sizeof(x->key) || rings_init(x) != 0) {
		fragments_exchange_destroy(x);
		return NULL;
	}
	return x;
}

void fragments_exchange_destroy(struct fragments_exchange *x)
{
	if (x == NULL)
		return;
	free(x->rings);
	free(x);
}

int fragments_init(
	struct fragments *f, struct fragments_exchange *exchange, unsigned worker, uint32_t mib)
{
	uint8_t key[16];
	void *memory;

	*f = (struct fragments){.exchange = exchange, .worker = worker};
	if (mib == 0)
		return 0;
	memory = aligned_zero(frag_table_size(mib));
	f->room = aligned_zero(ROOM_LEN);
	if (memory == NULL || f->room == NULL || getrandom(key, sizeof(key), 0) != sizeof(key)) {
		free(memory);
		free(f->room);
		f->room = NULL;
		return -ENOMEM;
	}
	f->table = frag_table_init(memory, mib, key);
	return 0;
}

void fragments_fini(struct fragments *f)
{
	void *m;

	if (f->exchange != NULL)
		for (unsigned from = 0; from < f->exchange->n; from++)
			while (rte_ring_sc_dequeue(
				       ring_between(f->exchange, from, f->worker), &m) == 0)
				rte_pktmbuf_free(m);
	free(f->table);
	free(f->room);
	*f = (struct fragments){0};
}

static bool hand_over(struct fragments *f, unsigned owner, struct rte_mbuf *m, uint8_t rx_port)
{
	struct bell *bell = &f->exchange->bells[owner];

	m->port = rx_port;
	if (rte_ring_sp_enqueue(ring_between(f->exchange, f->worker, owner), m) != 0)
		return false;
	atomic_store_explicit(&bell->rings, 1, memory_order_release);
	return true;
}

static bool put(struct fragments *f, struct stage_worker *w, const struct frag_piece *piece,
	uint64_t now_ns, struct stage_pkt *whole)
{
	struct frag_whole d = {.frame = f->room + ROOM_FRONT, .max = UINT16_MAX};

	if (!frag_table_put(f->table, piece, now_ns, &d, w->stats->drops))
		return false;
	*whole = (struct stage_pkt){.data = d.frame,
		.len = (uint16_t)d.len,
		.headroom = ROOM_FRONT,
		.tailroom = (uint16_t)(UINT16_MAX - d.len + STAGE_TAILROOM),
		.rx_port = d.rx_port};
	tp_count(&w->stats->path_packets[TP_PATH_joined], 1);
	tp_count(&w->stats->path_octets[TP_PATH_joined], d.len);
	return true;
}

enum fragments_result fragments_take(struct fragments *f, struct stage_worker *w,
	const struct stage_pkt *pkt, uint64_t now_ns, struct stage_pkt *whole)
{
	struct frag_piece piece;
	enum tp_drop why = f->table == NULL ? TP_DROP_fragment_off : frag_read(&piece, pkt->data);
	unsigned owner = f->worker;

	if (why != TP_DROP_none) {
		stage_drop_count(w, why, 1);
		return FRAGMENTS_KEPT;
	}
	if (f->exchange != NULL)
		owner = frag_owner(f->exchange->key, &piece, f->exchange->n);
	if (owner != f->worker) {
		if (hand_over(f, owner, pkt->cookie, pkt->rx_port))
			return FRAGMENTS_HANDED;
		stage_drop_count(w, TP_DROP_fragment, 1);
		return FRAGMENTS_KEPT;
	}
	piece.rx_port = pkt->rx_port;
	return put(f, w, &piece, now_ns, whole) ? FRAGMENTS_WHOLE : FRAGMENTS_KEPT;
}

void fragments_expire(struct fragments *f, struct stage_worker *w, uint64_t now_ns)
{
	if (f->table != NULL)
		frag_table_expire(f->table, now_ns, w->stats->drops);
}

bool fragments_waiting(const struct fragments *f)
{
	return f->exchange != NULL && atomic_load_explicit(&f->exchange->bells[f->worker].rings,
					      memory_order_relaxed) != 0;
}

bool fragments_next(struct fragments *f, struct stage_worker *w, uint64_t now_ns,
	struct stage_pkt *whole, bool *is_whole)
{
	struct frag_piece piece;
	struct rte_mbuf *m;
	void *p;

	// Cleared first: one that comes while the rings are looked at sets it again.
	atomic_exchange_explicit(&f->exchange->bells[f->worker].rings, 0, memory_order_acquire);
	for (unsigned from = 0; from < f->exchange->n; from++) {
		if (rte_ring_sc_dequeue(ring_between(f->exchange, from, f->worker), &p) != 0)
			continue;
		atomic_store_explicit(
			&f->exchange->bells[f->worker].rings, 1, memory_order_relaxed);
		m = p;
		*is_whole = false;
		// Read by the worker that handed it over; the table must not trust a changed frame.
		if (frag_read(&piece, rte_pktmbuf_mtod(m, const uint8_t *)) == TP_DROP_none) {
			piece.rx_port = (uint8_t)m->port;
			*is_whole = put(f, w, &piece, now_ns, whole);
		}
		rte_pktmbuf_free(m);
		return true;
	}
	return false;
}
