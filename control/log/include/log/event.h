// SPDX-License-Identifier: BSD-3-Clause
// Every event that is logged, in one list: enumeration, names on the lines and docs/events.md come
// from it. A name once released keeps its meaning: operators' alarms hang on it.
#pragma once

#include <log/level.h>

// X(identifier, name, level, lines per second at most, description)
#define LOG_EVENTS(X)                                                                              \
	X(PROCESS_STARTED, "process_started", INFO, 10, "The process is ready to serve.")          \
	X(PROCESS_STOPPED, "process_stopped", INFO, 10,                                            \
		"The process ends; nothing is left behind.")                                       \
	X(START_FAILED, "start_failed", ERROR, 10, "The process can't start; the line says why.")  \
	X(CONFIG_ERROR, "config_error", ERROR, 1000, "A mistake in the configuration.")            \
	X(CONFIG_WARNING, "config_warning", WARNING, 1000,                                         \
		"Something in the configuration that works but is hardly meant.")                  \
	X(CONFIG_DEFAULTS, "config_defaults", INFO, 10,                                            \
		"There is no configuration file: defaults for one interface are used.")            \
	X(CONFIG_RELOADED, "config_reloaded", INFO, 10,                                            \
		"The configuration was read again and is in force.")                               \
	X(LOG_LEVEL_CHANGED, "log_level_changed", INFO, 10, "The operator changed the log level.") \
	X(LOG_SUPPRESSED, "log_suppressed", WARNING, 1000,                                         \
		"Lines of one event were left out because there were too many; how many.")         \
	X(LOG_LOST, "log_lost", WARNING, 10,                                                       \
		"Lines were lost because the reader of stderr does not keep up; how many.")        \
	X(SEGMENT_CREATED, "segment_created", INFO, 10, "A file of the segment was made anew.")    \
	X(SEGMENT_ATTACHED, "segment_attached", INFO, 10, "A file of the segment was mapped.")     \
	X(SEGMENT_REFUSED, "segment_refused", ERROR, 10,                                           \
		"A file of the segment has another layout, owner or size; the remedy is named.")   \
	X(SEGMENT_LOST, "segment_lost", ERROR, 10,                                                 \
		"A file of the segment was truncated under the data plane; it attaches again.")    \
	X(SEGMENT_RECOVERED, "segment_recovered", INFO, 10,                                        \
		"The scan after a restart: what was found, kept and returned.")                    \
	X(TABLE_FULL, "table_full", WARNING, 1, "A table has no free slot; clients get 508.")      \
	X(GRACE_PERIOD_LATE, "grace_period_late", WARNING, 1,                                      \
		"A grace period takes longer than 100 ms: a worker is stuck.")                     \
	X(DATAPLANE_UP, "dataplane_up", INFO, 10, "The data plane is there.")                      \
	X(DATAPLANE_DOWN, "dataplane_down", ERROR, 10,                                             \
		"The data plane is gone; nothing is relayed.")                                     \
	X(CONTROL_UP, "control_up", INFO, 10, "The control process is there.")                     \
	X(CONTROL_DOWN, "control_down", WARNING, 10,                                               \
		"The control process is gone; what is set up is relayed on.")                      \
	X(PORT_STARTED, "port_started", INFO, 20, "A port of the data plane is open.")             \
	X(PORT_FAILED, "port_failed", ERROR, 20, "A port of the data plane can't be opened.")      \
	X(PORT_LINK, "port_link", WARNING, 10, "The link of a port came or went.")                 \
	X(QUEUE_UNSERVED, "queue_unserved", ERROR, 10,                                             \
		"A receive queue has no worker; the remedy names ethtool.")                        \
	X(WORKER_STARTED, "worker_started", INFO, 64, "A worker polls its queues.")                \
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
		"Other processes, or the timer, may interrupt workers on their cores.")            \
	X(DPDK_MESSAGE, "dpdk_message", WARNING, 20,                                               \
		"DPDK or one of its drivers has something to say.")                                \
	X(HUGEPAGES_MISSING, "hugepages_missing", WARNING, 5,                                      \
		"There are no hugepages; the relay works, slower.")                                \
	X(STEERING_ATTACHED, "steering_attached", INFO, 20, "Our packets go to the data plane.")   \
	X(STEERING_REMOVED, "steering_removed", INFO, 20, "All packets go to the kernel again.")   \
	X(STEERING_LEFTOVER, "steering_leftover", WARNING, 20,                                     \
		"A steering program of an earlier run was removed.")                               \
	X(GUARD_FAILED, "guard_failed", WARNING, 5,                                                \
		"The kernel can't be kept from answering for our ports; the remedy is named.")     \
	X(CHECKSUM_OFFLOAD, "checksum_offload", WARNING, 20,                                       \
		"The interface is virtual and leaves checksums of sent packets unfinished.")       \
	X(STEERING_REFUSED, "steering_refused", ERROR, 20,                                         \
		"Somebody else's program is on the interface; the remedy is named.")               \
	X(PORTS_NOT_RESERVED, "ports_not_reserved", WARNING, 5,                                    \
		"The kernel may pick relay ports for its own sockets; the remedy is named.")       \
	X(NEXT_HOP_CHANGED, "next_hop_changed", DEBUG, 20, "A next hop has another address.")      \
	X(NEXT_HOP_UNRESOLVED, "next_hop_unresolved", WARNING, 5,                                  \
		"A next hop that is in use does not answer.")                                      \
	X(NETLINK_OVERRUN, "netlink_overrun", WARNING, 5,                                          \
		"The kernel's news were lost; routes and neighbours are read again.")              \
	X(RING_RESET, "ring_reset", WARNING, 5, "A ring held impossible positions and was reset.") \
	X(RING_FULL, "ring_full", WARNING, 1, "A ring to the control process is full.")            \
	X(ALLOCATION_CREATED, "allocation_created", INFO, 200, "A client has a relayed address.")  \
	X(ALLOCATION_ENDED, "allocation_ended", INFO, 1000,                                        \
		"An allocation's end with its octets, packets and reason.")                        \
	X(ALLOCATION_REFUSED, "allocation_refused", INFO, 10, "An Allocate request got an error.") \
	X(AUTH_FAILED, "auth_failed", INFO, 10, "A request's credentials are wrong or expired.")   \
	X(PEER_DENIED, "peer_denied", INFO, 10, "The peer policy refused a peer; by which rule.")  \
	X(QUOTA_REACHED, "quota_reached", INFO, 10, "A user has as many allocations as allowed.")  \
	X(PORTS_EXHAUSTED, "ports_exhausted", WARNING, 1, "No relay port is free.")                \
	X(OPERATOR_COMMAND, "operator_command", INFO, 20,                                          \
		"An operator's command changed something.")                                        \
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
	unsigned lines_per_s;
	const char *description;
};

const struct log_event_info *log_event_info(enum log_event_id id);
