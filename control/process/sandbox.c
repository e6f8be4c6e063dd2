// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <errno.h>

#include <seccomp.h>

#include <proc/privilege.h>
#include <proc/sandbox.h>

// The control process opens the data plane's files and its configuration again, removes the
// segment's files at the end, and connects to Unix sockets of the data plane and of systemd.
int process_confine(const struct process *p)
{
	static const int calls[] = {
		SCMP_SYS(sched_setaffinity),
		// A file of the segment gets a lost name back.
		SCMP_SYS(linkat),
		// The lock file tells that the process left in order.
		SCMP_SYS(ftruncate),
		SCMP_SYS(pwrite64),
		// A ban is on disk before the operator is told.
		SCMP_SYS(fdatasync),
	};
	static const struct proc_sandbox sandbox = {
		.allow = PROC_ALLOW_READ | PROC_ALLOW_REMOVE | PROC_ALLOW_UNIX,
		.calls = calls,
		.n_calls = TP_ARRAY_LEN(calls),
	};
	const struct conf *conf = p->core.settings->conf;
	const struct proc_path paths[] = {
		{p->link.place.run_directory, PROC_PATH_CHANGE},
		{p->link.place.directory, PROC_PATH_CHANGE},
		{conf->runtime_directory, PROC_PATH_CHANGE},
		{conf->control.state_directory, PROC_PATH_REMOVE},
	};
	int rc = proc_capabilities_keep(0);

	if (rc == 0)
		rc = proc_memory_hide();
	if (rc < 0 || p->options.no_sandbox)
		return rc;
	rc = proc_paths_confine(paths, TP_ARRAY_LEN(paths));
	if (rc < 0)
		return rc;
	return proc_sandbox_enter(&sandbox);
}
