// SPDX-License-Identifier: BSD-3-Clause
// Between the files of this library.
#pragma once

#include <io/port.h>

// Sets the MAC address (6 bytes, in the order of the wire) of the port and, for workers, in one
// step.
void io_port_mac_set(struct io_port *p, const uint8_t mac[6]);
