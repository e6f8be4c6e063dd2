// SPDX-License-Identifier: BSD-3-Clause
// unmap INTERFACE: empties the map that leads from the interface's XDP program to its sockets, as a
// driver does whose redirects go nowhere.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <steer/maps.h>

static int empty(uint32_t map_id)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(map_id);
	int deleted = 0;

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, "xsks_map") == 0) {
		for (uint32_t queue = 0; queue < STEER_QUEUES_MAX; queue++)
			deleted += bpf_map_delete_elem(fd, &queue) == 0;
	}
	close(fd);
	return deleted;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {0};
	uint32_t maps[16], len = sizeof(info), id = 0;
	int fd, deleted = 0;

	if (argc != 2 || bpf_xdp_query_id((int)if_nametoindex(argv[1]), 0, &id) != 0)
		return 2;
	fd = bpf_prog_get_fd_by_id(id);
	info.map_ids = (uint64_t)(uintptr_t)maps;
	info.nr_map_ids = sizeof(maps) / sizeof(maps[0]);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) != 0)
		return 2;
	for (uint32_t i = 0; i < info.nr_map_ids; i++)
		deleted += empty(maps[i]);
	close(fd);
	printf("%d sockets\n", deleted);
	return deleted > 0 ? 0 : 1;
}
