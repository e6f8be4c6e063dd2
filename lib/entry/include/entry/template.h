// SPDX-License-Identifier: BSD-3-Clause
// The ready-made header of a table entry, and the sums that go with it: computed once by the
// control process, so that no worker computes them per packet.
//
// Each function fills in line 1's header (or stream), `header_len`, `sum_in`, `sum_out` and
// `sum_ip` of an entry that is not yet published, and leaves its other fields alone. -EINVAL, with
// nothing written, when two addresses of one packet differ in family or one has none, or when a
// connection is no handle. <turnpike/entry.h> defines the bytes that the sums cover.
//
//   listener  where the client's packets arrive and ours to it come from: tp_local.addr, not its
//             external address
//   client    the client's transport address
//   relayed   IP address of the relay (tp_local.addr, not external) with the relayed port
//   peer      the peer's transport address; for PERMISSION its port is ignored
//
// A peer on an address of this relay (tp_local.addr or .external of any local, in any role): set
// TP_ENTRY_HAIRPIN in CHANNEL and PERMISSION, and hairpin_relay_id to the relay whose addr or
// external it is, or to 0 when no relay has this address, which the packet path takes for a drop
// (own_address). The header is filled in as for any peer. PEER needs neither.
#pragma once

#include <turnpike/entry.h>

// Offsets within `header` of the fields that the packet path reads or fills in.
#define WIRE_IPV4_HEADER_LEN 20u
#define WIRE_IPV6_HEADER_LEN 40u
#define WIRE_UDP_HEADER_LEN  8u

int entry_template_allocation(
	struct tp_entry *e, const struct tp_addr *listener, const struct tp_addr *client);

int entry_template_channel(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer);

int entry_template_peer(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer);

int entry_template_permission(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer);

// The entries of a client that came by a connection of the edge. Its PERMISSION is that of any.
int entry_template_stream_allocation(struct tp_entry *e, uint64_t connection);

int entry_template_stream_channel(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer);

int entry_template_stream_peer(struct tp_entry *e, uint64_t connection, uint16_t number,
	const struct tp_addr *relayed, const struct tp_addr *peer);
