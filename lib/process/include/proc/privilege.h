// SPDX-License-Identifier: BSD-3-Clause
// Privileges that a process gives away before it reads data of strangers. Each function returns 0
// or a negative errno.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_CAPABILITY(cap) (UINT64_C(1) << (cap))

struct proc_identity {
	const char *user;
	gid_t group;		// the first one; (gid_t)-1: the user's own
	gid_t operators;	// is joined as well; (gid_t)-1: none
	gid_t tables;		// likewise
	bool keep_capabilities; // until proc_capabilities_keep
};

// Becomes the user, with the user's groups and those named. Before any thread is made. 0 where it
// is that user already. -ENOENT: there is no such user.
int proc_become(const struct proc_identity *who);

// Fails where the process would stay uid 0 though nobody allowed it, or where `user` (NULL: none
// was named) does not exist. `usual`: the user that the installer makes for this process. 0, or
// the exit status after a line with the remedy.
int proc_user_check(const char *usual, const char *user, bool allow_root);

// Of the run directory: both processes make files there, operators pass through to their socket,
// and nobody else lists or changes it.
#define PROC_DIRECTORY_MODE 0771

// Lets the group make files in an instance's directory. -EACCES: the directory has other things in
// it, so it is left as it is.
int proc_directory_share(const char *directory, gid_t group);

// The calling thread, and those it makes later, keep at most the capabilities in `keep` (bits of
// PROC_CAPABILITY) and gain nothing by an exec.
int proc_capabilities_keep(uint64_t keep);
// No core dump and no debugger sees the keys.
int proc_memory_hide(void);
