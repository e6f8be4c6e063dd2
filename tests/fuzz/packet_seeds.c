// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the packet path's targets: packet_seeds DIRECTORY, which must hold the
// directories packet_frames, packet_segment and quoted_icmp. The seeds in corpus/ were made by it.
#include "packet_world.h"

#include <stdio.h>
#include <stdlib.h>

static void write_file(
	const char *directory, const char *target, unsigned number, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/seed-%02u", directory, target, number);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static size_t frame_append(uint8_t *out, const struct packet_world *w, unsigned which)
{
	struct frame f;

	packet_world_frame(w, which, &f);
	tp_store_be16(out, f.len);
	memcpy(out + 2, frame_data(&f), f.len);
	return 2u + f.len;
}

// A datagram that is too long for every port, from a peer that sets DF.
static void seed_too_big(const char *directory, const struct packet_world *w, uint8_t *out)
{
	static const uint8_t data[1520];

	for (unsigned family = 0; family < 2; family++) {
		struct frame_spec spec = {.src = w->peer[family],
			.dst = w->relayed[family][PACKET_WORLD_CALLER],
			.payload = data,
			.len = sizeof(data),
			.df = true};
		struct frame f;

		frame_build(&f, &spec);
		tp_store_be16(out, f.len);
		memcpy(out + 2, frame_data(&f), f.len);
		write_file(directory, "packet_frames", PACKET_WORLD_FRAMES + 1 + family, out,
			2u + f.len);
	}
}

// Each type about a packet to a peer, a visitor and a client.
static void seed_icmp(const char *directory, const struct packet_world *w, uint8_t *out)
{
	unsigned number = 0;

	for (unsigned i = 0; i < 2 * 3 * 4; i++) {
		unsigned family = i / 12, leg = i / 4 % 3;
		uint8_t types[2][4] = {{3, 11, 3, 12}, {2, 3, 1, 4}};
		struct frame_spec spec = {.payload = out + 1000, .len = 300};
		struct frame f;

		spec.src = leg == 2 ? w->listener[family] : w->relayed[family][PACKET_WORLD_CALLER];
		spec.dst = leg == 0   ? w->peer[family]
			   : leg == 1 ? w->visitor[family]
				      : w->client[family][PACKET_WORLD_CALLER];
		frame_build(&f, &spec);
		memset(out, 0, 9);
		out[0] = (uint8_t)family;
		out[1] = types[family][i % 4];
		out[2] = family == 0 && i % 4 == 0 ? 4 : 0;
		tp_store_be32(out + 5, 1300);
		memcpy(out + 9, frame_data(&f) + 14, 64);
		// As of a packet of 1,400 bytes.
		tp_store_be16(out + 9 + (family == 0 ? 2 : 4), family == 0 ? 1428 : 1408);
		tp_store_be16(out + 9 + (family == 0 ? 20 : 40) + 4, 1408);
		write_file(directory, "quoted_icmp", number++, out, 9 + 64);
	}
}

int main(int argc, char **argv)
{
	static uint8_t out[65536];
	struct packet_world *w = packet_world_restore();
	size_t len = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (unsigned i = 0; i < PACKET_WORLD_FRAMES; i++)
		write_file(argv[1], "packet_frames", i, out, frame_append(out, w, i));
	for (unsigned i = 0; i < PACKET_WORLD_FRAMES; i++)
		len += frame_append(out + len, w, i);
	write_file(argv[1], "packet_frames", PACKET_WORLD_FRAMES, out, len);
	seed_too_big(argv[1], w, out);
	seed_icmp(argv[1], w, out);

	// Each frame with room around it, before and after one field of each entry is overwritten.
	for (unsigned i = 0; i < w->r->n_used; i++) {
		len = 0;
		for (unsigned field = 0; field < 128; field += 4) {
			const uint8_t steps[] = {1, (uint8_t)i, (uint8_t)field, 3, 0xff, 0xff, 0xff,
				0xff, 4, (uint8_t)(i + field), 100, 40, 0};

			memcpy(out + len, steps, sizeof(steps));
			len += sizeof(steps);
		}
		write_file(argv[1], "packet_segment", i, out, len);
	}
	// Regions at large, messages to inject, and time.
	for (unsigned region = 0; region < 7; region++) {
		len = 0;
		for (unsigned i = 0; i < 20; i++) {
			const uint8_t steps[] = {0, (uint8_t)region, 0, (uint8_t)(i * 5),
				(uint8_t)(i * 13), (uint8_t)(i * 57), 3, 0, (uint8_t)i, 0xff, 0x7f,
				5, (uint8_t)i, 90, 40, 0, 2, 5, 0, (uint8_t)(i * 3), 1, (uint8_t)i,
				1, 3, 0, 9};

			memcpy(out + len, steps, sizeof(steps));
			len += sizeof(steps);
		}
		write_file(argv[1], "packet_segment", 40 + region, out, len);
	}
	return 0;
}
