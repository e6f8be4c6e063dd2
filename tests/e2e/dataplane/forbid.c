// SPDX-License-Identifier: BSD-3-Clause
// forbid first-frame|af-xdp PROGRAM [ARGUMENT...]: runs a program on a kernel that answers as some
// drivers and units do: every wake-up of a socket's transmit ring with ENXIO, or AF_XDP sockets
// with EAFNOSUPPORT.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = -EINVAL;

	if (argc < 3 || filter == NULL)
		return 2;
	if (strcmp(argv[1], "first-frame") == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENXIO), SCMP_SYS(sendto), 3,
			SCMP_A1(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0),
			SCMP_A3(SCMP_CMP_EQ, MSG_DONTWAIT, 0));
	else if (strcmp(argv[1], "af-xdp") == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, AF_XDP, 0));
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc == 0) {
		execv(argv[2], argv + 2);
		rc = -errno;
	}
	fprintf(stderr, "forbid: %s: %s\n", argv[2], strerror(-rc));
	return 2;
}
