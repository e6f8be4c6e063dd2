// SPDX-License-Identifier: BSD-3-Clause
#include <frag/table.h>

#include <string.h>

#include <turnpike/siphash.h>

#include "table.h"

struct frag_bounds frag_bounds_of(uint32_t mib)
{
	struct frag_bounds b = {.blocks = (mib << 20) / FRAG_BLOCK_LEN};

	b.datagrams = b.blocks / 8;
	b.share_blocks = b.blocks / 16;
	if (b.share_blocks < FRAG_SHARE_BLOCKS)
		b.share_blocks = FRAG_SHARE_BLOCKS;
	b.share_datagrams = b.datagrams / 8;
	return b;
}

static size_t prefixes_size(const struct frag_bounds *b)
{
	return (b->datagrams + 1) * sizeof(struct prefix);
}

static size_t datagrams_size(const struct frag_bounds *b)
{
	return (b->datagrams + 1) * sizeof(struct datagram);
}

size_t frag_table_size(uint32_t mib)
{
	struct frag_bounds b = frag_bounds_of(mib);

	return sizeof(struct frag_table) + prefixes_size(&b) + datagrams_size(&b) +
	       (b.blocks + 1) * sizeof(struct block);
}

struct frag_table *frag_table_init(void *memory, uint32_t mib, const uint8_t key[16])
{
	struct frag_table *t = memory;

	memcpy(t->key, key, sizeof(t->key));
	t->bounds = frag_bounds_of(mib);
	t->prefixes = (void *)(t + 1);
	t->datagrams = (void *)((uint8_t *)t->prefixes + prefixes_size(&t->bounds));
	t->blocks = (void *)((uint8_t *)t->datagrams + datagrams_size(&t->bounds));
	for (uint16_t i = (uint16_t)t->bounds.blocks; i > 0; i--) {
		t->blocks[i].next = t->free_block;
		t->free_block = i;
	}
	t->n_free_blocks = t->bounds.blocks;
	for (uint16_t i = (uint16_t)t->bounds.datagrams; i > 0; i--) {
		t->datagrams[i].chain = t->free_datagram;
		t->free_datagram = i;
		t->prefixes[i].chain = t->free_prefix;
		t->free_prefix = i;
	}
	return t;
}

uint32_t frag_table_pending(const struct frag_table *t)
{
	return t->n_datagrams;
}

uint32_t frag_table_blocks(const struct frag_table *t)
{
	return t->bounds.blocks - t->n_free_blocks;
}

// ---- source prefixes ---------------------------------------------------------------------------

static uint64_t prefix_word(const uint8_t key[16], const struct frag_piece *f)
{
	return tp_siphash13(key, f->src, f->family == TP_FAMILY_IPV4 ? 4 : 8) ^ f->family;
}

uint32_t frag_owner(const uint8_t key[16], const struct frag_piece *f, uint32_t n)
{
	return (uint32_t)((prefix_word(key, f) >> 32) * n >> 32);
}

static uint16_t *prefix_bucket(struct frag_table *t, uint64_t word)
{
	return &t->prefix_buckets[word % FRAG_BUCKETS];
}

static uint16_t prefix_find(struct frag_table *t, uint64_t word)
{
	uint16_t i = *prefix_bucket(t, word);

	while (i != 0 && t->prefixes[i].word != word)
		i = t->prefixes[i].chain;
	return i;
}

// There are as many prefixes as datagrams, so one is free.
static uint16_t prefix_make(struct frag_table *t, uint64_t word)
{
	uint16_t *bucket = prefix_bucket(t, word), i = t->free_prefix;

	t->free_prefix = t->prefixes[i].chain;
	t->prefixes[i] = (struct prefix){.word = word, .chain = *bucket};
	*bucket = i;
	return i;
}

static void prefix_release(struct frag_table *t, uint16_t index)
{
	uint16_t *at = prefix_bucket(t, t->prefixes[index].word);

	while (*at != index)
		at = &t->prefixes[*at].chain;
	*at = t->prefixes[index].chain;
	t->prefixes[index].chain = t->free_prefix;
	t->free_prefix = index;
}

// ---- datagrams, in the order of their first fragment's arrival ---------------------------------

static void list_append(struct frag_table *t, struct ends *ends, unsigned which, uint16_t index)
{
	struct links *l = &t->datagrams[index].links[which];

	*l = (struct links){.older = ends->newest};
	if (ends->newest != 0)
		t->datagrams[ends->newest].links[which].newer = index;
	else
		ends->oldest = index;
	ends->newest = index;
}

static void list_remove(struct frag_table *t, struct ends *ends, unsigned which, uint16_t index)
{
	const struct links *l = &t->datagrams[index].links[which];

	if (l->older != 0)
		t->datagrams[l->older].links[which].newer = l->newer;
	else
		ends->oldest = l->newer;
	if (l->newer != 0)
		t->datagrams[l->newer].links[which].older = l->older;
	else
		ends->newest = l->older;
}

static uint16_t *datagram_bucket(struct frag_table *t, const struct key *key)
{
	return &t->datagram_buckets[tp_siphash13(t->key, key, sizeof(*key)) % FRAG_BUCKETS];
}

struct key frag_key_of(const struct frag_piece *f)
{
	struct key key = {.id = f->id, .family = f->family};

	memcpy(key.src, f->src, tp_family_ip_len(f->family));
	memcpy(key.dst, f->dst, tp_family_ip_len(f->family));
	return key;
}

struct datagram *frag_datagram_find(struct frag_table *t, const struct key *key)
{
	uint16_t i = *datagram_bucket(t, key);

	while (i != 0 && memcmp(&t->datagrams[i].key, key, sizeof(*key)) != 0)
		i = t->datagrams[i].chain;
	return i == 0 ? NULL : &t->datagrams[i];
}

uint16_t frag_datagram_index(const struct frag_table *t, const struct datagram *d)
{
	return (uint16_t)(d - t->datagrams);
}

void frag_blocks_release(struct frag_table *t, struct datagram *d)
{
	for (unsigned p = 0; p < d->n_pieces; p++) {
		uint16_t last = d->pieces[p].block;

		while (t->blocks[last].next != 0)
			last = t->blocks[last].next;
		t->blocks[last].next = t->free_block;
		t->free_block = d->pieces[p].block;
	}
	t->n_free_blocks += d->n_blocks;
	t->prefixes[d->prefix].blocks = (uint16_t)(t->prefixes[d->prefix].blocks - d->n_blocks);
	d->n_blocks = 0;
	d->n_pieces = 0;
}

void frag_datagram_release(struct frag_table *t, struct datagram *d)
{
	uint16_t index = frag_datagram_index(t, d), *at = datagram_bucket(t, &d->key);
	struct prefix *prefix = &t->prefixes[d->prefix];

	frag_blocks_release(t, d);
	list_remove(t, &t->all, LINKS_ALL, index);
	list_remove(t, &prefix->ends, LINKS_PREFIX, index);
	while (*at != index)
		at = &t->datagrams[*at].chain;
	*at = d->chain;
	if (--prefix->datagrams == 0)
		prefix_release(t, d->prefix);
	d->chain = t->free_datagram;
	t->free_datagram = index;
	t->n_datagrams--;
}

void frag_datagram_evict(
	struct frag_table *t, uint16_t index, enum tp_drop why, _Atomic uint64_t *drops)
{
	tp_count(&drops[why], t->datagrams[index].n_pieces);
	frag_datagram_release(t, &t->datagrams[index]);
}

struct datagram *frag_datagram_make(struct frag_table *t, const struct frag_piece *f,
	const struct key *key, uint64_t now_ns, _Atomic uint64_t *drops)
{
	uint64_t word = prefix_word(t->key, f);
	uint16_t prefix = prefix_find(t, word), index, *bucket;
	struct datagram *d;

	if (prefix != 0 && t->prefixes[prefix].datagrams >= t->bounds.share_datagrams)
		frag_datagram_evict(
			t, t->prefixes[prefix].ends.oldest, TP_DROP_fragment_share, drops);
	if (t->free_datagram == 0)
		frag_datagram_evict(t, t->all.oldest, TP_DROP_fragment_full, drops);
	prefix = prefix_find(t, word);
	if (prefix == 0)
		prefix = prefix_make(t, word);
	index = t->free_datagram;
	d = &t->datagrams[index];
	t->free_datagram = d->chain;
	bucket = datagram_bucket(t, key);
	memset(d, 0, offsetof(struct datagram, pieces));
	d->key = *key;
	d->born_ns = now_ns;
	d->prefix = prefix;
	d->chain = *bucket;
	*bucket = index;
	list_append(t, &t->all, LINKS_ALL, index);
	list_append(t, &t->prefixes[prefix].ends, LINKS_PREFIX, index);
	t->prefixes[prefix].datagrams++;
	t->n_datagrams++;
	return d;
}

void frag_table_expire(struct frag_table *t, uint64_t now_ns, _Atomic uint64_t *drops)
{
	// The clock may be set right, backwards by a little.
	while (t->all.oldest != 0 &&
		(int64_t)(now_ns - t->datagrams[t->all.oldest].born_ns) >= (int64_t)FRAG_LIFE_NS)
		frag_datagram_evict(t, t->all.oldest, TP_DROP_fragment_late, drops);
}
