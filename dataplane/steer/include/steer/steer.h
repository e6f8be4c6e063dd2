// SPDX-License-Identifier: BSD-3-Clause
// The XDP program that leads our packets past the kernel. It is part of the executable; the AF_XDP
// driver loads and attaches it from the path steer_object_open gives, then steer_find takes hold of
// its maps. It stays on the interface when the process is killed, and drops our packets.
//
// Needs CAP_NET_ADMIN and CAP_BPF, and in steer_clear CAP_SYS_ADMIN where there is a program to
// look at. One thread at a time.
#pragma once

#include <stdint.h>

#include <steer/claim.h>

struct steer;

// The program as a file that any library can open by path while the descriptor is open. Returns the
// descriptor, the caller's to close, or a negative errno.
int steer_object_open(char *path, size_t size);

// Takes a program of an earlier run off the interface. 1: there was one; 0: there is none; -EBUSY:
// somebody else's is there; other negative errno. The caller knows that no other data plane lives
// on this interface (steer_interface_lock).
int steer_clear(const char *interface, struct steer_fault *fault);

// Attaches a program that passes everything, and takes it off again: the driver's own answer, which
// the AF_XDP library keeps to itself. 0, or a negative errno.
int steer_try(const char *interface);

// Claims the interface for this process: a locked file in `directory`, named after the network
// namespace and the interface. The lock ends with the process. -EADDRINUSE: another data plane has
// it. Returns a descriptor for steer_interface_unlock.
int steer_interface_lock(const char *directory, const char *interface, struct steer_fault *fault);
// Removes the file and closes. -1 is fine.
void steer_interface_unlock(const char *directory, const char *interface, int fd);

// Finds our program on the interface and its maps. It must have been loaded in this process and
// still be open here. -ENOENT: it is not.
int steer_find(struct steer **out, const char *interface, struct steer_fault *fault);

// Makes the maps say `own`, additions first. Entries that don't fit: -E2BIG before any change.
int steer_update(struct steer *s, const struct steer_claim *own, size_t n);

// Whether the program is still on the interface. 0: yes; 1: it was gone and has been put back;
// -EBUSY: another program is there; -ENODEV: the interface is gone; another negative errno: it
// can't be put back.
int steer_verify(struct steer *s, struct steer_fault *fault);

// Moves the program into the kernel's generic mode, where the driver is not involved.
int steer_make_generic(struct steer *s, struct steer_fault *fault);
enum steer_mode { STEER_MODE_NONE, STEER_MODE_NATIVE, STEER_MODE_GENERIC, STEER_MODE_OFFLOADED };
enum steer_mode steer_mode(const struct steer *s);

// Our packets that came by this receive queue and found no socket.
uint64_t steer_unserved(const struct steer *s, unsigned queue);

// Takes the program off the interface, if it is still ours, and frees. NULL is fine.
void steer_remove(struct steer *s);
