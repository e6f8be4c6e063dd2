// SPDX-License-Identifier: BSD-3-Clause
// Memory of a worker for datagrams that arrive in fragments: the configuration bounds it, the data
// plane takes it, and a plan counts it.
#pragma once

#include <stdint.h>

// MiB of fragments.
#define TP_FRAGMENT_MIB_MAX    16u
// Bytes taken for so many MiB, with all that belongs to them.
#define TP_FRAGMENT_BYTES(mib) ((uint64_t)(mib)*5 << 18)
