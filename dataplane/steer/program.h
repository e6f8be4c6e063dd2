// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of an interface, ours or another's. All return 0 or a negative errno.
#pragma once

#include <stdint.h>

#include <linux/bpf.h>

// The attached program's id, 0 for none, and the mode it was attached in.
int steer_program_query(uint32_t ifindex, uint32_t *id, uint32_t *flags);
// Reads a program's description by its descriptor. map_ids has room for n_maps; NULL with 0.
int steer_program_info(int fd, struct bpf_prog_info *info, uint32_t *map_ids, uint32_t n_maps);
int steer_program_detach(uint32_t ifindex, uint32_t flags);
