// SPDX-License-Identifier: BSD-3-Clause
// Every capacity that both processes rely on. Operators set their limits in the configuration;
// these constants bound the layout.
#pragma once

// Bytes of an instance name, NUL included.
#define TP_INSTANCE_MAX	    32u
// Poll-mode workers.
#define TP_WORKERS_MAX	    64u
// DPDK ports of one data plane.
#define TP_PORTS_MAX	    16u
// Listeners and relay addresses together, ids 1 to 1023.
#define TP_LOCALS_MAX	    1024u
// Relay addresses with a port index.
#define TP_RELAYS_MAX	    512u
// Next-hop slots a segment may have; slot 0 means none.
#define TP_NEXT_HOPS_MAX    65536u
#define TP_ENTRIES_MAX	    (1u << 28)
// Slots of the limits array (<turnpike/rate.h>).
#define TP_LIMITS_MAX	    (1u << 24)
// Buckets a reader follows before it gives a chain up.
#define TP_CHAIN_MAX	    64u
// Sets of ports that permissions may have; number 0 is never used.
#define TP_PORT_SETS_MAX    1024u
// Slots of each ring but those to the edge; a power of two.
#define TP_RING_SLOTS	    512u
// Slots of a ring to a thread of the edge: as many as keep the file below TP_STREAM_BYTES, a power
// of two between TP_RING_SLOTS and this.
#define TP_STREAM_SLOTS	    2048u
#define TP_STREAM_BYTES	    (64u << 20)
#define TP_RING_SLOT_SIZE   2048u
// TP_PUNT_*.
#define TP_PUNT_CLASSES	    3u
// Threads of the edge, each with a pair of rings for each worker.
#define TP_EDGE_THREADS_MAX 64u
// Room in the statistics for drop reasons and path counters.
#define TP_DROPS_MAX	    96u
#define TP_PATHS_MAX	    32u
// Slots of the log2 histogram of nanoseconds between receive and transmit.
#define TP_RESIDENCE_SLOTS  32u
#define TP_IFNAME_MAX	    16u

// Packet buffers the data plane makes where the configuration does not say; a plan counts the same.
// Per receive queue: an AF_XDP queue's three rings, bursts under way.
#define TP_QUEUE_BUFFERS    8192u
// The least per NUMA node.
#define TP_BUFFERS_MIN	    16384u
