// SPDX-License-Identifier: BSD-3-Clause
#include "capture.h"

#include <errno.h>
#include <stdio.h>

#define PCAP_MAGIC    0xa1b2c3d4u
#define PCAP_SNAPLEN  65535u
#define PCAP_ETHERNET 1u
#define GAP_US	      10u // between packets, for programs that replay at the capture's pace

struct pcap_file {
	uint32_t magic;
	uint16_t version_major, version_minor;
	int32_t zone;
	uint32_t accuracy;
	uint32_t snaplen;
	uint32_t link;
};

struct pcap_record {
	uint32_t seconds, microseconds;
	uint32_t captured, len;
};

int bench_capture_write(
	const char *path, const struct bench_template *t, struct bench_pick *pick, uint32_t n)
{
	const struct pcap_file head = {.magic = PCAP_MAGIC,
		.version_major = 2,
		.version_minor = 4,
		.snaplen = PCAP_SNAPLEN,
		.link = PCAP_ETHERNET};
	FILE *f = fopen(path, "we");
	uint8_t frame[BENCH_FRAME_MAX];
	bool good;

	if (f == NULL)
		return -errno;
	good = fwrite(&head, sizeof(head), 1, f) == 1;
	for (uint32_t i = 0; i < n && good; i++) {
		const struct pcap_record record = {.seconds = i * GAP_US / 1000000u,
			.microseconds = i * GAP_US % 1000000u,
			.captured = t->len,
			.len = t->len};

		bench_frame_write(t, frame, bench_pick_next(pick));
		good = fwrite(&record, sizeof(record), 1, f) == 1 &&
		       fwrite(frame, t->len, 1, f) == 1;
	}
	return fclose(f) == 0 && good ? 0 : -EIO;
}
