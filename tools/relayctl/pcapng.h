// SPDX-License-Identifier: BSD-3-Clause
// Writes the pcapng capture file format (draft-ietf-opsawg-pcapng): one section, Ethernet
// interfaces, packets, statistics. Host order, as the format allows. Errors stay in the FILE.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// The section header; texts may be NULL.
void pcapng_section(FILE *out, const char *hardware, const char *os, const char *application);
// The next interface: they are numbered from 0. Times are in nanoseconds. `snaplen` 0: no limit.
void pcapng_interface(FILE *out, const char *name, uint32_t snaplen);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; // since 1970
	const void *data;
	uint32_t taken; // bytes of data
	uint32_t len;	// bytes of the packet
	bool outbound;
	const char *comment; // NULL: none
};

void pcapng_packet(FILE *out, const struct pcapng_packet *p);
// `received`: packets that belonged into the file, `dropped` of them are not in it.
void pcapng_statistics(FILE *out, uint32_t interface, uint64_t start_ns, uint64_t end_ns,
	uint64_t received, uint64_t dropped);
