// SPDX-License-Identifier: BSD-3-Clause
// The ready-made header of a table entry, and the sums that go with it: what the control process
// computes once so that no worker computes it per packet.
//
// Each function fills in `header`, `header_len`, `sum_in`, `sum_out` and `sum_ip` of an entry that
// is not yet published, and leaves its other fields alone. -EINVAL, with nothing written, when two
// addresses of one packet differ in family or one has none. What the sums cover: <core/csum.h>.
//
//   listener  where the client's packets arrive and ours to it come from: tp_local.addr, not its
//             external address
//   client    the client's transport address
//   relayed   IP address of the relay (tp_local.addr, not external) with the relayed port
//   peer      the peer's transport address; for PERMISSION its port is ignored
//
// A peer on an address of this relay (tp_local.addr or .external of any local, whatever its role):
// set TP_ENTRY_HAIRPIN in CHANNEL and PERMISSION, and hairpin_relay_id to the relay whose addr or
// external it is, or to 0 when no relay has this address, which the packet path takes for a drop
// (own_address). The header is filled in as for any peer. PEER needs neither.
#pragma once

#include <turnpike/entry.h>

// Offsets within `header` of the fields that the packet path reads or fills in.
#define CORE_IPV4_HEADER_LEN 20u
#define CORE_IPV6_HEADER_LEN 40u
#define CORE_UDP_HEADER_LEN  8u

int core_template_allocation(
	struct tp_entry *e, const struct tp_addr *listener, const struct tp_addr *client);

int core_template_channel(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer);

int core_template_peer(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer);

int core_template_permission(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer);
