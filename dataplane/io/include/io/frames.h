// SPDX-License-Identifier: BSD-3-Clause
// A bounded queue of frames, copied in and out: one thread puts, another takes, neither ever waits
// for the other, not even when that one is off its core.
#pragma once

#include <stdatomic.h>

#include <turnpike/base.h>

#define IO_FRAMES_SLOTS 1024u

struct io_frames {
	_Atomic uint32_t head TP_ALIGNED(64); // the putting thread's; runs free
	_Atomic uint32_t tail TP_ALIGNED(64); // the taking thread's
	uint8_t *slots TP_ALIGNED(64);	      // [IO_FRAMES_SLOTS][stride]: length, bytes
	uint32_t stride;
};

// Prepares room for frames of up to `frame_max` bytes. -ENOMEM.
int io_frames_init(struct io_frames *f, uint16_t frame_max);
void io_frames_fini(struct io_frames *f);

static inline uint8_t *io_frames_slot(const struct io_frames *f, uint32_t index)
{
	return f->slots + (size_t)(index & (IO_FRAMES_SLOTS - 1)) * f->stride;
}

// Where the next frame may be written, or NULL when the queue is full.
static inline uint8_t *io_frames_reserve(struct io_frames *f)
{
	uint32_t head = atomic_load_explicit(&f->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&f->tail, memory_order_acquire) == IO_FRAMES_SLOTS)
		return NULL;
	return io_frames_slot(f, head) + sizeof(uint16_t);
}

static inline void io_frames_publish(struct io_frames *f, uint16_t len)
{
	uint32_t head = atomic_load_explicit(&f->head, memory_order_relaxed);

	memcpy(io_frames_slot(f, head), &len, sizeof(len));
	atomic_store_explicit(&f->head, head + 1, memory_order_release);
}

// The oldest frame, or NULL; it stays until io_frames_release.
static inline const uint8_t *io_frames_peek(const struct io_frames *f, uint16_t *len)
{
	uint32_t tail = atomic_load_explicit(&f->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&f->head, memory_order_acquire))
		return NULL;
	memcpy(len, io_frames_slot(f, tail), sizeof(*len));
	return io_frames_slot(f, tail) + sizeof(uint16_t);
}

static inline void io_frames_release(struct io_frames *f)
{
	uint32_t tail = atomic_load_explicit(&f->tail, memory_order_relaxed);

	atomic_store_explicit(&f->tail, tail + 1, memory_order_release);
}
