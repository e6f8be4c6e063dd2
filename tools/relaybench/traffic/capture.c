// SPDX-License-Identifier: BSD-3-Clause
#include <traffic/capture.h>

#include <errno.h>

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

int bench_capture_begin(FILE *f)
{
	const struct pcap_file head = {.magic = PCAP_MAGIC,
		.version_major = 2,
		.version_minor = 4,
		.snaplen = PCAP_SNAPLEN,
		.link = PCAP_ETHERNET};

	return fwrite(&head, sizeof(head), 1, f) == 1 ? 0 : -EIO;
}

int bench_capture_put(FILE *f, uint32_t i, const uint8_t *frame, size_t len)
{
	const uint64_t us = (uint64_t)i * GAP_US;
	const struct pcap_record record = {.seconds = (uint32_t)(us / 1000000u),
		.microseconds = (uint32_t)(us % 1000000u),
		.captured = (uint32_t)len,
		.len = (uint32_t)len};

	return fwrite(&record, sizeof(record), 1, f) == 1 && fwrite(frame, len, 1, f) == 1 ? 0
											   : -EIO;
}

int bench_capture_write(const char *path, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n)
{
	FILE *f = fopen(path, "we");
	uint8_t frame[BENCH_FRAME_MAX];
	int rc;

	if (f == NULL)
		return -errno;
	rc = bench_capture_begin(f);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct bench_packet p = bench_traffic_next(t, distribution);

		bench_frame_write(p.kind, frame, p.flow);
		rc = bench_capture_put(f, i, frame, p.kind->len);
	}
	return fclose(f) == 0 ? rc : -EIO;
}
