// SPDX-License-Identifier: BSD-3-Clause
// Whether the kernel keeps its hands off the relayed ports (net.ipv4.ip_local_reserved_ports).
#pragma once

#include <stdbool.h>
#include <stdint.h>

// All ports of the range that the kernel would pick by itself are in the list, which is of the
// sysctl's form: "3478,49152-65535".
bool operator_ports_covered(const char *list, uint16_t low, uint16_t high);
// By the running kernel's list and its ephemeral range. True where they can't be read.
bool operator_ports_are_reserved(uint16_t low, uint16_t high);
