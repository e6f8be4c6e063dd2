// SPDX-License-Identifier: BSD-3-Clause
// The columns of the commands' answers. For command.c alone, whose table of commands names them.
#pragma once

#include <ctl/command.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

#define COLUMN(key, title, format)                                                                 \
	{                                                                                          \
		key, title, CTL_FORMAT_##format, NULL, 0                                           \
	}
#define TABLE(key, title, rows)                                                                    \
	{                                                                                          \
		key, title, CTL_FORMAT_ROWS, rows, LEN(rows)                                       \
	}

static const struct ctl_column warning_columns[] = {
	COLUMN("what", "warning", TEXT),
	COLUMN("next", "next", TEXT),
};

static const struct ctl_column status_columns[] = {
	COLUMN("verdict", "verdict", TEXT),
	TABLE("warnings", "warnings", warning_columns),
	COLUMN("instance", "instance", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("version", "version", TEXT),
	COLUMN("control.pid", "control pid", NUMBER),
	COLUMN("control.uptime_s", "control up", SECONDS),
	COLUMN("dataplane.running", "data plane runs", YES_NO),
	COLUMN("dataplane.pid", "data plane pid", NUMBER),
	COLUMN("dataplane.uptime_s", "data plane up", SECONDS),
	COLUMN("dataplane.workers", "workers", COUNT),
	COLUMN("dataplane.busy", "busy", PERCENT),
	COLUMN("dataplane.cores_isolated", "cores isolated", YES_NO),
	COLUMN("dataplane.huge_pages", "huge pages", YES_NO),
	COLUMN("edge.running", "edge runs", YES_NO),
	COLUMN("edge.certificate_days", "certificate days", NUMBER),
	COLUMN("allocations.live", "allocations", COUNT),
	COLUMN("allocations.limit", "of at most", COUNT),
	COLUMN("allocations.opened", "opened since start", COUNT),
	COLUMN("traffic.packets_per_s", "packets relayed/s", COUNT),
	COLUMN("traffic.octets_per_s", "relayed per second", OCTETS),
	COLUMN("traffic.packets", "packets relayed", COUNT),
	COLUMN("traffic.octets", "relayed", OCTETS),
	COLUMN("traffic.drops_per_s", "drops/s", COUNT),
	COLUMN("segment.entries_used", "table entries", COUNT),
	COLUMN("segment.entries", "of at most", COUNT),
	COLUMN("segment.grace_open_ns", "grace period open", NS),
	COLUMN("segment.grace_max_ns", "longest grace period", NS),
};

static const struct ctl_column allocation_columns[] = {
	COLUMN("id", "id", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("transport", "transport", TEXT),
	COLUMN("relayed", "relayed", TEXT),
	COLUMN("age_s", "age", SECONDS),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("permissions", "permissions", COUNT),
	COLUMN("channels", "channels", COUNT),
	COLUMN("packets_to_peer", "to peer", COUNT),
	COLUMN("packets_to_client", "to client", COUNT),
};

static const struct ctl_column peer_columns[] = {
	COLUMN("peer", "peer", TEXT),
	COLUMN("channel", "channel", TEXT),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("mtu", "MTU", NUMBER),
	COLUMN("mtu_by", "known by", TEXT),
	COLUMN("packets_to_peer", "to peer", COUNT),
	COLUMN("packets_to_client", "to client", COUNT),
};

static const struct ctl_column allocation_show_columns[] = {
	COLUMN("id", "id", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("transport", "transport", TEXT),
	COLUMN("listener", "listener", TEXT),
	COLUMN("relayed", "relayed", TEXT),
	COLUMN("advertised", "advertised as", TEXT),
	COLUMN("age_s", "age", SECONDS),
	COLUMN("expires_s", "expires in", SECONDS),
	COLUMN("mtu", "MTU to client", NUMBER),
	COLUMN("mtu_by", "known by", TEXT),
	COLUMN("packets_to_peer", "packets to peers", COUNT),
	COLUMN("octets_to_peer", "octets to peers", OCTETS),
	COLUMN("packets_to_client", "packets to client", COUNT),
	COLUMN("octets_to_client", "octets to client", OCTETS),
	COLUMN("cap_marked", "marked by caps", COUNT),
	COLUMN("cap_dropped", "dropped by caps", COUNT),
	TABLE("peers", "permissions and channels", peer_columns),
};

static const struct ctl_column kill_columns[] = {
	COLUMN("id", "ended", TEXT),
	COLUMN("banned_until", "credential banned until", TEXT),
};

static const struct ctl_column worker_columns[] = {
	COLUMN("worker", "worker", NUMBER),
	COLUMN("lcore", "core", NUMBER),
	COLUMN("online", "online", YES_NO),
	COLUMN("age_ns", "loop age", NS),
	COLUMN("busy", "busy", PERCENT),
	COLUMN("rx_packets", "received", COUNT),
	COLUMN("tx_packets", "sent", COUNT),
	COLUMN("cycles_per_packet", "cycles/packet", COUNT),
	COLUMN("residence_p50_ns", "p50", NS),
	COLUMN("residence_p99_ns", "p99", NS),
	COLUMN("sleeps", "sleeps", COUNT),
	COLUMN("kicks", "kicks", COUNT),
	COLUMN("preempted", "preempted", COUNT),
	COLUMN("preempted_per_s", "in the last second", COUNT),
	COLUMN("grace_open_ns", "grace period open", NS),
};

static const struct ctl_column top_worker_columns[] = {
	COLUMN("worker", "worker", NUMBER),
	COLUMN("lcore", "core", NUMBER),
	COLUMN("busy", "busy", PERCENT),
	COLUMN("rx_packets_per_s", "received/s", COUNT),
	COLUMN("rx_bits_per_s", "bit/s", COUNT),
	COLUMN("tx_packets_per_s", "sent/s", COUNT),
	COLUMN("tx_bits_per_s", "bit/s", COUNT),
	COLUMN("cycles_per_packet", "cycles/packet", COUNT),
	COLUMN("preempted_per_s", "preempted/s", COUNT),
};

static const struct ctl_column top_drop_columns[] = {
	COLUMN("reason", "drop reason", TEXT),
	COLUMN("per_s", "per second", COUNT),
	COLUMN("next", "what to do", TEXT),
};

static const struct ctl_column top_hot_columns[] = {
	COLUMN("id", "allocation", TEXT),
	COLUMN("user", "user", TEXT),
	COLUMN("client", "client", TEXT),
	COLUMN("packets_per_s", "packets/s", COUNT),
	COLUMN("bits_per_s", "payload bit/s", COUNT),
	COLUMN("channels", "channels", COUNT),
};

static const struct ctl_column top_columns[] = {
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("packets_per_s", "packets relayed/s", COUNT),
	COLUMN("bits_per_s", "payload bit/s", COUNT),
	COLUMN("drops_per_s", "drops/s", COUNT),
	TABLE("workers", "workers", top_worker_columns),
	TABLE("drops", "drops", top_drop_columns),
	TABLE("hot", "busiest allocations", top_hot_columns),
};

static const struct ctl_column trace_start_columns[] = {
	COLUMN("trace", "trace", NUMBER),
	COLUMN("packets", "packets at most", COUNT),
	COLUMN("seconds", "for at most", SECONDS),
};

static const struct ctl_column capture_columns[] = {
	COLUMN("allocation", "allocation", TEXT),
	COLUMN("packets", "packets at most", COUNT),
	COLUMN("seconds", "for at most", SECONDS),
};

static const struct ctl_column drop_columns[] = {
	COLUMN("reason", "reason", TEXT),
	COLUMN("packets", "packets", COUNT),
	COLUMN("per_s", "per second", COUNT),
	COLUMN("what", "what", TEXT),
	COLUMN("next", "what to do", TEXT),
};

static const struct ctl_column port_columns[] = {
	COLUMN("port", "port", NUMBER),
	COLUMN("interface", "interface", TEXT),
	COLUMN("device", "device", TEXT),
	COLUMN("link", "link", TEXT),
	COLUMN("mac", "MAC", TEXT),
	COLUMN("mtu", "MTU", NUMBER),
	COLUMN("queues", "queues", NUMBER),
	COLUMN("missed", "missed", NUMBER),
	COLUMN("missed_per_s", "missed per second", NUMBER),
	COLUMN("no_buffer", "no buffer", NUMBER),
	COLUMN("rx_errors", "faulty", NUMBER),
	COLUMN("tx_errors", "not sent", NUMBER),
	COLUMN("xdp", "XDP", TEXT),
	COLUMN("first_frame", "first frame", TEXT),
	COLUMN("unserved", "unserved", NUMBER),
	COLUMN("ring_full", "ring full", NUMBER),
	COLUMN("not_sent", "refused", NUMBER),
	COLUMN("fill_empty", "fill ring empty", NUMBER),
};

static const struct ctl_column nexthop_columns[] = {
	COLUMN("slot", "slot", NUMBER),
	COLUMN("address", "address", TEXT),
	COLUMN("interface", "interface", TEXT),
	COLUMN("mac", "MAC", TEXT),
	COLUMN("port", "port", TEXT),
	COLUMN("state", "state", TEXT),
	COLUMN("wanted", "wanted", YES_NO),
};

static const struct ctl_column mint_columns[] = {
	COLUMN("username", "username", TEXT),
	COLUMN("password", "password", TEXT),
	COLUMN("ttl", "valid for", SECONDS),
	COLUMN("uris", "URIs", TEXT),
};

static const struct ctl_column secret_columns[] = {
	COLUMN("realm", "realm", TEXT),
	COLUMN("id", "id", TEXT),
	COLUMN("state", "state", TEXT),
	COLUMN("hmac", "HMAC", TEXT),
	COLUMN("not_before", "not before", TEXT),
	COLUMN("not_after", "not after", TEXT),
	COLUMN("requests", "requests", COUNT),
	COLUMN("last_used", "last used", TEXT),
	COLUMN("allocations", "allocations", COUNT),
};

static const struct ctl_column ban_columns[] = {
	COLUMN("subject", "banned", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("until", "until", TEXT),
};

static const struct ctl_column budget_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("octets", "relayed", OCTETS),
	COLUMN("budget", "of at most", OCTETS),
	COLUMN("used", "used", PERCENT),
	COLUMN("since", "since", TEXT),
	COLUMN("until", "until", TEXT),
};

static const struct ctl_column budget_reset_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("budgets", "budgets begun anew", COUNT),
};

static const struct ctl_column user_columns[] = {
	COLUMN("user", "user", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("kind", "kind", TEXT),
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("allocations_max", "of at most", COUNT),
	COLUMN("ports", "ports", COUNT),
	COLUMN("ports_max", "of at most", COUNT),
	COLUMN("connections", "TCP peers", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	COLUMN("entries", "table entries", COUNT),
	COLUMN("octets", "relayed", OCTETS),
	COLUMN("budget", "of at most", OCTETS),
	COLUMN("cap_bits_per_s", "cap bit/s", COUNT),
	COLUMN("cap_packets_per_s", "cap packets/s", COUNT),
};

static const struct ctl_column realm_columns[] = {
	COLUMN("realm", "realm", TEXT),
	COLUMN("requests", "requests", COUNT),
	COLUMN("refused", "refused", COUNT),
	COLUMN("allocations", "allocations", COUNT),
	COLUMN("allocations_max", "of at most", COUNT),
	COLUMN("connections", "TCP peers", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	COLUMN("budget", "budget of a user", OCTETS),
	COLUMN("cap_bits_per_s", "cap bit/s", COUNT),
	COLUMN("cap_packets_per_s", "cap packets/s", COUNT),
};

static const struct ctl_column explain_columns[] = {
	COLUMN("peer", "peer", TEXT),
	COLUMN("realm", "realm", TEXT),
	COLUMN("policy", "policy of the user", TEXT),
	COLUMN("verdict", "verdict", TEXT),
	COLUMN("rule", "rule", TEXT),
	COLUMN("trial", "under trial", TEXT),
};

static const struct ctl_column check_columns[] = {
	COLUMN("severity", "severity", TEXT),
	COLUMN("file", "file", TEXT),
	COLUMN("line", "line", NUMBER),
	COLUMN("key", "key", TEXT),
	COLUMN("problem", "problem", TEXT),
	COLUMN("remedy", "remedy", TEXT),
};

static const struct ctl_column reload_columns[] = {
	COLUMN("key", "key", TEXT),
	COLUMN("change", "change", TEXT),
	COLUMN("effect", "takes effect by", TEXT),
};

static const struct ctl_column level_columns[] = {
	COLUMN("level", "level", TEXT),
};

static const struct ctl_column counter_columns[] = {
	COLUMN("counter", "counter", TEXT),
	COLUMN("value", "value", COUNT),
	COLUMN("text", "what", TEXT),
};

static const struct ctl_column edge_columns[] = {
	COLUMN("version", "version", TEXT),
	COLUMN("pid", "pid", NUMBER),
	COLUMN("uptime_s", "up", SECONDS),
	COLUMN("control", "control runs", YES_NO),
	COLUMN("dataplane", "data plane runs", YES_NO),
	COLUMN("threads", "threads", COUNT),
	COLUMN("connections", "connections", COUNT),
	COLUMN("connections_max", "of at most", COUNT),
	TABLE("counters", "counters", counter_columns),
};

static const struct ctl_column certificate_columns[] = {
	COLUMN("file", "expires first", TEXT),
	COLUMN("expires", "on", TEXT),
	COLUMN("days", "days", NUMBER),
	COLUMN("warning", "warning", TEXT),
};
