// SPDX-License-Identifier: BSD-3-Clause
// Keys and values of the steering program's maps, shared by the program and its loader. Addresses
// and ports in wire order as in struct tp_addr, port bounds in host order.
#pragma once

#include <linux/types.h>

// Fits BPF_OBJ_NAME_LEN with its NUL: it tells our program from somebody else's.
#define STEER_PROGRAM_NAME	 "turnpike_steer"
#define STEER_MAP_ADDRESSES	 "addresses"
#define STEER_MAP_LISTENERS	 "listeners"
#define STEER_MAP_UNSERVED	 "unserved"
#define STEER_QUEUES_MAX	 64
#define STEER_ADDRESSES_MAX	 1024
#define STEER_LISTENERS_MAX	 1024
#define STEER_FRAGMENTS_MAX	 16384
#define STEER_FRAGMENT_PAIRS_MAX 4096

#define STEER_FAMILY_IPV4	 1
#define STEER_FAMILY_IPV6	 2

struct steer_address_key {
	__u8 ip[16];
	__u8 family; // STEER_FAMILY_*, the values of TP_FAMILY_*
	__u8 zero[3];
};

// An address of ours: which of its UDP ports are relayed transport addresses.
struct steer_address {
	__u16 port_min; // inclusive; min > max: none
	__u16 port_max;
};

struct steer_listener_key {
	__u8 ip[16];
	__u16 port_be;
	__u8 family;
	__u8 zero;
};
