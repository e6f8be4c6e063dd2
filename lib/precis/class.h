// SPDX-License-Identifier: BSD-3-Clause
// Which characters the FreeformClass has (RFC 8264 4.3).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether the character at `i` of the text may stand there.
bool precis_freeform_has(const uint32_t *text, size_t len, size_t i);
