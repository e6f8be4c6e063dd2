// SPDX-License-Identifier: BSD-3-Clause
#include <bounds/admit.h>

#include <stdlib.h>

#include <ds/list.h>
#include <ds/map.h>

// Prefixes without a connection that are remembered for their rate: the oldest makes room.
#define RESTING_MAX 65536u
// A bucket holds one second's handshakes. The last eighth of the one of all prefixes is for those
// that had none for a second.
#define BURST_NS    TP_NS_PER_S
#define RESERVE_NS  (TP_NS_PER_S / 8)
// A prefix may take more while it has at most so many times the free connections: alone all but an
// eighth, of many busy ones each less.
#define SHARE	    7u

// Handshakes as a time: the bucket is empty once `next_ns` is more than a burst ahead.
struct bucket {
	uint64_t next_ns;
};

struct prefix {
	struct ds_map_node node;
	struct ds_list resting; // in admit.resting while n is 0
	struct tp_addr ip;
	uint32_t n;
	uint64_t last_ns; // of its handshakes
	struct bucket rate;
};

struct admit {
	struct admit_limits limits;
	struct ds_map prefixes;
	struct ds_list resting; // oldest first
	uint32_t n_resting;
	uint32_t n;
	struct bucket rate;
};

static bool bucket_has(const struct bucket *b, uint32_t per_s, uint64_t now_ns, uint64_t reserve_ns)
{
	return per_s == 0 || b->next_ns + reserve_ns <= now_ns + BURST_NS - TP_NS_PER_S / per_s;
}

static void bucket_take(struct bucket *b, uint32_t per_s, uint64_t now_ns)
{
	if (per_s == 0)
		return;
	if (b->next_ns < now_ns)
		b->next_ns = now_ns;
	b->next_ns += TP_NS_PER_S / per_s;
}

static struct tp_addr prefix_of(const struct tp_addr *source)
{
	struct tp_addr ip = *source;

	ip.port_be = 0;
	if (ip.family == TP_FAMILY_IPV6)
		memset(ip.ip + 8, 0, 8);
	return ip;
}

static struct prefix *prefix_find(struct admit *a, const struct tp_addr *ip, uint64_t hash)
{
	for (struct ds_map_node *n = ds_map_first(&a->prefixes, hash); n != NULL;
		n = ds_map_next(n)) {
		struct prefix *p = DS_CONTAINER(n, struct prefix, node);

		if (tp_addr_equal(&p->ip, ip))
			return p;
	}
	return NULL;
}

static void prefix_forget(struct admit *a, struct prefix *p)
{
	ds_list_del(&p->resting);
	a->n_resting--;
	ds_map_del(&a->prefixes, &p->node);
	free(p);
}

// A prefix is busy for a second: until then it has no part in the reserve.
static bool is_needed(const struct prefix *p, uint64_t now_ns)
{
	return p->rate.next_ns > now_ns || p->last_ns + TP_NS_PER_S > now_ns;
}

// Forgets up to two, so that the list shrinks while others come.
static void resting_trim(struct admit *a, uint64_t now_ns)
{
	for (unsigned i = 0; i < 2 && !ds_list_is_empty(&a->resting); i++) {
		struct prefix *p = DS_CONTAINER(a->resting.next, struct prefix, resting);

		if (is_needed(p, now_ns) && a->n_resting <= RESTING_MAX)
			return;
		prefix_forget(a, p);
	}
}

static struct prefix *prefix_add(struct admit *a, const struct tp_addr *ip, uint64_t hash)
{
	struct prefix *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ip = *ip;
	ds_list_add(&a->resting, &p->resting);
	a->n_resting++;
	ds_map_add(&a->prefixes, &p->node, hash);
	return p;
}

struct admit *admit_create(const struct admit_limits *l, const uint8_t key[16])
{
	struct admit *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	if (ds_map_init(&a->prefixes, key) < 0) {
		free(a);
		return NULL;
	}
	a->limits = *l;
	ds_list_init(&a->resting);
	return a;
}

// Every prefix has to rest: its connections have left.
void admit_destroy(struct admit *a)
{
	if (a == NULL)
		return;
	while (!ds_list_is_empty(&a->resting))
		prefix_forget(a, DS_CONTAINER(a->resting.next, struct prefix, resting));
	ds_map_fini(&a->prefixes);
	free(a);
}

void admit_limits_set(struct admit *a, const struct admit_limits *l)
{
	a->limits = *l;
}

static bool share_is_left(const struct admit *a, const struct prefix *p)
{
	return p == NULL || p->n <= SHARE * (uint64_t)(a->limits.connections - a->n - 1);
}

enum admit_verdict admit_enter(struct admit *a, uint64_t now_ns, const struct tp_addr *source)
{
	const struct admit_limits *l = &a->limits;
	struct tp_addr ip = prefix_of(source);
	uint64_t hash = ds_map_hash(&a->prefixes, &ip, sizeof(ip));
	struct prefix *p;
	bool is_quiet;

	resting_trim(a, now_ns);
	p = prefix_find(a, &ip, hash);
	is_quiet = p == NULL || p->last_ns + TP_NS_PER_S <= now_ns;
	if (a->n >= l->connections)
		return ADMIT_REFUSED_connections;
	if (p != NULL && l->connections_prefix != 0 && p->n >= l->connections_prefix)
		return ADMIT_REFUSED_connections_prefix;
	if (!share_is_left(a, p))
		return ADMIT_REFUSED_connections_share;
	if (p != NULL && !bucket_has(&p->rate, l->handshakes_prefix, now_ns, 0))
		return ADMIT_REFUSED_handshakes_prefix;
	if (!bucket_has(&a->rate, l->handshakes, now_ns, is_quiet ? 0 : RESERVE_NS))
		return ADMIT_REFUSED_handshakes;
	if (p == NULL)
		p = prefix_add(a, &ip, hash);
	if (p == NULL)
		return ADMIT_REFUSED_memory;
	bucket_take(&p->rate, l->handshakes_prefix, now_ns);
	bucket_take(&a->rate, l->handshakes, now_ns);
	p->last_ns = now_ns;
	if (p->n++ == 0) {
		ds_list_del(&p->resting);
		a->n_resting--;
	}
	a->n++;
	return ADMIT_OK;
}

void admit_leave(struct admit *a, uint64_t now_ns, const struct tp_addr *source)
{
	struct tp_addr ip = prefix_of(source);
	struct prefix *p = prefix_find(a, &ip, ds_map_hash(&a->prefixes, &ip, sizeof(ip)));

	if (p == NULL || p->n == 0)
		return;
	a->n--;
	if (--p->n > 0)
		return;
	ds_list_add(&a->resting, &p->resting);
	a->n_resting++;
	resting_trim(a, now_ns);
}

uint32_t admit_connections(const struct admit *a)
{
	return a->n;
}

uint32_t admit_prefixes(const struct admit *a)
{
	return (uint32_t)a->prefixes.n;
}

const char *admit_verdict_name(enum admit_verdict v)
{
	static const char *const names[ADMIT_COUNT] = {[ADMIT_OK] = "ok",
#define ADMIT_REFUSAL_NAME(name, text) [ADMIT_REFUSED_##name] = #name,
		ADMIT_REFUSALS(ADMIT_REFUSAL_NAME)
#undef ADMIT_REFUSAL_NAME
	};

	return names[v];
}
