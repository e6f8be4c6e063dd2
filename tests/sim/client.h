// SPDX-License-Identifier: BSD-3-Clause
// A simulated client: its requests, how it writes them, and how it takes the answers.
#pragma once

#include "world.h"

void client_init(struct world *w, unsigned client);
