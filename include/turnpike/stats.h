// SPDX-License-Identifier: BSD-3-Clause
// Counters of the data plane, in the `state` file: one block per worker, written by that worker
// alone with relaxed stores, never zeroed while the file lives. Readers add the workers up.
#pragma once

#include <stdatomic.h>

#include <turnpike/base.h>
#include <turnpike/limits.h>

// Ways through a worker that end in a packet sent, answered or handed on.
#define TP_PATHS(X)                                                                                \
	X(channel_to_peer, "ChannelData from a client, sent to its peer")                          \
	X(peer_to_channel, "datagram of a peer, sent to the client as ChannelData")                \
	X(send_to_peer, "Send indication of a client, sent to its peer")                           \
	X(peer_to_data, "datagram of a peer, sent to the client as a Data indication")             \
	X(hairpin, "packet between two allocations of this relay (counted above as well)")         \
	X(binding, "Binding request answered by the worker")                                       \
	X(punt_live, "message of a live 5-tuple, to the control process")                          \
	X(punt_nonce, "message with our nonce, to the control process")                            \
	X(punt_first, "first contact, to the control process")                                     \
	X(inject, "message of the control process, sent")                                          \
	X(to_kernel, "packet that is not ours, handed to the kernel")                              \
	X(from_kernel, "packet of the kernel, sent out of a port whose device it does not see")    \
	X(challenge, "request without credentials, answered 401 by the worker")                    \
	X(too_big, "packet too long for its way, its sender told by ICMP how long it may be")      \
	X(cut, "packet that left in fragments (counted above as well)")                            \
	X(icmp, "ICMP error about a packet of a live call, to the control process")                \
	X(mtu_black_hole, "leg that swallows long packets (its packet is counted above as well)")  \
	X(joined, "datagram that came in fragments and is whole (counted above as well)")          \
	X(dtls_in, "datagram of DTLS records, handed to the edge")                                 \
	X(dtls_out, "datagram of DTLS records of the edge, sent")                                  \
	X(port_would_deny, "packet that a port of peers.deny would end but for peers.dry_run "     \
			   "(counted above as well)")                                              \
	X(marked, "packet marked CE because a cap is near (counted above as well)")

enum tp_path {
#define TP_PATH_ENUM(name, text) TP_PATH_##name,
	TP_PATHS(TP_PATH_ENUM)
#undef TP_PATH_ENUM
		TP_PATH_COUNT
};
_Static_assert(TP_PATH_COUNT <= TP_PATHS_MAX, "statistics have no room for another path");

static inline const char *tp_path_name(unsigned path)
{
	static const char *const names[] = {
#define TP_PATH_NAME(name, text) #name,
		TP_PATHS(TP_PATH_NAME)
#undef TP_PATH_NAME
	};

	return path < TP_ARRAY_LEN(names) ? names[path] : NULL;
}

// Packets and bytes (payload as relayed). One per table entry and worker: CHANNEL counts client to
// peer, PEER peer to client, PERMISSION Send indications, ALLOCATION Data indications.
struct tp_cell {
	_Atomic uint64_t packets;
	_Atomic uint64_t octets;
};
TP_ASSERT_SIZE(struct tp_cell, 16);

struct tp_worker_stats {
	// CLOCK_BOOTTIME at the last burst: its age is the loop's age.
	_Atomic uint64_t heartbeat_ns;
	_Atomic uint64_t loops;
	_Atomic uint64_t empty_polls;
	_Atomic uint64_t sleeps;
	// Time stamp counter over bursts that carried packets, and over the others.
	_Atomic uint64_t busy_cycles;
	_Atomic uint64_t idle_cycles;
	_Atomic uint64_t rx_packets;
	_Atomic uint64_t rx_octets; // frames as received
	_Atomic uint64_t tx_packets;
	_Atomic uint64_t tx_octets;
	// Times that the control process was woken.
	_Atomic uint64_t kicks;
	// Times that the kernel took the core away.
	_Atomic uint64_t involuntary_switches;
	_Atomic uint32_t lcore;
	_Atomic uint32_t online;
	uint64_t reserved0[11];
	_Atomic uint64_t path_packets[TP_PATHS_MAX];
	_Atomic uint64_t path_octets[TP_PATHS_MAX];
	_Atomic uint64_t drops[TP_DROPS_MAX];
	// Slot n: 2^n to 2^(n+1) - 1 ns.
	_Atomic uint64_t residence[TP_RESIDENCE_SLOTS];
} TP_ALIGNED(64);
TP_ASSERT_OFFSET(struct tp_worker_stats, path_packets, 192);
TP_ASSERT_SIZE(struct tp_worker_stats, 1728);

// Adds to a word that only the calling thread writes: neither locked nor torn. Compilers make three
// instructions of a relaxed load and store.
static inline void tp_count(_Atomic uint64_t *word, uint64_t n)
{
#if defined(__x86_64__)
	__asm__("addq %1, %0" : "+m"(*(uint64_t *)word) : "er"(n));
#else
	atomic_store_explicit(
		word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
#endif
}
