// SPDX-License-Identifier: BSD-3-Clause
#include <steer/announce.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void steer_announce_start(struct steer_announce *a, const char *sysctls, const char *interface)
{
	static const char *const settings[][2] = {
		{"ipv4", "arp_notify"},
		{"ipv6", "ndisc_notify"},
	};

	a->n = 0;
	for (unsigned i = 0; i < 2; i++) {
		char path[PATH_MAX], value = '1';
		int fd;

		snprintf(path, sizeof(path), "%s/%s/conf/%s/%s", sysctls, settings[i][0], interface,
			settings[i][1]);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (pread(fd, &value, 1, 0) == 1 && value == '0' && pwrite(fd, "1\n", 2, 0) == 2)
			a->fds[a->n++] = fd;
		else
			close(fd);
	}
}

void steer_announce_stop(struct steer_announce *a)
{
	for (unsigned i = 0; i < a->n; i++) {
		// An interface that is gone has taken them along.
		if (pwrite(a->fds[i], "0\n", 2, 0) < 0)
			continue;
	}
	for (unsigned i = 0; i < a->n; i++)
		close(a->fds[i]);
	a->n = 0;
}
