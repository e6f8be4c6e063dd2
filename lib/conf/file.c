// SPDX-License-Identifier: BSD-3-Clause
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int fd_read(int fd, char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EAGAIN;
		done += (size_t)n;
	}
	return 0;
}

int conf_file_read(struct conf_arena *a, const char *path, size_t max, struct file_text *out)
{
	// O_NONBLOCK: a FIFO in place of the file must not stop the process.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &out->st) < 0 ? -errno : 0;
	if (rc == 0 && !S_ISREG(out->st.st_mode))
		rc = -EISDIR;
	if (rc == 0 && (unsigned long long)out->st.st_size > max)
		rc = -EFBIG;
	if (rc < 0)
		goto out_close;
	out->len = (size_t)out->st.st_size;
	out->data = conf_arena_alloc(a, out->len + 1);
	rc = out->data != NULL ? fd_read(fd, out->data, out->len) : -ENOMEM;
out_close:
	close(fd);
	return rc;
}
