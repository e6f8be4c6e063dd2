// SPDX-License-Identifier: BSD-3-Clause
#include <io/xsk.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/if_xdp.h>

#define PROBE_TRIES 100u

int io_xsk_try(struct steer_fault *fault)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err = -errno;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	return steer_fault_set(fault, err,
		err == -EPERM ? "start as root or with CAP_NET_RAW"
			      : "name AF_XDP in RestrictAddressFamilies= of the unit and in the "
				"container's filter; the kernel needs CONFIG_XDP_SOCKETS",
		"AF_XDP sockets are refused: %s", strerror(-err));
}

static bool is_xsk(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

void io_xsk_read(struct io_xsk_set *set)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	memset(set, 0, sizeof(*set));
	while (d != NULL && (e = readdir(d)) != NULL) {
		unsigned long fd = strtoul(e->d_name, NULL, 10);

		if (e->d_name[0] != '.' && fd < IO_XSK_FDS && is_xsk((int)fd))
			set->bits[fd / 64] |= UINT64_C(1) << fd % 64;
	}
	if (d != NULL)
		closedir(d);
}

int io_xsk_opened(const struct io_xsk_set *before)
{
	struct io_xsk_set now;

	io_xsk_read(&now);
	for (unsigned i = 0; i < TP_ARRAY_LEN(now.bits); i++) {
		uint64_t opened = now.bits[i] & ~before->bits[i];

		if (opened != 0)
			return (int)(64 * i) + __builtin_ctzll(opened);
	}
	return -1;
}

void io_xsk_release(int fd)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct stat st;
	char line[256];

	if (is_xsk(fd) && fstat(fd, &st) == 0) {
		while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
			unsigned long start, end, inode;

			if (sscanf(line, "%lx-%lx %*s %*x %*s %lu", &start, &end, &inode) == 3 &&
				inode == st.st_ino && strstr(line, "socket:") != NULL)
				munmap((void *)start, end - start);
		}
		close(fd);
	}
	if (maps != NULL)
		fclose(maps);
}

bool io_xsk_count(int fd, struct io_xsk_counters *c)
{
	struct xdp_statistics s = {0};
	socklen_t len = sizeof(s);

	// Kernels before 5.9 tell the first three.
	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &s, &len) != 0)
		return false;
	*c = (struct io_xsk_counters){
		.rx_dropped = s.rx_dropped,
		.rx_invalid = s.rx_invalid_descs,
		.tx_invalid = s.tx_invalid_descs,
		.rx_ring_full = s.rx_ring_full,
		.rx_fill_empty = s.rx_fill_ring_empty_descs,
		.tx_empty = s.tx_ring_empty_descs,
	};
	return true;
}

static int wake(int fd)
{
	return send(fd, NULL, 0, MSG_DONTWAIT) < 0 ? -errno : 0;
}

const struct io_xsk_calls io_xsk_kernel = {wake, io_xsk_count};

int io_xsk_probe(int fd, const struct io_xsk_calls *calls, const struct io_xsk_counters *before)
{
	struct io_xsk_counters now;
	int err = -EAGAIN;

	// Busy is a driver that works.
	for (unsigned i = 0; i < PROBE_TRIES && (err == -EAGAIN || err == -EBUSY || err == -EINTR);
		i++)
		err = calls->wake(fd);
	if (err == -EAGAIN || err == -EBUSY || err == -EINTR || err == -ENOBUFS)
		err = 0;
	if (err == 0 && calls->count(fd, &now) && now.tx_invalid > before->tx_invalid)
		err = -EINVAL;
	return err;
}

bool io_xsk_is_zero_copy(int fd)
{
	struct xdp_options options = {0};
	socklen_t len = sizeof(options);

	return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0 &&
	       (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}
