// SPDX-License-Identifier: BSD-3-Clause
// A key's hash from its three words. The kind is chosen once per burst: a pass that hashes is
// compiled once for each, with the hash folded in. The secret is best a copy on the stack: no store
// to a packet can change that, so it is not loaded again for each.
#pragma once

#include "item.h"

struct hasher {
	uint64_t (*words)(const uint8_t hkey[TP_HASH_KEY_LEN], uint64_t a, uint64_t b, uint64_t c);
	const uint8_t *key;
};

static inline uint64_t hash_words_siphash(
	const uint8_t hkey[TP_HASH_KEY_LEN], uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t key[3] = {a, b, c};

	return tp_hash_siphash(hkey, key);
}

// Asks for the entry with this key.
CORE_INLINE void ask(struct burst *b, struct item *it, struct open_list *list, struct hasher h,
	uint64_t key0, uint64_t key1, uint64_t key2)
{
	uint64_t hash = h.words(h.key, key0, key1, key2);

	bucket_prefetch(&b->w->table, hash);
	item_key_set(it, key0, key1, key2);
	it->hash = hash;
	list->at[list->n++] = (uint8_t)(it - b->items);
}

// Asks for the PERMISSION of the allocation for this peer (tp_key_permission).
CORE_INLINE void ask_permission(struct burst *b, struct item *it, enum item_step step,
	struct hasher h, struct local_ip ip, uint8_t family, uint32_t allocation)
{
	ask(b, it, &b->next[step], h, ip.word[0], ip.word[1],
		key_tail(0, (uint16_t)allocation, (uint16_t)(allocation >> 16), TP_KIND_PERMISSION,
			family));
}
