// SPDX-License-Identifier: BSD-3-Clause
// The process that looks users up: takes its socket and gives its privileges away (start.c), then
// serves the control process until a signal ends it (main.c).
#pragma once

#include <conf/conf.h>
#include <service/service.h>
#include <shm/place.h>

// The command line.
struct directory_options {
	const char *config;
	const char *instance; // NULL: the configuration's
	const char *user;     // to become; NULL: stay
	bool allow_root;
	bool no_sandbox;
	bool check;
};

struct directory {
	struct directory_options options;
	struct conf *conf; // in force
	struct service *service;
	struct conf *old_conf; // of the service before, until its last question is answered
	struct service *old;
	struct service_socket socket;
	int epoll_fd;
	int signal_fd;
	bool reload;
	bool stopping;
};

// True: go on. False: end with *status, everything has been said.
bool directory_options_parse(struct directory_options *o, int argc, char **argv, int *status);

struct conf_request directory_request(const struct directory_options *o, enum conf_role role);

// Binds the socket in the run directory, becomes the user and listens. The control process's user
// gets the socket. Returns the descriptor, or minus the exit status after a line.
int directory_listen(const struct directory_options *o, const struct conf *place);
// From here on the process makes no file, runs no program and has no capability. 0 or a negative
// errno.
int directory_confine(const struct directory_options *o);
