// SPDX-License-Identifier: BSD-3-Clause
// The first steps of every process: its configuration, its place in the file system, and the exit
// status that names the reason where one of them fails.
#pragma once

#include <conf/conf.h>
#include <shm/place.h>

#define PROC_EXIT_STOPPED 0 // by SIGTERM or SIGINT
#define PROC_EXIT_FAILED  1 // could not start, or could not go on; the log says why
#define PROC_EXIT_USAGE	  2
#define PROC_EXIT_CONFIG  3 // the configuration has mistakes
#define PROC_EXIT_BUSY	  4 // the instance runs already, or its tables are in use by another version

// Reads the configuration and logs each of its mistakes and warnings. NULL: not usable.
struct conf *proc_conf_load(const struct conf_request *request);

// The group whose members may share the segment; (gid_t)-1 where the system has no such group.
gid_t proc_group_find(const struct conf *conf);

// The instance's directories and the NUMA nodes of its ports. 0, or a negative errno with err
// filled in.
int proc_place_init(struct shm_place *place, const struct conf *conf, struct shm_error *err);

// Shares the run directory with the group of the files, and becomes `user` (NULL: nobody else).
// `keep_capabilities`: until the process drops them. 0, or an exit status after a line.
int proc_user_take(const struct shm_place *place, const struct conf *conf, const char *user,
	bool keep_capabilities);

// Looks at the role's lock once a second or so. `reported` is the caller's, false at first: a lock
// that stays lost is logged once. False: another process plays the role, and this one must end.
bool proc_role_check(const struct shm_place *place, const char *role, int fd, bool *reported);

// Logs a failed start. Returns PROC_EXIT_FAILED.
int proc_start_failed(const char *problem, int rc, const char *remedy);
// Logs the failure of a shared file or role. Returns the exit status that belongs to it.
int proc_shm_failed(const struct shm_error *err);
