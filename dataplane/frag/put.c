// SPDX-License-Identifier: BSD-3-Clause
// Takes fragments, and joins them when the last one is there.
#include <string.h>

#include <entry/csum.h>
#include <entry/wire.h>

#include "table.h"

// Drops what there is of the datagram, and all that may still come of it (RFC 5722 4): its place is
// kept until it is too old.
static void spoil(
	struct frag_table *t, struct datagram *d, enum tp_drop why, _Atomic uint64_t *drops)
{
	tp_count(&drops[why], d->n_pieces + 1u);
	frag_blocks_release(t, d);
	d->spoiled = (uint8_t)why;
}

static bool bytes_equal(const struct frag_table *t, const struct piece *p, const uint8_t *body)
{
	uint16_t block = p->block;
	uint32_t left = p->len;

	while (left > 0) {
		uint32_t n = left < BLOCK_BYTES ? left : BLOCK_BYTES;

		if (memcmp(t->blocks[block].bytes, body, n) != 0)
			return false;
		body += n;
		left -= n;
		block = t->blocks[block].next;
	}
	return true;
}

// Finds the fragment's place among the pieces. Returns fragment_repeat for one that is there
// already, byte for byte, fragment_overlap for any other that covers bytes of another.
static enum tp_drop place_find(const struct frag_table *t, const struct datagram *d,
	const struct frag_piece *f, unsigned *place)
{
	unsigned i = d->n_pieces;

	// Fragments mostly come in order.
	while (i > 0 && d->pieces[i - 1].at > f->at)
		i--;
	*place = i;
	if (i > 0) {
		const struct piece *before = &d->pieces[i - 1];

		if (before->at == f->at && before->len == f->len && bytes_equal(t, before, f->body))
			return TP_DROP_fragment_repeat;
		if ((uint32_t)before->at + before->len > f->at)
			return TP_DROP_fragment_overlap;
	}
	return i < d->n_pieces && f->at + f->len > d->pieces[i].at ? TP_DROP_fragment_overlap
								   : TP_DROP_none;
}

// Whether the fragment and the datagram's end contradict each other, or the datagram is too much.
static enum tp_drop end_check(const struct datagram *d, const struct frag_piece *f)
{
	const struct piece *last = d->n_pieces > 0 ? &d->pieces[d->n_pieces - 1] : NULL;
	uint32_t end = f->at + f->len;

	if (end + f->head_len - WIRE_ETH_LEN > FRAG_IP_MAX)
		return TP_DROP_fragment_long;
	if (d->n_pieces == FRAG_PIECES_MAX)
		return TP_DROP_fragment_tiny;
	if (d->total != 0 && (f->more ? end >= d->total : end != d->total))
		return TP_DROP_fragment_bad;
	if (!f->more && last != NULL && (uint32_t)last->at + last->len > end)
		return TP_DROP_fragment_bad;
	return TP_DROP_none;
}

// Makes room for `n` blocks by older datagrams, of the same prefix first. False: the datagram
// itself is the oldest that there is.
static bool room_make(struct frag_table *t, struct datagram *d, uint32_t n, _Atomic uint64_t *drops)
{
	struct prefix *prefix = &t->prefixes[d->prefix];

	while (prefix->blocks + n > t->bounds.share_blocks) {
		if (prefix->ends.oldest == frag_datagram_index(t, d)) {
			spoil(t, d, TP_DROP_fragment_share, drops);
			return false;
		}
		frag_datagram_evict(t, prefix->ends.oldest, TP_DROP_fragment_share, drops);
	}
	while (t->n_free_blocks < n) {
		if (t->all.oldest == frag_datagram_index(t, d)) {
			spoil(t, d, TP_DROP_fragment_full, drops);
			return false;
		}
		frag_datagram_evict(t, t->all.oldest, TP_DROP_fragment_full, drops);
	}
	return true;
}

static uint16_t blocks_fill(struct frag_table *t, const uint8_t *body, uint32_t len)
{
	uint16_t first = t->free_block, block = first;

	for (;;) {
		uint32_t n = len < BLOCK_BYTES ? len : BLOCK_BYTES;

		memcpy(t->blocks[block].bytes, body, n);
		body += n;
		len -= n;
		t->free_block = t->blocks[block].next;
		t->n_free_blocks--;
		if (len == 0)
			break;
		block = t->free_block;
	}
	t->blocks[block].next = 0;
	return first;
}

static void piece_add(struct frag_table *t, struct datagram *d, const struct frag_piece *f,
	unsigned place, uint32_t n)
{
	memmove(&d->pieces[place + 1], &d->pieces[place],
		(d->n_pieces - place) * sizeof(d->pieces[0]));
	d->pieces[place] = (struct piece){.at = (uint16_t)f->at,
		.len = (uint16_t)f->len,
		.block = blocks_fill(t, f->body, f->len)};
	d->n_pieces++;
	d->n_blocks = (uint16_t)(d->n_blocks + n);
	t->prefixes[d->prefix].blocks = (uint16_t)(t->prefixes[d->prefix].blocks + n);
	d->have += f->len;
	d->ecn |= (uint8_t)(1u << f->ecn);
	if (!f->more)
		d->total = f->at + f->len;
	if (f->at == 0) {
		memcpy(d->head, f->head, f->head_len);
		d->head_len = (uint8_t)f->head_len;
		d->rx_port = f->rx_port;
	}
}

// ---- whole datagrams ---------------------------------------------------------------------------

// Returns the field of the whole (RFC 3168 5.3): a congested fragment marks it, unless others were
// not capable of marks. 4: they contradict each other.
static unsigned ecn_join(unsigned seen, unsigned first)
{
	if (!(seen & 1u << 3))
		return first;
	return seen & 1u ? 4 : 3;
}

static void head_ipv4(uint8_t *ip, uint32_t len, unsigned ecn)
{
	uint16_t csum;

	ip[WIRE_IPV4_TOS] = (uint8_t)((ip[WIRE_IPV4_TOS] & ~3u) | ecn);
	tp_store_be16(ip + WIRE_IPV4_TOTAL_LEN, (uint16_t)(WIRE_IPV4_HEADER_LEN + len));
	memset(ip + WIRE_IPV4_FRAG, 0, 2);
	memset(ip + WIRE_IPV4_CSUM, 0, 2);
	csum = (uint16_t)~entry_sum_fold(entry_sum(ip, WIRE_IPV4_HEADER_LEN));
	memcpy(ip + WIRE_IPV4_CSUM, &csum, sizeof(csum));
}

static void head_ipv6(uint8_t *ip, uint32_t len, unsigned ecn)
{
	ip[1] = (uint8_t)((ip[1] & ~0x30u) | ecn << 4);
	tp_store_be16(ip + WIRE_IPV6_PAYLOAD_LEN, (uint16_t)len);
	ip[WIRE_IPV6_NEXT] = WIRE_PROTO_UDP;
}

static void join(const struct frag_table *t, const struct datagram *d, unsigned ecn,
	struct frag_whole *whole)
{
	uint8_t *at = whole->frame + d->head_len;

	memcpy(whole->frame, d->head, d->head_len);
	for (unsigned p = 0; p < d->n_pieces; p++) {
		uint16_t block = d->pieces[p].block;

		for (uint32_t left = d->pieces[p].len; left > 0;) {
			uint32_t n = left < BLOCK_BYTES ? left : BLOCK_BYTES;

			memcpy(at, t->blocks[block].bytes, n);
			at += n;
			left -= n;
			block = t->blocks[block].next;
		}
	}
	if (d->key.family == TP_FAMILY_IPV4)
		head_ipv4(whole->frame + WIRE_ETH_LEN, d->total, ecn);
	else
		head_ipv6(whole->frame + WIRE_ETH_LEN, d->total, ecn);
	whole->len = d->head_len + d->total;
	whole->pieces = d->n_pieces;
	whole->rx_port = d->rx_port;
}

static bool finish(
	struct frag_table *t, struct datagram *d, struct frag_whole *whole, _Atomic uint64_t *drops)
{
	const uint8_t *ip = d->head + WIRE_ETH_LEN;
	unsigned first = d->key.family == TP_FAMILY_IPV4 ? ip[WIRE_IPV4_TOS] : ip[1] >> 4;
	unsigned ecn = ecn_join(d->ecn, first & 3u);
	bool right = ecn < 4 && d->head_len + d->total <= whole->max;

	if (right)
		join(t, d, ecn, whole);
	else
		tp_count(&drops[TP_DROP_fragment_bad], d->n_pieces);
	frag_datagram_release(t, d);
	return right;
}

bool frag_table_put(struct frag_table *t, const struct frag_piece *f, uint64_t now_ns,
	struct frag_whole *whole, _Atomic uint64_t *drops)
{
	uint32_t n = (f->len + BLOCK_BYTES - 1) / BLOCK_BYTES;
	struct key key = frag_key_of(f);
	struct datagram *d;
	unsigned place;
	enum tp_drop why;

	frag_table_expire(t, now_ns, drops);
	d = frag_datagram_find(t, &key);
	if (d == NULL)
		d = frag_datagram_make(t, f, &key, now_ns, drops);
	if (d->spoiled != TP_DROP_none) {
		tp_count(&drops[d->spoiled], 1);
		return false;
	}
	why = place_find(t, d, f, &place);
	if (why == TP_DROP_fragment_repeat) {
		tp_count(&drops[why], 1);
		return false;
	}
	if (why == TP_DROP_none)
		why = end_check(d, f);
	if (why != TP_DROP_none) {
		spoil(t, d, why, drops);
		return false;
	}
	if (!room_make(t, d, n, drops))
		return false;
	piece_add(t, d, f, place, n);
	return d->total != 0 && d->have == d->total && finish(t, d, whole, drops);
}
