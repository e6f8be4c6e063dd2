// SPDX-License-Identifier: BSD-3-Clause
#include <bench/host.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_OCTETS (2ull << 20)
#define NR_HUGE	    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define FREE_HUGE   "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

static volatile sig_atomic_t stopped;
static volatile pid_t child;

static long number_read(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f == NULL)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static bool number_write(const char *path, long n)
{
	FILE *f = fopen(path, "we");
	bool good;

	if (f == NULL)
		return false;
	good = fprintf(f, "%ld\n", n) > 0;
	return fclose(f) == 0 && good;
}

// ---- the parent ---------------------------------------------------------------------------------

static void on_signal(int signal)
{
	stopped = 1;
	if (child > 0)
		kill(child, signal);
}

static void directory_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) != 0)
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

static void give_back(struct bench_host *g)
{
	long pages;

	if (g->directory[0] != '\0') {
		directory_empty(g->directory);
		rmdir(g->directory);
	}
	if (g->huge_added == 0)
		return;
	pages = number_read(NR_HUGE);
	if (pages < g->huge_added || !number_write(NR_HUGE, pages - g->huge_added))
		fprintf(stderr, "relaybench: %ld huge pages were not given back: lower %s\n",
			g->huge_added, NR_HUGE);
}

static void session_begin(bool boost)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setsid();
	if (boost && !bench_host_boost(getpid()))
		fprintf(stderr, "relaybench: no boost (not root, or no autogroups): other "
				"programs on these cores disturb the figures\n");
}

int bench_host_supervise(int (*run)(struct bench_host *host, void *arg), void *arg, bool boost)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct bench_host *g =
		mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;

	if (g == MAP_FAILED) {
		perror("relaybench");
		return 1;
	}
	g->owner = getpid();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	child = fork();
	if (child == 0) {
		session_begin(boost);
		exit(run(g, arg));
	}
	if (child < 0) {
		perror("relaybench");
		return 1;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		rmdir(g->directory);
	give_back(g);
	if (WIFSIGNALED(status))
		fprintf(stderr, "relaybench: ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// ---- the child ----------------------------------------------------------------------------------

bool bench_host_boost(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/autogroup", (int)pid);
	return number_write(path, -20);
}

bool bench_host_stopped(void)
{
	return stopped != 0;
}

static bool directory_make(struct bench_host *g)
{
	if (g->directory[0] != '\0')
		return true;
	snprintf(
		g->directory, sizeof(g->directory), "/dev/shm/relaybench-%d-XXXXXX", (int)g->owner);
	if (mkdtemp(g->directory) != NULL)
		return true;
	perror("relaybench: /dev/shm");
	g->directory[0] = '\0';
	return false;
}

static bool pages_add(struct bench_host *g, uint64_t size)
{
	long want = (long)(size / HUGE_OCTETS) + 1;
	long have = number_read(NR_HUGE), free_now = number_read(FREE_HUGE);

	if (have < 0 || free_now < 0)
		return false;
	if (free_now >= want)
		return true;
	want -= free_now;
	if (!number_write(NR_HUGE, have + want))
		return false;
	g->huge_added = number_read(NR_HUGE) - have;
	return g->huge_added >= want;
}

bool bench_host_take_huge(struct bench_host *g, uint64_t size)
{
	static const char text[] = "relaybench: no huge pages (%s): figures with 4 KiB pages\n";
	char mount_point[SHM_PATH_MAX + 8];

	if (!directory_make(g))
		return false;
	if (!pages_add(g, size)) {
		fprintf(stderr, text, "not root, or memory is in pieces");
		return false;
	}
	snprintf(mount_point, sizeof(mount_point), "%s/huge", g->directory);
	if (mkdir(mount_point, 0700) != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("none", mount_point, "hugetlbfs", 0, "pagesize=2M,mode=0700") != 0) {
		fprintf(stderr, text, strerror(errno));
		return false;
	}
	memcpy(g->mount, mount_point, sizeof(g->mount));
	return true;
}

int bench_host_place(struct bench_host *g, struct shm_place *place, struct shm_error *err)
{
	if (!directory_make(g))
		return -EIO;
	return shm_place_init(place, "relaybench", g->directory,
		g->mount[0] != '\0' ? g->mount : g->directory, (gid_t)-1, err);
}

void bench_host_clear(const struct shm_place *place)
{
	static const enum shm_kind all[] = {
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT, SHM_EDGE, SHM_STREAM};
	struct shm_error err;

	for (unsigned i = 0; i < TP_ARRAY_LEN(all); i++)
		shm_file_remove(place, all[i], &err);
}
