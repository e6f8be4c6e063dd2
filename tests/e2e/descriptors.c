// SPDX-License-Identifier: BSD-3-Clause
// Lets a test have more connections than one table of descriptors may hold, where the hard limit
// can't be raised (RLIMIT_NOFILE is of a table). Preloaded into a process, it gives each thread
// that accepts connections, but the main one, a copy of the table before its first connection.
// Descriptors that threads share must be open by then, and stay.
#include <dlfcn.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct sockaddr;

// <sys/socket.h> has a parameter that ISO C does not know.
typedef int accept_fn(int fd, struct sockaddr *from, unsigned *len, int flags);
typedef int getrlimit_fn(__rlimit_resource_t resource, struct rlimit64 *limit);

accept_fn accept4;

int accept4(int fd, struct sockaddr *from, unsigned *len, int flags)
{
	static accept_fn *next;
	static _Thread_local bool own;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "accept4");
	if (!own && gettid() != getpid() && unshare(CLONE_FILES) < 0)
		abort();
	own = true;
	return next(fd, from, len, flags);
}

// Returns the limits of DESCRIPTORS_TABLES tables together.
int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit)
{
	static getrlimit_fn *next;
	const char *tables = getenv("DESCRIPTORS_TABLES");
	int rc;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "getrlimit64");
	rc = next(resource, limit);
	if (rc == 0 && resource == RLIMIT_NOFILE && tables != NULL)
		limit->rlim_cur = limit->rlim_max *= strtoul(tables, NULL, 10);
	return rc;
}
