// SPDX-License-Identifier: BSD-3-Clause
// Exports that are programs for another generator. 0 or -EIO.
#pragma once

#include <stdio.h>

#include "options.h"

// A profile of TRex's stateless mode: one stream per channel, the clients by its tuple generator.
int export_trex(FILE *f, const struct export_options *o);
// A script of Pktgen-DPDK that replays `capture`.
int export_pktgen(FILE *f, const struct export_options *o, const char *capture);
// One packet of a trafgen file.
int export_trafgen(FILE *f, const uint8_t *frame, size_t len);
