// SPDX-License-Identifier: BSD-3-Clause
#include <proc/limits.h>

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <proc/start.h>

// Raises the soft limit to the hard one. The limit that holds afterwards.
static rlim_t descriptors_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return RLIM_INFINITY;
	if (l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
		(void)getrlimit(RLIMIT_NOFILE, &l);
	}
	return l.rlim_cur;
}

// Libraries end the process, or blame something else, where a socket of netlink is refused.
static int netlink_check(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int proc_limits_check(unsigned descriptors)
{
	static const int protocols[] = {NETLINK_ROUTE, NETLINK_NETFILTER};
	rlim_t limit = descriptors_raise();
	char problem[128];

	if (limit != RLIM_INFINITY && limit < descriptors) {
		snprintf(problem, sizeof(problem),
			"the limit of open files is %llu; at least %u are needed",
			(unsigned long long)limit, descriptors);
		return proc_start_failed(problem, -EMFILE,
			"raise it: LimitNOFILE= of the unit, or ulimit -n (RLIMIT_NOFILE)");
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(protocols); i++) {
		int rc = netlink_check(protocols[i]);

		// A kernel without netfilter has no guard to set, which is warned of elsewhere.
		if (rc == -EPROTONOSUPPORT && protocols[i] == NETLINK_NETFILTER)
			continue;
		if (rc < 0)
			return proc_start_failed("netlink sockets (AF_NETLINK) are refused", rc,
				"allow them: RestrictAddressFamilies= of the unit, or the "
				"container's system call filter");
	}
	return 0;
}
