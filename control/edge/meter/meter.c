// SPDX-License-Identifier: BSD-3-Clause
#include <meter/meter.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <ds/list.h>
#include <ds/map.h>

// A burst is at least so much of the rate: threads sleep for milliseconds.
#define BURST_LEAST_NS (10 * TP_NS_PER_MS)

struct bucket {
	struct ds_map_node by_id;
	uint32_t id;
	uint32_t n_meters;
	struct tp_session_cap cap; // as ordered
	double bits_per_s;
	double burst_bits;
	double fill; // bits; below 0: a debt
	uint64_t filled_ns;
	uint64_t octets;	// that were counted
	struct ds_list watched; // in the list of those whose use is reported
};

struct meters {
	pthread_mutex_t mutex; // of all buckets, and of `buckets` of each meter
	struct ds_map by_id;
	struct ds_list watched; // buckets, the one reported longest ago first
	uint32_t n_watched;
};

struct meter {
	struct meters *all;
	_Atomic uint32_t refs;
	_Atomic uint32_t n; // buckets
	struct bucket *buckets[TP_SESSION_CAPS_MAX];
	_Atomic uint64_t to_peer;
	_Atomic uint64_t to_client;
};

struct meters *meters_create(const uint8_t key[16])
{
	struct meters *m = calloc(1, sizeof(*m));

	if (m == NULL || pthread_mutex_init(&m->mutex, NULL) != 0) {
		free(m);
		return NULL;
	}
	ds_list_init(&m->watched);
	if (ds_map_init(&m->by_id, key) == 0)
		return m;
	pthread_mutex_destroy(&m->mutex);
	free(m);
	return NULL;
}

void meters_destroy(struct meters *m)
{
	if (m == NULL)
		return;
	ds_map_fini(&m->by_id);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

// ---- buckets: under the mutex -------------------------------------------------------------------

static uint64_t id_hash(const struct meters *m, uint32_t id)
{
	return ds_map_hash(&m->by_id, &id, sizeof(id));
}

static struct bucket *bucket_find(const struct meters *m, uint32_t id)
{
	struct ds_map_node *n = ds_map_first(&m->by_id, id_hash(m, id));

	for (; n != NULL; n = ds_map_next(n)) {
		struct bucket *b = DS_CONTAINER(n, struct bucket, by_id);

		if (b->id == id)
			return b;
	}
	return NULL;
}

static void bucket_refill(struct bucket *b, uint64_t now_ns)
{
	if (now_ns <= b->filled_ns)
		return;
	b->fill += b->bits_per_s * (double)(now_ns - b->filled_ns) / (double)TP_NS_PER_S;
	if (b->fill > b->burst_bits)
		b->fill = b->burst_bits;
	b->filled_ns = now_ns;
}

static void bucket_watch(struct meters *m, struct bucket *b, bool watched)
{
	if (watched == !ds_list_is_empty(&b->watched))
		return;
	if (watched) {
		ds_list_add(&m->watched, &b->watched);
		m->n_watched++;
	} else {
		ds_list_del(&b->watched);
		m->n_watched--;
	}
}

static void bucket_set(struct meters *m, struct bucket *b, const struct tp_session_cap *cap)
{
	double least = (double)cap->bits_per_s * (double)BURST_LEAST_NS / (double)TP_NS_PER_S;

	b->cap = *cap;
	b->bits_per_s = (double)cap->bits_per_s;
	b->burst_bits = (double)cap->burst_bits > least ? (double)cap->burst_bits : least;
	if (b->fill > b->burst_bits)
		b->fill = b->burst_bits;
	bucket_watch(m, b, (cap->flags & TP_CAP_WATCHED) != 0);
}

static struct bucket *bucket_get(
	struct meters *m, const struct tp_session_cap *cap, uint64_t now_ns)
{
	struct bucket *b = bucket_find(m, cap->id);

	if (b == NULL) {
		b = calloc(1, sizeof(*b));
		if (b == NULL)
			return NULL;
		b->id = cap->id;
		b->filled_ns = now_ns;
		ds_list_init(&b->watched);
		bucket_set(m, b, cap);
		b->fill = b->burst_bits;
		ds_map_add(&m->by_id, &b->by_id, id_hash(m, b->id));
	}
	bucket_refill(b, now_ns);
	bucket_set(m, b, cap);
	b->n_meters++;
	return b;
}

static void bucket_put(struct meters *m, struct bucket *b)
{
	if (--b->n_meters > 0)
		return;
	bucket_watch(m, b, false);
	ds_map_del(&m->by_id, &b->by_id);
	free(b);
}

// ---- meters -------------------------------------------------------------------------------------

struct meter *meter_create(struct meters *m)
{
	struct meter *meter = calloc(1, sizeof(*meter));

	if (meter == NULL)
		return NULL;
	meter->all = m;
	atomic_init(&meter->refs, 1);
	return meter;
}

struct meter *meter_ref(struct meter *meter)
{
	if (meter != NULL)
		atomic_fetch_add(&meter->refs, 1);
	return meter;
}

void meter_unref(struct meter *meter)
{
	static const struct tp_session_cap none[TP_SESSION_CAPS_MAX];

	if (meter == NULL || atomic_fetch_sub(&meter->refs, 1) > 1)
		return;
	meter_caps_set(meter, none, 0);
	free(meter);
}

void meter_caps_set(
	struct meter *meter, const struct tp_session_cap caps[TP_SESSION_CAPS_MAX], uint64_t now_ns)
{
	struct bucket *old[TP_SESSION_CAPS_MAX];
	struct meters *m = meter->all;
	uint32_t n_old, n = 0;

	pthread_mutex_lock(&m->mutex);
	n_old = atomic_load_explicit(&meter->n, memory_order_relaxed);
	memcpy(old, meter->buckets, sizeof(old));
	for (unsigned i = 0; i < TP_SESSION_CAPS_MAX && caps[i].id != 0; i++) {
		struct bucket *b = bucket_get(m, &caps[i], now_ns);

		if (b != NULL)
			meter->buckets[n++] = b;
	}
	atomic_store_explicit(&meter->n, n, memory_order_relaxed);
	// Last: a bucket of both keeps its fill.
	for (uint32_t i = 0; i < n_old; i++)
		bucket_put(m, old[i]);
	pthread_mutex_unlock(&m->mutex);
}

void meter_caps_get(struct meter *meter, struct tp_session_cap caps[TP_SESSION_CAPS_MAX])
{
	struct meters *m = meter->all;

	memset(caps, 0, TP_SESSION_CAPS_MAX * sizeof(*caps));
	pthread_mutex_lock(&m->mutex);
	for (uint32_t i = 0; i < atomic_load_explicit(&meter->n, memory_order_relaxed); i++)
		caps[i] = meter->buckets[i]->cap;
	pthread_mutex_unlock(&m->mutex);
}

void meters_caps_change(
	struct meters *m, const struct tp_session_cap caps[TP_SESSION_CAPS_MAX], uint64_t now_ns)
{
	pthread_mutex_lock(&m->mutex);
	for (unsigned i = 0; i < TP_SESSION_CAPS_MAX && caps[i].id != 0; i++) {
		struct bucket *b = bucket_find(m, caps[i].id);

		if (b == NULL)
			continue;
		bucket_refill(b, now_ns);
		bucket_set(m, b, &caps[i]);
	}
	pthread_mutex_unlock(&m->mutex);
}

uint32_t meters_watched(struct meters *m)
{
	uint32_t n;

	pthread_mutex_lock(&m->mutex);
	n = m->n_watched;
	pthread_mutex_unlock(&m->mutex);
	return n;
}

bool meters_used(struct meters *m, struct tp_session_used *used)
{
	bool found;

	pthread_mutex_lock(&m->mutex);
	found = !ds_list_is_empty(&m->watched);
	if (found) {
		const struct bucket *b = DS_CONTAINER(m->watched.next, struct bucket, watched);

		*used = (struct tp_session_used){.id = b->id, .octets = b->octets};
	}
	pthread_mutex_unlock(&m->mutex);
	return found;
}

void meters_used_told(struct meters *m, uint32_t id)
{
	struct bucket *b;

	pthread_mutex_lock(&m->mutex);
	b = bucket_find(m, id);
	if (b != NULL && !ds_list_is_empty(&b->watched)) {
		ds_list_del(&b->watched);
		ds_list_add(&m->watched, &b->watched);
	}
	pthread_mutex_unlock(&m->mutex);
}

uint64_t meter_wait_ns(struct meter *meter, uint64_t now_ns)
{
	struct meters *m = meter->all;
	double longest = 0;

	if (atomic_load_explicit(&meter->n, memory_order_relaxed) == 0)
		return 0;
	pthread_mutex_lock(&m->mutex);
	for (uint32_t i = 0; i < atomic_load_explicit(&meter->n, memory_order_relaxed); i++) {
		struct bucket *b = meter->buckets[i];
		double wait_s;

		bucket_refill(b, now_ns);
		// One bit, so that the end of the wait finds it above zero.
		wait_s = b->fill > 0 ? 0 : (1 - b->fill) / b->bits_per_s;
		longest = wait_s > longest ? wait_s : longest;
	}
	pthread_mutex_unlock(&m->mutex);
	return (uint64_t)(longest * (double)TP_NS_PER_S);
}

void meter_count(struct meter *meter, uint64_t now_ns, bool to_peer, size_t octets)
{
	struct meters *m = meter->all;

	atomic_fetch_add_explicit(
		to_peer ? &meter->to_peer : &meter->to_client, octets, memory_order_relaxed);
	if (atomic_load_explicit(&meter->n, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&m->mutex);
	for (uint32_t i = 0; i < atomic_load_explicit(&meter->n, memory_order_relaxed); i++) {
		bucket_refill(meter->buckets[i], now_ns);
		meter->buckets[i]->fill -= 8.0 * (double)octets;
		meter->buckets[i]->octets += octets;
	}
	pthread_mutex_unlock(&m->mutex);
}

struct meter_total meter_total(const struct meter *meter)
{
	return (struct meter_total){
		.to_peer = atomic_load_explicit(&meter->to_peer, memory_order_relaxed),
		.to_client = atomic_load_explicit(&meter->to_client, memory_order_relaxed)};
}
