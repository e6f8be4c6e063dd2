// SPDX-License-Identifier: BSD-3-Clause
// The XDP program that leads our packets past the kernel. It is part of the executable; the AF_XDP
// driver loads and attaches it from the path steer_object_open gives, then steer_find takes hold of
// its maps. It stays on the interface when the process is killed, dropping what is ours.
//
// Needs CAP_NET_ADMIN and CAP_BPF, and in steer_clear CAP_SYS_ADMIN where there is a program to
// look at. One thread at a time.
#pragma once

#include <stdint.h>

#include <steer/own.h>

struct steer;

// The program as a file that any library can open by path while the descriptor is open. Returns the
// descriptor, the caller's to close, or a negative errno.
int steer_object_open(char *path, size_t size);

// Takes a program of an earlier run off the interface. 1: there was one; 0: there is none; -EBUSY:
// somebody else's is there; other negative errno. The caller knows that no other data plane lives
// on this interface (steer_claim).
int steer_clear(const char *interface, struct steer_fault *fault);

// Claims the interface for this process within its network namespace until the descriptor is closed
// or the process ends. -EADDRINUSE: another data plane has it.
int steer_claim(const char *interface, struct steer_fault *fault);

// Finds our program on the interface and its maps. It must have been loaded in this process and
// still be open here. -ENOENT: it is not.
int steer_find(struct steer **out, const char *interface, struct steer_fault *fault);

// Makes the maps say `own`, additions first. Entries that don't fit: -E2BIG before any change.
int steer_update(struct steer *s, const struct steer_own *own, size_t n);

// Takes the program off the interface, if it is still ours, and frees. NULL is fine.
void steer_remove(struct steer *s);
