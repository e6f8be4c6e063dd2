// SPDX-License-Identifier: BSD-3-Clause
#include <operator/reserved.h>

#include <stdio.h>
#include <stdlib.h>

#define LIST_PATH  "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define RANGE_PATH "/proc/sys/net/ipv4/ip_local_port_range"

bool operator_ports_covered(const char *list, uint16_t low, uint16_t high)
{
	unsigned long next = low; // first port not covered yet
	const char *p = list;

	// The kernel prints the list in order and merged.
	while (next <= high) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last;

		if (end == p)
			return false;
		last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first > next)
			return false;
		if (last >= next)
			next = last + 1;
		p = *end == ',' ? end + 1 : end;
	}
	return true;
}

bool operator_ports_are_reserved(uint16_t low, uint16_t high)
{
	unsigned first = 0, last = 65535;
	char *list = NULL;
	size_t size = 0;
	bool covered = true;
	FILE *f = fopen(RANGE_PATH, "re");

	if (f != NULL) {
		if (fscanf(f, "%u %u", &first, &last) != 2)
			first = 0;
		fclose(f);
	}
	// Outside its ephemeral range the kernel picks no port.
	if (first > low)
		low = (uint16_t)first;
	if (last < high)
		high = (uint16_t)last;
	f = low > high ? NULL : fopen(LIST_PATH, "re");
	if (f != NULL) {
		covered = getline(&list, &size, f) < 0 ? false
						       : operator_ports_covered(list, low, high);
		free(list);
		fclose(f);
	}
	return covered;
}
