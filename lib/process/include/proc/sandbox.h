// SPDX-License-Identifier: BSD-3-Clause
// The walls around a running process: a filter of system calls and bounds for the paths it may
// change. A library that tries a forbidden call gets EPERM and goes on with its fallback; each such
// call is named once in the log (proc_denied_log).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Memory, time, locks, signals, descriptors that are open, and the end are always allowed. No
// process under a filter makes executable memory or runs a program.
enum proc_allow {
	PROC_ALLOW_READ = 1,   // opens files that are there, none is made or cut
	PROC_ALLOW_REMOVE = 2, // removes files and directories
	PROC_ALLOW_UNIX = 4,   // makes and connects Unix sockets
	PROC_ALLOW_MAKE = 8,   // makes, cuts and renames files, and gives them to a group
	PROC_ALLOW_NET = 16, // asks the kernel about interfaces: netlink, ioctl, its programs' maps
	PROC_ALLOW_THREAD = 32,
	PROC_ALLOW_TCP = 64, // makes TCP sockets and connects them
};

struct proc_sandbox {
	unsigned allow;	  // of enum proc_allow
	const int *calls; // further system calls, by SCMP_SYS
	size_t n_calls;
	bool all_threads; // those that run already, too
};

// 0 or a negative errno: -ECANCELED or -EINVAL where the kernel has no seccomp. SIGSYS belongs to
// the filter: no thread may block it.
int proc_sandbox_enter(const struct proc_sandbox *s);

// Names each system call that was denied since the last call here in a line. One thread.
void proc_denied_log(void);
// Calls that were denied since the start.
uint32_t proc_denied_count(void);

enum proc_path_access {
	PROC_PATH_CHANGE, // a directory: files below it are made, written and removed; it may
			  // itself be removed
	PROC_PATH_WRITE,  // a file, or all below a directory, is written
	PROC_PATH_REMOVE, // files and directories below the directory are removed
};

struct proc_path {
	const char *path;
	enum proc_path_access access;
};

// From here on the calling thread and those it makes later change files at these paths only;
// reading is free. Paths that are not there are left out. 0, also, after a warning, where the
// kernel has no Landlock; else a negative errno.
int proc_paths_confine(const struct proc_path *paths, size_t n);
