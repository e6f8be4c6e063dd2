// SPDX-License-Identifier: BSD-3-Clause
// Any datagram to a worker and to a TURN server of the same configuration. A 401 of the worker is
// the server's, byte by byte; the server answers nothing that the worker drops; and no first 401 of
// a single realm is left to it. The first byte chooses the configuration and the client's family.
#include <challenge_pair.h>

#include <stdio.h>
#include <stdlib.h>

#define SHAPES	    4u
#define MESSAGE_TOP 1472u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair pairs[SHAPES];
	struct pair_verdict v;
	struct tp_addr client;
	struct pair *p;

	if (size < 1)
		return 0;
	p = &pairs[data[0] % SHAPES];
	client = pair_client((data[0] & SHAPES) != 0, 2000);
	if (p->s == NULL) {
		struct pair_shape shape = {
			.secure_stun = data[0] & 1, .two_realms = (data[0] & 2) != 0};

		pair_start(p, &shape);
	}
	size = size - 1 > MESSAGE_TOP ? MESSAGE_TOP : size - 1;
	v = pair_compare(p, &client, data + 1, size);
	if (v.wrong != NULL) {
		fprintf(stderr, "challenge: %s\n", v.wrong);
		abort();
	}
	return 0;
}
