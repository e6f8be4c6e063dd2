// SPDX-License-Identifier: BSD-3-Clause
#include <steer/steer.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <steer/maps.h>

#include "object.h"
#include "program.h"

_Static_assert(STEER_FAMILY_IPV4 == TP_FAMILY_IPV4 && STEER_FAMILY_IPV6 == TP_FAMILY_IPV6,
	"families of the program and of the contract");
_Static_assert(sizeof(struct steer_address_key) == 20 && sizeof(struct steer_listener_key) == 20,
	"keys without padding");

#define STEER_PROGRAM_MAPS_MAX 16

struct steer {
	uint32_t ifindex;
	uint32_t program_id;
	uint32_t flags; // the mode it was attached in
	int program_fd;
	int addresses_fd;
	int listeners_fd;
	int unserved_fd;
	unsigned n_cpus;
};

int steer_fault_set(struct steer_fault *f, int err, const char *remedy, const char *format, ...)
{
	va_list args;

	if (f == NULL)
		return err;
	va_start(args, format);
	vsnprintf(f->problem, sizeof(f->problem), format, args);
	va_end(args);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	return err;
}

int steer_object_open(char *path, size_t size)
{
	int fd = memfd_create(STEER_PROGRAM_NAME, MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < steer_object_len) {
		ssize_t n = write(fd, steer_object + done, steer_object_len - done);

		if (n < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		done += (size_t)n;
	}
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

static bool among(uint32_t id, const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

// Keeps a duplicate of `fd` if it is one of the program's maps.
static void take_map(struct steer *s, int fd, const uint32_t *map_ids, uint32_t n_maps)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) != 0 || !among(info.id, map_ids, n_maps))
		return;
	if (s->addresses_fd < 0 && strcmp(info.name, STEER_MAP_ADDRESSES) == 0 &&
		info.key_size == sizeof(struct steer_address_key))
		s->addresses_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	else if (s->listeners_fd < 0 && strcmp(info.name, STEER_MAP_LISTENERS) == 0 &&
		 info.key_size == sizeof(struct steer_listener_key))
		s->listeners_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	else if (s->unserved_fd < 0 && strcmp(info.name, STEER_MAP_UNSERVED) == 0)
		s->unserved_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

// The next descriptor whose link says `kind`; -1 at the end.
static int next_fd(DIR *d, const char *kind)
{
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		char target[64];
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		if (n > 0 && (size_t)n == strlen(kind) && memcmp(target, kind, (size_t)n) == 0)
			return atoi(e->d_name);
	}
	return -1;
}

// The driver, in this process, loaded the program and holds descriptors of it and its maps. Opening
// them by id would take CAP_SYS_ADMIN. Returns a descriptor, the caller's.
static int find_program(uint32_t id, struct bpf_prog_info *info, uint32_t *map_ids, uint32_t n_maps)
{
	DIR *d = opendir("/proc/self/fd");
	int fd, found = -ENOENT;

	if (d == NULL)
		return -errno;
	while (found < 0 && (fd = next_fd(d, "anon_inode:bpf-prog")) >= 0) {
		if (steer_program_info(fd, info, map_ids, n_maps) == 0 && info->id == id)
			found = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	closedir(d);
	return found;
}

static int find_maps(struct steer *s, const uint32_t *map_ids, uint32_t n_maps)
{
	DIR *d = opendir("/proc/self/fd");
	int fd;

	if (d == NULL)
		return -errno;
	while ((fd = next_fd(d, "anon_inode:bpf-map")) >= 0)
		take_map(s, fd, map_ids, n_maps);
	closedir(d);
	return s->addresses_fd >= 0 && s->listeners_fd >= 0 && s->unserved_fd >= 0 ? 0 : -ENOENT;
}

static void close_all(struct steer *s)
{
	const int fds[] = {s->program_fd, s->addresses_fd, s->listeners_fd, s->unserved_fd};

	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(s);
}

int steer_find(struct steer **out, const char *interface, struct steer_fault *fault)
{
	uint32_t map_ids[STEER_PROGRAM_MAPS_MAX];
	struct bpf_prog_info info = {0};
	struct steer *s = calloc(1, sizeof(*s));
	uint32_t n_maps;
	int err;

	if (s == NULL)
		return steer_fault_set(fault, -ENOMEM, "", "out of memory");
	*s = (struct steer){
		.ifindex = if_nametoindex(interface),
		.program_fd = -1,
		.addresses_fd = -1,
		.listeners_fd = -1,
		.unserved_fd = -1,
		.n_cpus = (unsigned)libbpf_num_possible_cpus(),
	};
	err = s->ifindex == 0 ? -ENODEV
			      : steer_program_query(s->ifindex, &s->program_id, &s->flags);
	if (err == 0 && s->program_id == 0)
		err = -ENOENT;
	if (err == 0) {
		s->program_fd = find_program(s->program_id, &info, map_ids, TP_ARRAY_LEN(map_ids));
		err = s->program_fd < 0 ? s->program_fd : 0;
	}
	if (err == 0 && strcmp(info.name, STEER_PROGRAM_NAME) != 0)
		err = -ENOENT;
	if (err != 0) {
		close_all(s);
		return steer_fault_set(fault, err, "see: ip link show",
			"the steering program is not on %s: %s", interface, strerror(-err));
	}
	n_maps = info.nr_map_ids < TP_ARRAY_LEN(map_ids) ? info.nr_map_ids : TP_ARRAY_LEN(map_ids);
	err = find_maps(s, map_ids, n_maps);
	if (err != 0) {
		close_all(s);
		return steer_fault_set(fault, err, "report it",
			"the steering program on %s has not the maps it should have", interface);
	}
	*out = s;
	return 0;
}

static int attach(const struct steer *s)
{
	return bpf_xdp_attach(
		(int)s->ifindex, s->program_fd, s->flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
}

int steer_verify(struct steer *s, struct steer_fault *fault)
{
	char name[IF_NAMESIZE] = "?";
	uint32_t id, flags;
	int err = steer_program_query(s->ifindex, &id, &flags);

	if (err == 0 && id == s->program_id)
		return 0;
	if (if_indextoname(s->ifindex, name) == NULL)
		return steer_fault_set(fault, -ENODEV, "see: ip link", "the interface is gone");
	if (err == 0 && id != 0)
		return steer_fault_set(fault, -EBUSY, "stop what attached it",
			"another XDP program, id %u, took the place of ours on %s", id, name);
	if (err == 0)
		err = attach(s);
	if (err != 0)
		return steer_fault_set(fault, err, "restart turnpike-dataplane",
			"the steering program was taken off %s and can't be put back: %s", name,
			strerror(-err));
	return steer_fault_set(
		fault, 1, "done: attached again", "the steering program was taken off %s", name);
}

int steer_make_generic(struct steer *s, struct steer_fault *fault)
{
	int err = 0;

	if (s->flags == XDP_FLAGS_SKB_MODE)
		return 0;
	err = steer_program_detach(s->ifindex, s->flags);
	s->flags = XDP_FLAGS_SKB_MODE;
	if (err == 0)
		err = attach(s);
	return err == 0 ? 0
			: steer_fault_set(fault, err, "xdp: auto, or another kernel",
				  "the steering program can't be attached in generic mode: %s",
				  strerror(-err));
}

enum steer_mode steer_mode(const struct steer *s)
{
	switch (s->flags) {
	case XDP_FLAGS_DRV_MODE:
		return STEER_MODE_NATIVE;
	case XDP_FLAGS_SKB_MODE:
		return STEER_MODE_GENERIC;
	case XDP_FLAGS_HW_MODE:
		return STEER_MODE_OFFLOADED;
	default:
		return STEER_MODE_NONE;
	}
}

uint64_t steer_unserved(const struct steer *s, unsigned queue)
{
	uint64_t *counts = calloc(s->n_cpus, sizeof(*counts));
	uint32_t key = queue;
	uint64_t n = 0;

	if (counts != NULL && bpf_map_lookup_elem(s->unserved_fd, &key, counts) == 0) {
		for (unsigned i = 0; i < s->n_cpus; i++)
			n += counts[i];
	}
	free(counts);
	return n;
}

// Deletes the entries of the map that are not in `keys`, 20 bytes each.
static void prune(int fd, const uint8_t (*keys)[20], size_t n)
{
	uint8_t key[20], next[20];
	int err = bpf_map_get_next_key(fd, NULL, next);

	while (err == 0) {
		bool wanted = false;

		memcpy(key, next, sizeof(key));
		err = bpf_map_get_next_key(fd, key, next);
		for (size_t i = 0; i < n && !wanted; i++)
			wanted = memcmp(keys[i], key, sizeof(key)) == 0;
		if (!wanted)
			bpf_map_delete_elem(fd, key);
	}
}

struct content {
	size_t n_addresses;
	size_t n_listeners;
	uint8_t address_keys[STEER_ADDRESSES_MAX][20];
	uint8_t listener_keys[STEER_LISTENERS_MAX][20];
	struct steer_address addresses[STEER_ADDRESSES_MAX];
};

static int content_add(struct content *c, const struct steer_claim *o)
{
	struct steer_address_key key = {.family = o->addr.family};
	size_t i;

	memcpy(key.ip, o->addr.ip, sizeof(key.ip));
	for (i = 0; i < c->n_addresses; i++) {
		if (memcmp(c->address_keys[i], &key, sizeof(key)) == 0)
			break;
	}
	if (i == STEER_ADDRESSES_MAX)
		return -E2BIG;
	if (i == c->n_addresses) {
		memcpy(c->address_keys[i], &key, sizeof(key));
		c->addresses[i] = (struct steer_address){1, 0};
		c->n_addresses++;
	}
	if (o->kind == STEER_RELAY) {
		c->addresses[i] = (struct steer_address){o->port_min, o->port_max};
	} else {
		struct steer_listener_key *l;

		if (c->n_listeners == STEER_LISTENERS_MAX)
			return -E2BIG;
		l = (struct steer_listener_key *)(void *)c->listener_keys[c->n_listeners++];
		*l = (struct steer_listener_key){
			.port_be = tp_htons(o->port_min), .family = o->addr.family};
		memcpy(l->ip, o->addr.ip, sizeof(l->ip));
	}
	return 0;
}

int steer_update(struct steer *s, const struct steer_claim *own, size_t n)
{
	struct content *c = calloc(1, sizeof(*c));
	const uint8_t one = 1;
	int err = 0;

	if (c == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n && err == 0; i++)
		err = content_add(c, &own[i]);
	for (size_t i = 0; i < c->n_listeners && err == 0; i++)
		err = bpf_map_update_elem(s->listeners_fd, c->listener_keys[i], &one, BPF_ANY);
	for (size_t i = 0; i < c->n_addresses && err == 0; i++)
		err = bpf_map_update_elem(
			s->addresses_fd, c->address_keys[i], &c->addresses[i], BPF_ANY);
	if (err == 0) {
		prune(s->addresses_fd, (const uint8_t(*)[20])c->address_keys, c->n_addresses);
		prune(s->listeners_fd, (const uint8_t(*)[20])c->listener_keys, c->n_listeners);
	}
	free(c);
	return err;
}

void steer_remove(struct steer *s)
{
	uint32_t id, flags;

	if (s == NULL)
		return;
	if (steer_program_query(s->ifindex, &id, &flags) == 0 && id == s->program_id)
		steer_program_detach(s->ifindex, flags);
	close_all(s);
}
