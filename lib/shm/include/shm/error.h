// SPDX-License-Identifier: BSD-3-Clause
// Why a file of the segment could not be had, in words for an operator and in a name to act on.
#pragma once

enum shm_cause {
	SHM_OK,
	SHM_MISSING,	   // no such file (yet): the other process has not made it
	SHM_UNFINISHED,	   // its maker has not finished it, or died before: -EAGAIN
	SHM_OTHER_BOOT,	   // made before the last boot: make it afresh
	SHM_OTHER_LAYOUT,  // made by another version: make it afresh
	SHM_LAYOUT_IN_USE, // the same, but the other process is alive and maps it: refuse to start
	SHM_CORRUPT,	   // sizes or offsets contradict themselves or the file: make it afresh
	SHM_OTHER_PAIR,	   // goes with other tables than those mapped: look again later, or afresh
	SHM_OTHER_SHAPE,   // valid, but with other capacities than asked for
	SHM_REFUSED,	   // owner, mode or kind of file is not ours: never touched
	SHM_BUSY,	   // another process of this instance and role runs
	SHM_NO_SPACE,	   // no huge pages or memory left
	SHM_UNSUPPORTED,   // this CPU cannot compute the hash of the tables
	SHM_SYSTEM,	   // a system call failed
};

// True where the file's maker may remove it and make a new one.
static inline int shm_cause_is_stale(enum shm_cause cause)
{
	return cause == SHM_MISSING || cause == SHM_UNFINISHED || cause == SHM_OTHER_BOOT ||
	       cause == SHM_OTHER_LAYOUT || cause == SHM_CORRUPT || cause == SHM_OTHER_PAIR ||
	       cause == SHM_OTHER_SHAPE;
}

// Filled in by every call that takes one and returns a negative errno. Texts name the file.
struct shm_error {
	enum shm_cause cause;
	char text[320];
	char remedy[320]; // advice to the operator; may be empty
};

// The cause's name, for logs: "other_layout".
const char *shm_cause_name(enum shm_cause cause);
