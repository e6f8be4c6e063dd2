// SPDX-License-Identifier: BSD-3-Clause
// Datagrams of DTLS records, as far as they are in clear (RFC 6347 4.1).
#pragma once

#include <turnpike/base.h>

enum core_records {
	CORE_RECORDS_BAD,   // no records of DTLS 1.0 or 1.2, or they do not end with the datagram
	CORE_RECORDS_HELLO, // a ClientHello or the begin of one is the first
	CORE_RECORDS_OTHER,
};

enum core_records core_records_read(const uint8_t *datagram, size_t len);
