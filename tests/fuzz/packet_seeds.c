// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the packet path's targets: packet_seeds DIRECTORY, which must hold the
// directories packet_frames and packet_segment. The seeds in corpus/ were made by it.
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
