// SPDX-License-Identifier: BSD-3-Clause
// Fragments of any kind and order, as frames and as fields. Every fragment ends once: in a whole
// datagram or in a drop; a whole has the bytes that its fragments had; nothing stays for ever.
//
// Input: steps of a kind and its values. 0: half a second goes by. Odd: two bytes of length and a
// frame. Else five bytes: source, family and salt; place in eights (two bytes); length in eights;
// more.
#include <core/packet.h>
#include <frag/table.h>

#include <stdio.h>
#include <stdlib.h>

#define MIB	 1u
#define BODY_MAX (256u * 8u)

static const uint8_t key[16] = {7};
static uint8_t room[UINT16_MAX];

struct run {
	struct frag_table *table;
	_Atomic uint64_t drops[TP_DROP_COUNT];
	uint64_t now_ns;
	uint64_t put;
	uint64_t joined; // fragments in whole datagrams
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
	fprintf(stderr, "frag_table: %s\n", what);
	abort();
}

static uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

// `ours`: its bytes are byte_at's, or those of a salt.
static void put(struct run *r, const struct frag_piece *f, bool ours)
{
	struct frag_whole whole = {.frame = room, .max = sizeof(room)};
	struct core_packet p;

	r->put++;
	if (!frag_table_put(r->table, f, r->now_ns, &whole, r->drops)) {
		const struct frag_bounds b = frag_bounds_of(MIB);

		if (frag_table_blocks(r->table) > b.blocks ||
			frag_table_pending(r->table) > b.datagrams)
			fail("more than there is");
		return;
	}
	r->joined += whole.pieces;
	if (whole.len > sizeof(room) || whole.len < f->head_len + f->len)
		fail("length of a whole");
	core_parse(&p, room, whole.len);
	if (p.kind != CORE_UDP)
		fail("a whole that is none");
	for (uint32_t i = f->head_len; ours && i < whole.len; i++) {
		uint8_t want = byte_at(i - f->head_len);

		if (room[i] != want && room[i] != (want ^ 0xa5))
			fail("bytes of a whole");
	}
}

static void put_frame(struct run *r, const uint8_t *data, size_t len)
{
	uint8_t *frame = malloc(len == 0 ? 1 : len);
	struct frag_piece f;
	struct core_packet p;

	if (frame == NULL)
		abort();
	memcpy(frame, data, len);
	core_parse(&p, frame, len);
	if (p.kind == CORE_FRAGMENT && p.fault == TP_DROP_none &&
		frag_read(&f, frame) == TP_DROP_none)
		put(r, &f, false);
	free(frame);
}

static void put_fields(struct run *r, const uint8_t v[5])
{
	uint8_t body[BODY_MAX], head[54] = {0};
	bool v4 = v[0] & 1;
	struct frag_piece f = {.head = head,
		.src = head + (v4 ? 26 : 22),
		.dst = head + (v4 ? 30 : 38),
		.body = body,
		.head_len = v4 ? 34 : 54,
		.at = ((v[1] & 0x1fu) << 8 | v[2]) * 8u,
		.len = (v[3] + 1u) * 8u,
		.id = v[0] >> 4 & 3u,
		.family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6,
		.ecn = v[4] >> 1 & 3u,
		.more = v[4] & 1};

	if (!f.more)
		f.len -= v[4] >> 3 & 7u;
	head[12] = v4 ? 0x08 : 0x86;
	head[13] = v4 ? 0x00 : 0xdd;
	head[14] = v4 ? 0x45 : 0x60;
	head[v4 ? 23 : 20] = 17;
	head[v4 ? 29 : 23] = v[0] >> 1 & 7u; // source
	for (uint32_t i = 0; i < f.len; i++)
		body[i] = byte_at(f.at + i) ^ (v[0] & 0x80 ? 0xa5 : 0);
	if (f.at != 0 || f.len >= 8)
		put(r, &f, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {.now_ns = TP_NS_PER_S};
	size_t whole = (frag_table_size(MIB) + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, whole);
	uint64_t drops = 0;

	if (memory == NULL)
		abort();
	memset(memory, 0, whole);
	r.table = frag_table_init(memory, MIB, key);
	while (size >= 3) {
		size_t len = data[0] & 1 ? 3u + ((size_t)(data[1] & 7) << 8 | data[2]) : 6;

		if (data[0] == 0) {
			r.now_ns += TP_NS_PER_S / 2;
			data++;
			size--;
			continue;
		}
		if (len > size)
			break;
		if (data[0] & 1)
			put_frame(&r, data + 3, len - 3);
		else
			put_fields(&r, data + 1);
		data += len;
		size -= len;
	}
	frag_table_expire(r.table, r.now_ns + FRAG_LIFE_NS, r.drops);
	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		drops += r.drops[i];
	if (frag_table_pending(r.table) != 0 || frag_table_blocks(r.table) != 0)
		fail("something stays");
	if (drops + r.joined != r.put)
		fail("a fragment ended not once");
	free(memory);
	return 0;
}
