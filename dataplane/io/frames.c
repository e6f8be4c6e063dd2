// SPDX-License-Identifier: BSD-3-Clause
#include <io/frames.h>

#include <errno.h>
#include <stdlib.h>

int io_frames_init(struct io_frames *f, uint16_t frame_max)
{
	uint32_t stride = (uint32_t)sizeof(uint16_t) + frame_max;

	stride = (stride + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE;
	memset(f, 0, sizeof(*f));
	f->slots = aligned_alloc(TP_CACHE_LINE, (size_t)stride * IO_FRAMES_SLOTS);
	if (f->slots == NULL)
		return -ENOMEM;
	// Touched now: a worker's first frame must not wait for the page.
	memset(f->slots, 0, (size_t)stride * IO_FRAMES_SLOTS);
	f->stride = stride;
	return 0;
}

void io_frames_fini(struct io_frames *f)
{
	free(f->slots);
	f->slots = NULL;
}
