// SPDX-License-Identifier: BSD-3-Clause
// A simulated client: what it asks for, how it writes that, and what it makes of the answers.
#pragma once

#include "world.h"

void client_init(struct world *w, unsigned client);
