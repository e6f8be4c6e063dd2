// SPDX-License-Identifier: BSD-3-Clause
#include <load/sequence.h>

enum load_arrival load_sequence_take(struct load_sequence *s, uint32_t number)
{
	int32_t ahead = (int32_t)(number - s->next);
	uint32_t behind;

	if (ahead >= 0) {
		uint32_t step = (uint32_t)ahead + 1;

		s->window = step >= LOAD_SEQUENCE_WINDOW ? 0 : s->window << step;
		s->window |= 1;
		s->next = number + 1;
		return LOAD_IN_ORDER;
	}
	behind = s->next - 1 - number;
	if (behind >= LOAD_SEQUENCE_WINDOW)
		return LOAD_ANCIENT;
	if (s->window >> behind & 1)
		return LOAD_DUPLICATE;
	s->window |= 1ull << behind;
	return LOAD_REORDERED;
}
