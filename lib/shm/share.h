// SPDX-License-Identifier: BSD-3-Clause
// Group and mode of the files that both processes use.
#pragma once

#include <sys/types.h>

#include <shm/place.h>

// Gives an open file to the group, if there is one, and sets its mode; no system call changes a
// file that is right already. 0 or a negative errno.
int shm_share(int fd, gid_t group, mode_t mode);
