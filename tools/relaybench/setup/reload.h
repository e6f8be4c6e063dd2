// SPDX-License-Identifier: BSD-3-Clause
// relaybench setup --reload.
#pragma once

#include "drive.h"

// Has the last clients repeat their ChannelBind, once without and once with a reload that denies
// part of the peers, and verifies what the tables hold then. 0, or a negative errno with the reason
// in `wrong`.
int bench_reload(struct bench_relay *relay, struct bench_clients *clients,
	const struct bench_relay_shape *shape, int core, struct bench_setup_reload *result,
	char *wrong, size_t wrong_size);
