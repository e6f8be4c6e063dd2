// SPDX-License-Identifier: BSD-3-Clause
// The list of all log events: enumeration, names on the lines and docs/events.md come from it. A
// released name must keep its meaning: operators' alarms depend on it.
#pragma once

#include <log/level.h>

// X(identifier, name, level, most lines per second (0: no limit), description). Records that are
// billed or audited, such as ends of allocations, have no limit.
#define LOG_EVENTS(X)                                                                              \
	X(PROCESS_STARTED, "process_started", INFO, 10, "The process is ready to serve.")          \
	X(PROCESS_STOPPED, "process_stopped", INFO, 10, "The process stopped in order.")           \
	X(START_FAILED, "start_failed", ERROR, 10,                                                 \
		"The process could not start; the line names the cause.")                          \
	X(START_SLOW, "start_slow", WARNING, 10,                                                   \
		"A step of the start takes more than two seconds; the line names it.")             \
	X(SERVICE_STARTED, "service_started", INFO, 10,                                            \
		"turnpike started a process of the relay.")                                        \
	X(SERVICE_STOPPED, "service_stopped", INFO, 10, "A process of the relay ended as asked.")  \
	X(SERVICE_FAILED, "service_failed", ERROR, 10,                                             \
		"A process of the relay ended unasked; the line says how, and what follows.")      \
	X(CONFIG_ERROR, "config_error", ERROR, 1000, "A mistake in the configuration.")            \
	X(CONFIG_WARNING, "config_warning", WARNING, 1000,                                         \
		"A configuration that works but is probably not intended.")                        \
	X(CONFIG_DEFAULTS, "config_defaults", INFO, 10,                                            \
		"No configuration file: defaults for one interface are used.")                     \
	X(CONFIG_RELOADED, "config_reloaded", INFO, 10,                                            \
		"The configuration was reloaded and is in force.")                                 \
	X(LOG_LEVEL_CHANGED, "log_level_changed", INFO, 10, "The operator changed the log level.") \
	X(LOG_SUPPRESSED, "log_suppressed", WARNING, 1000,                                         \
		"Lines of one event were omitted by its rate limit; the line gives their number.") \
	X(LOG_LOST, "log_lost", WARNING, 10,                                                       \
		"Lines were lost because the reader of stderr is too slow; the line gives their "  \
		"number.")                                                                         \
	X(SEGMENT_CREATED, "segment_created", INFO, 10, "A file of the segment was created.")      \
	X(SEGMENT_ATTACHED, "segment_attached", INFO, 10, "A file of the segment was mapped.")     \
	X(SEGMENT_REFUSED, "segment_refused", ERROR, 10,                                           \
		"A file of the segment has another layout, owner or size; the remedy is named.")   \
	X(SEGMENT_LOST, "segment_lost", ERROR, 10,                                                 \
		"A file of the segment was truncated under the data plane; it attaches again.")    \
	X(SEGMENT_RECOVERED, "segment_recovered", INFO, 10,                                        \
		"Result of the scan after a restart: allocations found, kept and freed.")          \
	X(CELLS_SHORT, "cells_short", WARNING, 1,                                                  \
		"The counters of more entries find no memory; later clients receive 508.")         \
	X(TABLE_FULL, "table_full", WARNING, 1, "A table has no free slot; clients receive 508.")  \
	X(GRACE_PERIOD_LATE, "grace_period_late", WARNING, 1,                                      \
		"A grace period takes longer than 100 ms: a worker is stuck.")                     \
	X(DATAPLANE_UP, "dataplane_up", INFO, 10, "The data plane is attached.")                   \
	X(DATAPLANE_DOWN, "dataplane_down", ERROR, 10,                                             \
		"The data plane is gone; nothing is relayed.")                                     \
	X(CONTROL_UP, "control_up", INFO, 10, "The control process is running.")                   \
	X(CONTROL_DOWN, "control_down", WARNING, 10,                                               \
		"The control process is gone; existing allocations are still relayed.")            \
	X(DIRECTORY_UP, "directory_up", INFO, 10,                                                  \
		"The control process is connected to turnpike-directory.")                         \
	X(DIRECTORY_DOWN, "directory_down", WARNING, 10,                                           \
		"turnpike-directory does not answer; users of databases that are not cached "      \
		"wait.")                                                                           \
	X(SOURCE_FAILED, "source_failed", WARNING, 10,                                             \
		"A database of users gives no answers; the line has its name and the problem.")    \
	X(SOURCE_RECOVERED, "source_recovered", INFO, 10, "A database of users answers again.")    \
	X(REALM_KEYS, "realm_keys", INFO, 10,                                                      \
		"A realm has other secrets or keys of tokens in its database; `skipped` counts "   \
		"rows that hold none.")                                                            \
	X(EDGE_UP, "edge_up", INFO, 10, "The edge is attached: TCP, TLS and DTLS are served.")     \
	X(EDGE_DOWN, "edge_down", WARNING, 10,                                                     \
		"The edge is gone, and with it all connections by TCP, TLS and DTLS.")             \
	X(EDGE_TAKEN_OVER, "edge_taken_over", INFO, 10,                                            \
		"Another turnpike-edge has the listening sockets and the connections; the line "   \
		"counts them.")                                                                    \
	X(EDGE_TAKE_OVER_FAILED, "edge_take_over_failed", WARNING, 10,                             \
		"A turnpike-edge was not taken over and goes on, or lost the next one: the line "  \
		"says.")                                                                           \
	X(PORT_STARTED, "port_started", INFO, 20, "A port of the data plane is open.")             \
	X(PORT_FAILED, "port_failed", ERROR, 20, "A port of the data plane could not be opened.")  \
	X(PORT_LINK, "port_link", WARNING, 10, "The link of a port went up or down.")              \
	X(PORT_CHANGED, "port_changed", WARNING, 20,                                               \
		"The kernel interface of a port has another name, MAC address, MTU or index.")     \
	X(TAGGED_FRAMES, "tagged_frames", WARNING, 20,                                             \
		"An interface takes the VLAN tags off frames before they are seen.")               \
	X(QUEUE_UNSERVED, "queue_unserved", ERROR, 10,                                             \
		"Packets of a receive queue reach no worker; the remedy is named.")                \
	X(WORKER_STARTED, "worker_started", INFO, 64, "A worker polls its queues.")                \
	X(PRIORITY_NORMAL, "priority_normal", WARNING, 1,                                          \
		"Workers have no real-time priority: other programs of their cores delay "         \
		"packets.")                                                                        \
	X(WORKER_STUCK, "worker_stuck", ERROR, 5, "A worker's loop makes no progress.")            \
	X(WORKER_PREEMPTED, "worker_preempted", WARNING, 5,                                        \
		"The kernel took a worker off its core.")                                          \
	X(PORT_MISSED, "port_missed", WARNING, 20,                                                 \
		"A port lost packets before a worker took them.")                                  \
	X(PORT_SPREAD, "port_spread", WARNING, 20,                                                 \
		"Packets of a port are not spread over all workers by flow.")                      \
	X(NUMA_REMOTE, "numa_remote", WARNING, 20,                                                 \
		"A worker's core is on another NUMA node than what it works with.")                \
	X(CORES_SHARED, "cores_shared", WARNING, 5,                                                \
		"Other processes or the timer may interrupt workers on their cores.")              \
	X(DPDK_MESSAGE, "dpdk_message", WARNING, 20, "A message of DPDK or one of its drivers.")   \
	X(HUGEPAGES_MISSING, "hugepages_missing", WARNING, 5,                                      \
		"No huge pages are available; the relay is slower.")                               \
	X(STEERING_ATTACHED, "steering_attached", INFO, 20,                                        \
		"The steering program is attached; packets of the relay go to the data plane.")    \
	X(STEERING_LOST, "steering_lost", ERROR, 20,                                               \
		"Somebody took the steering program off an interface.")                            \
	X(STEERING_REMOVED, "steering_removed", INFO, 20,                                          \
		"The steering program is removed; all packets go to the kernel.")                  \
	X(STEERING_LEFTOVER, "steering_leftover", WARNING, 20,                                     \
		"A steering program of an earlier run was removed.")                               \
	X(GUARD_FAILED, "guard_failed", WARNING, 5,                                                \
		"The kernel may answer for ports of the relay; the remedy is named.")              \
	X(GUARD_LOST, "guard_lost", ERROR, 5,                                                      \
		"Somebody changed the nft table that guards our ports; it was made again.")        \
	X(XDP_FALLBACK, "xdp_fallback", WARNING, 20,                                               \
		"The first frame did not leave in one mode of XDP; the next is tried.")            \
	X(CHECKSUM_OFFLOAD, "checksum_offload", WARNING, 20,                                       \
		"The interface is virtual and leaves checksums of sent packets unfinished.")       \
	X(STEERING_REFUSED, "steering_refused", ERROR, 20,                                         \
		"The interface has an XDP program of another owner; the remedy is named.")         \
	X(PORTS_NOT_RESERVED, "ports_not_reserved", WARNING, 5,                                    \
		"The kernel may pick relay ports for its own sockets; the remedy is named.")       \
	X(MTU_BLACK_HOLE, "mtu_black_hole", WARNING, 10,                                           \
		"A way swallows long packets without an ICMP error; their senders are told to "    \
		"send shorter ones, or the relay sends fragments.")                                \
	X(NEXT_HOP_CHANGED, "next_hop_changed", DEBUG, 20,                                         \
		"The MAC address of a next hop changed.")                                          \
	X(NEXT_HOP_UNRESOLVED, "next_hop_unresolved", WARNING, 5,                                  \
		"A next hop that is in use does not answer.")                                      \
	X(NETLINK_OVERRUN, "netlink_overrun", WARNING, 5,                                          \
		"Netlink messages were lost; routes and neighbours are re-read.")                  \
	X(RING_RESET, "ring_reset", WARNING, 5, "A ring held impossible positions and was reset.") \
	X(ALLOCATION_CREATED, "allocation_created", INFO, 0, "A client has a relayed address.")    \
	X(ALLOCATION_MOVED, "allocation_moved", INFO, 0,                                           \
		"An allocation followed its client to another 5-tuple, and has another id.")       \
	X(ALLOCATION_ENDED, "allocation_ended", INFO, 0,                                           \
		"An allocation ended; the line has its bytes, packets and reason.")                \
	X(ALLOCATION_REFUSED, "allocation_refused", INFO, 30,                                      \
		"An Allocate request got an error response; the line has its code and reason.")    \
	X(REQUEST_REFUSED, "request_refused", INFO, 30,                                            \
		"Another request got an error response; the line has its code and reason.")        \
	X(AUTH_FAILED, "auth_failed", INFO, 30,                                                    \
		"A request's credentials are wrong, expired or valid for too long.")               \
	X(PEER_DENIED, "peer_denied", INFO, 30,                                                    \
		"The peer policy denied a peer; the line names the rule.")                         \
	X(PEER_WOULD_BE_DENIED, "peer_would_be_denied", INFO, 30,                                  \
		"A deny rule under trial (peers.dry_run) would deny a peer; the line names it.")   \
	X(PORT_SCAN, "port_scan", WARNING, 10,                                                     \
		"An allocation sends to new ports of a peer faster than limits.port_rate allows; " \
		"the line has one of them, at most every 10 s for each relayed address.")          \
	X(BANS_NOT_KEPT, "bans_not_kept", ERROR, 10,                                               \
		"A ban holds but could not be written: a restart forgets it.")                     \
	X(BANS_LOADED, "bans_loaded", INFO, 10, "Bans of before the start are in force.")          \
	X(BAN_ADDED, "ban_added", INFO, 20,                                                        \
		"An operator banned a user, credential or prefix, or ended a credential's call.")  \
	X(BAN_REMOVED, "ban_removed", INFO, 20, "An operator lifted a ban.")                       \
	X(BUDGET_NEAR, "budget_near", INFO, 30,                                                    \
		"A user has spent nine tenths of the budget of bytes.")                            \
	X(BUDGET_SPENT, "budget_spent", INFO, 30,                                                  \
		"A user has spent the budget of bytes; the line says until when.")                 \
	X(BUDGET_RESET, "budget_reset", INFO, 20, "An operator had a user's budget begin anew.")   \
	X(BUDGETS_LOADED, "budgets_loaded", INFO, 10, "Bytes counted before the start count on.")  \
	X(BUDGETS_DAMAGED, "budgets_damaged", ERROR, 10,                                           \
		"Records of the file of budgets are damaged; `copy` is the file as it was.")       \
	X(BUDGETS_NOT_KEPT, "budgets_not_kept", ERROR, 1,                                          \
		"Bytes counted could not be written: a restart forgets them.")                     \
	X(BUDGETS_FULL, "budgets_full", WARNING, 1,                                                \
		"So many users have budgets that the bytes of another are not counted.")           \
	X(QUOTA_REACHED, "quota_reached", INFO, 30, "A user reached the quota.")                   \
	X(PORTS_EXHAUSTED, "ports_exhausted", WARNING, 1, "No relay port is free.")                \
	X(ADDRESS_ABSENT, "address_absent", WARNING, 20,                                           \
		"No interface has this listener's or relay address; nothing is served there.")     \
	X(ADDRESS_PRESENT, "address_present", INFO, 20, "An interface has the address again.")     \
	X(CONNECTION_REFUSED, "connection_refused", INFO, 30,                                      \
		"A stream client's connection was refused; the line has the limit or reason.")     \
	X(CONNECTION_CLOSED, "connection_closed", DEBUG, 30,                                       \
		"A stream client's connection ended; the line has the reason and its losses.")     \
	X(CONNECTION_LIMITED, "connection_limited", INFO, 30,                                      \
		"A stream client's connection was ended by a time-out or because too much "        \
		"waited for it; the line has the reason.")                                         \
	X(CONNECTION_SLOW, "connection_slow", INFO, 30,                                            \
		"Media for a stream client that reads too slowly were lost: at the first loss, "   \
		"and at the end.")                                                                 \
	X(CONNECTION_GARBAGE, "connection_garbage", INFO, 30,                                      \
		"A stream client sent bytes that are neither STUN nor ChannelData.")               \
	X(DATA_CONNECTION_ENDED, "data_connection_ended", INFO, 20,                                \
		"A connection of a TCP allocation with a peer ended; the line has its bytes.")     \
	X(RELAY_FAILED, "relay_failed", ERROR, 10,                                                 \
		"The edge can't listen at a relayed TCP port; the allocation ended.")              \
	X(HANDSHAKE_FAILED, "handshake_failed", INFO, 30,                                          \
		"A client's TLS handshake failed; the line has the cause.")                        \
	X(BACKEND_FAILED, "backend_failed", WARNING, 2,                                            \
		"A backend that shares a listener's port can't be reached.")                       \
	X(CERTIFICATE_LOADED, "certificate_loaded", INFO, 10,                                      \
		"The certificates are in use; the line has the first expiry.")                     \
	X(CERTIFICATE_REFUSED, "certificate_refused", ERROR, 10,                                   \
		"Certificates or listeners can't be used; all of those before stay in use.")       \
	X(CERTIFICATE_EXPIRES, "certificate_expires", WARNING, 1,                                  \
		"A certificate expires within 14 days, or has expired.")                           \
	X(SIGNAL_IGNORED, "signal_ignored", WARNING, 10, "A signal without a meaning arrived.")    \
	X(MEMORY_SHORT, "memory_short", WARNING, 10,                                               \
		"The memory limit of the control group is below what the process may need.")       \
	X(MEMORY_NOT_LOCKED, "memory_not_locked", WARNING, 10,                                     \
		"Tables may be swapped out: the limit of locked memory is too low.")               \
	X(LOCK_LOST, "lock_lost", ERROR, 10,                                                       \
		"Somebody removed or replaced the lock of the process; the line has the remedy.")  \
	X(CALL_DENIED, "call_denied", WARNING, 10,                                                 \
		"The system call filter denied a call, which failed; the line names it.")          \
	X(SANDBOX_PARTIAL, "sandbox_partial", WARNING, 10,                                         \
		"The kernel lacks a part of the sandbox; the line names it.")                      \
	X(OPERATOR_COMMAND, "operator_command", INFO, 20,                                          \
		"A command of an operator changed the relay's state.")                             \
	X(OPERATOR_REFUSED, "operator_refused", WARNING, 10,                                       \
		"A connection to the operator socket was refused.")

enum log_event_id {
#define LOG_EVENT_ID(id, name, level, rate, description) LOG_EV_##id,
	LOG_EVENTS(LOG_EVENT_ID)
#undef LOG_EVENT_ID
		LOG_EV_COUNT
};

struct log_event_info {
	const char *name;
	enum log_level level;
	unsigned lines_per_s; // 0: no limit
	const char *description;
};

const struct log_event_info *log_event_info(enum log_event_id id);
