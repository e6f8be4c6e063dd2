// SPDX-License-Identifier: BSD-3-Clause
// The control process's side of everything it shares with the data plane: the segment's files, the
// rings, the data plane's socket, and next hops. One thread.
//
//   segment.c  the control process's own files: tables, inject rings
//   files.c    the data plane's files and socket, which come and go with it
//   socket.c   the connection to the data plane's socket
//   rings.c    messages from and answers to the workers
//   hops.c     next hops, out of the kernel's routes and neighbours
#pragma once

#include <link/hops.h>
#include <link/rings.h>
#include <link/socket.h>
#include <settings/settings.h>
#include <shm/place.h>

struct link {
	struct shm_place place;
	struct tables *tables; // NULL: the segment is not open
	struct shm_inject inject;
	bool fresh;		// the tables were made by this process
	struct shm_state state; // of the data plane; file.base NULL: not mapped
	struct shm_punt punt;	// likewise
	atomic_bool state_lost; // truncated under us
	atomic_bool punt_lost;
	struct link_socket socket;
	char socket_path[SHM_PATH_MAX + 32];
	struct link_rings rings;
	struct link_hops hops;
	enum shm_cause state_told, punt_told; // why they can't be mapped, as logged
	bool unnamed;			      // as logged: a name of our own files is gone
	bool up;			      // as logged
	uint64_t up_ns;			      // since when it is up
	uint64_t tried_ns;		      // last attempt to connect or to map
};

// ---- segment.c --------------------------------------------------------------------------------

// Takes the tables of an earlier process, or makes new ones. On failure nothing is left open.
int link_segment_open(struct link *l, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err);
// The file of rings that goes with the tables.
int link_segment_open_inject(struct link *l, const struct conf *conf, struct shm_error *err);
// Closes both and leaves the files as they are.
void link_segment_close(struct link *l);

// ---- files.c ----------------------------------------------------------------------------------

// Prepares the connection to the data plane; its descriptors are watched by epoll_fd with these
// tags. link_tick connects.
void link_init(struct link *l, int epoll_fd, uint32_t socket_tag, uint32_t kick_tag);
void link_fini(struct link *l);
// Unmaps the data plane's files; link_tick maps them again.
void link_files_drop(struct link *l);
// Connects and maps where something is missing, unmaps replaced files. About every 100 ms.
void link_tick(struct link *l, uint64_t now_ns);
// Serves the data plane's socket, which is readable.
void link_read(struct link *l, uint64_t now_ns);
// The data plane runs and takes packets, as far as can be seen from here.
bool link_forwards(const struct link *l, uint64_t now_ns);

static inline bool link_is_mapped(const struct link *l)
{
	return l->state.file.base != NULL;
}
