// SPDX-License-Identifier: BSD-3-Clause
// A stream of bytes through the framer and the reader of PROXY headers. The first byte says in
// which pieces the rest arrives: the messages are the same as in one piece, and lie in the bytes.
#include <wire/first.h>
#include <wire/frame.h>
#include <wire/proxy.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint64_t sum; // of the messages
	uint32_t n;
	uint32_t oversize;
	enum wire_fault fault;
	size_t kept;
};

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "wire_stream: %s\n", text);
	abort();
}

static void message_note(struct outcome *o, const struct wire_frame *f)
{
	require(f->len >= 4 && f->len <= WIRE_MESSAGE_MAX, "length of a message");
	o->n++;
	for (size_t i = 0; i < f->len; i++)
		o->sum = o->sum * 31 + f->data[i];
}

// Bytes behind a piece must not be read, so each piece has memory of its own.
static struct outcome frames_read(const uint8_t *data, size_t size, size_t piece)
{
	struct wire_framer framer = {0};
	struct outcome o = {0};
	uint8_t partial[WIRE_PARTIAL_MAX];

	for (size_t at = 0; at < size && o.fault == WIRE_FAULT_NONE;) {
		size_t n = size - at < piece ? size - at : piece;
		uint8_t *bytes = malloc(o.kept + n);
		struct wire_frame f = {0};
		enum wire_step step;

		if (bytes == NULL)
			abort();
		memcpy(bytes, partial, o.kept);
		memcpy(bytes + o.kept, data + at, n);
		at += n;
		n += o.kept;
		while ((step = wire_frame_next(&framer, &f, bytes, n)) == WIRE_STEP_MESSAGE) {
			require(f.data >= bytes && f.data + f.len <= bytes + f.at && f.at <= n,
				"a message outside the bytes");
			message_note(&o, &f);
		}
		o.fault = step == WIRE_STEP_FAULT ? f.fault : WIRE_FAULT_NONE;
		o.kept = n - f.at;
		require(step == WIRE_STEP_FAULT || o.kept <= WIRE_PARTIAL_MAX, "too much is kept");
		if (step == WIRE_STEP_MORE)
			memcpy(partial, bytes + f.at, o.kept);
		free(bytes);
	}
	o.oversize = framer.oversize;
	return o;
}

static void proxy_check(const uint8_t *data, size_t size)
{
	struct wire_proxy whole, part;
	enum wire_proxy_step step = wire_proxy_read(&whole, data, size);

	if (step == WIRE_PROXY_MORE)
		require(size < WIRE_PROXY_V2_MAX, "a header without an end");
	if (step != WIRE_PROXY_DONE)
		return;
	require(whole.taken <= size, "a header longer than the bytes");
	require(whole.local == (whole.source.family == TP_FAMILY_NONE), "a source or none");
	require(wire_proxy_read(&part, data, whole.taken) == WIRE_PROXY_DONE &&
			tp_addr_equal(&part.source, &whole.source),
		"bytes behind the header count");
	require(wire_proxy_read(&part, data, whole.taken - 1) == WIRE_PROXY_MORE,
		"a part of the header is enough");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome a, b;

	if (size == 0)
		return 0;
	proxy_check(data + 1, size - 1);
	(void)wire_first_of(data + 1, size - 1);
	a = frames_read(data + 1, size - 1, size);
	b = frames_read(data + 1, size - 1, 1u + data[0]);
	require(a.n == b.n && a.sum == b.sum && a.oversize == b.oversize && a.fault == b.fault,
		"pieces change the messages");
	require(a.fault != WIRE_FAULT_NONE || a.kept == b.kept, "pieces change the rest");
	return 0;
}
