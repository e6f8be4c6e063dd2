// SPDX-License-Identifier: BSD-3-Clause
// The data plane's end of a segment in a scratch place. The test makes the control process's end.
#pragma once

#include <plane/attach.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scratch_place.h"

struct fixture {
	struct shm_place place;
	struct shm_tables tables; // the control process's
	struct shm_inject inject;
	struct shm_error err;
	struct io_port ports[2];
	struct attach attach;
	uint64_t tsc_hz;
	int role_fd;
};

static inline void attached_tables_close(struct fixture *f)
{
	shm_inject_close(&f->inject);
	shm_tables_close(&f->tables);
}

static inline void attached_begin(struct fixture *f)
{
	const struct attach_settings s = {.place = &f->place,
		.n_workers = 1,
		.ports = f->ports,
		.n_ports = 2,
		.tsc_hz = f->tsc_hz,
		.flags = TP_STATE_NO_HUGE};

	assert_int_equal(plane_attach_init(&f->attach, &s), 0);
}

static inline int attached_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	f->role_fd = shm_role_lock(&f->place, SHM_ROLE_CONTROL, &f->err);
	strcpy(f->ports[0].device.interface, "eth0");
	strcpy(f->ports[0].device.name, "net_af_xdp0");
	f->ports[0].link.ifindex = 7;
	f->ports[0].mtu = 1500;
	strcpy(f->ports[1].device.name, "net_null0");
	f->tsc_hz = 2300000000;
	attached_begin(f);
	*state = f;
	return f->role_fd >= 0 ? 0 : -1;
}

static inline int attached_teardown(void **state)
{
	struct fixture *f = *state;

	plane_attach_fini(&f->attach);
	attached_tables_close(f);
	close(f->role_fd);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static inline enum attach_event attached_tick(struct fixture *f)
{
	enum attach_event event = ATTACH_NOTHING;

	for (unsigned i = 0; i < 10 && event == ATTACH_NOTHING; i++)
		event = plane_attach_tick(&f->attach, &f->err);
	return event;
}
