// SPDX-License-Identifier: BSD-3-Clause
// The layout of the segment as it was committed (layout.golden) against the layout as compiled: a
// running process of one build maps the files of another. Without an argument it prints the layout.
//
//   layout_test GOLDEN   0: same; 1: differs, and the text says which of two things to do
#include <turnpike/nonce.h>
#include <turnpike/segment.h>

#include <stdio.h>
#include <stdlib.h>

struct row {
	const char *name;
	unsigned long long offset; // of a member; a constant's value
	unsigned long long size;   // 0 for a constant
};

#define S(type)                                                                                    \
	{                                                                                          \
#type, 0, sizeof(type)                                                             \
	}
#define M(type, m)                                                                                 \
	{                                                                                          \
#type "." #m, offsetof(type, m), sizeof(((type *)0)->m)                            \
	}
#define C(constant)                                                                                \
	{                                                                                          \
#constant, (unsigned long long)(constant), 0                                       \
	}
#define FILE_ROW(name) M(struct tp_file_header, name)
#define ENTRY(name)    M(struct tp_entry, name)
#define TABLES(name)   M(struct tp_tables_header, name)
#define STATE(name)    M(struct tp_state_header, name)
#define PORT(name)     M(struct tp_port, name)
#define STATS(name)    M(struct tp_worker_stats, name)
#define SLOT(name)     M(struct tp_ring_slot, name)

static const struct row rows[] = {
	C(TP_MAGIC_TABLES),
	C(TP_MAGIC_INJECT),
	C(TP_MAGIC_PRIVATE),
	C(TP_MAGIC_STATE),
	C(TP_MAGIC_PUNT),
	C(TP_MAGIC_EDGE),
	C(TP_MAGIC_STREAM),
	C(TP_FAMILY_IPV4),
	C(TP_FAMILY_IPV6),
	C(TP_KIND_ALLOCATION),
	C(TP_KIND_CHANNEL),
	C(TP_KIND_PEER),
	C(TP_KIND_PERMISSION),
	C(TP_ENTRY_HAIRPIN),
	C(TP_ENTRY_MOVING),
	C(TP_ENTRY_LIMITED),
	C(TP_LEG_DONT_FRAGMENT),
	C(TP_EGRESS_STREAM),
	C(TP_CONNECTION_SLOT_MAX),
	C(TP_ROLE_FREE),
	C(TP_ROLE_LISTENER),
	C(TP_ROLE_RELAY),
	C(TP_ROLE_RETIRED),
	C(TP_TRANSPORT_UDP),
	C(TP_TRANSPORT_TCP),
	C(TP_TRANSPORT_TLS),
	C(TP_TRANSPORT_DTLS),
	C(TP_LOCAL_ABSENT),
	C(TP_LOCAL_DRAINING),
	C(TP_LIMIT_ALLOCATION),
	C(TP_LIMIT_USER),
	C(TP_LIMIT_REALM),
	C(TP_LIMIT_ALL),
	C(TP_LIMIT_DEPTH),
	C(TP_NEXT_HOP_VALID),
	C(TP_HASH_KIND_SIPHASH),
	C(TP_HASH_KIND_AES),
	C(TP_HASH_KEY_LEN),
	C(TP_STATE_NO_HUGE),
	C(TP_STATE_SEGMENT_LOST),
	C(TP_STATE_CORES_SHARED),
	C(TP_PUNT_LIVE),
	C(TP_PUNT_NONCE),
	C(TP_PUNT_FIRST),
	C(TP_PUNT_CLASSES),
	C(TP_RING_MESSAGE),
	C(TP_RING_DTLS),
	C(TP_INSTANCE_MAX),
	C(TP_WORKERS_MAX),
	C(TP_EDGE_THREADS_MAX),
	C(TP_PORTS_MAX),
	C(TP_LOCALS_MAX),
	C(TP_RING_SLOTS),
	C(TP_STREAM_SLOTS),
	C(TP_STREAM_BYTES),
	C(TP_RING_SLOT_SIZE),
	C(TP_DROPS_MAX),
	C(TP_PATHS_MAX),
	C(TP_RESIDENCE_SLOTS),
	C(TP_NONCE_TAG_LEN),

	S(struct tp_addr),
	M(struct tp_addr, ip),
	M(struct tp_addr, port_be),
	M(struct tp_addr, family),
	M(struct tp_addr, reserved),

	S(struct tp_file_header),
	FILE_ROW(magic),
	FILE_ROW(layout_version),
	FILE_ROW(header_size),
	FILE_ROW(file_size),
	FILE_ROW(created_ns),
	FILE_ROW(boot_id),
	FILE_ROW(instance),
	FILE_ROW(n_workers),
	FILE_ROW(n_entries),
	FILE_ROW(pair_id),
	FILE_ROW(writer_pid),
	FILE_ROW(writer_generation),
	FILE_ROW(heartbeat_ns),
	FILE_ROW(n_edge_threads),
	FILE_ROW(reserved),

	S(struct tp_key),
	M(struct tp_key, ip),
	M(struct tp_key, port_be),
	M(struct tp_key, local_id),
	M(struct tp_key, selector),
	M(struct tp_key, kind),
	M(struct tp_key, family),

	S(struct tp_entry_relay),
	M(struct tp_entry_relay, relay_id),
	M(struct tp_entry_relay, port_be),
	S(struct tp_entry),
	ENTRY(key),
	ENTRY(expires_s),
	ENTRY(other_expires_s),
	ENTRY(egress),
	ENTRY(allocation),
	ENTRY(partner),
	ENTRY(generation),
	ENTRY(sum_in),
	ENTRY(sum_out),
	ENTRY(sum_ip),
	ENTRY(header_len),
	ENTRY(flags),
	ENTRY(relay),
	ENTRY(relay_id),
	ENTRY(port_be),
	ENTRY(hairpin_relay_id),
	ENTRY(realm_id),
	ENTRY(header),
	ENTRY(stream.connection),
	ENTRY(stream.channel_header),
	ENTRY(path_mtu),
	ENTRY(leg_flags),
	ENTRY(limit),

	S(struct tp_bucket),
	M(struct tp_bucket, sig),
	M(struct tp_bucket, idx),
	M(struct tp_bucket, next),
	M(struct tp_bucket, reserved),

	S(struct tp_local),
	M(struct tp_local, addr),
	M(struct tp_local, external),
	M(struct tp_local, role),
	M(struct tp_local, transport),
	M(struct tp_local, port_index),
	M(struct tp_local, realm_id),
	M(struct tp_local, flags),
	M(struct tp_local, dtls_id),
	M(struct tp_local, generation),
	M(struct tp_local, reserved),

	S(struct tp_next_hop_info),
	M(struct tp_next_hop_info, addr),
	M(struct tp_next_hop_info, ifindex),
	M(struct tp_next_hop_info, wanted),
	M(struct tp_next_hop_info, reserved),

	S(struct tp_limit),
	M(struct tp_limit, bits_per_s),
	M(struct tp_limit, burst_bits),
	M(struct tp_limit, packets_per_s),
	M(struct tp_limit, burst_packets),
	M(struct tp_limit, parent),
	M(struct tp_limit, sessions),
	M(struct tp_limit, generation),
	M(struct tp_limit, realm_id),
	M(struct tp_limit, kind),
	M(struct tp_limit, reserved),
	S(struct tp_limit_cell),
	M(struct tp_limit_cell, bits),
	M(struct tp_limit_cell, packets),
	M(struct tp_limit_cell, marked),
	M(struct tp_limit_cell, dropped),

	S(struct tp_port_rate),
	M(struct tp_port_rate, ports_per_s),
	M(struct tp_port_rate, realm_id),
	S(struct tp_path_config),
	M(struct tp_path_config, relay_port_min),
	M(struct tp_path_config, relay_port_max),
	M(struct tp_path_config, channel_max),
	M(struct tp_path_config, secure_stun),
	M(struct tp_path_config, first_contact_rate),
	M(struct tp_path_config, realm_id),
	M(struct tp_path_config, realm_len),
	M(struct tp_path_config, realm_flags),
	M(struct tp_path_config, nonce_key),
	M(struct tp_path_config, realm),
	M(struct tp_path_config, ttl),
	M(struct tp_path_config, black_holes),
	M(struct tp_path_config, nat_discovery),
	M(struct tp_path_config, n_port_rates),
	M(struct tp_path_config, punt_key),
	M(struct tp_path_config, port_rates),

	S(struct tp_tables_header),
	TABLES(file),
	TABLES(n_buckets),
	TABLES(n_overflow),
	TABLES(n_next_hops),
	TABLES(n_port_indexes),
	TABLES(buckets_off),
	TABLES(entries_off),
	TABLES(next_hops_off),
	TABLES(next_hop_infos_off),
	TABLES(port_indexes_off),
	TABLES(locals_off),
	TABLES(hash_kind),
	TABLES(n_allocations),
	TABLES(limits_off),
	TABLES(n_limits),
	TABLES(n_port_sets),
	TABLES(port_sets_off),
	TABLES(reserved0),
	TABLES(hash_key),
	TABLES(gp_req),
	TABLES(config_seq),
	TABLES(path),
	TABLES(next_hop_seq),
	TABLES(cells_wanted),
	TABLES(limit_seq),

	S(struct tp_port),
	PORT(interface),
	PORT(device),
	PORT(ifindex),
	PORT(mtu),
	PORT(mac),
	PORT(n_queues),
	PORT(link_up),
	PORT(rx_no_buffer),
	PORT(rx_missed),
	PORT(rx_errors),
	PORT(tx_errors),
	PORT(rx_unserved),
	PORT(rx_ring_full),
	PORT(tx_invalid),
	PORT(rx_fill_empty),
	PORT(xdp),
	PORT(reserved),

	S(struct tp_state_header),
	STATE(file),
	STATE(cells_off),
	STATE(workers_off),
	STATE(tsc_hz),
	STATE(n_ports),
	STATE(n_limits),
	STATE(limit_cells_off),
	STATE(started_ns),
	STATE(reserved0),
	STATE(gp_done),
	STATE(flags),
	STATE(segments_lost),
	STATE(cells_ready),
	STATE(gp_max_ns),
	STATE(gp_open_ns),
	STATE(ports),

	S(struct tp_cell),
	M(struct tp_cell, packets),
	M(struct tp_cell, octets),

	S(struct tp_worker_stats),
	STATS(heartbeat_ns),
	STATS(loops),
	STATS(empty_polls),
	STATS(sleeps),
	STATS(busy_cycles),
	STATS(idle_cycles),
	STATS(rx_packets),
	STATS(rx_octets),
	STATS(tx_packets),
	STATS(tx_octets),
	STATS(kicks),
	STATS(involuntary_switches),
	STATS(lcore),
	STATS(online),
	STATS(reserved0),
	STATS(path_packets),
	STATS(path_octets),
	STATS(drops),
	STATS(residence),

	S(struct tp_ring_word),
	M(struct tp_ring_word, value),
	S(struct tp_ring_slot),
	SLOT(len),
	SLOT(local_id),
	SLOT(egress),
	SLOT(remote),
	SLOT(worker),
	SLOT(time_ns),
	SLOT(connection),
	SLOT(transport),
	SLOT(kind),
	SLOT(reserved),
	SLOT(tag),
	SLOT(data),

	S(struct tp_punt_worker),
	M(struct tp_punt_worker, head),
	M(struct tp_punt_worker, inject_tail),
	S(struct tp_inject_worker),
	M(struct tp_inject_worker, head),
	M(struct tp_inject_worker, punt_tail),
	S(struct tp_punt_header),
	M(struct tp_punt_header, slots_off),
	M(struct tp_punt_header, workers),
	S(struct tp_inject_header),
	M(struct tp_inject_header, slots_off),
	M(struct tp_inject_header, sleeping),
	M(struct tp_inject_header, workers),
	S(struct tp_streams_pair),
	M(struct tp_streams_pair, head),
	M(struct tp_streams_pair, tail),
	S(struct tp_streams_side),
	M(struct tp_streams_side, sleeping),
	M(struct tp_streams_side, generation),
	M(struct tp_streams_side, cpu),
	S(struct tp_streams_header),
	M(struct tp_streams_header, pairs_off),
	M(struct tp_streams_header, slots_off),
	M(struct tp_streams_header, sides),
};

static void line_format(char *line, size_t size, const struct row *r)
{
	if (r->size == 0)
		snprintf(line, size, "%s 0x%llx\n", r->name, r->offset);
	else
		snprintf(line, size, "%s at %llu, %llu bytes\n", r->name, r->offset, r->size);
}

static int layout_print(void)
{
	char line[160];

	printf("layout %u\n", TP_LAYOUT_VERSION);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		line_format(line, sizeof(line), &rows[i]);
		fputs(line, stdout);
	}
	return 0;
}

static int layout_compare(const char *path)
{
	char want[160], have[160];
	FILE *f = fopen(path, "r");
	unsigned version = 0, bad = 0;

	if (f == NULL || fscanf(f, "layout %u\n", &version) != 1) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(rows) && bad < 10; i++) {
		line_format(have, sizeof(have), &rows[i]);
		if (fgets(want, sizeof(want), f) == NULL)
			strcpy(want, "(nothing)\n");
		if (strcmp(want, have) != 0) {
			fprintf(stderr, "was: %snow: %s", want, have);
			bad++;
		}
	}
	if (bad == 0 && fgets(want, sizeof(want), f) != NULL) {
		fprintf(stderr, "was: %snow: gone\n", want);
		bad++;
	}
	fclose(f);
	if (version != TP_LAYOUT_VERSION)
		fprintf(stderr,
			"%s is of layout %u, the headers are of layout %u: write it anew,\n"
			"layout_test > %s\n",
			path, version, TP_LAYOUT_VERSION, path);
	else if (bad != 0)
		fprintf(stderr,
			"the layout changed: raise TP_LAYOUT_VERSION in segment.h, then\n"
			"layout_test > %s\n",
			path);
	return bad != 0 || version != TP_LAYOUT_VERSION;
}

int main(int argc, char **argv)
{
	return argc < 2 ? layout_print() : layout_compare(argv[1]);
}
