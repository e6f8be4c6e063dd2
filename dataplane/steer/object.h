// SPDX-License-Identifier: BSD-3-Clause
// The compiled steering program, an ELF file; the array is made by embed.py.
#pragma once

#include <stddef.h>

extern const unsigned char steer_object[];
extern const size_t steer_object_len;
