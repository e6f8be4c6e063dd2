// SPDX-License-Identifier: BSD-3-Clause
#include <core/records.h>

#define HEADER_LEN	    13u // of a record
#define VERSION		    1u
#define EPOCH		    3u
#define LENGTH		    11u

#define CHANGE_CIPHER_SPEC  20u
#define HANDSHAKE	    22u
#define APPLICATION_DATA    23u

#define HANDSHAKE_LEN	    12u
#define CLIENT_HELLO	    1u
// Handshakes begin with the version of DTLS 1.0, whichever follows.
#define VERSION_MAJOR	    0xfeu
#define VERSION_MINOR_LEAST 0xfdu

static bool is_client_hello(const uint8_t *record, size_t body)
{
	return record[0] == HANDSHAKE && tp_load_be16(record + EPOCH) == 0 &&
	       body >= HANDSHAKE_LEN && record[HEADER_LEN] == CLIENT_HELLO;
}

enum core_records core_records_read(const uint8_t *datagram, size_t len)
{
	enum core_records kind = CORE_RECORDS_BAD;

	for (const uint8_t *p = datagram; len > 0;) {
		size_t body;

		if (len < HEADER_LEN || p[0] < CHANGE_CIPHER_SPEC || p[0] > APPLICATION_DATA ||
			p[VERSION] != VERSION_MAJOR || p[VERSION + 1] < VERSION_MINOR_LEAST)
			return CORE_RECORDS_BAD;
		body = tp_load_be16(p + LENGTH);
		if (body == 0 || body > len - HEADER_LEN)
			return CORE_RECORDS_BAD;
		if (kind == CORE_RECORDS_BAD)
			kind = is_client_hello(p, body) ? CORE_RECORDS_HELLO : CORE_RECORDS_OTHER;
		p += HEADER_LEN + body;
		len -= HEADER_LEN + body;
	}
	return kind;
}
