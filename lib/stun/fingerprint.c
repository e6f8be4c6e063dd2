// SPDX-License-Identifier: BSD-3-Clause
#include <stun/fingerprint.h>

#include <turnpike/stun.h>

uint32_t stun_fingerprint(const uint8_t *bytes, size_t len)
{
	// CRC-32 of ITU V.42, reflected polynomial 0xedb88320, half a byte at a time.
	static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ nibble[crc & 0xf];
		crc = crc >> 4 ^ nibble[crc & 0xf];
	}
	return ~crc ^ TP_STUN_FINGERPRINT_XOR;
}
