// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT (RFC 8489 14.7). A library of its own without OpenSSL: both processes link it.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Returns the value of FINGERPRINT over the `len` bytes in front of the attribute. The header's
// length field must count the attribute already.
uint32_t stun_fingerprint(const uint8_t *bytes, size_t len);
