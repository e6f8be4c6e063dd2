// SPDX-License-Identifier: BSD-3-Clause
// The way to stderr: a full pipe never makes the process wait, and the loss is told later.
#include <log/log.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static size_t pipe_drain(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return len;
}

static void full_pipe_never_blocks(void **state)
{
	struct log_settings s = {.level = LOG_LEVEL_DEBUG};
	char text[200], *buf = malloc(1 << 20);
	int fds[2], saved = dup(STDERR_FILENO);
	unsigned lines = 0, said = 0;
	const char *lost;

	(void)state;
	assert_non_null(buf);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
	memset(text, 'x', sizeof(text));
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	alarm(10); // ends the test should a write wait
	log_init(&s);
	for (unsigned i = 0; i < 500; i++)
		log_event(LOG_EV_ALLOCATION_ENDED, LOG_FIELDS(log_text("pad", text, sizeof(text))));
	pipe_drain(fds[0], buf, 1 << 20);
	for (char *p = buf; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	log_fini();
	pipe_drain(fds[0], buf, 1 << 20);
	dup2(saved, STDERR_FILENO);
	alarm(0);
	assert_true(lines > 0 && lines < 500);
	lost = strstr(buf, "log_lost count=");
	assert_non_null(lost);
	assert_int_equal(sscanf(lost, "log_lost count=%u", &said), 1);
	assert_int_equal(lines + said, 500);
	close(fds[0]);
	close(fds[1]);
	close(saved);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_pipe_never_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
