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
// A site of IPv6, a /48, has 65,536 prefixes, and so many times the limits of one.
#define SITE_FACTOR 16u
#define SITE_LEN    6u
#define LEVELS_MAX  2u

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

static bool bucket_has(const struct bucket *b, uint64_t per_s, uint64_t now_ns, uint64_t reserve_ns)
{
	return per_s == 0 || b->next_ns + reserve_ns <= now_ns + BURST_NS - TP_NS_PER_S / per_s;
}

static void bucket_take(struct bucket *b, uint64_t per_s, uint64_t now_ns)
{
	if (per_s == 0)
		return;
	if (b->next_ns < now_ns)
		b->next_ns = now_ns;
	b->next_ns += TP_NS_PER_S / per_s;
}

static unsigned levels_of(const struct tp_addr *source)
{
	return source->family == TP_FAMILY_IPV6 ? LEVELS_MAX : 1;
}

// The source's prefix, at level 1 its site, which has a port to tell it from its first prefix.
static struct tp_addr prefix_of(const struct tp_addr *source, unsigned level)
{
	struct tp_addr ip = *source;
	unsigned len = level > 0 ? SITE_LEN : 8;

	ip.port_be = (uint16_t)level;
	if (ip.family == TP_FAMILY_IPV6)
		memset(ip.ip + len, 0, sizeof(ip.ip) - len);
	return ip;
}

static uint64_t prefix_hash(const struct admit *a, const struct tp_addr *ip)
{
	return ds_map_hash(&a->prefixes, ip, sizeof(*ip));
}

static struct prefix *prefix_find(const struct admit *a, const struct tp_addr *ip)
{
	uint64_t hash = prefix_hash(a, ip);

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

static struct prefix *prefix_add(struct admit *a, const struct tp_addr *ip)
{
	struct prefix *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ip = *ip;
	ds_list_add(&a->resting, &p->resting);
	a->n_resting++;
	ds_map_add(&a->prefixes, &p->node, prefix_hash(a, ip));
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
	return p->n <= SHARE * (uint64_t)(a->limits.connections - a->n - 1);
}

static bool is_quiet(const struct prefix *p, uint64_t now_ns)
{
	return p == NULL || p->last_ns + TP_NS_PER_S <= now_ns;
}

// Judges by one prefix, NULL where it is not remembered, or by one site.
static enum admit_verdict prefix_judge(
	const struct admit *a, const struct prefix *p, unsigned level, uint64_t now_ns)
{
	const struct admit_limits *l = &a->limits;
	uint32_t factor = level > 0 ? SITE_FACTOR : 1;
	uint64_t per_s = (uint64_t)l->handshakes_prefix * factor;

	if (p == NULL)
		return ADMIT_OK;
	if (l->connections_prefix != 0 && p->n >= (uint64_t)l->connections_prefix * factor)
		return ADMIT_REFUSED_connections_prefix;
	if (!share_is_left(a, p))
		return ADMIT_REFUSED_connections_share;
	return bucket_has(&p->rate, per_s, now_ns, 0) ? ADMIT_OK : ADMIT_REFUSED_handshakes_prefix;
}

static void prefix_count(struct admit *a, struct prefix *p)
{
	if (p->n++ > 0)
		return;
	ds_list_del(&p->resting);
	a->n_resting--;
}

static void prefix_enter(struct admit *a, struct prefix *p, unsigned level, uint64_t now_ns)
{
	uint64_t per_s = (uint64_t)a->limits.handshakes_prefix * (level > 0 ? SITE_FACTOR : 1);

	bucket_take(&p->rate, per_s, now_ns);
	p->last_ns = now_ns;
	prefix_count(a, p);
}

enum admit_verdict admit_enter(struct admit *a, uint64_t now_ns, const struct tp_addr *source)
{
	const struct admit_limits *l = &a->limits;
	unsigned levels = levels_of(source);
	struct tp_addr ip[LEVELS_MAX];
	struct prefix *p[LEVELS_MAX];
	bool quiet = true;

	resting_trim(a, now_ns);
	if (a->n >= l->connections)
		return ADMIT_REFUSED_connections;
	for (unsigned i = 0; i < levels; i++) {
		enum admit_verdict v;

		ip[i] = prefix_of(source, i);
		p[i] = prefix_find(a, &ip[i]);
		quiet = quiet && is_quiet(p[i], now_ns);
		v = prefix_judge(a, p[i], i, now_ns);
		if (v != ADMIT_OK)
			return v;
	}
	if (!bucket_has(&a->rate, l->handshakes, now_ns, quiet ? 0 : RESERVE_NS))
		return ADMIT_REFUSED_handshakes;
	for (unsigned i = 0; i < levels; i++) {
		if (p[i] == NULL)
			p[i] = prefix_add(a, &ip[i]);
		if (p[i] == NULL)
			return ADMIT_REFUSED_memory;
	}
	for (unsigned i = 0; i < levels; i++)
		prefix_enter(a, p[i], i, now_ns);
	bucket_take(&a->rate, l->handshakes, now_ns);
	a->n++;
	return ADMIT_OK;
}

bool admit_restore(struct admit *a, const struct tp_addr *source)
{
	unsigned levels = levels_of(source);
	struct prefix *p[LEVELS_MAX];

	for (unsigned i = 0; i < levels; i++) {
		struct tp_addr ip = prefix_of(source, i);

		p[i] = prefix_find(a, &ip);
		if (p[i] == NULL)
			p[i] = prefix_add(a, &ip);
		if (p[i] == NULL)
			return false;
	}
	for (unsigned i = 0; i < levels; i++)
		prefix_count(a, p[i]);
	a->n++;
	return true;
}

static void prefix_leave(struct admit *a, struct prefix *p, uint64_t now_ns)
{
	if (p == NULL || --p->n > 0)
		return;
	ds_list_add(&a->resting, &p->resting);
	a->n_resting++;
	resting_trim(a, now_ns);
}

void admit_leave(struct admit *a, uint64_t now_ns, const struct tp_addr *source)
{
	struct tp_addr ip = prefix_of(source, 0);
	struct prefix *p = prefix_find(a, &ip);

	if (p == NULL || p->n == 0)
		return;
	a->n--;
	prefix_leave(a, p, now_ns);
	if (levels_of(source) == 1)
		return;
	ip = prefix_of(source, 1);
	prefix_leave(a, prefix_find(a, &ip), now_ns);
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
