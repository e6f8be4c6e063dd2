// SPDX-License-Identifier: BSD-3-Clause
#include <plane/again.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64u
#define TEXT_MAX      16384u

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

// DPDK's descriptors of memory and devices would be kept over the exec, with what they hold.
static void close_at_exec(void)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (syscall(SYS_close_range, 3u, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = 3; fd < most; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// The command line as it was given; its length.
static size_t read_arguments(char *text, size_t size)
{
	FILE *f = fopen("/proc/self/cmdline", "re");
	size_t len;

	if (f == NULL)
		return 0;
	len = fread(text, 1, size - 1, f);
	fclose(f);
	text[len] = '\0';
	return len;
}

// A process that is not root keeps its capabilities over an exec as ambient ones only.
static void keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) != 0)
		return;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if ((data[cap / 32].permitted & 1u << cap % 32) != 0)
			(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	}
}

int plane_again(void)
{
	static char text[TEXT_MAX];
	char option[] = PLANE_AGAIN_OPTION;
	char *arguments[ARGUMENTS_MAX + 2];
	size_t len = read_arguments(text, sizeof(text)), n = 0;
	sigset_t none;

	for (size_t at = 0; at < len && n < ARGUMENTS_MAX; at += strlen(text + at) + 1)
		arguments[n++] = text + at;
	if (n == 0 || n == ARGUMENTS_MAX)
		return -E2BIG;
	arguments[n++] = option;
	arguments[n] = NULL;
	close_at_exec();
	keep_capabilities();
	// The new program inherits this thread's mask, and its main thread must get SIGTERM.
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", arguments);
	return -errno;
}
