// SPDX-License-Identifier: BSD-3-Clause
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <steer/maps.h>
#include <steer/steer.h>

int steer_program_query(uint32_t ifindex, uint32_t *id, uint32_t *flags)
{
	struct bpf_xdp_query_opts q = {.sz = sizeof(q)};
	int err = bpf_xdp_query((int)ifindex, 0, &q);

	if (err != 0)
		return err;
	*id = q.drv_prog_id;
	*flags = XDP_FLAGS_DRV_MODE;
	if (*id == 0 && q.skb_prog_id != 0) {
		*id = q.skb_prog_id;
		*flags = XDP_FLAGS_SKB_MODE;
	}
	if (*id == 0 && q.hw_prog_id != 0) {
		*id = q.hw_prog_id;
		*flags = XDP_FLAGS_HW_MODE;
	}
	return 0;
}

int steer_program_info(int fd, struct bpf_prog_info *info, uint32_t *map_ids, uint32_t n_maps)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	info->map_ids = (uint64_t)(uintptr_t)map_ids;
	info->nr_map_ids = n_maps;
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

static int read_program(uint32_t id, struct bpf_prog_info *info)
{
	int fd = bpf_prog_get_fd_by_id(id);
	int err;

	if (fd < 0)
		return fd;
	err = steer_program_info(fd, info, NULL, 0);
	close(fd);
	return err;
}

int steer_program_detach(uint32_t ifindex, uint32_t flags)
{
	return bpf_xdp_detach((int)ifindex, flags, NULL);
}

int steer_clear(const char *interface, struct steer_fault *fault)
{
	struct bpf_prog_info info;
	uint32_t ifindex = if_nametoindex(interface);
	uint32_t id, flags;
	char remedy[128];
	int err;

	if (ifindex == 0)
		return steer_fault_set(fault, -ENODEV,
			"dataplane.ports names an interface that exists",
			"there is no interface %s", interface);
	err = steer_program_query(ifindex, &id, &flags);
	if (err != 0)
		return steer_fault_set(fault, err, "run as root or with CAP_NET_ADMIN",
			"can't ask for the XDP program of %s: %s", interface, strerror(-err));
	if (id == 0)
		return 0;
	err = read_program(id, &info);
	if (err != 0)
		return steer_fault_set(fault, err, "start with CAP_SYS_ADMIN and CAP_BPF",
			"can't look at XDP program %u of %s: %s", id, interface, strerror(-err));
	// Each mode has a word of its own: "xdp off" leaves a generic program where the driver
	// could have a native one.
	snprintf(remedy, sizeof(remedy), "stop what uses it, or: ip link set dev %s %s off",
		interface, flags == XDP_FLAGS_SKB_MODE ? "xdpgeneric" : "xdp");
	if (strcmp(info.name, STEER_PROGRAM_NAME) != 0)
		return steer_fault_set(fault, -EBUSY, remedy,
			"%s has an XDP program of somebody else: \"%s\", id %u", interface,
			info.name, id);
	err = steer_program_detach(ifindex, flags);
	if (err != 0)
		return steer_fault_set(fault, err, remedy,
			"can't detach the XDP program of an earlier run from %s: %s", interface,
			strerror(-err));
	return 1;
}

int steer_try(const char *interface)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int ifindex = (int)if_nametoindex(interface);
	int fd, err;

	if (ifindex == 0)
		return -ENODEV;
	fd = bpf_prog_load(
		BPF_PROG_TYPE_XDP, STEER_PROGRAM_NAME, "GPL", pass, TP_ARRAY_LEN(pass), NULL);
	if (fd < 0)
		return fd;
	err = bpf_xdp_attach(ifindex, fd, XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	if (err == 0)
		bpf_xdp_detach(ifindex, 0, NULL);
	close(fd);
	return err;
}
