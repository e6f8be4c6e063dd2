// SPDX-License-Identifier: BSD-3-Clause
#include "export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <traffic/capture.h>
#include <bench/exit.h>
#include <load/value.h>
#include "text.h"

#define PATH_MAX_OCTETS 4096u

struct sink {
	const struct export_options *o;
	FILE *f;
	bool pcap; // else trafgen
	uint32_t n;
};

// The frame's own family decides the header after Ethernet.
static struct load_road road_of(const struct export_options *o, bool v6)
{
	struct load_road road = o->road;

	road.ethernet[12] = v6 ? 0x86 : 0x08;
	road.ethernet[13] = v6 ? 0xdd : 0x00;
	return road;
}

static int frame_put(struct sink *s, const uint8_t *frame, size_t len)
{
	if (!s->pcap)
		return export_trafgen(s->f, frame, len);
	return bench_capture_put(s->f, s->n++, frame, len);
}

// Client to peer: all channels in the order in which relaybench load visits them.
static int up_write(struct sink *s)
{
	const struct export_options *o = s->o;
	const struct load_population *p = &o->population;
	uint32_t flows = load_flows(p), stride = load_stride(flows), flow = 0;
	uint32_t n = o->packets != 0 ? o->packets : flows;
	uint8_t frame[LOAD_FRAME_MAX];
	bool v6 = p->server.net.v6;
	struct load_road road = road_of(o, v6);
	uint32_t filler = load_frame_filler(frame, v6, true, o->payload);
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct load_media m = {.from = load_client_at(p, flow / p->n_channels),
			.to = p->server,
			.channel = load_channel_at(p, flow),
			.payload_len = o->payload,
			.stamp = {.flow = flow, .number = i / flows}};

		rc = frame_put(s, frame, load_frame_media(frame, &road, &m, filler));
		flow = (uint32_t)(((uint64_t)flow + stride) % flows);
	}
	return rc;
}

// "IP PORT" at *at, which moves behind it.
static bool addr_scan(const char **at, struct load_addr *a)
{
	char ip[64];
	unsigned port;
	int n = 0;

	if (sscanf(*at, " %63s %u%n", ip, &port, &n) != 2 || port == 0 || port > 65535 ||
		load_value_address(ip, (uint16_t)port, a) != NULL)
		return false;
	*at += n;
	return true;
}

// From the peer to the relayed address, of one line.
static bool line_scan(const char *line, struct load_media *m)
{
	struct load_addr client;

	return addr_scan(&line, &client) && addr_scan(&line, &m->to) &&
	       addr_scan(&line, &m->from) && m->from.net.v6 == m->to.net.v6;
}

// Peer to client: the lines of the map, in turn.
static int down_write(struct sink *s)
{
	const struct export_options *o = s->o;
	FILE *map = fopen(o->map, "re");
	uint8_t frame[LOAD_FRAME_MAX];
	uint32_t filler = 0, flow = 0;
	int laid = -1; // the family whose filler is in the frame
	char line[256];
	int rc = 0;

	if (map == NULL) {
		fprintf(stderr, "relaybench: %s: %s\n", o->map, strerror(errno));
		return -EIO;
	}
	while (rc == 0 && fgets(line, sizeof(line), map) != NULL) {
		struct load_media m = {.payload_len = o->payload, .stamp = {.flow = flow}};
		struct load_road road;

		if (line[0] == '#')
			continue;
		if (!line_scan(line, &m)) {
			fprintf(stderr, "relaybench: %s: not a map of relaybench load: %s", o->map,
				line);
			rc = -EINVAL;
			break;
		}
		if (laid != m.to.net.v6) {
			laid = m.to.net.v6;
			filler = load_frame_filler(frame, m.to.net.v6, false, o->payload);
		}
		road = road_of(o, m.to.net.v6);
		rc = frame_put(s, frame, load_frame_media(frame, &road, &m, filler));
		flow++;
	}
	fclose(map);
	return rc;
}

static int frames_write(const struct export_options *o, const char *path, bool pcap)
{
	struct sink s = {.o = o, .pcap = pcap, .f = fopen(path, "we")};
	int rc = 0;

	if (s.f == NULL)
		return -errno;
	if (pcap)
		rc = bench_capture_begin(s.f);
	if (rc == 0)
		rc = o->down ? down_write(&s) : up_write(&s);
	return fclose(s.f) == 0 ? rc : -EIO;
}

static int core_write(const struct export_options *o)
{
	const struct bench_population population = {.n_flows = o->channels,
		.hairpin = o->direction == BENCH_HAIRPIN,
		.mixed = o->direction == BENCH_MIX};
	struct bench_traffic *t = malloc(sizeof(*t));
	struct bench_distribution distribution;
	int rc;

	if (t == NULL)
		return -ENOMEM;
	bench_traffic_init(t, &population, o->direction, o->payload, o->seed);
	bench_distribution_init(&distribution, o->channels, 0, o->seed);
	rc = bench_capture_write(
		o->output, t, &distribution, o->packets != 0 ? o->packets : o->channels);
	free(t);
	return rc;
}

static int text_write(const struct export_options *o)
{
	char capture[PATH_MAX_OCTETS];
	FILE *f;
	int rc = 0;

	snprintf(capture, sizeof(capture), "%s.pcap", o->output);
	if (o->format == EXPORT_PKTGEN)
		rc = frames_write(o, capture, true);
	f = rc != 0 ? NULL : fopen(o->output, "we");
	if (f == NULL)
		return rc != 0 ? rc : -errno;
	rc = o->format == EXPORT_PKTGEN ? export_pktgen(f, o, capture) : export_trex(f, o);
	return fclose(f) == 0 ? rc : -EIO;
}

int export_main(int argc, char **argv)
{
	struct export_options o;
	int rc = export_options_read(&o, argc, argv);

	if (rc != 0)
		return rc > 0 ? BENCH_EXIT_OK : BENCH_EXIT_USAGE;
	if (o.core)
		rc = core_write(&o);
	else if (o.format == EXPORT_PCAP || o.format == EXPORT_TRAFGEN)
		rc = frames_write(&o, o.output, o.format == EXPORT_PCAP);
	else
		rc = text_write(&o);
	if (rc != 0 && rc != -EINVAL)
		fprintf(stderr, "relaybench: %s: %s\n", o.output, strerror(-rc));
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}
