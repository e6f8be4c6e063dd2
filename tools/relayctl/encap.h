// SPDX-License-Identifier: BSD-3-Clause
// Headers for messages of stream clients in a capture. The data plane sees no packets of these: a
// message gets the Ethernet, IP and TCP or UDP headers of its connection, with the client's true
// addresses and ports, so that other programs read it. MAC addresses and the checksums of TCP and
// UDP are zero, and numbers of sequence count the captured bytes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <turnpike/addr.h>

#define RCTL_ENCAP_MAX 74u // bytes of headers: Ethernet, IPv6, TCP

struct rctl_encap {
	struct tp_addr client;
	struct tp_addr listener;
	bool by_tcp;	      // TCP, TLS; else DTLS
	uint32_t next_seq[2]; // of the client's direction, of the other
};

// Writes the headers of `len` bytes that the client has sent, or (`outbound`) is sent. Returns
// their number.
uint32_t rctl_encap_headers(
	struct rctl_encap *e, bool outbound, uint16_t len, uint8_t out[RCTL_ENCAP_MAX]);
