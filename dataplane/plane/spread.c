// SPDX-License-Identifier: BSD-3-Clause
#include <plane/spread.h>

bool plane_spread_judge(struct plane_spread *s, const uint64_t *received, unsigned n_queues)
{
	uint64_t sum = 0, most = 0;
	unsigned n = n_queues < PLANE_SPREAD_QUEUES ? n_queues : PLANE_SPREAD_QUEUES;
	bool first;

	if (n < 2)
		return false;
	for (unsigned q = 0; q < n; q++) {
		uint64_t more = received[q] - s->before[q];

		sum += more;
		most = more > most ? more : most;
	}
	if (sum < PLANE_SPREAD_PACKETS)
		return false;
	memcpy(s->before, received, n * sizeof(received[0]));
	first = !s->told;
	s->told = most * 20 >= sum * 19;
	return s->told && first;
}
