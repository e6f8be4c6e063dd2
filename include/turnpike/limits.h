// SPDX-License-Identifier: BSD-3-Clause
// Every capacity that both processes rely on. What an operator may set is in the configuration;
// these are the bounds of the shapes.
#pragma once

#define TP_INSTANCE_MAX	   32u	  // octets of an instance name, NUL included
#define TP_WORKERS_MAX	   64u	  // poll-mode workers
#define TP_PORTS_MAX	   16u	  // DPDK ports of one data plane
#define TP_LOCALS_MAX	   1024u  // listeners and relay addresses together, ids 1 to 1023
#define TP_RELAYS_MAX	   512u	  // relay addresses with a port index
#define TP_NEXT_HOPS_MAX   65536u // next-hop slots a segment may have; slot 0 means none
#define TP_ENTRIES_MAX	   (1u << 28)
#define TP_CHAIN_MAX	   64u	// buckets a reader follows before it gives a chain up
#define TP_RING_SLOTS	   512u // per ring; a power of two
#define TP_RING_SLOT_SIZE  2048u
#define TP_PUNT_CLASSES	   3u  // see TP_PUNT_*
#define TP_DROPS_MAX	   64u // room for drop reasons in the statistics
#define TP_PATHS_MAX	   32u // room for path counters in the statistics
#define TP_RESIDENCE_SLOTS 32u // log2 histogram of nanoseconds between receive and transmit
#define TP_IFNAME_MAX	   16u
