// SPDX-License-Identifier: BSD-3-Clause
#include <directory/directory.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <seccomp.h>

#include <proc/privilege.h>
#include <proc/sandbox.h>
#include <proc/start.h>

#define BACKLOG 8

// The socket of a directory that was killed is replaced; one that answers is another's.
static int socket_bind(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s", path) >= (int)sizeof(a.sun_path))
		rc = -ENAMETOOLONG;
	else if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (unlink(path) < 0 && errno != ENOENT)
		rc = -errno;
	else if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		rc = -errno;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

// The control process's alone, where this one may give it away; else our own user's.
static int socket_give(const char *path)
{
	const struct passwd *control = getpwnam(TP_LOOKUP_USER_CONTROL);

	if (chmod(path, 0600) < 0)
		return -errno;
	if (geteuid() != 0 || control == NULL)
		return 0;
	return chown(path, control->pw_uid, (gid_t)-1) < 0 ? -errno : 0;
}

// The group of the shared files is left behind: the directory has no business there.
static int user_become(const char *user)
{
	const struct proc_identity identity = {
		.user = user,
		.group = (gid_t)-1,
		.operators = (gid_t)-1,
		.tables = (gid_t)-1,
	};

	return user == NULL ? 0 : proc_become(&identity);
}

static int place_make(const struct conf *conf, struct shm_place *place)
{
	struct shm_error err;
	int rc;

	if (proc_place_init(place, conf, &err) < 0)
		return proc_shm_failed(&err);
	rc = geteuid() == 0 && place->group != (gid_t)-1
		     ? proc_directory_share(place->run_directory, place->group)
		     : 0;
	return rc < 0 ? proc_start_failed(place->run_directory, rc,
				"set runtime_directory to a directory of its own")
		      : 0;
}

int directory_listen(const struct directory_options *o, const struct conf *conf)
{
	struct shm_place place;
	char path[2 * SHM_PATH_MAX];
	int status = proc_user_check(TP_LOOKUP_USER_DIRECTORY, o->user, o->allow_root);
	int fd, rc;

	if (status == 0)
		status = place_make(conf, &place);
	if (status != 0)
		return -status;
	snprintf(path, sizeof(path), "%s/%s", place.run_directory, TP_LOOKUP_SOCKET_NAME);
	fd = socket_bind(path);
	if (fd < 0) {
		status = proc_start_failed(path, fd,
			fd == -EADDRINUSE
				? "stop the directory that runs, or give this one another "
				  "--instance"
				: "start as root with --user, or make the directory writable");
		return fd == -EADDRINUSE ? -PROC_EXIT_BUSY : -status;
	}
	rc = socket_give(path);
	if (rc == 0)
		rc = user_become(o->user);
	// The user of this moment is the one that the control process sees.
	if (rc == 0 && listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return -proc_start_failed("--user: can't become that user", rc,
		"start as root, or as that user without --user");
}

int directory_confine(const struct directory_options *o)
{
	// For the libraries of the databases; SQLite locks by fcntl.
	static const int calls[] = {
		SCMP_SYS(fcntl),
		SCMP_SYS(getpeername),
		SCMP_SYS(socketpair),
		SCMP_SYS(pipe2),
		SCMP_SYS(eventfd2),
		SCMP_SYS(getppid),
		SCMP_SYS(sysinfo),
		SCMP_SYS(getdents64),
	};
	static const struct proc_sandbox sandbox = {
		.allow = PROC_ALLOW_READ | PROC_ALLOW_UNIX | PROC_ALLOW_NET | PROC_ALLOW_THREAD,
		.calls = calls,
		.n_calls = sizeof(calls) / sizeof(calls[0]),
	};
	int rc = proc_capabilities_keep(0);

	if (rc == 0)
		rc = proc_memory_hide();
	if (rc < 0 || o->no_sandbox)
		return rc;
	rc = proc_paths_confine(NULL, 0);
	return rc < 0 ? rc : proc_sandbox_enter(&sandbox);
}
