// SPDX-License-Identifier: BSD-3-Clause
#include "match.h"

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static uint64_t hash_aes(
	const struct tp_table *t, const struct tp_key *key)
{
	return tp_hash_aes(t->hash_key, key);
}
#endif

static uint64_t hash_any(const struct tp_table *t, const struct tp_key *key)
{
#if TP_HASH_HAS_AES
	if (t->hash_kind == TP_HASH_KIND_AES)
		return hash_aes(t, key);
#endif
	return tp_hash_siphash(t->hash_key, key);
}

void lookup_enqueue(struct burst *b, struct pkt_ctx *p, enum lookup_step step)
{
	const struct tp_table *t = &b->w->table;
	struct pending_list *list = &b->next[step];
	struct lookup *l = &p->lookup;

	l->hash = hash_any(t, &l->key);
	l->bucket = &t->buckets[tp_table_bucket_of(t, l->hash)];
	__builtin_prefetch(l->bucket, 0, 3);
	list->at[list->n++] = (uint8_t)(p - b->ctx);
	b->n_pending++;
}

uint32_t match_search(const struct burst *b, const struct lookup *l)
{
	return tp_table_find(&b->w->table, &l->key, l->hash);
}

void pending_match(struct burst *b, const struct pending_list *list, enum lookup_step step)
{
	const struct matcher m = matcher_of(b);
	const enum match_fetch fetch = match_fetch_of(step);

	for (unsigned i = 0; i < list->n; i++) {
		struct lookup *l = &b->ctx[list->at[i]].lookup;

		l->found = match_one(b, l, &m, fetch);
	}
}
