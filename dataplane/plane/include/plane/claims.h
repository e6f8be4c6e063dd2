// SPDX-License-Identifier: BSD-3-Clause
// The host's UDP that the relay claims, from the configuration or, once there are tables, from
// these; and its enforcement on the kernel: steering, nft guard, reserved ports. Housekeeping's
// thread only.
#pragma once

#include <conf/conf.h>
#include <shm/place.h>
#include <steer/claim.h>
#include <turnpike/segment.h>

struct plane_ports;

struct plane_claimed {
	size_t n;
	struct steer_claim items[TP_LOCALS_MAX];
};

struct plane_claims {
	const struct conf *conf;
	struct plane_claimed now; // enforced
	bool guarded;
	int guard_err;	     // of the last attempt
	uint32_t generation; // of the kernel's nft rules when the guard was looked at last
	char *listing;	     // the guard as the kernel lists it
	bool reserved;
	char record[SHM_PATH_MAX + 32]; // of reserved ports
};

void plane_claimed_from_conf(struct plane_claimed *c, const struct conf *conf);
void plane_claimed_from_locals(struct plane_claimed *c, const struct tp_local locals[TP_LOCALS_MAX],
	const struct tp_path_config *path);
bool plane_claimed_equal(const struct plane_claimed *a, const struct plane_claimed *b);

// Enforces `claimed`, if it changed. Failures are logged.
void plane_claims_apply(
	struct plane_claims *c, struct plane_ports *ports, const struct plane_claimed *claimed);
// Makes the guard again if somebody changed or removed it. False: it is gone and can't be made.
bool plane_claims_guard(struct plane_claims *c);
// Reserves the ports again if somebody overwrote the kernel's list.
void plane_claims_verify(struct plane_claims *c);
// Releases guard and reserved ports; the steering goes with its ports.
void plane_claims_release(struct plane_claims *c);
