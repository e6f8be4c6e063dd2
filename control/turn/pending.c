// SPDX-License-Identifier: BSD-3-Clause
#include "pending.h"

#include <openssl/crypto.h>

#include "identity.h"
#include "timer.h"
#include "tuple.h"

int turn_pending_init(struct turn_pending *p, const uint8_t map_key[16], struct ds_wheel *wheel,
	uint32_t generation)
{
	ds_pool_init(&p->requests, sizeof(struct turn_pending_request));
	ds_pool_init(&p->lookups, sizeof(struct turn_lookup_state));
	ds_pool_init(&p->prefix_pool, sizeof(struct turn_pending_prefix));
	ds_list_init(&p->ready);
	p->wheel = wheel;
	p->generation = generation;
	if (ds_map_init(&p->by_client, map_key) != 0 || ds_map_init(&p->by_name, map_key) != 0)
		return -1;
	return ds_map_init(&p->prefixes, map_key);
}

void turn_pending_fini(struct turn_pending *p)
{
	// The keys of answers that nobody took up.
	for (uint32_t i = 0; i < ds_pool_end(&p->requests); i++)
		OPENSSL_cleanse(ds_pool_at(&p->requests, i), p->requests.size);
	ds_map_fini(&p->by_client);
	ds_map_fini(&p->by_name);
	ds_map_fini(&p->prefixes);
	ds_pool_fini(&p->requests);
	ds_pool_fini(&p->lookups);
	ds_pool_fini(&p->prefix_pool);
}

// ---- shares -------------------------------------------------------------------------------------

static struct tp_addr prefix_of(const struct tp_addr *remote)
{
	struct tp_addr prefix = *remote;
	unsigned kept = remote->family == TP_FAMILY_IPV4 ? 3 : 7;

	prefix.port_be = 0;
	memset(prefix.ip + kept, 0, sizeof(prefix.ip) - kept);
	return prefix;
}

// The count of a prefix, made where there was none; NULL without memory.
static struct turn_pending_prefix *prefix_get(struct turn_pending *p, const struct tp_addr *remote)
{
	struct tp_addr addr = prefix_of(remote);
	uint64_t hash = ds_map_hash(&p->prefixes, &addr, sizeof(addr));
	struct turn_pending_prefix *prefix;
	uint32_t index;

	for (struct ds_map_node *n = ds_map_first(&p->prefixes, hash); n != NULL;
		n = ds_map_next(n)) {
		prefix = DS_CONTAINER(n, struct turn_pending_prefix, node);
		if (tp_addr_equal(&prefix->addr, &addr))
			return prefix;
	}
	prefix = ds_pool_take(&p->prefix_pool, &index);
	if (prefix == NULL)
		return NULL;
	prefix->addr = addr;
	prefix->index = index;
	ds_map_add(&p->prefixes, &prefix->node, hash);
	return prefix;
}

static void prefix_tidy(struct turn_pending *p, struct turn_pending_prefix *prefix)
{
	if (prefix->n > 0)
		return;
	ds_map_del(&p->prefixes, &prefix->node);
	ds_pool_return(&p->prefix_pool, prefix->index);
}

// ---- requests -----------------------------------------------------------------------------------

static struct turn_pending_request *first_of(
	const struct turn_pending *p, const struct turn_tuple *from)
{
	struct ds_map_node *n =
		ds_map_first(&p->by_client, turn_tuple_hash(&p->by_client, from, NULL));

	return n != NULL ? DS_CONTAINER(n, struct turn_pending_request, by_client) : NULL;
}

static struct turn_pending_request *next_of(const struct turn_pending_request *r)
{
	struct ds_map_node *n = ds_map_next(&r->by_client);

	return n != NULL ? DS_CONTAINER(n, struct turn_pending_request, by_client) : NULL;
}

// How many the client has; `same`: whether one of them is of this transaction.
static unsigned client_count(const struct turn_pending *p, const struct turn_tuple *from,
	const uint8_t *txid, bool *same)
{
	unsigned n = 0;

	*same = false;
	for (const struct turn_pending_request *r = first_of(p, from); r != NULL; r = next_of(r)) {
		if (!turn_tuple_equal(&r->from, from))
			continue;
		n++;
		if (memcmp(r->octets + 8, txid, TP_STUN_TXID_LEN) == 0)
			*same = true;
	}
	return n;
}

bool turn_pending_has(
	const struct turn_pending *p, const struct turn_tuple *from, const uint8_t *txid)
{
	bool same;

	if (p->requests.n_taken == 0)
		return false;
	(void)client_count(p, from, txid, &same);
	return same;
}

static void request_free(struct turn_pending *p, struct turn_pending_request *r)
{
	ds_map_del(&p->by_client, &r->by_client);
	ds_list_del(&r->link);
	r->prefix->n--;
	prefix_tidy(p, r->prefix);
	OPENSSL_cleanse(&r->answer, sizeof(r->answer));
	ds_pool_return(&p->requests, r->index);
}

// ---- look-ups -----------------------------------------------------------------------------------

static struct turn_lookup_state *lookup_find(
	const struct turn_pending *p, const struct turn_realm *realm, struct stun_text name)
{
	struct ds_map_node *n =
		ds_map_first(&p->by_name, turn_name_hash(&p->by_name, realm, 0, name));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_lookup_state *l = DS_CONTAINER(n, struct turn_lookup_state, by_name);

		if (l->realm == realm &&
			turn_text_equal(name, (struct stun_text){l->name, l->name_len}))
			return l;
	}
	return NULL;
}

static struct turn_lookup_state *lookup_new(
	struct turn_pending *p, struct turn_realm *realm, struct stun_text name, uint32_t expires_s)
{
	uint32_t index;
	struct turn_lookup_state *l = ds_pool_take(&p->lookups, &index);

	if (l == NULL)
		return NULL;
	if (++p->generation == 0)
		p->generation = 1;
	l->index = index;
	l->generation = p->generation;
	l->realm = realm;
	l->name_len = (uint16_t)name.len;
	memcpy(l->name, name.chars, name.len);
	ds_list_init(&l->requests);
	ds_map_add(&p->by_name, &l->by_name, turn_name_hash(&p->by_name, realm, 0, name));
	ds_timer_init(&l->timer, TURN_TIMER_LOOKUP);
	ds_wheel_set(p->wheel, &l->timer, expires_s);
	return l;
}

static void lookup_free(struct turn_pending *p, struct turn_lookup_state *l)
{
	ds_map_del(&p->by_name, &l->by_name);
	ds_wheel_stop(p->wheel, &l->timer);
	ds_pool_return(&p->lookups, l->index);
}

uint64_t turn_pending_ticket(const struct turn_lookup_state *lookup)
{
	return (uint64_t)lookup->generation << 32 | lookup->index;
}

struct turn_lookup_state *turn_pending_lookup(const struct turn_pending *p, uint64_t ticket)
{
	uint32_t index = (uint32_t)ticket, generation = (uint32_t)(ticket >> 32);
	struct turn_lookup_state *l;

	if (generation == 0 || index >= ds_pool_end(&p->lookups))
		return NULL;
	l = ds_pool_at(&p->lookups, index);
	return l->generation == generation ? l : NULL;
}

enum turn_pending_result turn_pending_add(struct turn_pending *p, const struct turn_tuple *from,
	const struct stun_message *m, struct turn_realm *realm, struct stun_text name,
	uint32_t expires_s, struct turn_lookup_state **lookup)
{
	struct turn_pending_prefix *prefix;
	struct turn_pending_request *r;
	uint32_t index;
	unsigned n;
	bool same, is_new;

	n = client_count(p, from, m->txid, &same);
	if (same)
		return TURN_PENDING_JOINED;
	if (n >= TURN_PENDING_CLIENT_MAX)
		return TURN_PENDING_SHARE;
	if (p->requests.n_taken >= TURN_PENDING_MAX || m->len > TURN_PENDING_LEN_MAX)
		return TURN_PENDING_FULL;
	prefix = prefix_get(p, &from->remote);
	if (prefix == NULL)
		return TURN_PENDING_FULL;
	if (prefix->n >= TURN_PENDING_PREFIX_MAX)
		return TURN_PENDING_SHARE;
	*lookup = lookup_find(p, realm, name);
	is_new = *lookup == NULL;
	if (is_new && p->lookups.n_taken < TURN_PENDING_MAX)
		*lookup = lookup_new(p, realm, name, expires_s);
	r = *lookup != NULL ? ds_pool_take(&p->requests, &index) : NULL;
	if (r == NULL) {
		if (is_new && *lookup != NULL)
			lookup_free(p, *lookup);
		prefix_tidy(p, prefix);
		return TURN_PENDING_FULL;
	}
	r->index = index;
	r->from = *from;
	r->len = (uint16_t)m->len;
	memcpy(r->octets, m->octets, m->len);
	r->prefix = prefix;
	prefix->n++;
	ds_map_add(&p->by_client, &r->by_client, turn_tuple_hash(&p->by_client, from, NULL));
	ds_list_init(&r->link);
	ds_list_add(&(*lookup)->requests, &r->link);
	return is_new ? TURN_PENDING_ASK : TURN_PENDING_WAITS;
}

void turn_pending_end(
	struct turn_pending *p, struct turn_lookup_state *lookup, const struct turn_answer *answer)
{
	while (!ds_list_is_empty(&lookup->requests)) {
		struct turn_pending_request *r =
			DS_CONTAINER(lookup->requests.next, struct turn_pending_request, link);

		r->answer = *answer;
		ds_list_del(&r->link);
		ds_list_add(&p->ready, &r->link);
	}
	lookup_free(p, lookup);
}

void turn_pending_forget(
	struct turn_pending *p, const struct turn_realm *realm, struct stun_text name)
{
	struct turn_lookup_state *lookup = lookup_find(p, realm, name);

	if (lookup != NULL)
		lookup->forgotten = true;
}

bool turn_pending_take(struct turn_pending *p, struct turn_pending_request *request)
{
	struct turn_pending_request *r;

	if (ds_list_is_empty(&p->ready))
		return false;
	r = DS_CONTAINER(p->ready.next, struct turn_pending_request, link);
	*request = *r;
	request_free(p, r);
	return true;
}

unsigned turn_pending_drop(struct turn_pending *p, const struct turn_tuple *from)
{
	struct turn_pending_request *r, *next;
	unsigned n = 0;

	if (p->requests.n_taken == 0)
		return 0;
	for (r = first_of(p, from); r != NULL; r = next) {
		next = next_of(r);
		if (!turn_tuple_equal(&r->from, from))
			continue;
		request_free(p, r);
		n++;
	}
	return n;
}
